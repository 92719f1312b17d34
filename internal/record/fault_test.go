package record_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
)

// plainChunk is n records about people 1 to 3 with client keys from key on.
func plainChunk(n, key int) *record.Chunk {
	c := &record.Chunk{ID: id.NewChunk(), Tenant: 1, ReceivedAt: 1_700_000_000_000}
	for i := range n {
		shape := shapes[i%3]
		r := record.Sealed{Ordinal: uint32(i), Shape: shape, OccurredAt: c.ReceivedAt, ClientKey: clientKey(key + i)}
		for j := range shape.Categories {
			r.Parts = append(r.Parts, record.Part{Subject: subject(1 + i%3), N: uint32(4*i + j), Sealed: []byte{byte(i), byte(j), 7}})
		}
		c.Records = append(c.Records, r)
	}
	return c
}

// TestWhateverWriteFailsARetryStoresOnce stops a journey at every write, in both ways, and goes on:
// on the same node, or after a restart. On PostgreSQL, where each try takes a new database, it stops
// at every fifth.
func TestWhateverWriteFailsARetryStoresOnce(t *testing.T) {
	opt := record.Options{MemRecords: 8, MemGroups: 2, FanIn: 2, RowBytes: 200}.Small(100, 200)
	onEach(t, func(t *testing.T, open func(testing.TB) store.DB) {
		steps := 0
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			for _, restart := range []bool{false, true} {
				stride := 1
				if strings.HasSuffix(t.Name(), "postgres") {
					stride = 5
				}
				for step := 1; journey(t, open, opt, step, when, restart); step += stride {
					steps++
				}
			}
		}
		if steps < 50 {
			t.Errorf("stopped at %d writes only", steps)
		}
	})
}

// journey does everything that writes, with one write failing, and says whether it was reached.
func journey(t *testing.T, open func(testing.TB) store.DB, opt record.Options, step int, when storetest.When, restart bool) (fired bool) {
	sub := &scope{TB: t}
	defer sub.end()
	f := storetest.NewFaults(open(sub))
	w := newWorld(sub, t, f, 1, opt)
	f.FailAt(step, when)
	retry := func(what string, do func() error) {
		t.Helper()
		if do() == nil {
			return
		}
		if restart {
			w.reopen(sub, 0)
		}
		if err := do(); err != nil {
			t.Fatalf("write %d (%s, restart %v): %s again: %v", step, when, restart, what, err)
		}
	}
	merge := func() error {
		for {
			if did, err := w.nodes[0].Merge(sub.Context()); err != nil || !did {
				return err
			}
		}
	}
	for i := range 4 {
		chunks := []*record.Chunk{plainChunk(7, 1+5*i), plainChunk(3, 2+5*i)} // they overlap: two are duplicates
		var a *record.Appended
		lost := false
		retry("append", func() (err error) {
			a, err = appendTo(sub, f, w.nodes[0], chunks)
			lost = lost || err != nil
			return err
		})
		if lost { // it may have been written the first time: then all are duplicates now
			if a.Rows == 0 {
				w.learnLost(chunks)
			} else {
				w.learn(chunks, a)
			}
		} else {
			w.learn(chunks, a)
		}
		if i%2 == 1 {
			retry("merge", merge)
		}
	}
	dead := []id.Subject{subject(2)}
	retry("compact", func() error { return w.nodes[0].Compact(sub.Context(), 1, dead) })
	w.modelCompact(1, dead)
	retry("drop", func() error { return w.nodes[0].DropClass(sub.Context(), 1, 30, farFuture) })
	w.modelDrop(1, 30)
	retry("settle", func() error { return w.nodes[0].Settle(sub.Context()) })
	for range 2 {
		for s := 1; s <= 3; s++ {
			w.mustFind(sub, 0, 1, []id.Subject{subject(s)}, record.Query{Limit: 4})
			w.mustCount(sub, 0, 1, subject(s))
		}
		w.mustScan(sub, 0, 1, 3)
		w.reopen(sub, 0)
	}
	if n := leftovers(t, w); n > 0 {
		t.Errorf("write %d (%s, restart %v): %d runs are left over", step, when, restart, n)
	}
	return f.Fired()
}

