package record

import (
	"encoding/binary"

	"domicile.dev/internal/id"
)

// A group index is what one commit adds to both families, in row order: what memory holds until a
// run has it, what a node reads of other nodes' commits and after a start. Format:
// docs/formats/run.md.

const (
	groupVersion = 1
	groupKey     = 4 // in a record's head: a client key follows
	groupMany    = 3 // and so many subjects or more: their number follows
)

// groupRow collects what the index needs of the records of one row while it is built. It is kept
// beside each setBuilder.
type groupRow struct {
	heads    []byte
	records  int
	subjects interner
}

func (g *groupRow) reset() {
	g.heads, g.records = g.heads[:0], 0
	g.subjects.reset()
}

// add appends one record: its kind code, its distinct subjects, its client key.
func (g *groupRow) add(kind uint16, r *Sealed) {
	var own [8]int
	distinct := own[:0]
next:
	for i := range r.Parts {
		n := g.subjects.index(r.Parts[i].Subject)
		if n == 0 {
			continue
		}
		for _, have := range distinct {
			if have == n {
				continue next
			}
		}
		distinct = append(distinct, n)
	}
	g.records++
	head := uint64(kind)<<3 | uint64(min(len(distinct), groupMany))
	if r.ClientKey != [12]byte{} {
		head |= groupKey
	}
	g.heads = binary.AppendUvarint(g.heads, head)
	if len(distinct) >= groupMany {
		g.heads = binary.AppendUvarint(g.heads, uint64(len(distinct)))
	}
	for _, n := range distinct {
		g.heads = binary.AppendUvarint(g.heads, uint64(n-1))
	}
	if head&groupKey != 0 {
		g.heads = append(g.heads, r.ClientKey[:]...)
	}
}

// appendGroupRow appends a finished row, which lies rel positions after the group's first.
func appendGroupRow(b []byte, tenant uint32, rel uint64, g *groupRow) []byte {
	b = binary.AppendUvarint(b, uint64(tenant))
	b = binary.AppendUvarint(b, rel)
	b = binary.AppendUvarint(b, uint64(g.records))
	b = binary.AppendUvarint(b, uint64(len(g.subjects.ids)))
	for i := range g.subjects.ids {
		b = append(b, g.subjects.ids[i][:]...)
	}
	return append(b, g.heads...)
}

// groupSink takes what a group index tells.
type groupSink interface {
	bySubject(e entry)
	byClient(e entry)
}

// readGroup decodes a group index into sink. After an error sink has had a part of it.
func readGroup(body []byte, first, last uint64, sink groupSink) error {
	c := cursor{b: body}
	if c.byte() != groupVersion {
		return corrupt("not a group index of version 1")
	}
	for len(c.b) > 0 {
		tenant := uint32(c.count(1<<32 - 1))
		pos := first + c.uvarint()
		records := c.count(maxRowRecords)
		table := c.take(12 * c.count(len(c.b)/12))
		if pos > last || pos < first {
			c.fail()
		}
		for idx := 0; idx < records && !c.bad; idx++ {
			head := c.uvarint()
			n := int(head & groupMany)
			kind := head >> 3
			if kind > 65535 {
				c.fail()
			}
			if n == groupMany {
				n = c.count(MaxParts)
			}
			for range n {
				i := c.uvarint()
				if c.bad || i >= uint64(len(table)/12) {
					c.fail()
					break
				}
				sink.bySubject(entry{makeKey(tenant, id.Subject(table[12*i:])), pos, uint16(idx), uint16(kind)})
			}
			if head&groupKey != 0 {
				if k := c.take(12); k != nil {
					sink.byClient(entry{makeKey(tenant, [12]byte(k)), pos, uint16(idx), 0})
				}
			}
		}
	}
	return c.err("group index")
}
