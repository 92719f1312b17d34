package app

import (
	"testing"
	"time"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

func TestWhatThePageSaysOfAssessments(t *testing.T) {
	r, err := register.Parse("r.yaml", []byte(`format: domicile.register/v1
assessments:
  - {kind: tia, entity: Vendor, country: US, outcome: stop, assessed: 2025-01-01, due: 2026-01-01}
  - {kind: tia, entity: Vendor, country: US, outcome: proceed_with_measures, measures: [pseudonymise], assessed: 2026-01-01, due: 2027-01-01, steps: {transfers: x, tool: scc, law: y}}
  - {kind: tia, entity: Vendor, country: IN, outcome: proceed, assessed: 2025-06-01, due: 2026-06-01}
  - {kind: tia, entity: Vendor, country: BR, outcome: proceed, assessed: 2027-01-01, due: 2028-01-01}
  - {kind: protection_test, entity: Vendor, country: JP, outcome: proceed, assessed: 2026-01-01, due: 2027-01-01}
`))
	if err != nil {
		t.Fatal(err)
	}
	today := programme.DayOf(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	want := "US: data may go with measures (assessed 2026-01-01, 3 of 6 steps written down, due again 2027-01-01); " +
		"IN: data may go (assessed 2025-06-01, 0 of 6 steps written down, overdue since 2026-06-01)"
	if got := assessed(r, "Vendor", today, "en"); got != want {
		t.Errorf("got %s", got)
	}
	if got := assessed(r, "Somebody else", today, "en"); got != "" {
		t.Errorf("got %s", got)
	}
}