// learnLost puts into the model a commit whose answer was lost.
func (w *world) learnLost(chunks []*record.Chunk) {
	a := &record.Appended{FirstPos: 1, LastPos: 1 << 40}
	for _, c := range chunks {
		var dup []bool
		for i := range c.Records {
			name := keyName(c.Tenant, c.Records[i].ClientKey)
			dup = append(dup, w.keys[name])
			w.keys[name] = true
		}
		a.Outcome = append(a.Outcome, dup)
	}
	for ci, c := range chunks {
		for i := range c.Records {
			if !a.Outcome[ci][i] {
				delete(w.keys, keyName(c.Tenant, c.Records[i].ClientKey))
			}
		}
	}
	w.learn(chunks, a)
}

// leftovers is how many runs there are that are not published, after all is merged again.
func leftovers(t *testing.T, w *world) (n int) {
	t.Helper()
	if w.nodes[0].Settle(t.Context()) != nil { // the fault may come as late as this
		if err := w.nodes[0].Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.view(t, func(tx store.Tx) error {
		all, err := sqlstore.Records{}.Runs(tx)
		for _, r := range all {
			if r.State != record.RunPublished {
				n++
			}
		}
		return err
	})
	return n
}

// TestReadsHoldWhileWritersAndMergersRun: whoever was acknowledged is found by every node at once, and
// no read fails because a merge went by.
func TestReadsHoldWhileWritersAndMergersRun(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) store.DB) {
		db := open(t)
		opt := record.Options{MemRecords: 64, MemGroups: 4, FanIn: 2, RowBytes: 600, CacheBytes: 64 << 10,
			OnError: func(err error) { t.Errorf("merge: %v", err) }}.Small(200, 1000)
		w := newWorld(t, t, db, 2, opt)
		ctx, cancel := context.WithCancel(t.Context())
		var background, writers sync.WaitGroup
		for _, l := range w.nodes {
			background.Go(func() { l.Run(ctx) })
		}
		const rounds, writing = 60, 3
		var acked [writing + 1]struct {
			sync.Mutex
			n int
		}
		count := func(l *record.Log, s id.Subject) (n int, err error) {
			err = db.View(ctx, func(tx store.Tx) error {
				q := record.Query{Limit: 7}
				n = 0
				for {
					page, more, err := l.Find(tx, 1, []id.Subject{s}, q)
					if err != nil {
						return err
					}
					if n += len(page); !more {
						return nil
					}
					q.After = page[len(page)-1].At
				}
			})
			return n, err
		}
		for i := 1; i <= writing; i++ {
			writers.Go(func() {
				for round := range rounds {
					c := &record.Chunk{ID: id.NewChunk(), Tenant: 1, ReceivedAt: int64(round)}
					for j := range 5 {
						c.Records = append(c.Records, record.Sealed{Ordinal: uint32(j), Shape: shapes[1], ClientKey: clientKey(4 * (1 + i*10_000 + round*5 + j)),
							Parts: []record.Part{{Subject: subject(i), Sealed: []byte("sealed"), N: uint32(j)}}})
					}
					for range 2 { // the second time all are duplicates
						if _, err := appendTo(t, db, w.nodes[(i+round)%2], []*record.Chunk{c}); err != nil {
							t.Errorf("append: %v", err)
							return
						}
					}
					acked[i].Lock()
					acked[i].n += 5
					acked[i].Unlock()
				}
			})
		}
		done := make(chan struct{})
		background.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				i := 1 + rand.IntN(writing)
				acked[i].Lock()
				atLeast := acked[i].n
				acked[i].Unlock()
				got, err := count(w.nodes[rand.IntN(2)], subject(i))
				if errors.Is(err, context.Canceled) {
					return
				} else if err != nil {
					t.Errorf("find: %v", err)
					return
				}
				if got < atLeast {
					t.Errorf("found %d records, %d were acknowledged", got, atLeast)
				}
			}
		})
		writers.Wait()
		close(done)
		for _, l := range w.nodes {
			for i := 1; i <= writing; i++ {
				if got, err := count(l, subject(i)); err != nil || got != rounds*5 {
					t.Errorf("found %d records, %v, want %d", got, err, rounds*5)
				}
			}
		}
		cancel()
		background.Wait()
	})
}
