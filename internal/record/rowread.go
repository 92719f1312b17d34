package record

import (
	"slices"

	"domicile.dev/internal/id"
)

// rowReader walks a base row and, in step, those siblings that are still there.
type rowReader struct {
	class    uint16
	siblings []uint16 // classes
	records  int
	shapes   []*Shape
	sections cursor
	sealed   cursor

	heads      cursor // of the open section
	left       int    // records in it not yet read
	sealedLeft int    // what r.sealed has left behind it
	chunk      id.Chunk
	receivedAt int64
	table      []byte // its subjects, 12 bytes each
	ordinal    uint32
	first      uint32
	shape      int

	idx  int // of the record that next reads
	sibs []sibling
}

// sibling is one sibling row in step with its base.
type sibling struct {
	class  uint16
	heads  cursor
	sealed cursor
	gone   bool
}

// openRow reads the front of a base row.
func openRow(body []byte, shapes *shapeCache) (*rowReader, error) {
	r := &rowReader{}
	c := cursor{b: body}
	if len(body) > MaxSealedBytes*2 || c.byte() != rowVersion || c.byte() != baseType {
		return nil, corrupt("not a base row of version 1")
	}
	r.class = uint16(c.count(65535))
	for range c.count(MaxParts) {
		r.siblings = append(r.siblings, uint16(c.count(65535)))
	}
	r.records = c.count(maxRowRecords)
	for range c.count(maxRowRecords) {
		if c.bad {
			break
		}
		r.shapes = append(r.shapes, shapes.read(&c))
	}
	r.sections = cursor{b: c.sized()}
	r.sealed = cursor{b: c.b}
	if r.records == 0 {
		c.fail()
	}
	return r, c.err("front of a row")
}

// join adds the sibling rows' bodies, in the order of r.siblings; nil for one that is gone. It is
// called before the first record is read.
func (r *rowReader) join(bodies [][]byte) error {
	for i, class := range r.siblings {
		s := sibling{class: class, gone: i >= len(bodies) || bodies[i] == nil}
		if !s.gone {
			c := cursor{b: bodies[i]}
			if c.byte() != rowVersion || c.byte() != siblingType || c.count(65535) != int(class) {
				return corrupt("not a sibling row of version 1 and its class")
			}
			s.heads = cursor{b: c.sized()}
			s.sealed = cursor{b: c.b}
			if c.bad {
				return corrupt("front of a sibling row")
			}
		}
		r.sibs = append(r.sibs, s)
	}
	return nil
}

