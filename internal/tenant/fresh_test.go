package tenant_test

import (
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

func TestASecretRotatedOnAnotherNodeHoldsAtOnce(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	s, _ := w.hooked(c, "twilio")
	db := &shared{DB: w.db}
	other := w.open(db)
	if _, _, _, err := w.RotateSource(t.Context(), c, "acme", s.ID, authToken2, 0); err != nil {
		t.Fatal(err)
	}
	if got := secrets(t, other, s.ID); len(got) != 1 || got[0] != authToken {
		t.Fatalf("the other node has heard of it already: %d secrets", len(got))
	}
	h, err := other.Fresh(s.ID)
	if err != nil || len(h.Secrets) != 1 || h.Secrets[0].Secret != authToken2 {
		t.Errorf("Fresh: %v, %v; want the new secret alone", h, err)
	}
	db.down = true
	_, err = other.Fresh(s.ID)
	wantFault(t, err, fault.Unavailable, "source.unchecked") // not 403, for which the vendor drops it
	if h, err := w.Fresh(s.ID); err != nil || h.Secrets[0].Secret != authToken2 {
		t.Errorf("on the node that made it: %v, %v", h, err)
	}
}

// oldSealed returns how many sources have an old secret in the store, and the newest account's version.
func (w *world) oldSealed(t *testing.T) (n, version int64) {
	t.Helper()
	if err := w.db.View(t.Context(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(`SELECT (SELECT count(*) FROM source WHERE length(old_sealed) > 0), max(version) FROM tenant`, func(r sqlstore.Row) error {
			n, version = r.Int(0), r.Int(1)
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	return n, version
}

func TestAnOldSecretIsGoneWhenItsGraceIsOver(t *testing.T) {
	w := newWorld(t)
	c, _ := w.tenant("acme")
	ends, _ := w.hooked(c, "twilio")
	later, _ := w.hooked(c, "twilio")
	for s, grace := range map[string]time.Duration{ends.ID: time.Hour, later.ID: 2 * time.Hour} {
		if _, _, _, err := w.RotateSource(t.Context(), c, "acme", s, authToken2, grace); err != nil {
			t.Fatal(err)
		}
	}
	other := w.open(&shared{DB: w.db})
	end := func(want int64) (version int64) {
		t.Helper()
		for range 2 { // the second time there is nothing to do
			if err := w.EndGraces(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_, before := w.oldSealed(t)
		if err := other.EndGraces(t.Context()); err != nil {
			t.Fatal(err)
		}
		n, version := w.oldSealed(t)
		if n != want {
			t.Errorf("%d old secrets are in the store, want %d", n, want)
		}
		if version != before {
			t.Error("the other node did it again")
		}
		return version
	}
	before := end(2)
	w.now = w.now.Add(time.Hour)
	if after := end(1); after != before+1 {
		t.Errorf("the account changed from version %d to %d, want one change", before, after)
	}
	if got := secrets(t, w.Service, later.ID); len(got) != 2 {
		t.Errorf("%d secrets hold of the source whose grace lasts, want 2", len(got))
	}
	if got := secrets(t, other, ends.ID); len(got) != 1 || got[0] != authToken2 {
		t.Errorf("%d secrets hold of the other, want the new one", len(got))
	}
	w.now = w.now.Add(time.Hour)
	again := w.open(w.db) // a start clears, too
	if n, _ := w.oldSealed(t); n != 0 {
		t.Errorf("after a start %d old secrets are in the store", n)
	}
	if got := secrets(t, again, later.ID); len(got) != 1 || got[0] != authToken2 {
		t.Errorf("%d secrets hold, want the new one", len(got))
	}
}
