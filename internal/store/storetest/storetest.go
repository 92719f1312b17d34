// Package storetest states what every engine of a region's store does, and breaks stores on purpose
// for the tests of others.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// table is what the cases write to.
const table = `CREATE TABLE storetest (
	cell  integer NOT NULL,
	n     bigint  NOT NULL,
	label text,
	body  bytea,
	PRIMARY KEY (cell, n)
)`

const (
	insert = `INSERT INTO storetest (cell, n, label, body) VALUES (1, $1, $2, $3)`
	all    = `SELECT n, label, body FROM storetest WHERE cell = 1 ORDER BY n`
	byN    = `SELECT n, label, body FROM storetest WHERE cell = 1 AND n = $1`
)

var errStop = errors.New("stop here")

// Run states what every engine does. open returns an empty store, migrated, and closes it when the
// test ends.
func Run(t *testing.T, open func(testing.TB) store.DB) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, w *world)
	}{
		{"what one transaction wrote is there together", testAtomic},
		{"an error rolls everything back", testRollback},
		{"a panic rolls everything back and goes on", testPanic},
		{"a cancelled context rolls back before the commit", testCancel},
		{"an error that fn hides still prevents the commit", testHiddenError},
		{"one writer at a time is inside, positions have no gaps", testSerial},
		{"a View sees its snapshot to the end", testSnapshot},
		{"a View writes nothing", testViewReadOnly},
		{"values come back as they went in", testValues},
		{"arguments of other types are refused", testBadArgument},
		{"each row of arguments is one statement", testExecEach},
		{"each row of arguments is one query", testQueryEach},
		{"an error of each ends the query and nothing more", testStop},
		{"a connection is busy while each runs", testBusy},
		{"the gate is written with the commit", testGate},
		{"the gate never goes back", testGateBack},
		{"a lease has one holder until it ends", testLease},
		{"meta values are put and replaced", testMeta},
		{"changes are numbered and read from where one was", testChanges},
		{"migrating again changes nothing", testMigrate},
		{"a store of version 1 gets what came after", testUpgrade},
		{"a source keeps its sealed secrets", testSources},
		{"a store of another region is refused", testStamp},
		{"a rotation meets every person's, subscriber's and notice's key once", testKeys},
		{"look-ups of many are those of one at a time", testMany},
		{"countries of numbers add up, and go when a number does", testOrigins},
		{"how an objection was settled is kept with it", testSettlement},
		{"a subscriber leaves nothing but what was done", testSubscriber},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t)
			w := &world{T: t, db: db}
			w.do(func(c sqlstore.Conn) error { _, err := c.Exec(table); return err })
			tt.run(t, w)
		})
	}
}

// world is one store under test.
type world struct {
	*testing.T
	db store.DB
}

func (w *world) try(fn func(c sqlstore.Conn) error) error {
	return w.db.Do(w.Context(), func(tx store.Tx) error { return fn(tx.(sqlstore.Conn)) })
}

func (w *world) do(fn func(c sqlstore.Conn) error) {
	w.Helper()
	if err := w.try(fn); err != nil {
		w.Fatalf("Do: %v", err)
	}
}

func (w *world) view(fn func(c sqlstore.Conn) error) {
	w.Helper()
	if err := w.db.View(w.Context(), func(tx store.Tx) error { return fn(tx.(sqlstore.Conn)) }); err != nil {
		w.Fatalf("View: %v", err)
	}
}

// numbers returns column n of all rows.
func numbers(c sqlstore.Conn) (got []int64, err error) {
	err = c.Query(all, func(r sqlstore.Row) error { got = append(got, r.Int(0)); return nil })
	return got, err
}

func (w *world) mustHold(want ...int64) {
	w.Helper()
	w.view(func(c sqlstore.Conn) error {
		got, err := numbers(c)
		if !slices.Equal(got, want) {
			w.Errorf("rows = %v, want %v", got, want)
		}
		return err
	})
}

func put(c sqlstore.Conn, n int64) error { _, err := c.Exec(insert, n, "", []byte{}); return err }

