package transit_test

import (
	"encoding/json"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/transit"
)

// What is stored in the clear of a residence is a country, a time and a source, or nothing.
func TestOnlyAResidenceOfItsFormIsTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		country, by string
		at          int64
		ok          bool
	}{
		"none": {"", "", 0, true}, "one": {"DE", "src_ie1_abc", 5, true}, "an address": {"Unter den Linden 1", "src_ie1_abc", 5, false}, "small letters": {"de", "src_ie1_abc", 5, false},
		"without a time": {"DE", "src_ie1_abc", 0, false}, "without a source": {"DE", "", 5, false}, "a name for a source": {"DE", "ann", 5, false}, "a source of nothing": {"", "src_ie1_abc", 0, false},
	} {
		raw, err := json.Marshal(somebody(func(p *transit.Person) { p.Residence, p.DeclaredBy, p.DeclaredAt = tt.country, tt.by, tt.at }))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transit.DecodePerson(raw); (err == nil) != tt.ok || err != nil && fault.ReasonOf(err) != "move.malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
