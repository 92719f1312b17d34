package ingest

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"domicile.dev/internal/scan"
)

// Plan judges what an event of one kind holds, before it is split; see Kind.Under. It is
// implemented by package plan, and good for concurrent use.
type Plan interface {
	// Judge judges the object at node root of d, and keeps nothing of it. The paths of findings have
	// gone through mask.
	Judge(d *scan.Doc, root int, mask func(path string) string) Judgement
	// Knows says whether name is of the plan's own vocabulary, so that paths may show it.
	Knows(name string) bool
}

// Judgement is what a plan says of an event. With a Reason the event is refused, and Path says where:
// it can hold personal data, as Refusal.Path can.
type Judgement struct {
	Reason, Path string
	Findings     []Finding
	Aside        []int // nodes that become unclassified, whatever their kind says
	Cuts         []Cut // what is dropped
}

// Cut is a member of an object, from the quote before its name to the end of its value, as offsets
// into a Doc's source.
type Cut struct{ From, To int }

// What findings are of, and what was done.
const (
	FoundUnplannedEvent    = "unplanned_event"
	FoundUnplannedProperty = "unplanned_property"
	FoundInvalid           = "invalid"
	FoundCoordinates       = "coordinates"

	DoneKept    = "unclassified"
	DoneDropped = "dropped"
	DoneRefused = "refused"
)

// ReasonCoordinates is what dropped places are counted under.
const ReasonCoordinates = "coordinates.dropped"

// Finding is something in an event that a plan doesn't have, or a place that is too exact to be
// kept. It has no value in it, and once a Batch returned it no name that a client chose.
type Finding struct {
	Plan    string // "" when no plan is to do with it
	Event   string // as the plan has it; "*" for one that it doesn't have, "" where events have no names
	Path    string // dotted names, without the places in lists
	What    string // FoundUnplannedEvent and so on
	Rule    string // the keyword of the schema that was broken; of FoundInvalid
	Done    string // DoneKept and so on
	Looks   string // like what the value looks, by its name and form; "" when nobody knows
	Suggest Place  // where the programme has such data
	N       int    // how often in the event
}

// Place is a category of the programme and an element in it, "" where there is none.
type Place struct{ Category, Element string }

// MaxFindings bounds the findings of one event. Those of one path are one.
const MaxFindings = 64

// Note adds f to the findings, or counts it where there is one like it.
func Note(all []Finding, f Finding) []Finding {
	f.N = max(f.N, 1)
	for i := range all {
		like := all[i]
		if like.N = f.N; like == f {
			all[i].N += f.N
			return all
		}
	}
	if len(all) == MaxFindings {
		return all
	}
	return append(all, f)
}

// Marks of nodes.
const (
	aside  scan.Mark = iota + 1 // it becomes unclassified
	within                      // something in it does
)

// judge lets the kind's plan judge the object at node root of Doc, and drops places. It returns the
// object's node, which is another when something was dropped.
func (b *Batch) judge(e *Event, root int) (at int, reason, path string) {
	var cuts []Cut
	if p := e.Kind.plan; p != nil {
		j := p.Judge(&b.Doc, root, func(path string) string { return b.mask(e, path) })
		e.Findings = j.Findings
		if j.Reason != "" {
			return root, j.Reason, j.Path
		}
		for _, n := range j.Aside {
			setAside(&b.Doc, root, n)
		}
		cuts = j.Cuts
	}
	if cuts = b.places(e, root, cuts); len(cuts) == 0 {
		return root, "", ""
	}
	if !b.cut(root, cuts) {
		return root, "event.bad_data", ""
	}
	return 0, "", ""
}

// mask masks a path as Path does, but for numbers: it has no places in lists, so they are names.
func (b *Batch) mask(e *Event, path string) string {
	return MaskNames(path, func(name string) bool { return b.Words != nil && b.Words(name) || e.Kind.Knows(name) })
}

// maxPathBytes bounds the paths of findings, which a store has in an index.
const maxPathBytes = 300

func short(path string) string {
	if len(path) <= maxPathBytes {
		return path
	}
	return strings.ToValidUTF8(path[:maxPathBytes], "")
}

// setAside marks node n, and the objects between it and root.
func setAside(d *scan.Doc, root, n int) {
	if n <= root {
		return
	}
	d.Nodes[n].Mark = aside
	for p := int(d.Nodes[n].Parent); p > root; p = int(d.Nodes[p].Parent) {
		if d.Nodes[p].Mark == 0 {
			d.Nodes[p].Mark = within
		}
	}
}

// cut makes Doc the map of the object at root without the cuts and without what is dropped. Marks
// stay where they are.
func (b *Batch) cut(root int, cuts []Cut) bool {
	d := &b.Doc
	end := int(d.Nodes[root].Next)
	for i := root + 1; i < end; i++ {
		if n := &d.Nodes[i]; n.Dropped {
			cuts = append(cuts, Cut{int(n.KeyAt) - 1, int(n.End)})
		}
	}
	slices.SortFunc(cuts, func(x, y Cut) int {
		if x.From != y.From {
			return x.From - y.From
		}
		return y.To - x.To
	})
	marks := make([]scan.Mark, 1, end-root) // of what stays, in the order of the text
	for i, c := root+1, 0; i < end; i++ {
		n := &d.Nodes[i]
		for c < len(cuts) && cuts[c].To < int(n.KeyAt) {
			c++
		}
		if c < len(cuts) && cuts[c].From < int(n.KeyAt) {
			i = int(n.Next) - 1
			continue
		}
		marks = append(marks, n.Mark)
	}
	text := b.Hold(without(d.Src, int(d.Nodes[root].At), int(d.Nodes[root].End), cuts))
	if d.ParseAll(text, scan.Limits{UTF8: true, Members: math.MaxInt}) != nil || len(d.Nodes) != len(marks) {
		return false
	}
	for i := range d.Nodes {
		d.Nodes[i].Mark = marks[i]
	}
	return true
}

// without returns src[from:to], a JSON object, without the cuts, which are sorted, and without the
// commas that are then too many.
func without(src []byte, from, to int, cuts []Cut) []byte {
	out := make([]byte, 0, to-from)
	before, at := byte('{'), from // before is the last that is no white space
	for _, c := range cuts {
		if c.From < at { // inside one before it
			continue
		}
		for i := c.From - 1; i >= at; i-- {
			if scan.Space(src[i:i+1], 0) == 0 {
				before = src[i]
				break
			}
		}
		out = append(out, src[at:c.From]...)
		at = scan.Space(src, c.To)
		switch {
		case src[at] == ',' && (before == '{' || before == ','):
			at = scan.Space(src, at+1)
		case src[at] == '}' && before == ',':
			out = out[:bytes.LastIndexByte(out, ',')]
		}
	}
	return append(out, src[at:to]...)
}

// NameAt returns where the quote before a member's name is, of a name as it stands in src and of a
// value that begins at src[value].
func NameAt(src []byte, name []byte, value int) int {
	i := value - 1
	for src[i] != ':' { // white space
		i--
	}
	for i--; src[i] != '"'; i-- {
	}
	return i - len(name) - 1
}

// Key returns what tells one finding from another.
func (f *Finding) Key() [9]string {
	return [9]string{f.Plan, f.Event, f.Path, f.What, f.Rule, f.Done, f.Looks, f.Suggest.Category, f.Suggest.Element}
}
