package residency_test

import (
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/term"
)

var (
	byResidence = residency.Rule{By: residency.ByResidence, Paths: []string{"traits.address.country", "country"},
		Countries: map[string]string{"EEA": "ie1", "US": "us1", "FR": "fr1", "EU": "eu1"}}
	byPhone  = residency.Rule{By: residency.ByPhoneCountry, Countries: map[string]string{"IE": "ie1", "US": "us1", "AU": "au1"}}
	anywhere = residency.Rule{By: residency.ByPhoneCountry, Countries: map[string]string{"US": "us1", residency.Others: "ie1"}}
	source   = residency.Rule{By: residency.BySource}
)

func person(residence, country string, ids ...string) residency.Facts {
	f := residency.Facts{Residence: func(path string) string {
		return map[string]string{"traits.address.country": residence, "country": country}[path]
	}}
	for i := 0; i+1 < len(ids); i += 2 {
		f.Identifiers = append(f.Identifiers, residency.Identifier{Type: ids[i], Value: []byte(ids[i+1])})
	}
	return f
}

const (
	irish    = "+353831234567"
	american = "+12025550123"
	canadian = "+14165550123"
	austral  = "+61491570156"
	british  = "+447400123456"
	toll     = "+80012345678" // no country's
)

func TestTheFirstRuleWithAnAnswerWins(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rules  []residency.Rule
		facts  residency.Facts
		region string
		by     string
	}{
		{"no rules", nil, person("US", "", term.Phone, american), "au1", residency.BySource},
		{"source only", []residency.Rule{source}, person("US", "", term.Phone, american), "au1", residency.BySource},
		{"phone", []residency.Rule{byPhone}, person("", "", term.Phone, american), "us1", residency.ByPhoneCountry},
		{"phone before residence", []residency.Rule{byPhone, byResidence}, person("US", "", term.Phone, irish), "ie1", residency.ByPhoneCountry},
		{"residence before phone", []residency.Rule{byResidence, byPhone}, person("US", "", term.Phone, irish), "us1", residency.ByResidence},
		{"residence without an answer", []residency.Rule{byResidence, byPhone}, person("", "", term.Phone, irish), "ie1", residency.ByPhoneCountry},
		{"residence that isn't mapped", []residency.Rule{byResidence, byPhone}, person("JP", "", term.Phone, austral), "au1", residency.ByPhoneCountry},
		{"residence that is no country", []residency.Rule{byResidence, byPhone}, person("Atlantis", "", term.Phone, american), "us1", residency.ByPhoneCountry},
		{"nobody answers", []residency.Rule{byResidence, byPhone}, person("JP", "", term.Phone, british), "au1", residency.BySource},
		{"nobody answers, then source", []residency.Rule{byResidence, byPhone, source}, person("", ""), "au1", residency.BySource},
		{"second path", []residency.Rule{byResidence}, person("", "US"), "us1", residency.ByResidence},
		{"first path with a region", []residency.Rule{byResidence}, person("JP", "US"), "us1", residency.ByResidence},
		{"lower case", []residency.Rule{byResidence}, person(" us ", ""), "us1", residency.ByResidence},
		{"a name", []residency.Rule{byResidence}, person("United States", ""), "us1", residency.ByResidence},
		{"a country before EU", []residency.Rule{byResidence}, person("FR", ""), "fr1", residency.ByResidence},
		{"EU before EEA", []residency.Rule{byResidence}, person("DE", ""), "eu1", residency.ByResidence},
		{"EEA beyond EU", []residency.Rule{byResidence}, person("NO", ""), "ie1", residency.ByResidence},
		{"neither", []residency.Rule{byResidence}, person("GB", ""), "au1", residency.BySource},
		{"the group's own name is no country", []residency.Rule{byResidence}, person("EEA", ""), "au1", residency.BySource},
		{"all others", []residency.Rule{anywhere}, person("", "", term.Phone, british), "ie1", residency.ByPhoneCountry},
		{"not even among others without a country", []residency.Rule{anywhere}, person("", "", term.Phone, toll), "au1", residency.BySource},
		{"others is no country", []residency.Rule{{By: residency.ByResidence, Paths: []string{"country"}, Countries: anywhere.Countries}}, person("", "*"), "au1", residency.BySource},
		{"no phone", []residency.Rule{anywhere}, person("", "", term.Email, "a@example.com"), "au1", residency.BySource},
		{"shared code, other country", []residency.Rule{byPhone}, person("", "", term.Phone, canadian), "au1", residency.BySource},
		{"first number with a region", []residency.Rule{byPhone}, person("", "", term.Phone, british, term.Phone, irish, term.Phone, american), "ie1", residency.ByPhoneCountry},
		{"WhatsApp without a number", []residency.Rule{byPhone}, person("", "", term.WhatsAppID, "US.13491208655302741918"), "us1", residency.ByPhoneCountry},
		{"a user id that looks like one", []residency.Rule{byPhone}, person("", "", term.UserID, "US.13491208655302741918"), "au1", residency.BySource},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := residency.Settings{Placement: tt.rules}
			if region, by := s.Home("au1", tt.facts); region != tt.region || by != tt.by {
				t.Errorf("home %s by %s, want %s by %s", region, by, tt.region, tt.by)
			}
		})
	}
}

