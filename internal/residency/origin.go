package residency

import (
	"cmp"
	"slices"
	"strings"

	"domicile.dev/internal/term"
)

// Origins is what one subject's row keeps of the countries whose law its person brings. The zero value
// is somebody of whom none is known. A country is all that is kept: no number, no address.
type Origins struct {
	// Numbers are the countries of the subject's numbers, each followed by a comma; one may stand twice.
	Numbers string
	// Unlooked says that nobody has looked at the numbers yet, or since one of them went: Numbers says nothing.
	Unlooked bool
	// Residence is the country that the person declared, "" for none; DeclaredAt is when, by their own
	// time in Unix milliseconds, and DeclaredBy the id of the source that brought it.
	Residence  string
	DeclaredAt int64
	DeclaredBy string
}

// Origin is one country whose law a person brings.
type Origin struct {
	Country string
	By      string // ByResidence or ByPhoneCountry
	At      int64  // ByResidence: when it was declared, Unix ms
	Source  string // ByResidence
}

// Declared returns, of the subjects that are one person, what was declared last; nil when nothing was.
func Declared(all []Origins) (last *Origins) {
	for i := range all {
		o := &all[i]
		if o.Residence != "" && (last == nil || o.DeclaredAt > last.DeclaredAt || o.DeclaredAt == last.DeclaredAt && o.Residence < last.Residence) {
			last = o
		}
	}
	return last
}

// Of returns the countries whose law the person brings who is those subjects: the residence that was
// declared last, then those of their numbers in order.
func Of(all []Origins) (out []Origin) {
	if o := Declared(all); o != nil {
		out = append(out, Origin{Country: o.Residence, By: ByResidence, At: o.DeclaredAt, Source: o.DeclaredBy})
	}
	from := len(out)
	for i := range all {
		for rest := all[i].Numbers; rest != ""; {
			var country string
			country, rest, _ = strings.Cut(rest, ",")
			if country != "" && !slices.ContainsFunc(out[from:], func(o Origin) bool { return o.Country == country }) {
				out = append(out, Origin{Country: country, By: ByPhoneCountry})
			}
		}
	}
	slices.SortFunc(out[from:], func(a, b Origin) int { return cmp.Compare(a.Country, b.Country) })
	return out
}

// Country returns the country that an identifier tells, by the numbering plan for a phone number and by
// what stands in front for a WhatsApp business-scoped id; "" when it tells none.
func (i Identifier) Country() string {
	switch i.Type {
	case term.Phone:
		return PhoneCountry(i.Value)
	case term.WhatsAppID:
		return whatsAppCountry(i.Value)
	}
	return ""
}

// Paths returns where a residence is looked for in an event: where the tenant's rule by residence says, else
// where it is looked for by default.
func (s *Settings) Paths() []string {
	if s != nil {
		for i := range s.Placement {
			if r := &s.Placement[i]; r.By == ByResidence && len(r.Paths) > 0 {
				return r.Paths
			}
		}
	}
	return defaultPaths
}
