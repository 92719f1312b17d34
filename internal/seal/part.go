// Package seal is the format of what is sealed: parts of records, compressed and then encrypted
// under the key of the person they are about, and small values. It does no I/O and keeps no keys.
//
// Format: docs/formats/part.md, version 1.
package seal

import (
	"crypto/rand"
	"encoding/binary"
	"sync"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
)

// The first bytes of associated data say what was sealed, so that neither passes for the other.
const (
	partTag  = "domicile part 1\x00"
	valueTag = "domicile value 1\x00"
)

const nonceBytes = 12

// Binder seals and opens the parts of one tenant in one region. It is immutable.
type Binder struct{ prefix []byte }

// NewBinder returns the binder of tenant, by its text id, in region.
func NewBinder(region, tenant string) *Binder {
	b := append([]byte(nil), partTag...)
	return &Binder{AppendName(AppendName(b, region), tenant)}
}

// scratch holds what one call hands to the cipher: through an interface it would otherwise be
// allocated each time.
type scratch struct {
	nonce [nonceBytes]byte
	ad    []byte
}

var scratches = sync.Pool{New: func() any { return &scratch{ad: make([]byte, 0, 256)} }}

// Seal appends packed, sealed as part number part of record r, and returns the extended dst. It
// adds len(packed)+Overhead bytes; packed must not overlap them. part counts over all parts of the chunk, so
// that no two share a nonce: whoever gives one (chunk, part) pair to two different plaintexts
// under one key breaks both.
func (b *Binder) Seal(dst []byte, k *Key, s id.Subject, r id.Record, part uint32, category string, packed []byte) []byte {
	x := scratches.Get().(*scratch)
	b.bind(x, s, r, part, category)
	dst = k.aead.Seal(dst, x.nonce[:], packed, x.ad)
	scratches.Put(x)
	return dst
}

// Open appends the packed bytes that Seal was given and returns the extended dst. It returns a
// fault of kind Invalid when sealed was altered, is somebody else's or stood elsewhere, and then
// nothing of the plaintext.
func (b *Binder) Open(dst []byte, k *Key, s id.Subject, r id.Record, part uint32, category string, sealed []byte) ([]byte, error) {
	x := scratches.Get().(*scratch)
	b.bind(x, s, r, part, category)
	out, err := k.aead.Open(dst, x.nonce[:], sealed, x.ad)
	scratches.Put(x)
	if err != nil {
		return dst, fault.New(fault.Invalid, "seal.altered", "a sealed part does not open: it was altered, moved or sealed under another key")
	}
	return out, nil
}

// bind sets nonce and associated data.
func (b *Binder) bind(x *scratch, s id.Subject, r id.Record, part uint32, category string) {
	x.nonce = r.Chunk
	tail := x.nonce[nonceBytes-4:]
	binary.BigEndian.PutUint32(tail, binary.BigEndian.Uint32(tail)^part)
	ad := append(x.ad[:0], b.prefix...)
	ad = append(ad, s[:]...)
	ad = append(ad, r.Chunk[:]...)
	ad = binary.BigEndian.AppendUint32(ad, r.Ordinal)
	x.ad = AppendName(ad, category)
}

// AppendName appends s after its length in two big-endian bytes: how names stand in whatever is
// bound or derived. Names are far shorter than 64 KiB; a longer one would make two look alike,
// hence the panic.
func AppendName(b []byte, s string) []byte {
	if len(s) > 0xffff {
		panic("seal: a name of more than 65535 bytes")
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// ValueOverhead is what SealBytes adds: a nonce and a tag.
const ValueOverhead = nonceBytes + Overhead

// SealBytes seals a small value, such as an identifier or a wrapped key, under a random nonce:
// nonce, ciphertext, tag. ad says what the value is and whose; it is bound, not stored.
func SealBytes(k *Key, ad, plaintext []byte) []byte {
	out := make([]byte, nonceBytes, len(plaintext)+ValueOverhead)
	_, _ = rand.Read(out) // never fails: the runtime stops the process instead
	return k.aead.Seal(out, out[:nonceBytes], plaintext, append([]byte(valueTag), ad...))
}

// OpenBytes returns what SealBytes was given under the same key and ad. It returns a fault of
// kind Invalid when sealed was altered or is something else.
func OpenBytes(k *Key, ad, sealed []byte) ([]byte, error) {
	if len(sealed) >= ValueOverhead {
		out, err := k.aead.Open(nil, sealed[:nonceBytes], sealed[nonceBytes:], append([]byte(valueTag), ad...))
		if err == nil {
			return out, nil
		}
	}
	return nil, fault.New(fault.Invalid, "seal.altered", "a sealed value does not open: it was altered, moved or sealed under another key")
}
