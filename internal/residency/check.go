package residency

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
)

// The most that settings may hold: they are entered in the ledger as they are.
const (
	maxPaths = 16
	maxBytes = 12 << 10
)

var (
	path     = regexp.MustCompile(`^[A-Za-z0-9_$@-]{1,64}(\.[A-Za-z0-9_$@-]{1,64}){0,7}$`)
	showable = regexp.MustCompile(`^[A-Za-z0-9-]{1,16}$`)
)

// defaultPaths are where a residence is looked for when a rule names no paths: an identify call of
// the Segment protocol, and native records that keep to its words.
var defaultPaths = []string{"traits.address.country", "context.traits.address.country", "address.country"}

// Check returns s as it is stored, or a fault of kind Invalid that says what is wrong and where.
// regions are the ids of the regions whose addresses this node knows, its own among them.
func (s Settings) Check(regions []string) (Settings, error) {
	seen := map[string]bool{}
	s.Placement = slices.Clone(s.Placement)
	for i := range s.Placement {
		r := &s.Placement[i]
		if i > 0 && s.Placement[i-1].By == BySource {
			return s, bad(i, "never_reached", "a rule after source is never reached: source always gives an answer").WithHint("put source last, or leave it out: it holds anyway")
		}
		if seen[r.By] {
			return s, bad(i, "twice", "there are two rules by %s", r.By)
		}
		if err := r.check(i, regions); err != nil {
			return s, err
		}
		seen[r.By] = true
	}
	if b, err := json.Marshal(s); err != nil || len(b) > maxBytes {
		return s, fault.New(fault.Invalid, "placement.too_large", "the settings have at most %d bytes", maxBytes)
	}
	return s, nil
}

func (r *Rule) check(i int, regions []string) error {
	switch r.By {
	case BySource:
		if len(r.Countries)+len(r.Paths) > 0 {
			return bad(i, "source", "source takes neither countries nor paths")
		}
		return nil
	case ByPhoneCountry:
		if len(r.Paths) > 0 {
			return bad(i, "paths", "phone_country takes no paths")
		}
	case ByResidence:
		if len(r.Paths) == 0 {
			r.Paths = slices.Clone(defaultPaths)
		}
		if len(r.Paths) > maxPaths {
			return bad(i, "paths", "a rule has at most %d paths", maxPaths)
		}
		for n, p := range r.Paths {
			if !path.MatchString(p) {
				return bad(i, "paths", "path %d is not names joined by dots", n).WithHint("such as traits.address.country")
			}
		}
	default:
		return bad(i, "unknown", "a rule goes by source, phone_country or residence")
	}
	if len(r.Countries) == 0 {
		return bad(i, "no_countries", "the rule maps no country to a region").WithHint(`such as "countries":{"EEA":"ie1","US":"us1"}`)
	}
	for _, c := range slices.Sorted(maps.Keys(r.Countries)) {
		if c != Others && !programme.IsJurisdiction(c) {
			f := bad(i, "unknown_country", "%s is no country", shown(c))
			if code := programme.CountryOf(c); code != "" {
				return f.WithHint("write " + code)
			}
			return f.WithHint("countries are ISO 3166-1 alpha-2 codes, EU, EEA, or * for all others")
		}
		if region := r.Countries[c]; !slices.Contains(regions, region) {
			return bad(i, "unknown_region", "%s is no region whose address this node knows", shown(region)).With("regions", slices.Sorted(slices.Values(regions))).
				WithHint("use one of regions; others are added to peers in the node's configuration")
		}
	}
	return nil
}

// bad is the fault of rule i.
func bad(i int, what, public string, args ...any) *fault.Error {
	f := fault.New(fault.Invalid, "placement."+what, public, args...)
	return f.With("rule", i)
}

// shown is s when it can be shown: a code or an id, and no text that could be anything.
func shown(s string) string {
	if showable.MatchString(s) {
		return s
	}
	return "that"
}
