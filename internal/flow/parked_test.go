package flow_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"domicile.dev/internal/flow"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// firstID is the id of the first line of a delivery.
func firstID(t *testing.T, d *flow.Delivery) string {
	t.Helper()
	var x struct{ ID string }
	if err := json.Unmarshal(d.Body[:slices.Index(d.Body, '\n')], &x); err != nil {
		t.Fatal(err)
	}
	return x.ID
}

func TestSingleRecordsThatARecipientRefusesAreParkedAndTheRestHasArrived(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil)
		for i := range 6 {
			n.message(numbers(i, i+1)[0], ann, bob)
		}
		var refused string
		r.to.answers(func(_ context.Context, d *flow.Delivery) error {
			if d.Seq != 1 {
				return nil
			}
			refused = firstID(t, d)
			return flow.NewRefused(flow.Refused{Records: []string{refused}, Reasons: map[string]int{"record.unknown_kind": 1}}, d.Count)
		})
		n.run()
		n.order(flow.Start, "0")
		r.until("all went", func() bool { return len(r.to.lines()) == 6 && n.at().LagRows == 0 && n.at().Batch == nil })
		x := n.at()
		if x.Stream.State != flow.Running || len(x.Refused) != 1 || x.Refused[0].Record.String() != refused || x.Refused[0].Delivery != r.to.all()[0].ID {
			t.Fatalf("%s, refused %+v, want %s", x.Stream.State, x.Refused, refused)
		}
		if got := counted(x, "refused", "record.unknown_kind"); got != 1 {
			t.Errorf("%d counted as refused", got)
		}
		if got := counted(x, "records", "clear"); got != 5 {
			t.Errorf("%d records counted as sent, want 5", got)
		}
		if got := texts(t, r.to.lines()); !slices.Equal(got, numbers(0, 6)) {
			t.Errorf("messages %v", got)
		}
		r.to.answers(nil)
		n.order(flow.Replay, "0")
		r.until("it was sent again", func() bool { return len(r.to.lines()) == 12 && n.at().LagRows == 0 && n.at().Batch == nil })
		if x := n.at(); len(x.Refused) != 0 {
			t.Errorf("it has it, and is still parked: %+v", x.Refused)
		}
	})
}

func TestARefusalOfRecordsThatWerentSentParksTheBatch(t *testing.T) {
	r := newRegion(t, "")
	n := r.open(nil).run()
	r.to.answers(func(_ context.Context, d *flow.Delivery) error {
		return flow.NewRefused(flow.Refused{Records: []string{"rec_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, Reasons: map[string]int{"other": 1}}, d.Count)
	})
	n.message("0", ann, bob)
	n.order(flow.Start, "0")
	r.until("it is parked", func() bool { return n.at().Stream.State == flow.Parked })
}

func TestWhatArrivedIsCountedByCategory(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.order(flow.Start, "0")
		for i := range 3 {
			n.message(numbers(i, i+1)[0], ann, bob)
		}
		r.until("all went", func() bool { return len(r.to.lines()) == 3 && n.at().LagRows == 0 && n.at().Batch == nil })
		var all []flow.Sent
		if err := n.db.View(t.Context(), func(tx store.Tx) (err error) { all, err = sqlstore.Flows{}.Sent(tx, 1); return err }); err != nil {
			t.Fatal(err)
		}
		if len(all) < 2 || all[0].Category != "" || all[0].Count != 3 || all[0].Recipient != "sp-01" || all[0].Purpose != r.to.all()[0].Purpose || all[0].FirstAt == 0 || all[0].LastAt < all[0].FirstAt {
			t.Fatalf("sent %+v", all)
		}
		for _, s := range all[1:] {
			if s.Category == "" || s.Count < 1 || s.Count > 3 {
				t.Errorf("sent %+v", s)
			}
		}
	})
}

func counted(x flow.StreamView, what, of string) (n int64) {
	for _, c := range x.Counts {
		if c.What == what && c.Of == of {
			n += c.N
		}
	}
	return n
}
