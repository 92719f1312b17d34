package residency_test

import (
	"slices"
	"testing"

	"domicile.dev/internal/residency"
	"domicile.dev/internal/term"
)

func TestWhoseLawAPersonBrings(t *testing.T) {
	lives := func(country string, at int64) residency.Origins {
		return residency.Origins{Residence: country, DeclaredAt: at, DeclaredBy: "src_ie1_a"}
	}
	for _, tt := range []struct {
		name string
		all  []residency.Origins
		want []string
	}{
		{"nobody", nil, nil},
		{"nothing is known", []residency.Origins{{}}, nil},
		{"numbers in order, each once", []residency.Origins{{Numbers: "US,IE,US,"}, {Numbers: "IE,BR,"}}, []string{"BR phone_country", "IE phone_country", "US phone_country"}},
		{"the later declaration of one person", []residency.Origins{lives("DE", 7), lives("FR", 9), lives("IT", 8)}, []string{"FR residence"}},
		{"of one moment, always the same", []residency.Origins{lives("FR", 7), lives("DE", 7)}, []string{"DE residence"}},
		{"one country told twice", []residency.Origins{{Numbers: "DE,", Residence: "DE", DeclaredAt: 1}}, []string{"DE residence", "DE phone_country"}},
	} {
		var got []string
		for _, o := range residency.Of(tt.all) {
			got = append(got, o.Country+" "+o.By)
			if (o.By == residency.ByResidence) != (o.At > 0) {
				t.Errorf("%s: %+v", tt.name, o)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestWhatAnIdentifierTells(t *testing.T) {
	for _, tt := range []struct{ typ, value, want string }{
		{term.Phone, irish, "IE"}, {term.Phone, american, "US"}, {term.Phone, canadian, "CA"}, {term.Phone, toll, ""},
		{term.WhatsAppID, "BR.123", "BR"}, {term.WhatsAppID, "123", ""}, {term.Email, "a@b.de", ""}, {term.UserID, irish, ""},
	} {
		if got := (residency.Identifier{Type: tt.typ, Value: []byte(tt.value)}).Country(); got != tt.want {
			t.Errorf("%s %s tells %q, want %q", tt.typ, tt.value, got, tt.want)
		}
	}
}

func TestPathsAreThoseOfTheRuleByResidence(t *testing.T) {
	var none *residency.Settings
	own := &residency.Settings{Placement: []residency.Rule{byPhone, byResidence}}
	if got := own.Paths(); !slices.Equal(got, byResidence.Paths) {
		t.Errorf("%v", got)
	}
	if a, b := none.Paths(), (&residency.Settings{Placement: []residency.Rule{byPhone}}).Paths(); len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("without a rule: %v and %v", a, b)
	}
}