func testAtomic(t *testing.T, w *world) {
	w.do(func(c sqlstore.Conn) error { return errors.Join(put(c, 1), put(c, 2)) })
	w.mustHold(1, 2)
}

func testRollback(t *testing.T, w *world) {
	boom := errors.New("boom")
	if err := w.try(func(c sqlstore.Conn) error { return errors.Join(put(c, 1), boom) }); !errors.Is(err, boom) {
		t.Errorf("Do = %v, want the error of fn", err)
	}
	w.mustHold()
	w.do(func(c sqlstore.Conn) error { return put(c, 2) })
	w.mustHold(2)
}

func testPanic(t *testing.T, w *world) {
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not come through")
			}
		}()
		_ = w.try(func(c sqlstore.Conn) error { _ = put(c, 1); panic("boom") })
	}()
	w.mustHold()
	w.do(func(c sqlstore.Conn) error { return put(c, 2) })
	w.mustHold(2)
}

func testCancel(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	err := w.db.Do(ctx, func(tx store.Tx) error { err := put(tx.(sqlstore.Conn), 1); cancel(); return err })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, want context.Canceled", err)
	}
	if err := w.db.Do(ctx, func(store.Tx) error { t.Error("fn ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Do with a cancelled context = %v", err)
	}
	w.mustHold()
	w.do(func(c sqlstore.Conn) error { return put(c, 2) })
	w.mustHold(2)
}

func testHiddenError(t *testing.T, w *world) {
	err := w.try(func(c sqlstore.Conn) error {
		_ = put(c, 1)
		if put(c, 1) == nil {
			t.Error("the same key twice went through")
		}
		return nil
	})
	if err == nil {
		t.Error("Do = nil after a failed statement")
	}
	w.mustHold()
}

func testSerial(t *testing.T, w *world) { serial(t, w.db) }

// RunShared states what engines do on which several nodes share a cell. open returns two nodes on
// one empty store.
func RunShared(t *testing.T, open func(testing.TB) (a, b store.DB)) {
	t.Run("writers of all nodes are serial, positions have no gaps", func(t *testing.T) {
		a, b := open(t)
		w := &world{T: t, db: a}
		w.do(func(c sqlstore.Conn) error { _, err := c.Exec(table); return err })
		serial(t, a, b)
	})
	t.Run("a change that returned is seen by what begins on another node", func(t *testing.T) {
		a, b := open(t)
		wa, wb := &world{T: t, db: a}, &world{T: t, db: b}
		for i := range int64(20) {
			wa.do(func(c sqlstore.Conn) error {
				_, err := sqlstore.Changes{}.Change(c, "erase", 1, []byte("subject"), time.UnixMilli(i))
				return err
			})
			wb.view(func(c sqlstore.Conn) error {
				if got := (sqlstore.Changes{}).ChangeSeq(c); got != i+1 {
					t.Errorf("the other node sees change %d, want %d", got, i+1)
				}
				return nil
			})
		}
	})
}

// serial runs writers on all nodes at once. Each takes the next position and writes it down.
func serial(t *testing.T, nodes ...store.DB) {
	const writers, rounds = 4, 15
	failed := make(chan error, writers*len(nodes))
	inside := make(chan struct{}, 1)
	for _, db := range nodes {
		for range writers {
			go func() {
				for range rounds {
					if err := db.Do(t.Context(), func(tx store.Tx) error {
						select {
						case inside <- struct{}{}:
						default:
							return errors.New("two writers are inside at once")
						}
						defer func() { <-inside }()
						c := tx.(sqlstore.Conn)
						c.Gate().Pos++
						return put(c, c.Gate().Pos)
					}); err != nil {
						failed <- err
						return
					}
				}
				failed <- nil
			}()
		}
	}
	for range writers * len(nodes) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	want := make([]int64, 0, writers*rounds*len(nodes))
	for n := range int64(cap(want)) {
		want = append(want, n+1)
	}
	(&world{T: t, db: nodes[0]}).mustHold(want...)
}

