package record

import (
	"encoding/binary"

	"domicile.dev/internal/id"
)

// interner numbers the subjects of a section from 1.
type interner struct {
	ids   []id.Subject
	slots []uint32 // number, 0 = free; a power of two, at most half full
	last  int      // number given last: parts of a record mostly share their subject
}

func (t *interner) reset() {
	if len(t.ids)*4 < len(t.slots) {
		for i := range t.ids {
			t.free(t.ids[i])
		}
	} else {
		clear(t.slots)
	}
	t.ids, t.last = t.ids[:0], 0
}

// free empties the run of taken slots at the place of s; all ids are going.
func (t *interner) free(s id.Subject) {
	for at := t.start(s); t.slots[at] != 0; at = (at + 1) & (len(t.slots) - 1) {
		t.slots[at] = 0
	}
}

func (t *interner) start(s id.Subject) int {
	return int(binary.LittleEndian.Uint64(s[:8])*0x9e3779b97f4a7c15>>40) & (len(t.slots) - 1)
}

// index returns the number of s, giving it the next one when it is new; 0 for nobody.
func (t *interner) index(s id.Subject) int {
	if t.last > 0 && t.ids[t.last-1] == s {
		return t.last
	}
	if s.IsNobody() {
		return 0
	}
	if len(t.slots) < 2*len(t.ids)+2 {
		t.grow()
	}
	at := t.start(s)
	for ; t.slots[at] != 0; at = (at + 1) & (len(t.slots) - 1) {
		if n := int(t.slots[at]); t.ids[n-1] == s {
			t.last = n
			return n
		}
	}
	t.ids = append(t.ids, s)
	t.last = len(t.ids)
	t.slots[at] = uint32(t.last)
	return t.last
}

func (t *interner) grow() {
	t.slots = make([]uint32, max(64, 2*len(t.slots)))
	for i, s := range t.ids {
		at := t.start(s)
		for t.slots[at] != 0 {
			at = (at + 1) & (len(t.slots) - 1)
		}
		t.slots[at] = uint32(i + 1)
	}
}
