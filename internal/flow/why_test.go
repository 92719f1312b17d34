package flow_test

import (
	"slices"
	"testing"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/law"
	"domicile.dev/internal/register"
)

// Whoever names a day to come wants nothing to leave before it; to begin at once would be the opposite.
func TestAFlowBeginsAtNoDayToCome(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil)
		for _, from := range []string{r.now().AddDate(0, 0, 1).Format(time.DateOnly), r.now().Add(time.Hour).Format(time.RFC3339)} {
			if _, err := n.runner.Do(t.Context(), operator, flow.Order{Flow: screening, Verb: flow.Start, From: from}); fault.ReasonOf(err) != "flow.bad_from" {
				t.Errorf("start from %s: %v", from, err)
			}
		}
		if v, err := n.runner.Show(t.Context(), operator, screening); err != nil || v.State != flow.Idle {
			t.Errorf("it is %s after that, %v", v.State, err)
		}
		n.order(flow.Start, r.now().Format(time.DateOnly))
		if _, err := n.runner.Do(t.Context(), operator, flow.Order{Flow: screening, Verb: flow.Replay, From: "2999-01-01"}); fault.ReasonOf(err) != "flow.bad_from" {
			t.Errorf("replay from a day to come: %v", err)
		}
	})
}

// That no mechanism carries is what denies; which paper is missing is what somebody has to mend.
func TestAFlowSaysWhatBecameOfItsMechanisms(t *testing.T) {
	r := newRegion(t, "")
	n := r.open(nil)
	codes := func(of []decision.Reason) (out []string) {
		for _, x := range of {
			out = append(out, x.Code)
		}
		return out
	}
	show := func() flow.View {
		v, err := n.runner.Show(t.Context(), operator, screening)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := show(); len(v.Reasons) != 0 || len(v.Passed) != 0 {
		t.Errorf("while it may leave: %v, %v", codes(v.Reasons), codes(v.Passed))
	}
	reg, err := register.Parse("assumed.register.yaml", example().register)
	if err != nil {
		t.Fatal(err)
	}
	reg.Checks, reg.Assessments, reg.Version = nil, nil, "sha256:struck"
	r.mu.Lock()
	r.engine = decision.New(example().p, law.Builtin(), reg, nil)
	r.mu.Unlock()
	v := show()
	if got := codes(v.Reasons); !slices.Equal(got, []string{"mechanism.none"}) {
		t.Errorf("denied by %v", got)
	}
	if got := codes(v.Passed); !slices.Contains(got, "dpf.listing.missing") || !slices.Contains(got, "tia.missing") {
		t.Errorf("passed over: %v", got)
	}
	for i, x := range v.Passed {
		if x.Says == "" || slices.IndexFunc(v.Passed, func(y decision.Reason) bool { return y.Says == x.Says && y.Policy == x.Policy }) != i {
			t.Errorf("it says nothing, or twice: %+v", x)
		}
	}
}
