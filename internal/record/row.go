package record

import (
	"encoding/binary"

	"domicile.dev/internal/id"
)

// The bytes of docs/formats/row.md.
const (
	rowVersion  = 1
	baseType    = 0
	siblingType = 1

	flagOrdinal    = 0x01
	flagShape      = 0x02
	flagOneSubject = 0x04
	flagFirst      = 0x08
	flagEach       = 0x10
	flagEmpty      = 0x20
	flagAsBase     = 0x40
	flagRemoved    = 0x80
)

// face is what one class of a row set collects: record headers and sealed bytes.
type face struct {
	heads  []byte // of the open section in the base, of all records in a sibling
	sealed []byte
}

// setBuilder builds one base row with its siblings. It is used again after reset.
type setBuilder struct {
	classes  []uint16
	shapes   []*Shape
	shapeLen int // of the encoded shapes

	sections []byte // closed ones
	faces    []face // by class, the base first

	// the open section
	chunk      id.Chunk
	receivedAt int64
	inSection  int
	sealedFrom int // length of the base's sealed bytes at its start
	subjects   interner
	ordinal    uint32 // expected
	first      uint32 // expected counter
	shape      int    // of the record before

	records int
	newest  int64 // received_at
}

func newSetBuilder(classes []uint16) *setBuilder {
	return &setBuilder{classes: classes, faces: make([]face, len(classes))}
}

func (b *setBuilder) reset() {
	b.shapes, b.shapeLen, b.sections = b.shapes[:0], 0, b.sections[:0]
	for i := range b.faces {
		b.faces[i].heads, b.faces[i].sealed = b.faces[i].heads[:0], b.faces[i].sealed[:0]
	}
	b.inSection, b.records, b.newest = 0, 0, 0
	b.subjects.reset()
}

// size is the length of the largest row if it ended here, but for some bytes of its header.
func (b *setBuilder) size() int {
	n := 16 + b.shapeLen + len(b.sections) + len(b.faces[0].heads) + len(b.faces[0].sealed)
	if b.inSection > 0 {
		n += 24 + 12*len(b.subjects.ids)
	}
	for _, f := range b.faces[1:] {
		n = max(n, len(f.heads)+len(f.sealed)+8)
	}
	return n
}

// add puts a record into the row. shape is interned, so that addresses tell shapes apart.
func (b *setBuilder) add(c *Chunk, r *Sealed) {
	if b.inSection > 0 && (b.chunk != c.ID || b.receivedAt != c.ReceivedAt || r.Ordinal < b.ordinal) {
		b.closeSection()
	}
	if b.inSection == 0 {
		b.openSection(c)
	}
	b.inSection++
	b.records++
	b.newest = max(b.newest, c.ReceivedAt)

	base := &b.faces[0]
	flagAt := len(base.heads)
	base.heads = append(base.heads, 0)
	flags := byte(0)
	if r.Ordinal != b.ordinal {
		flags |= flagOrdinal
		base.heads = binary.AppendUvarint(base.heads, uint64(r.Ordinal-b.ordinal))
	}
	b.ordinal = r.Ordinal + 1
	if s := b.shapeIndex(r.Shape); s != b.shape {
		flags |= flagShape
		base.heads = binary.AppendUvarint(base.heads, uint64(s))
		b.shape = s
	}
	base.heads = binary.AppendVarint(base.heads, r.OccurredAt-c.ReceivedAt)

	first, each := counters(r.Parts)
	if each {
		first = b.first
	} else if first != b.first {
		flags |= flagFirst
		base.heads = binary.AppendVarint(base.heads, int64(first)-int64(b.first))
	}
	b.first = first + uint32(len(r.Shape.Categories))

	baseFlags, one := b.addParts(0, r, each, noParts)
	base.heads[flagAt] = flags | baseFlags
	for i := 1; i < len(b.faces); i++ {
		at := len(b.faces[i].heads)
		b.faces[i].heads = append(b.faces[i].heads, 0)
		b.faces[i].heads[at], _ = b.addParts(i, r, each, one)
	}
}

// addRemoved keeps the place of a record that is no more. It needs an open chunk only for its
// section.
func (b *setBuilder) addRemoved(c *Chunk) {
	if b.inSection == 0 || b.chunk != c.ID || b.receivedAt != c.ReceivedAt {
		b.closeSection()
		b.openSection(c)
	}
	b.inSection++
	b.records++
	b.newest = max(b.newest, c.ReceivedAt)
	b.faces[0].heads = append(b.faces[0].heads, flagRemoved)
	for i := 1; i < len(b.faces); i++ {
		b.faces[i].heads = append(b.faces[i].heads, flagEmpty)
	}
}

