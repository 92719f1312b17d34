package record

import (
	"encoding/binary"
)

// blockBytes is where a block ends: with its key it fills one leaf page of 4,096 bytes on SQLite,
// and two fill a page on PostgreSQL.
const blockBytes = 4024

// Heads of docs/formats/run.md.
const (
	headShare  = 0x1f
	headFrom   = 0x20 // continues a group of the block before
	headOn     = 0x40 // goes on in the next block
	headSingle = 0x80 // exactly one location
)

// kindCount is how many locations of a subject in a run have a kind code.
type kindCount struct {
	code uint16
	n    uint64
}

// blockWriter turns sorted entries into blocks. flush is called with each finished block, which it
// may keep.
type blockWriter struct {
	family   Family
	firstPos uint64 // of the run
	most     int    // bytes of a block
	flush    func(body []byte, first key, pos uint64) error

	buf      []byte
	firstKey key    // of the block
	first    uint64 // position of its first entry
	lastKey  key    // of the group or entry before, in this block

	// the open group of a BySubject run
	open   bool
	group  key
	from   bool
	start  uint64 // position of its first entry in this block
	locs   []byte
	n      int
	prev   Location
	counts []kindCount

	entries, keys uint64
}

// add appends an entry, which is greater than all before.
func (w *blockWriter) add(e *entry) error {
	w.entries++
	if w.family == ByClient {
		return w.addClient(e)
	}
	if !w.open || w.group != e.key {
		if err := w.endGroup(); err != nil {
			return err
		}
		w.keys++
		w.open, w.group, w.from = true, e.key, false
		w.counts = w.counts[:0]
		w.startLocs(e.pos)
	}
	if len(w.buf)+18+len(w.locs)+16 > w.most {
		if err := w.spill(e.pos); err != nil {
			return err
		}
	}
	w.locs = appendLoc(w.locs, w.prev, e.loc(), e.kind)
	w.prev = e.loc()
	w.n++
	w.count(e.kind)
	return nil
}

func (w *blockWriter) startLocs(pos uint64) {
	w.locs, w.n, w.start, w.prev = w.locs[:0], 0, pos, Location{Pos: w.firstPos}
}

// spill makes room for one more location of the open group.
func (w *blockWriter) spill(next uint64) error {
	if len(w.buf) > 0 && !w.from && len(w.locs) < w.most/2 {
		return w.endBlock() // the group moves on as a whole
	}
	if w.n > 0 {
		w.putGroup(headOn)
		w.from = true
	}
	w.startLocs(next)
	return w.endBlock()
}

func (w *blockWriter) count(code uint16) {
	for i := range w.counts {
		if w.counts[i].code == code {
			w.counts[i].n++
			return
		}
	}
	w.counts = append(w.counts, kindCount{code, 1})
}

func (w *blockWriter) endGroup() error {
	if !w.open {
		return nil
	}
	w.open = false
	w.putGroup(0)
	if len(w.buf)+20 > w.most {
		return w.endBlock()
	}
	return nil
}

// putGroup appends what is collected of the open group.
func (w *blockWriter) putGroup(head byte) {
	if w.from {
		head |= headFrom
	}
	if w.n == 1 {
		head |= headSingle
	}
	w.putKey(w.group, head, w.start)
	if head&headFrom != 0 && head&headOn == 0 {
		w.buf = binary.AppendUvarint(w.buf, uint64(len(w.counts)))
		for _, c := range w.counts {
			w.buf = binary.AppendUvarint(w.buf, uint64(c.code))
			w.buf = binary.AppendUvarint(w.buf, c.n)
		}
	}
	if w.n != 1 {
		w.buf = binary.AppendUvarint(w.buf, uint64(len(w.locs)))
	}
	w.buf = append(w.buf, w.locs...)
}

// putKey appends a head and what of k the one before does not share.
func (w *blockWriter) putKey(k key, head byte, pos uint64) {
	share := 0
	if len(w.buf) == 0 {
		w.firstKey, w.first = k, pos
	} else {
		share = k.shared(w.lastKey)
	}
	w.lastKey = k
	var b [16]byte
	k.put(&b)
	w.buf = append(w.buf, head|byte(share))
	w.buf = append(w.buf, b[share:]...)
}

