package storetest

import (
	"context"
	"sync"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// When says how a write fails.
type When string

// The two ways in which a write can fail.
const (
	Before When = "before" // nothing was written
	After  When = "after"  // it was written, but the answer was lost
)

// Faults is a store that fails at one write of a journey. Writes are counted over all transactions:
// each Exec and each ExecEach in a write transaction is one, and each commit.
//
//	for _, when := range []storetest.When{storetest.Before, storetest.After} {
//		for step := 1; ; step++ {
//			f := storetest.NewFaults(open(t))
//			f.FailAt(step, when)
//			err := journey(f)
//			if !f.Fired() {
//				break // past the last write
//			}
//			// … f works again from here on: the second try must put all right
//		}
//	}
type Faults struct {
	store.DB

	mu    sync.Mutex // guards what follows
	at    int
	when  When
	count int
	fired bool
}

// NewFaults returns db, which works until FailAt is called.
func NewFaults(db store.DB) *Faults { return &Faults{DB: db} }

// FailAt makes the n-th write from now on fail, counted from 1, and the ones after it work again.
func (f *Faults) FailAt(n int, when When) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.when, f.count, f.fired = n, when, 0, false
}

// Fired says whether the write that was to fail was reached.
func (f *Faults) Fired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// Writes is how many writes there were since FailAt.
func (f *Faults) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// next counts a write and says how it fails, if it does.
func (f *Faults) next() (when When, fails bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; f.fired || f.count != f.at {
		return "", false
	}
	f.fired = true
	return f.when, true
}

func injected() error {
	return fault.New(fault.Unavailable, "store.unavailable", "a fault that a test injected")
}

// Do runs fn in a write transaction whose writes may fail. A commit that fails "after" is the fault
// of an unknown outcome: what fn wrote is durable.
func (f *Faults) Do(ctx context.Context, fn func(tx store.Tx) error) error {
	lost := false
	err := f.DB.Do(ctx, func(tx store.Tx) error {
		if err := fn(&faultyTx{Conn: tx.(sqlstore.Conn), f: f}); err != nil {
			return err
		}
		when, fails := f.next()
		if fails && when == Before {
			return injected()
		}
		lost = lost || fails
		return nil
	})
	if err == nil && lost {
		return fault.New(fault.Unavailable, "store.unknown_outcome", "a commit whose answer a test lost")
	}
	return err
}

// faultyTx is a write transaction in which statements may fail.
type faultyTx struct {
	sqlstore.Conn
	f *Faults
}

func (t *faultyTx) write(do func() error) error {
	when, fails := t.f.next()
	if fails && when == Before {
		return injected()
	}
	if err := do(); err != nil || !fails {
		return err
	}
	return injected()
}

// Exec runs one statement, unless it is its turn to fail.
func (t *faultyTx) Exec(sql string, args ...any) (rows int64, err error) {
	err = t.write(func() (err error) { rows, err = t.Conn.Exec(sql, args...); return err })
	return rows, err
}

// ExecEach runs one statement many times, unless it is its turn to fail.
func (t *faultyTx) ExecEach(sql string, args [][]any) error {
	return t.write(func() error { return t.Conn.ExecEach(sql, args) })
}
