package form

import (
	"bytes"
	"errors"
	"slices"

	"domicile.dev/internal/scan"
)

// errDisagree means that two parts have different values at one place.
var errDisagree = errors.New("form: parts disagree")

// merger joins objects. Members come in byte order of their names, at every depth, so that the same
// record gives the same line however its parts lie; inside of an array everything stays as it was sent,
// without white space.
type merger struct {
	members []member // a stack: each object's, while it is written
}

type member struct {
	name []byte // unescaped
	d    *scan.Doc
	n    int
}

func (m *merger) join(dst []byte, docs []*scan.Doc) ([]byte, error) {
	m.members = m.members[:0]
	var room [8]member
	roots := room[:0]
	for _, d := range docs {
		roots = append(roots, member{d: d})
	}
	return m.object(dst, roots)
}

// object appends the object that the given ones make together.
func (m *merger) object(dst []byte, of []member) ([]byte, error) {
	start := len(m.members)
	defer func() { m.members = m.members[:start] }()
	for _, o := range of {
		for n := range o.d.Members(o.n) {
			m.members = append(m.members, member{o.d.Key(n), o.d, n})
		}
	}
	all := m.members[start:len(m.members):len(m.members)]
	slices.SortStableFunc(all, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for i := 0; i < len(all); {
		same := 1
		for i+same < len(all) && bytes.Equal(all[i+same].name, all[i].name) {
			same++
		}
		node := &all[i].d.Nodes[all[i].n]
		dst = append(append(comma(dst, i), all[i].d.Src[node.KeyAt-1:node.KeyEnd+1]...), ':')
		var err error
		if dst, err = m.value(dst, all[i:i+same]); err != nil {
			return dst, err
		}
		i += same
	}
	return append(dst, '}'), nil
}

func (m *merger) value(dst []byte, same []member) ([]byte, error) {
	first := same[0]
	if first.d.Nodes[first.n].Kind == scan.Object {
		for _, s := range same[1:] {
			if s.d.Nodes[s.n].Kind != scan.Object {
				return dst, errDisagree
			}
		}
		return m.object(dst, same)
	}
	for _, s := range same[1:] {
		if !bytes.Equal(s.d.Raw(s.n), first.d.Raw(first.n)) {
			return dst, errDisagree
		}
	}
	if first.d.Nodes[first.n].Kind == scan.Array {
		return appendCompact(dst, first.d.Raw(first.n)), nil
	}
	return append(dst, first.d.Raw(first.n)...), nil
}

// appendCompact appends sound JSON without the white space between its tokens: a line has no line feed
// within.
func appendCompact(dst, raw []byte) []byte {
	inside := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '"':
			inside = !inside
		case inside && c == '\\':
			dst = append(dst, c)
			i++
			c = raw[i]
		case !inside && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
