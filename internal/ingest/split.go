package ingest

import (
	"math/bits"

	"domicile.dev/internal/scan"
)

// run is some members of one object that lie side by side in the text and belong to one part.
type run struct {
	first int32 // node
	after int32 // node index after the last: where a further neighbour would begin
	end   uint32
	next  int32 // the part's next run, -1 at the end
}

// splitter holds what a split works with, to be used again.
type splitter struct {
	at         []int32 // branch of each object that was entered, by node
	runs       []run
	head, tail [MaxParts]int32
	open       []int32 // objects begun in the fragment being written
	path       []int32
}

// Split makes e's fragments of the object at node root of b.Doc, by the rules of e.Kind: one for
// each part that has members, together holding every member that is not dropped exactly once, at
// its place, as it was sent. An object that has nothing left makes one empty unclassified
// fragment, so that each record has a part.
//
// What the kind's plan doesn't have is set aside as unclassified, or dropped, and exact places are
// dropped outside of the parts that may hold them: then Doc is another afterwards, that of the
// object alone. When the plan refuses the event, it is refused, and Split returns why and where.
func (b *Batch) Split(e *Event, root int) (reason, path string) {
	if root, reason, path = b.judge(e, root); reason != "" {
		b.Refuse(e, reason, path)
		return reason, path
	}
	s, d := &b.splitter, &b.Doc
	used, dropped := s.sort(e.Kind, d, root)
	e.Slots = used
	if used == 0 {
		e.Slots = 1
	}
	from := len(b.fragments)
	for set := e.Slots; set != 0; set &= set - 1 {
		slot := bits.TrailingZeros64(set)
		p := &e.Kind.parts[slot]
		f := Fragment{Category: p.Category, Owner: p.Owner, Slot: slot}
		if set == e.Slots && set&(set-1) == 0 && !dropped {
			f.JSON = d.Raw(root) // all of it is one part
		} else {
			start := len(b.arena)
			b.arena = s.write(b.arena, d, int32(root), slot, used)
			f.JSON = b.arena[start:len(b.arena):len(b.arena)]
		}
		b.fragments = append(b.fragments, f)
	}
	e.Fragments = b.fragments[from:len(b.fragments):len(b.fragments)]
	return "", ""
}

// sort gives each member below root to a part: what a part has is a list of runs from its head.
// It returns the set of parts that have members, and whether any member was dropped.
func (s *splitter) sort(k *Kind, d *scan.Doc, root int) (used uint64, dropped bool) {
	nodes := d.Nodes
	if cap(s.at) < len(nodes) {
		s.at = make([]int32, len(nodes)+len(nodes)/2)
	}
	at := s.at[:len(nodes)]
	s.runs = s.runs[:0]
	at[root] = 0
	for i, end := int32(root)+1, nodes[root].Next; i < end; {
		n := &nodes[i]
		if n.Dropped {
			i, dropped = n.Next, true
			continue
		}
		from := &k.branches[at[n.Parent]]
		part := from.part
		if n.Mark != 0 {
			if n.Mark == within { // some of it goes elsewhere
				if at[i] = from.next(d, int(i)); at[i] == 0 {
					at[i] = k.plain + part
				}
				i++
				continue
			}
			used = s.give(0, i, n, nodes, used)
			i = n.Next
			continue
		}
		if to := from.next(d, int(i)); to != 0 {
			br := &k.branches[to]
			if n.Next > i+1 && (len(br.table) > 0 || br.any != 0) {
				at[i] = to
				i++
				continue
			}
			part = br.part
		}
		used = s.give(part, i, n, nodes, used)
		i = n.Next
	}
	return used, dropped
}

// give adds node i to a part: to its last run when the two are neighbours, else as a new one.
func (s *splitter) give(part, i int32, n *scan.Node, nodes []scan.Node, used uint64) uint64 {
	bit := uint64(1) << part
	if used&bit != 0 {
		last := &s.runs[s.tail[part]]
		if last.after == i && nodes[last.first].Parent == n.Parent {
			last.after, last.end = n.Next, n.End
			return used
		}
		last.next = int32(len(s.runs))
	} else {
		s.head[part] = int32(len(s.runs))
	}
	s.tail[part] = int32(len(s.runs))
	s.runs = append(s.runs, run{i, n.Next, n.End, -1})
	return used | bit
}

// write appends the object that holds a part's runs. Runs come in the order of the text, so each
// object around them is opened once and closed when the first run outside it comes.
func (s *splitter) write(dst []byte, d *scan.Doc, root int32, slot int, used uint64) []byte {
	dst = append(dst, '{')
	if used&(1<<slot) == 0 {
		return append(dst, '}')
	}
	s.open = append(s.open[:0], root)
	for r := s.head[slot]; r >= 0; r = s.runs[r].next {
		run := &s.runs[r]
		n := &d.Nodes[run.first]
		if n.Parent != s.open[len(s.open)-1] {
			dst = s.move(dst, d, n.Parent)
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, d.Src[n.KeyAt-1:run.end]...)
	}
	for range s.open {
		dst = append(dst, '}')
	}
	return dst
}

// move closes and opens objects until the innermost open one is to.
func (s *splitter) move(dst []byte, d *scan.Doc, to int32) []byte {
	s.path = s.path[:0]
	for p := to; p >= 0; p = d.Nodes[p].Parent {
		for i := len(s.open) - 1; i >= 0; i-- {
			if s.open[i] != p {
				continue
			}
			for len(s.open) > i+1 {
				dst, s.open = append(dst, '}'), s.open[:len(s.open)-1]
			}
			for j := len(s.path) - 1; j >= 0; j-- {
				n := &d.Nodes[s.path[j]]
				if dst[len(dst)-1] != '{' {
					dst = append(dst, ',')
				}
				dst = append(append(dst, d.Src[n.KeyAt-1:n.At]...), '{')
				s.open = append(s.open, s.path[j])
			}
			return dst
		}
		s.path = append(s.path, p)
	}
	return dst // not reached: root is always open
}
