package flow_test

import (
	"context"
	"testing"
	"testing/fstest"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/law"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

func TestWhoJoinsACallLaterHasASayInWhatNamesNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.message("0", ann, ann)
		n.message("1", bob, bob)
		n.standIn(n.find(bob)) // of a call of whom nobody is known yet
		n.order(flow.Start, "0")
		r.until("both leave", func() bool { return len(r.to.lines()) == 2 })
		n.standIn(n.find(bob), n.find(ann))
		r.mu.Lock()
		r.refused[n.find(ann)] = true
		r.mu.Unlock()
		n.message("2", bob, bob)
		r.until("it is passed over", func() bool { return n.at().LagRows == 0 })
		if got := r.to.lines(); len(got) != 2 {
			t.Errorf("sent %v, though one who takes part by now objects", got)
		}
	})
}

// forbid makes the engine anew with an operator's own policy.
func (r *region) forbid(cedar string) {
	r.t.Helper()
	own, err := decision.LoadPolicies(fstest.MapFS{"own.cedar": {Data: []byte(cedar)}})
	if err != nil {
		r.t.Fatal(err)
	}
	reg, err := register.Parse("assumed.register.yaml", example().register)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engine = decision.New(example().p, law.Builtin(), reg, own)
}

// A batch is called what its decisions are, also where all of them give less than the flow asks for: else its
// entry and its counts would say clear, and nobody could say whom its pseudonyms mean.
func TestABatchIsCalledWhatItsDecisionsAre(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil)
		n.runner.Pseudonyms = sqlstore.Pseudonyms{}
		r.forbid(`forbid (principal, action == Action::"transfer", resource in Category::"customer_content") when { context.form == "clear" };`)
		n.run()
		n.message("0", ann, ann)
		n.order(flow.Start, "0")
		r.until("it is there", func() bool { return len(r.to.lines()) == 1 && n.at().LagRows == 0 })
		if d := r.to.all()[0]; d.Form != "pseudonymised" {
			t.Errorf("the delivery is called %s: %s", d.Form, d.Body)
		}
		for _, c := range n.at().Counts {
			if c.What == "records" && c.Of != "pseudonymised" {
				t.Errorf("counted as %s", c.Of)
			}
		}
		kept := 0
		if err := n.db.View(context.Background(), func(tx store.Tx) error {
			return sqlstore.Pseudonyms{}.Of(tx, 1, []id.Subject{n.find(ann)}, func(pseudonym.Row) { kept++ })
		}); err != nil || kept != 1 {
			t.Errorf("%d rows say whom the pseudonym means, %v", kept, err)
		}
	})
}

func TestAFlowThatTheNoticeDoesntSayIsShownAsHalted(t *testing.T) {
	r := newRegion(t, "")
	n := r.open(nil)
	n.runner.Drifts = func(string) []string { return []string{"drift.recipient.undeclared"} }
	n.run()
	n.order(flow.Start, "")
	r.until("it halts", func() bool { return n.at().Stream.State == flow.Halted })
	v, err := n.runner.Show(t.Context(), operator, screening)
	if err != nil || v.Form != "none" || len(v.Fields) != 0 || len(v.Reasons) != 1 || v.Reasons[0].Code != "drift.recipient.undeclared" || v.Reasons[0].Says == "" {
		t.Errorf("it is shown as %+v, %v", v, err)
	}
}
