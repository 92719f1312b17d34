package vault_test

import (
	"path/filepath"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/vault"
)

// TestFirstStartStoppedAtEveryWrite stops the first start at each of its writes, either way: the
// next one ends it, with the same keys.
func TestFirstStartStoppedAtEveryWrite(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for step := 1; ; step++ {
			w := newWorld(t)
			if _, err := w.failing(step, when); err == nil {
				if step != 10 { // seven keys, two transactions
					t.Errorf("a first start makes %d writes, want 9", step-1)
				}
				break
			}
			v := w.open()
			w.mint(v, 1)
			w.mustRead(w.open())
		}
	}
}

func TestOpenRefusesKeysThatDontFit(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		spoil        func(t *testing.T, w *world)
	}{
		{"an empty keyring", "vault.keyring_missing", func(t *testing.T, w *world) { w.keys = w.ring("empty") }},
		{"another store's keyring", "vault.keyring_mismatch", func(t *testing.T, w *world) {
			other := newWorld(t)
			other.open()
			w.keys = other.keys
		}},
		{"an empty store", "vault.keyring_of_another_store", func(t *testing.T, w *world) { w.db = newWorld(t).db }},
		{"another region", "vault.other_region", func(t *testing.T, w *world) { w.opt.Region = "us1" }},
		{"a lost key", "vault.key_missing", func(t *testing.T, w *world) { w.destroy(t, vault.IndexName(1)) }},
		{"a lost epoch key", "vault.key_missing", func(t *testing.T, w *world) { w.destroy(t, vault.EpochName(1)) }},
		{"a key made anew", "vault.key_replaced", func(t *testing.T, w *world) {
			w.destroy(t, vault.NobodyKey)
			if _, err := w.keys.Create(t.Context(), vault.NobodyKey); err != nil {
				t.Fatal(err)
			}
		}},
		{"a store that lost its stamp", "vault.store_unstamped", func(t *testing.T, w *world) {
			w.do(func(c sqlstore.Conn) error { _, err := c.Exec(`DELETE FROM meta`); return err })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.mint(w.open(), 1)
			w.open() // a second start is no trouble
			tt.spoil(t, w)
			_, err := vault.Open(t.Context(), w.db, sqlstore.Vaults{}, w.keys, w.opt)
			f, ok := fault.As(err)
			if !ok || f.Reason != tt.reason || f.Kind != fault.Conflict || f.Hint == "" {
				t.Errorf("Open: %v, want a conflict %s with a hint", err, tt.reason)
			}
		})
	}
}

func (w *world) destroy(t *testing.T, name string) {
	t.Helper()
	if err := w.keys.Destroy(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func TestAKeyUnwrapsForNobodyElse(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	s := id.NewSubject()
	k, _, err := v.Mint("acme", s)
	if err != nil {
		t.Fatal(err)
	}
	altered := vault.Wrapped{Epoch: k.Epoch, Bytes: append([]byte(nil), k.Bytes...)}
	altered.Bytes[40] ^= 1
	for _, tt := range []struct {
		name   string
		tenant string
		s      id.Subject
		w      vault.Wrapped
		want   fault.Kind
	}{
		{"another tenant", "globex", s, k, fault.Invalid},
		{"another subject", "acme", id.NewSubject(), k, fault.Invalid},
		{"altered", "acme", s, altered, fault.Invalid},
		{"cut short", "acme", s, vault.Wrapped{Epoch: k.Epoch, Bytes: k.Bytes[:20]}, fault.Invalid},
		{"an epoch that isn't", "acme", s, vault.Wrapped{Epoch: 9, Bytes: k.Bytes}, fault.Unavailable},
	} {
		if _, err := v.Unwrap(tt.tenant, tt.s, tt.w); fault.KindOf(err) != tt.want { // k itself is in the cache
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := v.Unwrap("acme", s, k); err != nil {
		t.Errorf("its own: %v", err)
	}
	v.Forget(k)
	if _, err := v.Unwrap("acme", s, k); err != nil {
		t.Errorf("its own, from the store: %v", err)
	}
}

func TestTheCacheIsBoundedAndRight(t *testing.T) {
	w := newWorld(t)
	w.opt.CacheEntries = 64
	v := w.open()
	type pair struct {
		s id.Subject
		w vault.Wrapped
	}
	var all []pair
	for range 500 {
		s := id.NewSubject()
		k, _, err := v.Mint("acme", s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pair{s, k})
	}
	for range 2 {
		for _, p := range all {
			if _, err := v.Unwrap("acme", p.s, p.w); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBlindValuesDependOnAllThatNamesThem(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	b, other := v.IndexKeys().Blinder("acme"), v.IndexKeys().Blinder("globex")
	email := []byte("aoife@example.com")
	base := b.Identifier("email", email)
	if base != b.Identifier("email", email) || base != w.open().IndexKeys().Blinder("acme").Identifier("email", email) {
		t.Error("one identifier has two blind values")
	}
	for name, v := range map[string][16]byte{"type": b.Identifier("user_id", email), "tenant": other.Identifier("email", email),
		"value": b.Identifier("email", email[1:]), "purpose": v.Suppressor("acme").Identifier("email", email),
		"border of type and value": b.Identifier("emaila", email[1:])} {
		if v == base {
			t.Errorf("blind value does not depend on %s", name)
		}
	}
	clients := v.Clients("acme")
	key := clients.ClientKey("src_ie1_a", "track", "", []byte("m-1"))
	if prefix := clients.ClientPrefix([]byte("m-1")); [6]byte(key[:6]) != prefix {
		t.Errorf("client key begins %x, want its prefix %x", key[:8], prefix)
	}
	for _, k := range [][12]byte{clients.ClientKey("src_ie1_b", "track", "", []byte("m-1")), clients.ClientKey("src_ie1_a", "page", "", []byte("m-1")),
		clients.ClientKey("src_ie1_a", "track", "sent", []byte("m-1"))} {
		if [6]byte(k[:6]) != [6]byte(key[:6]) || k == key {
			t.Errorf("client key %x beside %x: want one prefix and two ends", k, key)
		}
	}
}

func TestNobodysKeyIsOnePerChunk(t *testing.T) {
	w := newWorld(t)
	v := w.open()
	c := id.NewChunk()
	bind := func(v *vault.Vault, tenant string, c id.Chunk) string { return string(sealWith(v.Nobody(tenant, c))) }
	if bind(v, "acme", c) != bind(w.open(), "acme", c) {
		t.Error("a chunk's key changes")
	}
	if bind(v, "acme", c) == bind(v, "acme", id.NewChunk()) || bind(v, "acme", c) == bind(v, "globex", c) {
		t.Error("two chunks or tenants share a key")
	}
}

func TestKeyringPathIsWhereWeSay(t *testing.T) {
	w := newWorld(t)
	w.open()
	if got, _ := filepath.Glob(filepath.Join(w.dir, "keyring", "*.key")); len(got) != 7 {
		t.Errorf("keyring holds %d files, want 7", len(got))
	}
}
