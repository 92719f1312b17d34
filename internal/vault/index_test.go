package vault_test

import (
	"context"
	"slices"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/vault"
)

// entries counts what a rotation of the index key entered; only what is committed counts.
type entries struct{ begun, ended []int64 }

func (e *entries) rotate(v *vault.Vault) error {
	var last int64
	begun, err := v.BeginIndex(context.Background(), start, func(_ store.Tx, from, _ uint32) error { last = int64(from); return nil })
	if err != nil {
		return err
	}
	if begun {
		e.begun = append(e.begun, last)
	}
	return e.finish(v)
}

func (e *entries) finish(v *vault.Vault) error {
	if x := v.IndexKeys(); x.Rotating() {
		if err := v.RetireIndex(context.Background(), x.From, start); err != nil {
			return err
		}
	}
	n := v.IndexKeys().From - 1
	return v.EndIndex(context.Background(), n, start, func(_ store.Tx, moved int64, destroyed bool) error {
		if !destroyed {
			return errLost
		}
		e.ended = append(e.ended, moved)
		return nil
	})
}

// TestIndexRotationStoppedAtEveryWrite stops it at every write to store and keyring, either way: the
// next try goes on with the same key, destroys the old one, and enters the end once.
func TestIndexRotationStoppedAtEveryWrite(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for step := 1; ; step++ {
			w := newWorld(t)
			w.open()
			v, err := w.failing(step, when)
			if err != nil {
				t.Fatal(err)
			}
			var e entries
			if err := e.rotate(v); err == nil {
				if step != 6 { // create, begin, retire, destroy, end
					t.Errorf("a rotation makes %d writes, want 5", step-1)
				}
				break
			}
			if step%2 == 0 {
				v = w.open()
			} else if err := w.db.View(t.Context(), func(tx store.Tx) error { _, err := v.IndexAt(tx); return err }); err != nil {
				t.Fatalf("write %d (%s): %v", step, when, err)
			}
			if v.IndexKeys().To == 1 {
				err = e.rotate(v)
			} else {
				err = e.finish(v)
			}
			if err != nil {
				t.Fatalf("write %d (%s): second try: %v", step, when, err)
			}
			names, err := w.keys.List(t.Context())
			if err != nil || slices.Contains(names, vault.IndexName(1)) || !slices.Contains(names, vault.IndexName(2)) || slices.Contains(names, vault.IndexName(3)) {
				t.Errorf("write %d (%s): the keyring has %v, %v", step, when, names, err)
			}
			if x := w.open().IndexKeys(); x.From != 2 || x.To != 2 || x.Blinder("acme").Identifier("email", nil) != v.IndexKeys().Blinder("acme").Identifier("email", nil) {
				t.Errorf("write %d (%s): another start knows %d to %d", step, when, x.From, x.To)
			}
			w.do(func(c sqlstore.Conn) error {
				all, err := sqlstore.Vaults{}.IndexVersions(c)
				if err == nil && (len(all) != 2 || all[0].EndedAt.IsZero() || vault.Ending(all) != nil) {
					t.Errorf("write %d (%s): %+v", step, when, all)
				}
				return err
			})
		}
	}
}

func TestANodeWithAnotherKeyringWritesNothing(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		spoil        func(t *testing.T, w *world)
	}{
		{"the new version is missing", "vault.index_missing", func(t *testing.T, w *world) { w.destroy(t, vault.IndexName(2)) }},
		{"the new version is another key", "vault.index_replaced", func(t *testing.T, w *world) {
			w.destroy(t, vault.IndexName(2))
			if _, err := w.keys.Create(t.Context(), vault.IndexName(2)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			late := w.open()
			if _, err := w.open().BeginIndex(t.Context(), start, func(store.Tx, uint32, uint32) error { return nil }); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, w)
			err := w.db.Do(t.Context(), func(tx store.Tx) error { _, err := late.IndexAt(tx); return err })
			f, ok := fault.As(err)
			if !ok || f.Kind != fault.Unavailable || f.Reason != tt.reason || f.Hint == "" {
				t.Errorf("IndexAt: %v, want unavailable %s with a hint", err, tt.reason)
			}
			if late.IndexKeys().To != 1 {
				t.Error("it took over a key that it doesn't have")
			}
			if _, err := vault.Open(t.Context(), w.db, sqlstore.Vaults{}, w.keys, w.opt); fault.KindOf(err) != fault.Conflict {
				t.Errorf("a start: %v, want conflict", err)
			}
		})
	}
}

// TestASnapshotIsAnsweredAsOfItsTime: it may be older or newer than what the node knows.
func TestASnapshotIsAnsweredAsOfItsTime(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	var e entries
	enter := func(store.Tx, uint32, uint32) error { return nil }
	view := func(fn func(tx store.Tx)) {
		if err := w.db.View(t.Context(), func(tx store.Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	view(func(before tx) {
		if _, err := v.BeginIndex(t.Context(), start, enter); err != nil {
			t.Fatal(err)
		}
		if x, err := v.IndexAt(before); err != nil || x.To != 1 || x.Rotating() {
			t.Errorf("from before the begin: %+v, %v", x, err)
		}
		if v.IndexKeys().To != 2 {
			t.Error("an old snapshot took a version away")
		}
		view(func(during tx) {
			if err := e.finish(v); err != nil {
				t.Fatal(err)
			}
			for _, old := range []tx{before, during} {
				if _, err := v.IndexAt(old); fault.ReasonOf(err) != vault.RetiredReason {
					t.Errorf("from before the end: %v, want %s", err, vault.RetiredReason)
				}
			}
		})
	})
	view(func(after tx) {
		if x, err := v.IndexAt(after); err != nil || x.From != 2 || x.Rotating() {
			t.Errorf("after the end: %+v, %v", x, err)
		}
	})
}

type tx = store.Tx
