package register_test

import (
	"testing"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

func TestAConsentIsMeasuredByWhatWasPublishedSince(t *testing.T) {
	day := programme.FirstDay
	a := register.Askings{
		All: []register.Asking{ // not in the order in which they hold
			{Purpose: "ads", N: 3, Version: "v3", Since: 300, From: day("2026-03-01")},
			{Purpose: "ads", N: 2, Version: "v2", Since: 200, From: day("2026-04-01")},
			{Purpose: "research", N: 3, Version: "v3", Since: 300, From: day("2026-03-01")},
		},
		Notices: map[string]int{"notice-1": 1, "notice-2": 2, "notice-3": 3, "notice-4": 4},
	}
	for _, tt := range []struct {
		purpose string
		at      int64
		text    string
		want    string
	}{
		{"ads", 0, "", "v3"}, {"ads", 199, "", "v3"}, {"ads", 200, "", "v3"}, {"ads", 299, "", "v3"}, {"ads", 300, "", ""},
		{"ads", 0, "notice-1", "v3"}, {"ads", 0, "notice-2", "v3"}, {"ads", 0, "notice-3", ""}, {"ads", 0, "notice-4", ""}, {"ads", 200, "notice-3", ""},
		{"ads", 0, "v3", "v3"}, // how people call it isn't its text: a tenant's own texts are called so, too
		{"ads", 0, "notice-5", "v3"}, {"research", 200, "", "v3"}, {"research", 300, "", ""}, {"support", 0, "", ""},
	} {
		terms, got := a.Of(tt.purpose), ""
		if x := terms.Unmet(tt.at, tt.text); x != nil {
			got = x.Version
		}
		if got != tt.want {
			t.Errorf("%s at %d to %q: %q, want %q", tt.purpose, tt.at, tt.text, got, tt.want)
		}
	}
	one, two := register.Askings{All: a.All[:1], Notices: map[string]int{"notice-3": 3}}, register.Askings{All: a.All[1:], Notices: a.Notices}
	both := (&register.Register{Askings: one}).With(&register.Register{Askings: two}).Askings
	terms := both.Of("ads")
	if x := terms.Unmet(250, ""); len(both.All) != 3 || x == nil || x.Version != "v3" || terms.Unmet(0, "notice-3") != nil {
		t.Errorf("two together: %+v", both)
	}
}
