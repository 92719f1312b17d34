package plane_test

import (
	"context"
	"testing"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/storetest"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// TestHandsAndThingsHoldWhereverARotationStops, and another process goes on.
func TestHandsAndThingsHoldWhereverARotationStops(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, when := range []storetest.When{storetest.Before, storetest.After} {
			t.Run(engine+"/"+string(when), func(t *testing.T) {
				t.Parallel()
				every := 1
				if engine == "postgres" { // takes longer, and stops at the same writes and some more
					every = 5
				}
				for step := 1; step < 100; step += every {
					url, page := "", 12
					if engine == "postgres" {
						url, page = pgtest.URL(t), 30
					}
					if !stopWithHands(t, url, page, step, when) {
						if step < 5 {
							t.Errorf("only %d writes were seen", step-1)
						}
						return
					}
				}
				t.Error("it never came to its end")
			})
		}
	}
}

func stopWithHands(t *testing.T, url string, page, step int, when storetest.When) bool {
	w := newWorld(t, url)
	vendorKinds(w)
	w.handle()
	want := w.portrait()
	old := w.vault.IndexKeys().Blinder("acme")
	w.close()
	w.page = page
	var f *storetest.Faults
	w.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
	f.FailAt(step, when)
	err := w.rotate()
	fired := f.Fired()
	f.FailAt(0, when)
	v, _ := w.Keys(context.Background(), tenant.Operator)
	if !fired && err != nil || fired && err == nil && v.Rotating {
		t.Fatalf("write %d: %v", step, err)
	}
	w.sameFaces(t, "cut short", want)
	if fired && step%2 == 0 {
		w.restart()
		w.now = w.now.Add(3 * time.Minute) // the lease of who died
		w.sameFaces(t, "restarted", want)
	}
	if v, _ = w.Keys(context.Background(), tenant.Operator); len(v.Index) == 1 {
		err = w.rotate()
	} else {
		err = w.ReindexOnce(context.Background())
	}
	if err != nil {
		t.Fatalf("write %d: second try: %v", step, err)
	}
	w.mustHaveRotated(t, 1, old)
	w.sameFaces(t, "at its end", want)
	w.erase(w.find(term.UserID, "h1"))
	w.send(w.nat, "", text("x9", oldNumber, 9))
	if w.opens("h2") || !w.opens("h3") {
		t.Errorf("write %d: the erasure took the wrong records", step)
	}
	w.close()
	return fired
}

// TestANumberChangesHandsInARotationWhateverWriteFails: the first holder's is under the version before.
func TestANumberChangesHandsInARotationWhateverWriteFails(t *testing.T) {
	var s id.Subject
	journey(t,
		func(w *world) {
			w.send(w.nat, "", text("x1", oldNumber, -1))
			w.send(w.nat, "", text("x2", newNumber, -1))
			s = w.find(term.Phone, oldNumber)
			if _, _, err := w.RotateIndex(context.Background(), tenant.Operator); err != nil {
				w.t.Fatal(err)
			}
		},
		func(w *world) error {
			if _, err := w.Retire(context.Background(), w.caller, s, phones(oldNumber)); err != nil {
				return err
			}
			if _, err := w.Link(context.Background(), w.caller, s, phones(newNumber)); err != nil {
				return err
			}
			if err := w.ReindexOnce(context.Background()); err != nil {
				return err
			}
			_, err := w.Retire(context.Background(), w.caller, s, phones(oldNumber))
			return err
		},
		func(t *testing.T, w *world) {
			w.mustBeNobody(phones(oldNumber)...)
			if w.find(term.Phone, newNumber) != s || len(w.records(s)) != 2 || len(w.known(s)) != 2 {
				t.Errorf("the person is known by %v", w.known(s))
			}
			if n := w.query(`SELECT type FROM identifier WHERE key_version = 1`); len(n) != 0 {
				t.Errorf("%d identifiers are under version 1", len(n))
			}
		})
}
