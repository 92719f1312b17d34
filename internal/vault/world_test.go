package vault_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/vault"
	"domicile.dev/internal/vault/keyring"
)

var start = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

// world is a region's store and keyring, both real, with a switch to make one write fail.
type world struct {
	t      testing.TB
	dir    string
	db     store.DB
	keys   vault.Keyring
	opt    vault.Options
	people []person

	step, at int
	when     string // "before" the write, or "after", when only its answer is lost
}

type person struct {
	tenant int
	id     id.Subject
	sealed []byte // a value under the person's key
}

var errLost = errors.New("made to fail")

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), opt: vault.Options{Region: "ie1", Batch: 2, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return start }}}
	db, err := sqlite.Open(t.Context(), w.dir, sqlite.Options{Region: "ie1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.db = db
	w.keys = w.ring("keyring")
	w.do(func(c sqlstore.Conn) error {
		for n := 1; n <= 2; n++ {
			if _, err := c.Exec(`INSERT INTO tenant (cell, id, tenant, name, disabled, created_at, version) VALUES (1, $1, $2, '', 0, 0, $2)`,
				tenantID(n), n); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func tenantID(n int) string { return []string{"", "acme", "globex"}[n] }

func (w *world) ring(name string) vault.Keyring {
	w.t.Helper()
	kr, err := keyring.Open("file:"+filepath.Join(w.dir, name), "ie1")
	if err != nil {
		w.t.Fatal(err)
	}
	return kr
}

func (w *world) do(fn func(c sqlstore.Conn) error) {
	w.t.Helper()
	if err := w.db.Do(context.Background(), func(tx store.Tx) error { return fn(tx.(sqlstore.Conn)) }); err != nil {
		w.t.Fatal(err)
	}
}

// open opens the vault with nothing failing.
func (w *world) open() *vault.Vault {
	w.t.Helper()
	v, err := vault.Open(context.Background(), w.db, sqlstore.Vaults{}, w.keys, w.opt)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// failing opens the vault so that write at fails, counted from now on.
func (w *world) failing(at int, when string) (*vault.Vault, error) {
	w.step, w.at, w.when = 0, at, when
	return vault.Open(context.Background(), flakyDB{w.db, w}, sqlstore.Vaults{}, flakyRing{w.keys, w}, w.opt)
}

func (w *world) write(do func() error) error {
	w.step++
	switch {
	case w.step != w.at:
		return do()
	case w.when == "before":
		return errLost
	}
	if err := do(); err != nil {
		return err
	}
	return errLost
}

type flakyDB struct {
	store.DB
	w *world
}

func (d flakyDB) Do(ctx context.Context, fn func(store.Tx) error) error {
	return d.w.write(func() error { return d.DB.Do(ctx, fn) })
}

type flakyRing struct {
	vault.Keyring
	w *world
}

func (r flakyRing) Create(ctx context.Context, name string) (raw []byte, err error) {
	err = r.w.write(func() error { raw, err = r.Keyring.Create(ctx, name); return err })
	return raw, err
}

func (r flakyRing) Destroy(ctx context.Context, name string) error {
	return r.w.write(func() error { return r.Keyring.Destroy(ctx, name) })
}

// mint makes n persons in turn of both tenants and seals a value under the key of each.
func (w *world) mint(v *vault.Vault, n int) {
	w.t.Helper()
	w.do(func(c sqlstore.Conn) error {
		for i := range n {
			p := person{tenant: 1 + i%2, id: id.NewSubject()}
			if _, err := v.Fence(c); err != nil {
				return err
			}
			wrapped, k, err := v.Mint(tenantID(p.tenant), p.id)
			if err != nil {
				return err
			}
			p.sealed = seal.SealBytes(k, p.id[:], []byte("hello"))
			if _, err := c.Exec(`INSERT INTO subject (tenant, subject, head, state, created_at, created_by, hold_until, key_epoch, wrapped)
				VALUES ($1, $2, $2, 0, 0, '', 0, $3, $4)`, p.tenant, p.id[:], wrapped.Epoch, wrapped.Bytes); err != nil {
				return err
			}
			w.people = append(w.people, p)
		}
		return nil
	})
}

// wrapped returns what the store holds of p; no bytes when nothing.
func (w *world) wrapped(p person) (k vault.Wrapped) {
	w.t.Helper()
	w.do(func(c sqlstore.Conn) error {
		return c.Query(`SELECT key_epoch, wrapped FROM subject WHERE tenant = $1 AND subject = $2`, func(r sqlstore.Row) error {
			k = vault.Wrapped{Epoch: uint32(r.Int(0)), Bytes: r.Bytes(1)}
			return nil
		}, p.tenant, p.id[:])
	})
	return k
}

// erase takes away the key of p and returns what a thief's old copy of the store still has.
func (w *world) erase(p person) vault.Wrapped {
	w.t.Helper()
	old := w.wrapped(p)
	w.do(func(c sqlstore.Conn) error {
		_, err := c.Exec(`DELETE FROM subject WHERE tenant = $1 AND subject = $2`, p.tenant, p.id[:])
		return err
	})
	w.people = slices.DeleteFunc(w.people, func(q person) bool { return q.id == p.id })
	return old
}

// mustRead fails unless every living person's value opens, under the current epoch.
func (w *world) mustRead(v *vault.Vault) {
	w.t.Helper()
	for _, p := range w.people {
		k := w.wrapped(p)
		if k.Epoch != v.Epoch() {
			w.t.Errorf("key of %s is under epoch %d, want %d", p.id, k.Epoch, v.Epoch())
		}
		key, err := v.Unwrap(tenantID(p.tenant), p.id, k)
		if err != nil {
			w.t.Fatalf("unwrap: %v", err)
		}
		if got, err := seal.OpenBytes(key, p.id[:], p.sealed); err != nil || string(got) != "hello" {
			w.t.Errorf("value of %s: %q, %v", p.id, got, err)
		}
	}
}

// epochKeys returns the epoch keys in the keyring.
func (w *world) epochKeys() (names []string) {
	w.t.Helper()
	all, err := w.keys.List(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range all {
		if strings.HasPrefix(n, "epoch/") {
			names = append(names, n)
		}
	}
	return names
}
