package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
)

var start = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

func seed(b byte) []byte {
	s := make([]byte, 32)
	for i := range s {
		s[i] = b + byte(i)
	}
	return s
}

func mustKeys(t testing.TB, region string, b byte) *ledger.Keys {
	t.Helper()
	k, err := ledger.NewKeys(ledger.Origin(region), seed(b))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func openStore(t testing.TB) store.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{Region: "ie1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// world is one region's ledger on a real store.
type world struct {
	db store.DB
	l  *ledger.Ledger
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db := openStore(t)
	return &world{db: db, l: openLedger(t, db, sqlstore.Ledgers{}, ledger.Options{})}
}

func openLedger(t testing.TB, db store.DB, s ledger.Store, opt ledger.Options) *ledger.Ledger {
	t.Helper()
	if opt.Keys == nil {
		opt.Keys = mustKeys(t, "ie1", 1)
	}
	opt.Log = slog.New(slog.DiscardHandler)
	l, err := ledger.Open(context.Background(), db, s, opt)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func draft(kind, tenant string, n int) ledger.Draft {
	return ledger.Draft{Kind: kind, Tenant: tenant, At: start.Add(time.Duration(n) * time.Second),
		Body: map[string]any{"records": n, "digest": fmt.Sprintf("sha256:%064x", n), "why": []string{"rule.a", "rule.b"}}}
}

func (w *world) append(t testing.TB, drafts ...ledger.Draft) []ledger.Ref {
	t.Helper()
	refs, err := w.tryAppend(drafts...)
	if err != nil {
		t.Fatal(err)
	}
	return refs
}

func (w *world) tryAppend(drafts ...ledger.Draft) (refs []ledger.Ref, err error) {
	err = w.db.Do(context.Background(), func(tx store.Tx) error {
		refs, err = w.l.Append(tx, drafts...)
		return err
	})
	return refs, err
}

// grow appends n leaves: every third is a group of sub-entries.
func (w *world) grow(t testing.TB, n int) (refs []ledger.Ref) {
	t.Helper()
	for i := range n {
		drafts := []ledger.Draft{draft("collect", "acme", i)}
		if i%3 == 0 {
			for k := range 1 + i%7 {
				drafts = append(drafts, draft("collect", "acme", 1000*i+k))
			}
		}
		refs = append(refs, w.append(t, drafts...)...)
	}
	return refs
}

func (w *world) sign(t testing.TB) []byte {
	t.Helper()
	if _, err := w.l.Sign(context.Background()); err != nil {
		t.Fatal(err)
	}
	msg, err := w.l.Checkpoint(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func (w *world) view(t testing.TB, r ledger.Ref) ledger.EntryView {
	t.Helper()
	var v ledger.EntryView
	err := w.db.View(context.Background(), func(tx store.Tx) (err error) {
		v, err = w.l.Entry(tx, r.Entry)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return again(t, v)
}

// again sends v through JSON, as the API does.
func again(t testing.TB, v ledger.EntryView) (out ledger.EntryView) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// fetch serves the world's public pages.
func (w *world) fetch(ctx context.Context, path string) ([]byte, error) {
	if path == "checkpoint" {
		return w.l.Checkpoint(ctx)
	}
	b, _, err := w.l.Tile(ctx, path)
	return b, err
}

// exec runs SQL as whoever has the database in hand.
func (w *world) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	err := w.db.Do(context.Background(), func(tx store.Tx) error {
		_, err := tx.(sqlstore.Conn).Exec(sql, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// faulty fails the n-th call that writes: before it writes, or after. Committing is a write too.
type faulty struct {
	store.DB
	ledger.Store
	after bool
	left  int // writes until the one that fails; below 0 none does
}

var errFault = errors.New("the store failed")

// write runs do unless it is the one that fails.
func (f *faulty) write(do func() error) error {
	if f.left--; f.left != 0 {
		return do()
	}
	if f.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errFault
}

func (f *faulty) Do(ctx context.Context, fn func(store.Tx) error) error {
	return f.write(func() error { return f.DB.Do(ctx, fn) })
}
func (f *faulty) Append(tx store.Tx, l []ledger.Leaf) error {
	return f.write(func() error { return f.Store.Append(tx, l) })
}
func (f *faulty) PutCheckpoint(tx store.Tx, n int64, b []byte) error {
	return f.write(func() error { return f.Store.PutCheckpoint(tx, n, b) })
}
func (f *faulty) PutCosignature(tx store.Tx, w string, n int64, b []byte) error {
	return f.write(func() error { return f.Store.PutCosignature(tx, w, n, b) })
}
func (f *faulty) PutMirror(tx store.Tx, o string, n int64, b []byte, at int64) error {
	return f.write(func() error { return f.Store.PutMirror(tx, o, n, b, at) })
}

func wantKind(t testing.TB, err error, k fault.Kind) {
	t.Helper()
	if fault.KindOf(err) != k || err == nil {
		t.Errorf("got %v, want a fault of kind %v", err, k)
	}
}
