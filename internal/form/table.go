package form

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/scan"
)

// leaf is one value that is let through, at a path.
type leaf struct {
	path     []string
	keys     []string // the path's names as JSON strings with their colons
	category string   // of the part that it must be in; "" for any
	name     string   // of a dimension, as a JSON string with its colon
	is       string
	treat    string
	values   []string
	bounds   []float64
	labels   []string // of the buckets, as JSON strings; one more than bounds
}

// branch is a place in a record's data: what its names lead to.
type branch struct {
	twigs []twig
}

type twig struct {
	print uint64
	name  string
	leaf  int32 // -1: none
	to    int32 // branch, 0: none
}

// table is what is let through of one kind.
type table struct {
	leaves   []leaf // in the order in which they are written
	branches []branch
}

// table returns that of a kind, made when it is first asked for.
func (s *Shaper) table(service, kind string) *table {
	key := [2]string{service, kind}
	t := s.tables[key]
	if t == nil {
		if t = emptyTable; s.p.Kind(service, kind) != nil {
			var all []leaf
			for _, x := range s.p.Treatments(service, kind) {
				if slices.Contains(s.leaves, x.Category) {
					all = append(all, newLeaf(x.Path, x.Category, x.Is, x.Treat, x.Values, x.Bounds))
				}
			}
			t = newTable(all)
			s.tables[key] = t
		}
	}
	return t
}

var emptyTable = newTable(nil)

func newLeaf(path, category, is, treat string, values []string, bounds []int) leaf {
	l := leaf{path: strings.Split(path, "."), category: category, is: is, treat: treat, values: values}
	for _, name := range l.path {
		l.keys = append(l.keys, string(append(appendText(nil, name), ':')))
	}
	for i, b := range bounds {
		low := "(,"
		if i > 0 {
			low = "[" + strconv.Itoa(bounds[i-1]) + ","
		}
		l.bounds, l.labels = append(l.bounds, float64(b)), append(l.labels, `"`+low+strconv.Itoa(b)+`)"`)
	}
	if n := len(bounds); n > 0 {
		l.labels = append(l.labels, `"[`+strconv.Itoa(bounds[n-1])+`,)"`)
	}
	return l
}

func newTable(leaves []leaf) *table {
	t := &table{leaves: leaves, branches: make([]branch, 1)}
	slices.SortFunc(t.leaves, func(a, b leaf) int { return slices.Compare(a.path, b.path) })
	for i := range t.leaves {
		at := int32(0)
		for depth, name := range t.leaves[i].path {
			w := t.twig(at, name)
			if depth == len(t.leaves[i].path)-1 {
				w.leaf = int32(i)
			} else if at = w.to; at == 0 {
				at = int32(len(t.branches))
				w.to = at
				t.branches = append(t.branches, branch{})
			}
		}
	}
	return t
}

func (t *table) twig(at int32, name string) *twig {
	b := &t.branches[at]
	for i := range b.twigs {
		if b.twigs[i].name == name {
			return &b.twigs[i]
		}
	}
	b.twigs = append(b.twigs, twig{print: scan.Fingerprint([]byte(name)), name: name, leaf: -1})
	return &b.twigs[len(b.twigs)-1]
}

// finder looks for a table's leaves in the parts of one record, and writes those that it found.
type finder struct {
	at      []value // by leaf
	kept    []string
	scratch []byte
	out     []byte
	open    []string // names of the objects that are open while writing
}

// value is where a leaf was found.
type value struct {
	d       *scan.Doc
	n       int32
	subject id.Subject
	found   bool
	clash   bool // two parts have different values there
}

func (f *finder) reset(t *table) {
	f.at = slices.Grow(f.at[:0], len(t.leaves))[:len(t.leaves)]
	clear(f.at)
}

// look finds the leaves that a part has.
func (f *finder) look(t *table, d *scan.Doc, category string, of id.Subject) {
	f.walk(t, d, 0, 0, category, of)
}

func (f *finder) walk(t *table, d *scan.Doc, object, at int32, category string, of id.Subject) {
	for i, end := object+1, d.Nodes[object].Next; i < end; i = d.Nodes[i].Next {
		n := &d.Nodes[i]
		for j := range t.branches[at].twigs {
			w := &t.branches[at].twigs[j]
			if w.print != n.Print || n.Print>>63 != 0 && w.name != string(d.Key(int(i))) {
				continue
			}
			if w.leaf >= 0 {
				f.found(t, w.leaf, d, i, category, of)
			}
			if w.to != 0 && n.Kind == scan.Object {
				f.walk(t, d, i, w.to, category, of)
			}
			break
		}
	}
}

// found notes a leaf's value. What two parts have there must be the same, else it is nobody's to send.
func (f *finder) found(t *table, l int32, d *scan.Doc, n int32, category string, of id.Subject) {
	if c := t.leaves[l].category; c != "" && c != category {
		return
	}
	v := &f.at[l]
	if v.found {
		v.clash = v.clash || !bytes.Equal(v.d.Raw(int(v.n)), d.Raw(int(n))) || v.subject != of && t.leaves[l].treat == programme.TreatPseudonym
		return
	}
	*v = value{d: d, n: n, subject: of, found: true}
}

// write appends the object of all leaves that have a value which may leave, in order of their paths.
func (f *finder) write(dst []byte, t *table, keys Keys) []byte {
	f.kept, f.open = f.kept[:0], f.open[:0]
	if f.kept == nil {
		f.kept = []string{}
	}
	dst = append(dst, '{')
	for i := range f.at {
		l, v := &t.leaves[i], &f.at[i]
		if !v.found || v.clash {
			continue
		}
		var ok bool
		if f.out, ok = f.treat(f.out[:0], l, v, keys); !ok {
			continue
		}
		dst = append(f.descend(dst, l), f.out...)
		if !slices.Contains(f.kept, l.category) {
			f.kept = append(f.kept, l.category)
		}
	}
	for range f.open {
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// descend closes and opens objects until the leaf's own is open, and appends its name.
func (f *finder) descend(dst []byte, l *leaf) []byte {
	last := len(l.path) - 1
	same := 0
	for same < len(f.open) && same < last && f.open[same] == l.path[same] {
		same++
	}
	for len(f.open) > same {
		dst, f.open = append(dst, '}'), f.open[:len(f.open)-1]
	}
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	for ; same < last; same++ {
		dst = append(append(dst, l.keys[same]...), '{')
		f.open = append(f.open, l.path[same])
	}
	return append(dst, l.keys[last]...)
}
