package register

import (
	"cmp"
	"slices"
	"strings"

	"domicile.dev/internal/programme"
)

// Due is something that holds on a day, or did, and lapses.
type Due struct {
	Kind   string        `json:"kind"`   // check, certificate, contract, assessment, attestation, case
	About  string        `json:"about"`  // whom: a registered name, or a recipient's id of a case
	What   string        `json:"what"`   // row, module, country …
	Says   string        `json:"says"`   // which fact
	Lapses string        `json:"lapses"` // the first day on which it doesn't hold
	Days   int           `json:"days"`   // until then, below 1 when it is over
	on     programme.Day // the same
}

// DueKinds are the kinds of Due, in order.
var DueKinds = []string{"check", "certificate", "contract", "assessment", "attestation", "case"}

// prefixes tell the kind of a key, by what it begins with.
var prefixes = map[string]string{"dpf": "check", "certificate": "certificate", "contract": "contract", "scc": "contract", "scc-ch": "contract", "addendum": "contract",
	"idta": "contract", "br_scc": "contract", "comparable": "contract", "limit": "attestation", "protection_test": "assessment", "tia": "assessment", "case": "case"}

// Due returns what lapses within so many days from day, and what has lapsed, the first first. Of facts
// that stand beside each other the one that holds longest counts, of those that overrule each other the
// last. maxAge is how many days a look-up of that key is good for, 0 for always; nil for always.
func (f *Facts) Due(within int, maxAge func(key string) int) (all []Due) {
	for key, fact := range f.ByKey {
		if !fact.Holds {
			continue
		}
		until := fact.Until
		if maxAge != nil {
			if n := maxAge(key); n > 0 {
				until = min(until, fact.From+programme.Day(n))
			}
		}
		if until == programme.Never || int(until-f.Day) >= within {
			continue
		}
		parts := strings.Split(key, "/")
		about := parts[len(parts)-1]
		d := Due{Kind: prefixes[parts[0]], About: unname(about), What: strings.Join(parts[:len(parts)-1], " "), Says: fact.Says, on: until + 1, Lapses: string((until + 1).Date()), Days: int(until + 1 - f.Day)}
		if parts[0] == "contract" || d.Kind == "contract" {
			d.What = contractOf(parts)
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Due) int {
		return cmp.Or(cmp.Compare(a.on, b.on), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.About, b.About), cmp.Compare(a.What, b.What))
	})
	return all
}

// contractOf names a contract's kind and its other party, when that isn't the organisation.
func contractOf(parts []string) string {
	what := strings.TrimSpace(strings.Join(parts[:len(parts)-2], " "))
	if by := parts[len(parts)-2]; by != "" {
		what += " by " + unname(by)
	}
	return what
}

var unname = strings.NewReplacer("%2F", "/", "%25", "%").Replace
