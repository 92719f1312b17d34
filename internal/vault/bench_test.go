package vault_test

import (
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/vault"
)

// sealWith seals one fixed part: equal results mean equal keys.
func sealWith(k *seal.Key) []byte {
	return seal.NewBinder("ie1", "acme").Seal(nil, k, id.Nobody, id.Record{}, 0, "usage", []byte("x"))
}

func BenchmarkUnwrap(b *testing.B) {
	v := newWorld(b).open()
	s := id.NewSubject()
	w, _, _ := v.Mint("acme", s)
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = v.Unwrap("acme", s, w)
		}
	})
	b.Run("not cached", func(b *testing.B) {
		for b.Loop() {
			v.Forget(w)
			_, _ = v.Unwrap("acme", s, w)
		}
	})
	b.Run("of many", func(b *testing.B) {
		type pair struct {
			s id.Subject
			w vault.Wrapped
		}
		var all []pair
		for range 16 << 10 {
			s := id.NewSubject()
			w, _, _ := v.Mint("acme", s)
			all = append(all, pair{s, w})
		}
		i := 0
		for b.Loop() {
			p := &all[i*7919%len(all)]
			_, _ = v.Unwrap("acme", p.s, p.w)
			i++
		}
	})
}

func BenchmarkMint(b *testing.B) {
	v := newWorld(b).open()
	for b.Loop() {
		_, _, _ = v.Mint("acme", id.Nobody)
	}
}

func BenchmarkBlinder(b *testing.B) {
	v := newWorld(b).open()
	bl, clients := v.IndexKeys().Blinder("acme"), v.Clients("acme")
	email, client := []byte("aoife.synthetic@example.com"), []byte("node-next-1795329914791-915a6286-fa6b-4e4c-9167-e9a2e3d6950e")
	b.Run("identifier", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = bl.Identifier("email", email)
		}
	})
	b.Run("client key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = clients.ClientKey("src_ie1_abcdefgh", "track", "", client)
		}
	})
}

func BenchmarkNobody(b *testing.B) {
	v := newWorld(b).open()
	c := id.NewChunk()
	for b.Loop() {
		_ = v.Nobody("acme", c)
	}
}