func testSnapshot(t *testing.T, w *world) {
	w.do(func(c sqlstore.Conn) error { c.Gate().Pos = 1; return put(c, 1) })
	w.view(func(c sqlstore.Conn) error {
		w.do(func(c sqlstore.Conn) error { c.Gate().Pos = 2; return put(c, 2) }) // before the View's first query
		got, err := numbers(c)
		if !slices.Equal(got, []int64{1}) || c.Gate().Pos != 1 {
			t.Errorf("the snapshot holds %v at %d, want [1] at 1", got, c.Gate().Pos)
		}
		return err
	})
	w.mustHold(1, 2)
}

func testViewReadOnly(t *testing.T, w *world) {
	_ = w.db.View(t.Context(), func(tx store.Tx) error {
		if put(tx.(sqlstore.Conn), 1) == nil {
			t.Error("a View wrote")
		}
		return nil
	})
	w.mustHold()
}

func testValues(t *testing.T, w *world) {
	big := bytes.Repeat([]byte{0, 1, 0xff}, 1<<20)
	rows := []struct {
		n     any
		label any
		body  any
		want  string
	}{
		{int64(math.MinInt64), nil, nil, "-9223372036854775808 null null"},
		{uint64(math.MaxInt64), "", []byte(nil), `9223372036854775807 "" []`},
		{0, "Zoë's 日本 $1 -- ; /*", []byte{}, `0 "Zoë's 日本 $1 -- ; /*" []`},
		{true, "x", big, `1 "x" [3145728]`},
		{uint32(7), "x", []byte{0}, `7 "x" [1]`},
		{int32(-7), "x", []byte{0, 1}, `-7 "x" [2]`},
	}
	for _, v := range rows {
		w.do(func(c sqlstore.Conn) error { _, err := c.Exec(insert, v.n, v.label, v.body); return err })
		w.view(func(c sqlstore.Conn) error {
			found := 0
			err := c.Query(byN, func(r sqlstore.Row) error {
				found++
				if got := show(r); got != v.want {
					t.Errorf("row = %s, want %s", got, v.want)
				}
				if b, ok := v.body.([]byte); ok && !bytes.Equal(r.Bytes(2), b) {
					t.Errorf("the bytes of %v changed", v.n)
				}
				return nil
			}, v.n)
			if found != 1 {
				t.Errorf("%v: %d rows", v.n, found)
			}
			return err
		})
	}
	w.view(func(c sqlstore.Conn) error { // sums are of another type on PostgreSQL
		return c.Query(`SELECT sum(n), count(*), max(n) FROM storetest WHERE cell = $1 AND n < 100 AND n > -100`, func(r sqlstore.Row) error {
			if got := fmt.Sprint(r.Int(0), r.Int(1), r.Int(2)); got != "1 4 7" {
				t.Errorf("sum, count, max = %s, want 1 4 7", got)
			}
			return nil
		}, sqlstore.Cell)
	})
}

func show(r sqlstore.Row) string {
	label, body := "null", "null"
	if !r.Null(1) {
		label = fmt.Sprintf("%q", r.Text(1))
	}
	if b := r.Bytes(2); b != nil {
		body = "[]"
		if len(b) > 0 {
			body = fmt.Sprintf("[%d]", len(b))
		}
	} else if !r.Null(2) {
		body = "nil, but not null"
	}
	return fmt.Sprint(r.Int(0), " ", label, " ", body)
}

func testBadArgument(t *testing.T, w *world) {
	for _, bad := range []any{uint64(math.MaxInt64) + 1, 1.5, struct{}{}, []string{"a"}} {
		if w.try(func(c sqlstore.Conn) error { _, err := c.Exec(insert, bad, "", nil); return err }) == nil {
			t.Errorf("a %T went in", bad)
		}
	}
	if w.try(func(c sqlstore.Conn) error { _, err := c.Exec(insert, 1); return err }) == nil {
		t.Error("one argument for three parameters went in")
	}
	w.mustHold()
}
