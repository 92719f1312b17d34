package storetest_test

import (
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
)

// The journey has two transactions with two statements in one and one in the other: five writes.
func TestFaultsReachEveryWriteInBothWays(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		for step := 1; ; step++ {
			db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			f := storetest.NewFaults(db)
			put := func(names ...string) error {
				return f.Do(t.Context(), func(tx store.Tx) error {
					for _, n := range names {
						if err := (sqlstore.Metas{}).PutMeta(tx, n, []byte(n)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			f.FailAt(step, when)
			err = put("a", "b")
			if err == nil {
				err = put("c")
			}
			if f.Fired() != (err != nil) {
				t.Errorf("write %d (%s): fired %v, error %v", step, when, f.Fired(), err)
			}
			held := ""
			if err := f.View(t.Context(), func(tx store.Tx) error {
				for _, n := range []string{"a", "b", "c"} {
					v, err := sqlstore.Metas{}.Meta(tx, n)
					if err != nil {
						return err
					}
					held += string(v)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			want := []string{"", "", "", "ab", "ab", "abc"}[min(step, 6)-1]
			if when == storetest.After && (step == 3 || step == 5) { // commits whose answer was lost
				want = []string{"", "", "ab", "ab", "abc"}[step-1]
				if fault.ReasonOf(err) != "store.unknown_outcome" {
					t.Errorf("write %d (after) = %v, want store.unknown_outcome", step, err)
				}
			}
			if held != want {
				t.Errorf("write %d (%s): the store holds %q, want %q", step, when, held, want)
			}
			db.Close()
			if !f.Fired() {
				if step != 6 {
					t.Errorf("%d writes, want 5", step-1)
				}
				break
			}
		}
	}
}