func TestPhoneCountry(t *testing.T) {
	for number, want := range map[string]string{irish: "IE", american: "US", canadian: "CA", austral: "AU", british: "GB",
		"+441481960194": "GG", "+4915112345678": "DE", "+77012345678": "KZ", "+79161234567": "RU", "+18765550123": "JM", "+390612345678": "IT",
		toll: "", "+881612345678": "", "+447700900123": "", "+999123456789": "", "": "", "0831234567": "", "nonsense": ""} {
		if got := residency.PhoneCountry([]byte(number)); got != want {
			t.Errorf("PhoneCountry(%s) = %q, want %q", number, got, want)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	us := map[string]string{"US": "us1"}
	for _, tt := range []struct {
		name   string
		rules  []residency.Rule
		reason string
	}{
		{"none", nil, ""},
		{"all three", []residency.Rule{byPhoneOf(us), {By: "residence", Countries: map[string]string{"EEA": "ie1", "*": "us1"}}, source}, ""},
		{"unknown rule", []residency.Rule{{By: "passport", Countries: us}}, "placement.unknown"},
		{"no rule at all", []residency.Rule{{}}, "placement.unknown"},
		{"after source", []residency.Rule{source, byPhoneOf(us)}, "placement.never_reached"},
		{"twice", []residency.Rule{byPhoneOf(us), byPhoneOf(us)}, "placement.twice"},
		{"source with countries", []residency.Rule{{By: "source", Countries: us}}, "placement.source"},
		{"phone with paths", []residency.Rule{{By: "phone_country", Countries: us, Paths: []string{"a"}}}, "placement.paths"},
		{"no countries", []residency.Rule{{By: "phone_country"}}, "placement.no_countries"},
		{"unknown country", []residency.Rule{byPhoneOf(map[string]string{"UK": "ie1"})}, "placement.unknown_country"},
		{"lower case", []residency.Rule{byPhoneOf(map[string]string{"us": "us1"})}, "placement.unknown_country"},
		{"unknown region", []residency.Rule{byPhoneOf(map[string]string{"US": "us2"})}, "placement.unknown_region"},
		{"no region", []residency.Rule{byPhoneOf(map[string]string{"US": ""})}, "placement.unknown_region"},
		{"bad path", []residency.Rule{{By: "residence", Countries: us, Paths: []string{"traits.address.country", "a..b"}}}, "placement.paths"},
		{"path of a value", []residency.Rule{{By: "residence", Countries: us, Paths: []string{"ann@example.com lives in"}}}, "placement.paths"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := residency.Settings{Placement: tt.rules}.Check([]string{"us1", "ie1"})
			if fault.ReasonOf(err) != tt.reason || tt.reason == "" && err != nil {
				t.Fatalf("%v, want %q", err, tt.reason)
			}
			if err == nil && len(tt.rules) > 1 && len(got.Placement[1].Paths) == 0 {
				t.Error("a residence rule has no paths to look at")
			}
			if f, ok := fault.As(err); ok && f.Public == "" {
				t.Error("nobody is told what is wrong")
			}
		})
	}
}

func byPhoneOf(countries map[string]string) residency.Rule {
	return residency.Rule{By: residency.ByPhoneCountry, Countries: countries}
}

func TestPlaces(t *testing.T) {
	var none *residency.Settings
	for name, want := range map[*residency.Settings]bool{none: false, {}: false, {Placement: []residency.Rule{source}}: false,
		{Pin: true}: false, {Placement: []residency.Rule{byPhone}}: true} {
		if got := name.Places(); got != want {
			t.Errorf("%+v places people elsewhere: %v, want %v", name, got, want)
		}
	}
}
