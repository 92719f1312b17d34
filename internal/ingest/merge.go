package ingest

import (
	"errors"
	"math"
	"sync"

	"domicile.dev/internal/scan"
)

// errDisagree means that two fragments hold the same member, which fragments of one event never do.
var errDisagree = errors.New("ingest: fragments disagree")

// merger holds what a merge works with, to be used again.
type merger struct {
	docs []*scan.Doc
	out  []byte
}

var mergers = sync.Pool{New: func() any { return new(merger) }}

// piece is one object to merge: a node of one of the fragments.
type piece struct {
	d *scan.Doc
	n int
}

// Merge puts the fragments of one event together to one JSON object: members in the order of the
// fragments, values as they are, objects of the same name merged. No fragments make "{}". The
// result is the caller's. It fails when a fragment is no JSON object or two disagree.
func Merge(fragments [][]byte) ([]byte, error) {
	m := mergers.Get().(*merger)
	defer mergers.Put(m)
	pieces := make([]piece, 0, 8)
	for i, f := range fragments {
		if i == len(m.docs) {
			m.docs = append(m.docs, new(scan.Doc))
		}
		d := m.docs[i]
		if err := d.ParseAll(f, scan.Limits{Depth: 10_000, Members: math.MaxInt}); err != nil {
			return nil, err
		}
		if d.Nodes[0].Kind != scan.Object {
			return nil, errDisagree
		}
		pieces = append(pieces, piece{d, 0})
	}
	m.out = m.out[:0]
	err := m.object(pieces)
	out := append([]byte(nil), m.out...)
	if cap(m.out) > keepBytes {
		m.out, m.docs = nil, nil
	}
	for _, d := range m.docs {
		d.Src = nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// object appends the object that the pieces make together. A member is written where it comes
// first, with what the later pieces have of the same name.
func (m *merger) object(pieces []piece) error {
	if len(pieces) == 1 {
		m.out = append(m.out, pieces[0].d.Raw(pieces[0].n)...)
		return nil
	}
	m.out = append(m.out, '{')
	find := finder(pieces)
	var room [8]piece
	for i, p := range pieces {
		for n := range p.d.Members(p.n) {
			same := find(room[:0], p.d, n)
			if same[0].d != pieces[i].d {
				continue
			}
			if m.out[len(m.out)-1] != '{' {
				m.out = append(m.out, ',')
			}
			node := &p.d.Nodes[n]
			m.out = append(m.out, p.d.Src[node.KeyAt-1:node.At]...) // the name, the colon, white space
			for _, s := range same {
				if len(same) > 1 && s.d.Nodes[s.n].Kind != scan.Object {
					return errDisagree
				}
			}
			if err := m.value(same); err != nil {
				return err
			}
		}
	}
	m.out = append(m.out, '}')
	return nil
}

// value appends one value, or the object that several make. It copies the list, which is on
// object's stack.
func (m *merger) value(same []piece) error {
	if len(same) == 1 {
		m.out = append(m.out, same[0].d.Raw(same[0].n)...)
		return nil
	}
	return m.object(append(make([]piece, 0, len(same)), same...))
}

// finder returns a function that appends to its first argument all members called like member n
// of d, in the order of the pieces. Many members are found through a map.
func finder(pieces []piece) func(same []piece, d *scan.Doc, n int) []piece {
	nodes := 0
	for _, p := range pieces {
		nodes += int(p.d.Nodes[p.n].Next) - p.n
	}
	if nodes <= 128 {
		return func(same []piece, d *scan.Doc, n int) []piece {
			print := d.Nodes[n].Print
			for _, p := range pieces {
				for o := range p.d.Members(p.n) {
					if p.d.Nodes[o].Print == print && (print>>63 == 0 || string(p.d.Key(o)) == string(d.Key(n))) {
						same = append(same, piece{p.d, o})
						break
					}
				}
			}
			return same
		}
	}
	index := make(map[string][]piece, nodes)
	for _, p := range pieces {
		for o := range p.d.Members(p.n) {
			name := string(p.d.Key(o))
			index[name] = append(index[name], piece{p.d, o})
		}
	}
	return func(same []piece, d *scan.Doc, n int) []piece { return append(same, index[string(d.Key(n))]...) }
}