func (w *blockWriter) addClient(e *entry) error {
	if len(w.buf)+17+8+3 > w.most {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	w.keys++
	rel := e.pos - w.firstPos
	n := 0
	for v := rel; v > 0; v >>= 8 {
		n++
	}
	w.putKey(e.key, byte(n)<<5, e.pos)
	for range n {
		w.buf = append(w.buf, byte(rel))
		rel >>= 8
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(e.idx))
	return nil
}

func (w *blockWriter) endBlock() error {
	if len(w.buf) == 0 {
		return nil
	}
	body := append(make([]byte, 0, len(w.buf)), w.buf...)
	w.buf = w.buf[:0]
	return w.flush(body, w.firstKey, w.first)
}

// end writes what is left.
func (w *blockWriter) end() error {
	if err := w.endGroup(); err != nil {
		return err
	}
	return w.endBlock()
}

// appendLoc appends l: how many rows after prev, then the index and the kind code.
func appendLoc(b []byte, prev, l Location, kind uint16) []byte {
	b = binary.AppendUvarint(b, l.Pos-prev.Pos)
	b = binary.AppendUvarint(b, uint64(l.Idx))
	return binary.AppendUvarint(b, uint64(kind))
}

// group is one group of a BySubject block, or one entry of a ByClient block.
type group struct {
	key      key
	from, on bool
	counts   cursor // when from and not on: number, then pairs
	locs     cursor // BySubject
	at       Location
}

// blockReader walks the groups of a block.
type blockReader struct {
	family   Family
	firstPos uint64
	c        cursor
	last     [16]byte
	any      bool
}

func readBlock(family Family, firstPos uint64, body []byte) blockReader {
	return blockReader{family: family, firstPos: firstPos, c: cursor{b: body}}
}

// next reads one group. ok is false at the end.
func (r *blockReader) next(g *group) (ok bool, err error) {
	if len(r.c.b) == 0 {
		return false, r.c.err("block")
	}
	c := &r.c
	head := c.byte()
	share := int(head & headShare)
	if share > 16 || !r.any && share > 0 {
		return false, corrupt("head in a block")
	}
	r.any = true
	copy(r.last[share:], c.take(16-share))
	g.key = keyOf(r.last[:])
	if r.family == ByClient {
		rel := uint64(0)
		for i, b := range c.take(int(head >> 5)) {
			rel |= uint64(b) << (8 * i)
		}
		g.at = Location{r.firstPos + rel, uint16(c.count(65535))}
		return true, c.err("entry in a block")
	}
	g.from, g.on = head&headFrom != 0, head&headOn != 0
	if g.from && !g.on {
		before := c.b
		for range c.count(65536) {
			if c.count(65535); c.bad {
				break
			}
			c.uvarint()
		}
		g.counts = cursor{b: before[:len(before)-len(c.b)]}
	}
	if head&headSingle == 0 {
		g.locs = cursor{b: c.sized()}
		return true, c.err("group in a block")
	}
	before := c.b
	c.uvarint()
	c.count(65535)
	c.count(65535)
	g.locs = cursor{b: before[:len(before)-len(c.b)]}
	return true, c.err("group in a block")
}

// locations appends the entries of a BySubject group to to.
func (g *group) locations(firstPos uint64, to []entry) ([]entry, error) {
	c, pos := g.locs, firstPos
	for len(c.b) > 0 {
		pos += c.uvarint()
		to = append(to, entry{key: g.key, pos: pos, idx: uint16(c.count(65535)), kind: uint16(c.count(65535))})
	}
	return to, c.err("locations in a block")
}

// tally adds the counts of a group that tells them.
func (g *group) tally(add func(code uint16, n uint64)) error {
	c := g.counts
	for range c.count(65536) {
		code := uint16(c.count(65535))
		add(code, c.uvarint())
	}
	return c.err("counts in a block")
}
