package decision_test

import (
	"slices"
	"testing"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// Version 3 was published on 2026-11-01 and holds from 2026-12-01.
func TestAConsentThatHasToBeAskedForAgain(t *testing.T) {
	reg := registered(t)
	published := time.Date(2026, 11, 1, 9, 30, 0, 0, time.UTC)
	reg.Askings = register.Askings{Notices: map[string]int{"notice-2": 2, "notice-3": 3},
		All: []register.Asking{{Purpose: "analytics", N: 3, Version: "v3", Since: published.UnixMilli(), From: programme.FirstDay("2026-12-01")}}}
	e := decision.New(load(t), law.Builtin(), reg, nil)
	for _, tt := range []struct {
		name    string
		consent decision.Consent
		day     string
		code    string // of the denial, or of the note; "" for neither
		allowed bool
	}{
		{"before it holds an older one counts and is to be asked", decision.Consent{At: published.UnixMilli() - 1}, "2026-11-30", "consent.ask_again", true},
		{"on its first day it doesn't count", decision.Consent{At: published.UnixMilli() - 1}, "2026-12-01", "consent.outdated", false},
		{"nor later", decision.Consent{At: published.UnixMilli() - 1}, "2027-12-01", "consent.outdated", false},
		{"one given after the publication counts", decision.Consent{At: published.UnixMilli()}, "2026-12-01", "", true},
		{"one to the new text counts", decision.Consent{At: 5, Text: "notice-3"}, "2026-12-01", "", true},
		{"one to the old text doesn't", decision.Consent{At: 5, Text: "notice-2"}, "2026-12-01", "consent.outdated", false},
		{"one of which nobody knows when doesn't", decision.Consent{}, "2026-12-01", "consent.outdated", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := ask("counted")
			tt.consent.Purpose = "analytics"
			q.Subject.Consents = []decision.Consent{{Purpose: "support"}, tt.consent}
			at := programme.Date(tt.day).Time().Add(time.Minute)
			for range 2 { // the second is kept from the first
				d := e.Decide(&q, at)
				if d.Allowed != tt.allowed || tt.code != "" && !d.Has(tt.code) {
					t.Fatalf("allowed %v, want %v with %q: %+v", d.Allowed, tt.allowed, tt.code, d.Reasons)
				}
				if tt.code == "" && slices.ContainsFunc(d.Reasons, func(r decision.Reason) bool { return r.Code == "consent.ask_again" }) {
					t.Errorf("nothing is to be asked: %+v", d.Reasons)
				}
				if !d.Allowed && d.Scope != decision.OnePerson {
					t.Errorf("the denial is of %s", d.Scope)
				}
				if tt.code == "consent.ask_again" && (d.Review == "" || d.Review > "2026-12-01") {
					t.Errorf("it is looked at again on %q", d.Review)
				}
			}
		})
	}
	q := ask("tickets") // it doesn't rest on consent
	if d := e.Decide(&q, time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)); d.Has("consent.outdated") {
		t.Errorf("%+v", d.Reasons)
	}
}
