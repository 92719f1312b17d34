package record

import "encoding/binary"

// key is what both families sort by: the tenant's number, then 12 bytes that are random or a keyed
// digest, all in big-endian order. Nobody outside chooses where one falls.
type key struct{ hi, lo uint64 }

var be = binary.BigEndian

func makeKey(tenant uint32, b [12]byte) key {
	return key{uint64(tenant)<<32 | uint64(binary.BigEndian.Uint32(b[:4])), binary.BigEndian.Uint64(b[4:])}
}

func (k key) tenant() uint32 { return uint32(k.hi >> 32) }

func (k key) id() (b [12]byte) {
	binary.BigEndian.PutUint32(b[:4], uint32(k.hi))
	binary.BigEndian.PutUint64(b[4:], k.lo)
	return b
}

func (k key) put(b *[16]byte) {
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
}

func keyOf(b []byte) key {
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:16])}
}

func (k key) less(o key) bool { return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo }

func (k key) compare(o key) int {
	switch {
	case k == o:
		return 0
	case k.less(o):
		return -1
	}
	return 1
}

// hash mixes all 16 bytes; filters on disk depend on it.
func (k key) hash() uint64 { return mix(k.lo ^ k.hi*0x9e3779b97f4a7c15) }

// probe is what filters ask of a key: the first 4 bytes after the tenant choose the line, so that
// who adds keys in order goes through a filter in order; the hash chooses the bits.
type probe struct {
	line uint32
	hash uint64
}

func (k key) probe() probe { return probe{uint32(k.hi), k.hash()} }

// shared is how many leading bytes a and b have in common.
func (k key) shared(o key) int {
	n := 0
	for x, shift := k.hi^o.hi, 56; shift >= 0 && x>>shift == 0; shift -= 8 {
		n++
	}
	if n < 8 {
		return n
	}
	for x, shift := k.lo^o.lo, 56; shift >= 0 && x>>shift == 0; shift -= 8 {
		n++
	}
	return n
}

// entry is one line of either index.
type entry struct {
	key  key
	pos  uint64
	idx  uint16
	kind uint16 // code; 0 by client
}

func (e *entry) loc() Location { return Location{e.pos, e.idx} }

func (e *entry) less(o *entry) bool {
	if e.key != o.key {
		return e.key.less(o.key)
	}
	return e.pos < o.pos || e.pos == o.pos && e.idx < o.idx
}