// seek goes to the record with index idx, over whole sections where it can.
func (r *rowReader) seek(idx int) error {
	if idx < r.idx || idx >= r.records {
		return corrupt("no such record in a row")
	}
	for r.idx < idx {
		if r.left == 0 && len(r.sibs) == 0 {
			if err := r.openSection(idx - r.idx); err != nil {
				return err
			}
			if r.idx == idx {
				break
			}
			if r.left == 0 {
				continue
			}
		}
		if len(r.sibs) == 0 {
			if err := r.skip(); err != nil {
				return err
			}
		} else if _, err := r.next(nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// skip passes over the next record of an open section of a row that is read without siblings.
func (r *rowReader) skip() error {
	h := &r.heads
	r.idx++
	r.left--
	flags := h.byte()
	if flags == flagRemoved {
		return r.check()
	}
	if flags&flagOrdinal != 0 {
		r.ordinal += uint32(h.uvarint())
	}
	if flags&flagShape != 0 {
		r.shape = h.count(len(r.shapes))
	}
	if r.shape >= len(r.shapes) {
		return corrupt("shape of a record")
	}
	shape := r.shapes[r.shape]
	h.uvarint()
	if flags&flagFirst != 0 {
		r.first = uint32(int64(r.first) + h.varint())
	}
	if flags&flagOneSubject != 0 {
		h.uvarint()
	}
	if flags&flagEmpty == 0 {
		fields := 0 // before the length
		if flags&flagOneSubject == 0 {
			fields++
		}
		if flags&flagEach != 0 {
			fields++
		}
		sealed := 0
		for _, c := range shape.Class {
			if c != r.class {
				continue
			}
			for range fields {
				h.uvarint()
			}
			sealed += h.count(MaxSealedBytes)
		}
		r.sealed.take(sealed)
	}
	r.ordinal++
	r.first += uint32(len(shape.Categories))
	return r.check()
}

// openSection reads the next section's front. One with no more than skip records is skipped whole.
func (r *rowReader) openSection(skip int) error {
	c := &r.sections
	copy(r.chunk[:], c.take(len(r.chunk)))
	r.receivedAt = c.varint()
	subjects, records := c.count(len(c.b)/12), c.count(r.records-r.idx)
	heads, sealed := c.count(len(c.b)), c.count(len(r.sealed.b))
	r.table = c.take(12 * subjects)
	r.heads = cursor{b: c.take(heads)}
	if records == 0 {
		c.fail()
	}
	if records <= skip {
		r.idx += records
		r.sealed.take(sealed)
		return c.err("section")
	}
	r.left, r.ordinal, r.first, r.shape = records, 0, 0, 0
	r.sealedLeft = len(r.sealed.b) - sealed
	return c.err("section")
}

func (r *rowReader) subject(index int) (s id.Subject) {
	if index > 0 {
		copy(s[:], r.table[12*(index-1):12*index])
	}
	return s
}

func (r *rowReader) subjectIndex(c *cursor) int { return c.count(len(r.table) / 12) }

// next reads the record at r.idx into f, unless f is nil, and moves on. ok is false when the record
// is removed. Parts are appended to *arena, which f.Parts is a slice of.
func (r *rowReader) next(f *Found, arena *[]FoundPart) (ok bool, err error) {
	if r.idx >= r.records {
		return false, corrupt("no further record in a row")
	}
	if r.left == 0 {
		if err := r.openSection(0); err != nil {
			return false, err
		}
	}
	r.idx++
	r.left--
	h := &r.heads
	flags := h.byte()
	if flags == flagRemoved {
		for i := range r.sibs {
			if s := &r.sibs[i]; !s.gone && s.heads.byte() != flagEmpty {
				return false, corrupt("sibling of a removed record")
			}
		}
		return false, r.check()
	}
	if flags&^(flagOrdinal|flagShape|flagOneSubject|flagFirst|flagEach|flagEmpty) != 0 {
		return false, corrupt("flags of a record")
	}
	if flags&flagOrdinal != 0 {
		r.ordinal += uint32(h.uvarint())
	}
	if flags&flagShape != 0 {
		r.shape = int(h.count(len(r.shapes)))
	}
	if r.shape >= len(r.shapes) {
		return false, corrupt("shape of a record")
	}
	shape := r.shapes[r.shape]
	occurred := r.receivedAt + h.varint()
	if flags&flagFirst != 0 {
		r.first = uint32(int64(r.first) + h.varint())
	}
	first := r.first
	if f != nil {
		*f = Found{ID: id.Record{Chunk: r.chunk, Ordinal: r.ordinal}, At: Location{Idx: uint16(r.idx - 1)},
			Kind: shape.Kind, Service: shape.Service, Source: shape.Source,
			OccurredAt: occurred, ReceivedAt: r.receivedAt, Categories: shape.Categories}
	}
	var parts []FoundPart // by number, Sealed nil where absent
	if f != nil {
		if cap(*arena)-len(*arena) < len(shape.Categories) {
			*arena = make([]FoundPart, 0, max(64, len(shape.Categories)))
		}
		n := len(*arena)
		*arena = (*arena)[:n+len(shape.Categories)]
		parts = (*arena)[n : n+len(shape.Categories) : n+len(shape.Categories)]
		clear(parts)
	}
	one := 0
	if flags&flagOneSubject != 0 {
		one = r.subjectIndex(h)
	}
	if flags&flagEmpty == 0 {
		r.entries(h, &r.sealed, shape, r.class, flags, one, first, parts)
	}
	for i := range r.sibs {
		s := &r.sibs[i]
		if s.gone {
			continue
		}
		sf := s.heads.byte()
		subject := one
		if sf&flagOneSubject != 0 {
			subject = r.subjectIndex(&s.heads)
		}
		if sf&^(flagOneSubject|flagEach|flagEmpty|flagAsBase) != 0 ||
			sf&flagAsBase != 0 && (sf&flagOneSubject != 0 || flags&flagOneSubject == 0) {
			return false, corrupt("flags of a record in a sibling row")
		}
		if sf&flagEmpty == 0 {
			r.entries(&s.heads, &s.sealed, shape, s.class, sf, subject, first, parts)
		}
	}
	r.ordinal++
	r.first = first + uint32(len(shape.Categories))
	if f != nil {
		f.Parts = slices.DeleteFunc(parts, func(p FoundPart) bool { return p.Sealed == nil })
	}
	return true, r.check()
}

// entries reads the part entries of one class.
func (r *rowReader) entries(h, sealed *cursor, shape *Shape, class uint16, flags byte, one int, first uint32, parts []FoundPart) {
	for i, c := range shape.Class {
		if c != class {
			continue
		}
		subject, n := one, first+uint32(i)
		if flags&(flagOneSubject|flagAsBase) == 0 {
			subject = r.subjectIndex(h)
		}
		if flags&flagEach != 0 {
			n = uint32(h.count(1<<32 - 1))
		}
		length := h.count(MaxSealedBytes)
		b := sealed.take(length)
		if parts != nil && length > 0 && !h.bad && !sealed.bad {
			parts[i] = FoundPart{Category: shape.Categories[i], Subject: r.subject(subject), N: n, Sealed: b, at: uint8(i)}
		}
	}
}

// check says whether anything read so far was missing, and at the end of the row whether anything
// is left over.
func (r *rowReader) check() error {
	bad := r.heads.bad || r.sealed.bad || r.left == 0 && (len(r.heads.b) > 0 || len(r.sealed.b) != r.sealedLeft)
	end := r.idx == r.records
	if end {
		bad = bad || len(r.sections.b) > 0 || len(r.sealed.b) > 0
	}
	for i := range r.sibs {
		s := &r.sibs[i]
		bad = bad || s.heads.bad || s.sealed.bad || end && len(s.heads.b)+len(s.sealed.b) > 0
	}
	if bad {
		return corrupt("record in a row")
	}
	return nil
}

// empty says that nothing is left of a record that had parts.
func (f *Found) empty() bool { return len(f.Parts) == 0 && len(f.Categories) > 0 }

// siblingPositions appends the positions of the siblings of the base row at pos.
func (r *rowReader) siblingPositions(pos uint64, to []uint64) []uint64 {
	for i := range r.siblings {
		to = append(to, pos+1+uint64(i))
	}
	return to
}

// isBase says whether body is that of a base row.
func isBase(body []byte) bool { return len(body) > 1 && body[1] == baseType }
