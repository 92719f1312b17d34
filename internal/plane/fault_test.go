package plane_test

import (
	"context"
	"sync"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/storetest"
)

// journey runs try with each of its writes failing once, in both ways, and then again without a
// fault, after a restart; check says what must hold then.
func journey(t *testing.T, prepare func(w *world), try func(w *world) error, check func(t *testing.T, w *world)) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		t.Run(string(when), func(t *testing.T) {
			for step := 1; ; step++ {
				w := newWorld(t, "")
				prepare(w)
				w.close()
				var f *storetest.Faults
				w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
				f.FailAt(step, when)
				err := try(w)
				if !f.Fired() {
					if err != nil {
						t.Fatalf("without a fault: %v", err)
					}
					if step < 3 {
						t.Fatalf("only %d writes were seen", step-1)
					}
					return
				}
				if err == nil {
					t.Fatalf("write %d failed and nobody was told", step)
				}
				if fault.KindOf(err) != fault.Unavailable {
					t.Errorf("write %d: %v, want what makes a client try again", step, err)
				}
				if err := try(w); err != nil { // the same node goes on
					t.Fatalf("write %d: second try: %v", step, err)
				}
				check(t, w)
				w.restart()
				check(t, w)
				w.close()
			}
		})
	}
}

func TestIngestStoresOnceWhateverWriteFails(t *testing.T) {
	journey(t,
		func(w *world) { w.send(w.src, "/v1/track", `{"anonymousId":"n1","messageId":"m0","event":"Viewed"}`) },
		func(w *world) error {
			_, err := w.trySend(w.src, "/v1/batch", `{"batch":[`+typed("identify", `{"userId":"u1","anonymousId":"n1","messageId":"m1","traits":{"email":"a@example.com"}}`)+`,`+
				typed("track", track("u1", "m2", "Paid"))+`,`+typed("track", track("u2", "m3", "Paid"))+`]}`)
			return err
		},
		func(t *testing.T, w *world) {
			if n := len(w.records(w.find("email", "a@example.com"))); n != 3 {
				t.Errorf("%d records of the first person, want 3", n)
			}
			if n := len(w.records(w.find("user_id", "u2"))); n != 1 {
				t.Errorf("%d records of the second person, want 1", n)
			}
		})
}

func TestEraseIsWholeWhateverWriteFails(t *testing.T) {
	var s id.Subject
	journey(t,
		func(w *world) {
			w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`)
			w.send(w.src, "/v1/track", track("u1", "m1", "Paid"))
			s = w.find("user_id", "u1")
		},
		func(w *world) error {
			_, err := w.Erase(context.Background(), w.caller, s, plane.EraseRequest{Reason: "asked", Suppress: true})
			return err
		},
		func(t *testing.T, w *world) {
			_, err := w.Records(context.Background(), w.caller, s, plane.Query{Limit: 10})
			wantKind(t, "read", err, fault.Gone, "subject.erased")
			r := w.erase(s)
			if !r.Already || r.Records != 2 {
				t.Errorf("receipt %+v, want the first one, of 2 records", r)
			}
			if e, err := w.LedgerEntry(context.Background(), w.caller, r.Ledger.Entry); err != nil || e.Kind != "erase" {
				t.Errorf("ledger entry %+v, %v", e, err)
			}
			if got := w.send(w.src, "/v1/track", track("u1", "m9", "Back")); len(got.Refused) != 1 {
				t.Errorf("suppressed person's event: %+v", got)
			}
		})
}

// second opens another node on the world's PostgreSQL store, with the same keys.
func (w *world) second() *world {
	n := *w
	n.Plane = nil
	n.open(func(db store.DB) store.DB { return db })
	return &n
}

func TestAnErasureOnOneNodeHoldsOnTheOther(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		if w.url == "" {
			return // one process holds an embedded store
		}
		b := w.second()
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`)
		if r := b.send(b.src, "/v1/track", track("u1", "m1", "Paid")); r.Accepted != 1 {
			t.Fatalf("%+v", r)
		}
		if r := b.send(b.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"a@example.com"}}`); r.Duplicate != 1 {
			t.Errorf("what one node stored is no duplicate on the other: %+v", r)
		}
		s := b.find("user_id", "u1")
		if n := len(b.records(s)); n != 2 {
			t.Errorf("the second node reads %d records, want 2", n)
		}
		w.erase(s)
		_, err := b.Records(context.Background(), b.caller, s, plane.Query{Limit: 10})
		wantKind(t, "read on the other node", err, fault.Gone, "subject.erased")
		if r := b.send(b.src, "/v1/track", track("u1", "m2", "Later")); r.Accepted != 1 {
			t.Fatalf("%+v", r)
		}
		n := b.find("user_id", "u1")
		if n == s {
			t.Error("the other node sealed under an erased key")
		}
		if got := w.records(n); len(got) != 1 || got[0].ClientID != "m2" {
			t.Errorf("the new person's records: %+v", got)
		}
	})
}

func TestErasureAgainstIngestAndReadsOnTwoNodes(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		nodes := []*world{w}
		if w.url != "" {
			nodes = append(nodes, w.second())
		}
		ctx := context.Background()
		for round := range 12 {
			user := string(rune('a' + round))
			w.send(w.src, "/v1/track", track(user, user+"-0", "Paid"))
			s := w.find("user_id", user)
			var wg sync.WaitGroup
			for i, n := range nodes {
				wg.Add(2)
				go func() {
					defer wg.Done()
					for j := range 10 {
						m := user + "-" + string(rune('A'+i)) + string(rune('0'+j))
						if r, err := n.trySend(n.src, "/v1/track", track(user, m, "Paid")); err != nil || r.Accepted != 1 {
							t.Errorf("ingest while erasing: %+v, %v", r, err)
						}
					}
				}()
				go func() {
					defer wg.Done()
					for range 10 {
						if _, err := n.Records(ctx, n.caller, s, plane.Query{Limit: 100}); err != nil && fault.KindOf(err) != fault.Gone {
							t.Errorf("read while erasing: %v", err)
						}
					}
				}()
			}
			w.erase(s)
			for _, n := range nodes {
				_, err := n.Records(ctx, n.caller, s, plane.Query{Limit: 10})
				wantKind(t, "read after the erasure returned", err, fault.Gone, "subject.erased")
			}
			wg.Wait()
			// Whatever came after the erasure is a new person, and all of it opens.
			r, err := w.Find(ctx, w.caller, []plane.Identifier{{Type: "user_id", Value: user}})
			if err != nil {
				continue // all of it came before
			}
			for _, v := range w.records(r.Subject) {
				if len(v.Gone) != 0 {
					t.Errorf("a record stored after the erasure has parts that don't open: %v", v.Gone)
				}
			}
		}
	})
}
