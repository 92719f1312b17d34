package seal

import (
	"bytes"
	"fmt"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
)

func testKey(t testing.TB, fill byte) *Key {
	t.Helper()
	k, err := NewKey(bytes.Repeat([]byte{fill}, KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAPartOpensOnlyWhereItWasSealed(t *testing.T) {
	k, s, r := testKey(t, 1), id.NewSubject(), id.Record{Chunk: id.NewChunk(), Ordinal: 7}
	b := NewBinder("ie1", "acme")
	sealed := b.Seal([]byte("before"), k, s, r, 300, "usage", []byte("packed"))[6:]
	if len(sealed) != 6+Overhead {
		t.Errorf("6 bytes seal to %d", len(sealed))
	}
	otherRecord, otherChunk := r, r
	otherRecord.Ordinal, otherChunk.Chunk = 8, id.NewChunk()
	altered := bytes.Clone(sealed)
	altered[3] ^= 1
	for _, tt := range []struct {
		name     string
		b        *Binder
		k        *Key
		s        id.Subject
		r        id.Record
		part     uint32
		category string
		sealed   []byte
		opens    bool
	}{
		{"as it was", b, k, s, r, 300, "usage", sealed, true},
		{"another region", NewBinder("us1", "acme"), k, s, r, 300, "usage", sealed, false},
		{"another tenant", NewBinder("ie1", "globex"), k, s, r, 300, "usage", sealed, false},
		{"a moved border of names", NewBinder("ie", "1acme"), k, s, r, 300, "usage", sealed, false},
		{"another key", b, testKey(t, 2), s, r, 300, "usage", sealed, false},
		{"another subject", b, k, id.NewSubject(), r, 300, "usage", sealed, false},
		{"another record", b, k, s, otherRecord, 300, "usage", sealed, false},
		{"another chunk", b, k, s, otherChunk, 300, "usage", sealed, false},
		{"another part", b, k, s, r, 301, "usage", sealed, false},
		{"another category", b, k, s, r, 300, "contact", sealed, false},
		{"altered", b, k, s, r, 300, "usage", altered, false},
		{"cut short", b, k, s, r, 300, "usage", sealed[:10], false},
		{"empty", b, k, s, r, 300, "usage", nil, false},
	} {
		got, err := tt.b.Open([]byte("x"), tt.k, tt.s, tt.r, tt.part, tt.category, tt.sealed)
		if tt.opens && (err != nil || string(got) != "xpacked") {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		} else if !tt.opens && (fault.KindOf(err) != fault.Invalid || string(got) != "x") {
			t.Errorf("%s: %q, %v, want invalid and nothing", tt.name, got, err)
		}
	}
}

func TestValuesAreBoundToo(t *testing.T) {
	k := testKey(t, 1)
	a := SealBytes(k, []byte("ad"), []byte("value"))
	if bytes.Equal(a, SealBytes(k, []byte("ad"), []byte("value"))) || len(a) != 5+ValueOverhead {
		t.Error("two seals of a value are equal, or of the wrong length")
	}
	if got, err := OpenBytes(k, []byte("ad"), a); err != nil || string(got) != "value" {
		t.Errorf("open: %q, %v", got, err)
	}
	for name, err := range map[string]error{
		"another ad":  second(OpenBytes(k, []byte("da"), a)),
		"another key": second(OpenBytes(testKey(t, 2), []byte("ad"), a)),
		"cut short":   second(OpenBytes(k, []byte("ad"), a[:20])),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func second(_ []byte, err error) error { return err }

func TestKeysDontPrint(t *testing.T) {
	k := testKey(t, 1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, k); got != "[key]" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	if _, err := NewKey(make([]byte, 16)); err == nil {
		t.Error("a key of 16 bytes is accepted")
	}
}

func TestSealAndOpenDoNotAllocate(t *testing.T) {
	if racing {
		t.Skip("allocations say nothing under the race detector")
	}
	k, b, r := testKey(t, 1), NewBinder("ie1", "acme"), id.Record{Chunk: id.NewChunk()}
	p := make([]byte, 100)
	dst, out := make([]byte, 0, 256), make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		dst = b.Seal(dst[:0], k, id.Nobody, r, 1, "usage", p)
		out, _ = b.Open(out[:0], k, id.Nobody, r, 1, "usage", dst)
	}); n > 0.5 {
		t.Errorf("sealing and opening allocates %v times", n)
	}
}

func BenchmarkSeal(b *testing.B) {
	k, bind := testKey(b, 1), NewBinder("ie1", "acme")
	r, s := id.Record{Chunk: id.NewChunk()}, id.NewSubject()
	dst := make([]byte, 0, 4096)
	b.Run("592 bytes", func(b *testing.B) {
		p := make([]byte, 592)
		for b.Loop() {
			dst = bind.Seal(dst[:0], k, s, r, 3, "usage", p)
		}
	})
	b.Run("four packed parts", func(b *testing.B) {
		var packed [][]byte
		for _, p := range sampleParts {
			packed = append(packed, Pack(nil, p))
		}
		for b.Loop() {
			for n, p := range packed {
				dst = bind.Seal(dst[:0], k, s, r, uint32(n), "usage", p)
			}
		}
	})
}

func BenchmarkNewKey(b *testing.B) {
	raw := make([]byte, 32)
	for b.Loop() {
		_, _ = NewKey(raw)
	}
}
