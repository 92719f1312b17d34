package plane_test

import (
	"context"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// TestAStateIsChangedOncePerRequest changes states under a mark that, like that of an
// Idempotency-Key, is kept in the transaction of the change and is set once.
func TestAStateIsChangedOncePerRequest(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
		s := w.find("user_id", "u1")
		answered := fault.New(fault.Conflict, "idempotency.under_way", "answered meanwhile")
		for verb, change := range map[string]func(context.Context) (plane.StateChange, error){
			"restrict":   func(ctx context.Context) (plane.StateChange, error) { return w.Restrict(ctx, w.caller, s, "") },
			"unrestrict": func(ctx context.Context) (plane.StateChange, error) { return w.Unrestrict(ctx, w.caller, s, "") },
			"hold": func(ctx context.Context) (plane.StateChange, error) {
				return w.Hold(ctx, w.caller, s, "", w.now.AddDate(0, 1, 0))
			},
			"release": func(ctx context.Context) (plane.StateChange, error) { return w.Release(ctx, w.caller, s, "") },
		} {
			key := "once/" + verb
			ctx := store.OnEffect(context.Background(), func(tx store.Tx) error {
				if b, err := (sqlstore.Vaults{}).Meta(tx, key); err != nil || b != nil {
					return answered
				}
				return sqlstore.Vaults{}.PutMeta(tx, key, []byte{1})
			})
			if _, err := change(ctx); err != nil {
				t.Fatalf("%s: %v", verb, err)
			}
			before := w.leaves()
			_, err := change(ctx)
			wantKind(t, verb+" again", err, fault.Conflict, "idempotency.under_way")
			if n := w.leaves(); n != before {
				t.Errorf("%s: %d ledger entries more", verb, n-before)
			}
		}
		if r := w.send(w.src, "/v1/track", track("u1", "m2", "Paid")); r.Accepted != 1 {
			t.Errorf("after refused changes: %+v", r)
		}
	})
}

// leaves counts what is in the ledger.
func (w *world) leaves() (n int64) {
	w.t.Helper()
	if err := w.db.View(context.Background(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(`SELECT count(*) FROM ledger_entry`, func(r sqlstore.Row) error { n = r.Int(0); return nil })
	}); err != nil {
		w.t.Fatal(err)
	}
	return n
}
