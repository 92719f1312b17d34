package vault_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/vault"
)

// watched is a store that says what a rotation does while it holds the gate, and lets others in
// after each write transaction.
type watched struct {
	store.DB
	sqlstore.Vaults
	gate    atomic.Bool
	scans   int // for keys, under the gate
	most    int // keys put in one transaction
	commits int // that put keys
	seen    int // the most persons that one look for keys returned
	between func()
}

func (w *watched) Do(ctx context.Context, fn func(store.Tx) error) error {
	w.gate.Store(true)
	err := w.DB.Do(ctx, fn)
	w.gate.Store(false)
	if w.between != nil {
		w.between()
	}
	return err
}

func (w *watched) KeysBefore(tx store.Tx, epoch uint32, tenant int, after id.Subject, limit int) (vault.KeyPage, error) {
	if w.gate.Load() {
		w.scans++
	}
	p, err := w.Vaults.KeysBefore(tx, epoch, tenant, after, limit)
	w.seen = max(w.seen, len(p.Rows))
	return p, err
}

func (w *watched) PutKeys(tx store.Tx, rows []vault.KeyRow) error {
	w.most = max(w.most, len(rows))
	if len(rows) > 0 {
		w.commits++
	}
	return w.Vaults.PutKeys(tx, rows)
}

// TestAResumedRotationHoldsTheGateForPagesOnly cuts a rotation short when most keys are wrapped anew
// and finishes it while people come and go.
func TestAResumedRotationHoldsTheGateForPagesOnly(t *testing.T) {
	w := newWorld(t)
	const people, batch = 41, 4
	w.opt.Batch = batch
	w.mint(w.open(), people)
	v, err := w.failing(12, "before") // some batches before the end
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Rotate(t.Context(), start); err == nil {
		t.Fatal("it was not cut short")
	}
	w.at = 0
	left := w.before(2)
	if left == 0 || left > people/2 {
		t.Fatalf("%d of %d keys are left, want a few", left, people)
	}
	later := start.Add(vaultLease)
	w.opt.Now = func() time.Time { return later }
	db := &watched{DB: w.db}
	v, err = vault.Open(t.Context(), db, db, w.keys, w.opt)
	if err != nil {
		t.Fatal(err)
	}
	other := w.open()
	came := 0
	db.between = func() { w.mint(other, 1); came++ }
	r, err := v.Rotate(t.Context(), later)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Resumed || came < 10 {
		t.Errorf("resumed %v, %d people came meanwhile", r.Resumed, came)
	}
	if db.scans > 0 {
		t.Errorf("%d scans for keys were under the gate", db.scans)
	}
	if db.most > batch || db.seen > batch {
		t.Errorf("%d keys in one transaction, %d looked at, want at most %d", db.most, db.seen, batch)
	}
	w.mustRead(v)
}

// before counts the keys under epochs before n.
func (w *world) before(n uint32) (left int) {
	w.do(func(c sqlstore.Conn) (err error) { left, err = sqlstore.Vaults{}.CountBefore(c, n); return err })
	return left
}