// addParts appends subject and part entries of the parts of class number f, and their sealed bytes.
// one is what it returned for the base row: the index of the parts' one subject, or a constant.
func (b *setBuilder) addParts(f int, r *Sealed, each bool, one int) (flags byte, only int) {
	class, face := b.classes[f], &b.faces[f]
	only = b.oneSubject(r, class)
	switch only {
	case noParts:
		return flagEmpty, only
	case manySubjects:
	default:
		if f > 0 && only == one {
			flags |= flagAsBase
		} else {
			flags |= flagOneSubject
			face.heads = binary.AppendUvarint(face.heads, uint64(only))
		}
	}
	if each {
		flags |= flagEach
	}
	for i := range r.Parts {
		if r.Shape.Class[i] != class {
			continue
		}
		p := &r.Parts[i]
		if only == manySubjects {
			s := 0
			if len(p.Sealed) > 0 {
				s = b.subjects.index(p.Subject)
			}
			face.heads = binary.AppendUvarint(face.heads, uint64(s))
		}
		if each {
			face.heads = binary.AppendUvarint(face.heads, uint64(p.N))
		}
		face.heads = binary.AppendUvarint(face.heads, uint64(len(p.Sealed)))
		face.sealed = append(face.sealed, p.Sealed...)
	}
	return flags, only
}

const (
	noParts      = -2
	manySubjects = -3
)

// oneSubject returns the subject index that all present parts of a class share, or one of the
// constants above. Parts that are gone have no say.
func (b *setBuilder) oneSubject(r *Sealed, class uint16) int {
	var subject *id.Subject
	for i := range r.Parts {
		p := &r.Parts[i]
		if r.Shape.Class[i] != class || len(p.Sealed) == 0 {
			continue
		}
		if subject == nil {
			subject = &p.Subject
		} else if *subject != p.Subject {
			return manySubjects
		}
	}
	if subject == nil {
		return noParts
	}
	return b.subjects.index(*subject)
}

// counters says how the parts' nonce counters are told: first + i for all, or each by itself. Parts
// that are gone have no say.
func counters(parts []Part) (first uint32, each bool) {
	some := false
	for i := range parts {
		p := &parts[i]
		if len(p.Sealed) == 0 {
			continue
		}
		if n := p.N - uint32(i); !some && p.N >= uint32(i) {
			first, some = n, true
		} else if !some || n != first {
			return 0, true
		}
	}
	return first, false
}

func (b *setBuilder) shapeIndex(s *Shape) int {
	for i, have := range b.shapes {
		if have == s {
			return i
		}
	}
	b.shapes = append(b.shapes, s)
	b.shapeLen += len(appendShape(nil, s))
	return len(b.shapes) - 1
}

func (b *setBuilder) openSection(c *Chunk) {
	b.chunk, b.receivedAt = c.ID, c.ReceivedAt
	b.ordinal, b.first, b.shape = 0, 0, 0
	b.sealedFrom = len(b.faces[0].sealed)
	b.subjects.reset()
}

func (b *setBuilder) closeSection() {
	if b.inSection == 0 {
		return
	}
	base := &b.faces[0]
	s := append(b.sections, b.chunk[:]...)
	s = binary.AppendVarint(s, b.receivedAt)
	s = binary.AppendUvarint(s, uint64(len(b.subjects.ids)))
	s = binary.AppendUvarint(s, uint64(b.inSection))
	s = binary.AppendUvarint(s, uint64(len(base.heads)))
	s = binary.AppendUvarint(s, uint64(len(base.sealed)-b.sealedFrom))
	for i := range b.subjects.ids {
		s = append(s, b.subjects.ids[i][:]...)
	}
	b.sections = append(s, base.heads...)
	base.heads, b.inSection = base.heads[:0], 0
}

// finish returns the bodies of the base row and its siblings, each in memory of its own. A sibling
// without a part is still there, so that positions are what the base row says.
func (b *setBuilder) finish() [][]byte {
	b.closeSection()
	bodies := make([][]byte, len(b.faces))
	base := b.faces[0]
	row := make([]byte, 0, 32+2*len(b.classes)+b.shapeLen+len(b.sections)+len(base.sealed))
	row = append(row, rowVersion, baseType)
	row = binary.AppendUvarint(row, uint64(b.classes[0]))
	row = binary.AppendUvarint(row, uint64(len(b.classes)-1))
	for _, c := range b.classes[1:] {
		row = binary.AppendUvarint(row, uint64(c))
	}
	row = binary.AppendUvarint(row, uint64(b.records))
	row = binary.AppendUvarint(row, uint64(len(b.shapes)))
	for _, s := range b.shapes {
		row = appendShape(row, s)
	}
	row = binary.AppendUvarint(row, uint64(len(b.sections)))
	row = append(row, b.sections...)
	bodies[0] = append(row, base.sealed...)
	for i, f := range b.faces[1:] {
		row := make([]byte, 0, 16+len(f.heads)+len(f.sealed))
		row = append(row, rowVersion, siblingType)
		row = binary.AppendUvarint(row, uint64(b.classes[i+1]))
		row = binary.AppendUvarint(row, uint64(len(f.heads)))
		row = append(row, f.heads...)
		bodies[i+1] = append(row, f.sealed...)
	}
	return bodies
}
