package plane_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/subject"
)

// slow is a store whose write transactions each wait for some time, in which another node looks
// whether it may sweep.
type slow struct {
	store.DB
	w       *world
	waits   time.Duration
	takesAt int // the transaction from which on it may, whatever the lease says; 0 is never
	n, took int
}

func (s *slow) Do(ctx context.Context, fn func(store.Tx) error) error {
	if s.waits > 0 {
		s.n++
		s.w.now = s.w.now.Add(s.waits)
		if err := s.DB.Do(ctx, func(tx store.Tx) error {
			if s.n == s.takesAt {
				if err := (sqlstore.Leases{}).Release(tx, "sweep", s.holder(tx)); err != nil {
					return err
				}
			}
			if s.n == 1 {
				return nil // nobody sweeps yet
			}
			ok, err := sqlstore.Leases{}.Lease(tx, "sweep", "another", s.w.now, 30*time.Minute)
			if ok && s.took == 0 {
				s.took = s.n
			}
			return err
		}); err != nil {
			return err
		}
	}
	return s.DB.Do(ctx, fn)
}

func (s *slow) holder(tx store.Tx) (holder string) {
	if err := tx.(sqlstore.Conn).Query(`SELECT holder FROM lease WHERE name = 'sweep'`, func(r sqlstore.Row) error {
		holder = r.Text(0)
		return nil
	}); err != nil {
		s.w.t.Error(err)
	}
	return holder
}

func TestALongSweepIsNotDoneTwice(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		s := &slow{w: w}
		w.close()
		w.open(func(db store.DB) store.DB { s.DB = db; return s })
		erased := func(names ...string) {
			t.Helper()
			var all []id.Subject
			for _, u := range names {
				w.send(w.src, "/v1/track", track(u, "m-"+u, "Paid"))
				all = append(all, w.find("user_id", u))
			}
			for _, u := range all {
				w.erase(u)
			}
		}
		left := func() (n int) {
			t.Helper()
			if err := w.db.View(t.Context(), func(tx store.Tx) error {
				return sqlstore.Subjects{}.Uncompacted(tx, w.now.Add(time.Hour).UnixMilli(), 100, func(subject.Tomb) { n++ })
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		erased("u1", "u2", "u3")
		s.waits = 11 * time.Minute // all of them wait longer than the lease is
		err := w.SweepOnce(t.Context(), w.now.Add(time.Hour))
		if s.waits = 0; err != nil || s.n < 4 || s.took > 0 {
			t.Errorf("%v; another node took the sweep over in transaction %d of %d", err, s.took, s.n)
		}
		if n := left(); n != 0 {
			t.Errorf("what is left of %d people was not cleared", n)
		}

		erased("v1", "v2")
		s.n, s.takesAt, s.waits = 0, 2, time.Second
		err = w.SweepOnce(t.Context(), w.now.Add(time.Hour))
		if s.waits = 0; err != nil || s.took != 2 || s.n != 2 {
			t.Errorf("%v; %d transactions, taken over at %d; want it to end as soon as it is another's", err, s.n, s.took)
		}
		if n := left(); n != 2 {
			t.Error(fmt.Sprint(n, " are left, want both for the node that took over"))
		}
	})
}
