package scan

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// few is how many members are compared one with another before a hash table is worth it.
const few = 24

// seed keys the hash of names, so that nobody can choose names that collide.
var seed = maphash.MakeSeed()

// unique finds a name that comes twice in one object. Few names are compared by fingerprint in a
// row; many go into a hash table at the top of Doc.slots, which serves all open objects as a
// stack: when an object adds a name, the objects inside it have closed and given theirs back.
type unique struct {
	prints, slots int // where this object's share of Doc.prints and Doc.slots begins
	first         int // its first member's node
	count         int
}

// add enters node, the newest of d. It returns false when the object has a member of that name
// already.
func (u *unique) add(d *Doc, node *Node) bool {
	u.count++
	if u.count > few {
		return u.addHashed(d, d.Key(len(d.Nodes)-1))
	}
	for _, p := range d.prints[u.prints:] {
		if p == node.Print && (p>>63 == 0 || u.has(d, d.Key(len(d.Nodes)-1), p)) {
			return false
		}
	}
	d.prints = append(d.prints, node.Print)
	return true
}

// has compares name with every earlier member of the same fingerprint.
func (u *unique) has(d *Doc, name []byte, print uint64) bool {
	for i := u.first; i < len(d.Nodes)-1; i = int(d.Nodes[i].Next) {
		if d.Nodes[i].Print == print && bytes.Equal(d.Key(i), name) {
			return true
		}
	}
	return false
}

func (u *unique) addHashed(d *Doc, name []byte) bool {
	if size := len(d.slots) - u.slots; u.count*2 > size {
		u.grow(d, max(4*few, 4*u.count))
	}
	return u.put(d, len(d.Nodes)-1, name)
}

// grow makes the table anew with at least n slots and enters the members before the newest.
func (u *unique) grow(d *Doc, n int) {
	size := 1 << bits.Len(uint(n-1))
	d.slots = d.slots[:u.slots]
	for range size {
		d.slots = append(d.slots, 0)
	}
	for i := u.first; i < len(d.Nodes)-1; i = int(d.Nodes[i].Next) {
		u.put(d, i, d.Key(i))
	}
}

// put enters node n, or returns false when a node of that name is there. A slot holds the upper
// half of the hash and the node's index plus one.
func (u *unique) put(d *Doc, n int, name []byte) bool {
	table := d.slots[u.slots:]
	h := maphash.Bytes(seed, name)
	for at := h; ; at++ {
		slot := &table[at&uint64(len(table)-1)]
		if *slot == 0 {
			*slot = h>>32<<32 | uint64(n+1)
			return true
		}
		if *slot>>32 == h>>32 && bytes.Equal(d.Key(int(uint32(*slot))-1), name) {
			return false
		}
	}
}

// close gives back the object's share.
func (u *unique) close(d *Doc) { d.prints, d.slots = d.prints[:u.prints], d.slots[:u.slots] }

// Fingerprint is 64 bits of an unescaped name: different for different names of up to seven
// bytes, and for longer ones a hint that spares most comparisons.
func Fingerprint(name []byte) uint64 {
	n := len(name)
	if n >= 8 {
		return long(binary.LittleEndian.Uint64(name), binary.LittleEndian.Uint64(name[n-8:]), n)
	}
	var w uint64
	for i, c := range name {
		w |= uint64(c) << (8 * i)
	}
	return w | uint64(n)<<56
}

// long sets the top bit, so that no long name looks like a short one.
func long(first, last uint64, n int) uint64 {
	return (first^bits.RotateLeft64(last, 23)+uint64(n)*0x9e3779b97f4a7c15)*0xff51afd7ed558ccd | 1<<63
}
