// Package residency answers where a person is at home, by the rules that a tenant gives. It is
// pure: what is known of the person comes in, a region comes out.
package residency

import (
	"domicile.dev/internal/programme"
)

// What a rule goes by.
const (
	BySource       = "source"        // where the data was sent to is home
	ByPhoneCountry = "phone_country" // the country that a phone number belongs to
	ByResidence    = "residence"     // the country that the data itself declares
)

// Others stands in Rule.Countries for every country that isn't named.
const Others = "*"

// Rule is one way to tell where somebody is at home.
type Rule struct {
	By string `json:"by"`
	// Paths are where a declared residence stands in an event's data: names joined by dots. The
	// first that holds a country counts. Of ByResidence only.
	Paths []string `json:"paths,omitempty"`
	// Countries maps ISO 3166-1 alpha-2 codes, EU, EEA and Others to the ids of regions. The
	// closest one counts: a country before EU, EU before EEA, and Others last. Of all but BySource.
	Countries map[string]string `json:"countries,omitempty"`
}

// Settings is what a tenant decides about where its people's data lives. The zero value is: home is
// where the data is sent, and other regions may get it if a lawful decision says so.
type Settings struct {
	// Placement is tried in order; the first rule that gives a region wins, and without any
	// answer home is the region of the source.
	Placement []Rule `json:"placement"`
	// Pin keeps the people's clear data from ever leaving their region, whatever a flow, a grant or a
	// move asks for.
	Pin bool `json:"pin"`
	// ForPurposes says that the tenant's people are read for a purpose of the programme only.
	ForPurposes bool `json:"for_purposes,omitempty"`
}

// Places says whether the settings can name another home than the source's.
func (s *Settings) Places() bool {
	return s != nil && len(s.Placement) > 0 && s.Placement[0].By != BySource
}

// Identifier is one identifier of a person, canonical.
type Identifier struct {
	Type  string
	Value []byte
}

// Facts is what is known of a person by one event.
type Facts struct {
	Identifiers []Identifier
	// Residence returns the text that the event has at a path of the person's own data, "" for none.
	Residence func(path string) string
}

// Home returns the region that the first rule with an answer gives, and what that rule goes by. With
// none it is here, BySource.
func (s *Settings) Home(here string, f Facts) (region, by string) {
	for i := range s.Placement {
		r := &s.Placement[i]
		switch r.By {
		case BySource:
			return here, BySource
		case ByPhoneCountry:
			region = r.byPhone(f)
		case ByResidence:
			region = r.byResidence(f)
		}
		if region != "" {
			return region, r.By
		}
	}
	return here, BySource
}

// byPhone goes by the first number of the person whose country the rule maps.
func (r *Rule) byPhone(f Facts) string {
	for _, ident := range f.Identifiers {
		if region := r.region(ident.Country()); region != "" {
			return region
		}
	}
	return ""
}

func (r *Rule) byResidence(f Facts) string {
	for _, path := range r.Paths {
		if region := r.region(programme.CountryOf(f.Residence(path))); region != "" {
			return region
		}
	}
	return ""
}

// region returns what the rule maps a country to, "" when it doesn't or when there is no country.
func (r *Rule) region(country string) string {
	if country == "" {
		return ""
	}
	for _, key := range []string{country, "EU", "EEA", Others} {
		if region := r.Countries[key]; region != "" && (key == Others || programme.In(country, key)) {
			return region
		}
	}
	return ""
}
