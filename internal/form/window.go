package form

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/scan"
)

// defaultLeast is how many people a number is about at least, where the flow doesn't say.
const defaultLeast = 20

// MostMarks is how many marks a Window keeps: one for each number, and one for each person in each number
// that they are counted in. They take about 50 MiB.
const MostMarks = 1 << 20

// Window counts the records of one flow of one tenant that were received in one span of time, and the
// people they are about. It gives its lines once, at the end. It belongs to one goroutine.
type Window struct {
	p           *programme.Programme
	f           *programme.Flow
	from, until time.Time
	least       int
	most, marks int
	leaves      []string
	by          *table               // the dimensions, in order of their paths
	groups      map[[2]string]*group // by service and kind
	full, given bool

	docs  []*scan.Doc
	found finder
	key   []byte
	about []id.Subject
}

// group is what is known of one kind: its sum, and its cells by the values of the dimensions.
type group struct {
	sum   cell
	cells map[string]*cell
}

// cell is one number and whom it is about.
type cell struct {
	key     string // the JSON of by
	records int
	people  map[id.Subject]int // how many of the records are about that person alone
	joint   map[string]int     // how many are about the same several people; their ids, in order
}

// The lengths of windows that aren't a day.
const (
	windowMinute = "minute"
	windowHour   = "hour"
)

// WindowAt returns the span in which a time lies, by the flow's length of a window: minutes, hours and days of UTC.
func WindowAt(f *programme.Flow, t time.Time) (from, until time.Time) {
	length := 24 * time.Hour
	switch f.Window {
	case windowMinute:
		length = time.Minute
	case windowHour:
		length = time.Hour
	}
	from = t.UTC().Truncate(length)
	return from, from.Add(length)
}

// NewWindow returns an empty window for records received at from or later, and before until.
func NewWindow(p *programme.Programme, f *programme.Flow, from, until time.Time) *Window {
	return &Window{p: p, f: f, from: from.UTC(), until: until.UTC(), least: max(2, orElse(f.MinGroup, defaultLeast)), most: MostMarks,
		leaves: p.LeavesOf(f), by: newDimensions(f.Dimensions), groups: map[[2]string]*group{}}
}

func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// Add counts a record; each may be added once. People are those whom the record is about and whom the
// decision allows, by the subject ids of their heads. What d wants dropped isn't looked at. The minimum is the largest of
// those that the flow and the decisions name.
//
// Errors: Forbidden as for Shape; Invalid when the record was received at another time or can't be read;
// TooLarge "form.window_full" beyond MostMarks, from when on the window gives nothing: take a shorter one.
func (w *Window) Add(r *Record, people []id.Subject, d *decision.Decision) error {
	s := Shaper{p: w.p, f: w.f, most: decision.Clear}
	if err := s.allows(d); err != nil {
		return err
	}
	switch {
	case w.given:
		return fault.New(fault.Invalid, "form.window_given", "the window's lines were given")
	case r.ReceivedAt.Before(w.from) || !r.ReceivedAt.Before(w.until):
		return fault.New(fault.Invalid, "form.window_other", "%s was received outside of the window", r.ID)
	case w.full:
		return w.tooFull()
	}
	for _, o := range d.Obligations {
		if o.Do == "aggregate" {
			w.least = max(w.least, o.Least)
		}
	}
	if err := w.dimensions(r, dropped(d)); err != nil {
		return err
	}
	g := w.groups[[2]string{r.Service, r.Kind}]
	if g == nil {
		g = &group{sum: newCell(""), cells: map[string]*cell{}}
		w.marks++
		w.groups[[2]string{r.Service, r.Kind}] = g
	}
	w.count(&g.sum, people)
	if len(w.f.Dimensions) > 0 {
		c := g.cells[string(w.key)]
		if c == nil {
			fresh := newCell(string(w.key))
			c = &fresh
			w.marks++
			g.cells[c.key] = c
		}
		w.count(c, people)
	}
	if w.marks > w.most {
		w.full = true
		w.groups = nil // it gives nothing, so it keeps nothing
		return w.tooFull()
	}
	return nil
}

func newCell(key string) cell { return cell{key: key, people: map[id.Subject]int{}} }

func (w *Window) count(c *cell, people []id.Subject) {
	c.records++
	w.about = w.about[:0]
	for _, s := range people {
		if !s.IsNobody() && !slices.Contains(w.about, s) {
			w.about = append(w.about, s)
		}
	}
	for _, s := range w.about {
		n, known := c.people[s]
		if !known {
			w.marks++
		}
		if len(w.about) == 1 {
			n++
		}
		c.people[s] = n
	}
	if len(w.about) > 1 {
		w.countJoint(c)
	}
}

func (w *Window) countJoint(c *cell) {
	slices.SortFunc(w.about, func(a, b id.Subject) int { return bytes.Compare(a[:], b[:]) })
	var room [4 * len(id.Subject{})]byte
	key := room[:0]
	for _, s := range w.about {
		key = append(key, s[:]...)
	}
	if c.joint == nil {
		c.joint = map[string]int{}
	}
	if _, known := c.joint[string(key)]; !known {
		w.marks += len(w.about)
	}
	c.joint[string(key)]++
}

func (w *Window) tooFull() error {
	return fault.New(fault.TooLarge, "form.window_full", "more people than one window of the flow %s can tell apart", w.f.ID).
		WithHint("let the flow have window: hour, or fewer dimensions; counts that may be wrong are not sent")
}

// dimensions leaves the JSON of the record's dimensions in w.key.
func (w *Window) dimensions(r *Record, dropped []string) error {
	w.key = append(w.key[:0], '{')
	if len(w.f.Dimensions) == 0 {
		return nil
	}
	t := w.by
	w.found.reset(t)
	n := 0
	for i := range r.Parts {
		p := &r.Parts[i]
		if !slices.Contains(w.leaves, p.Category) || slices.Contains(dropped, p.Category) {
			continue
		}
		if n == len(w.docs) {
			w.docs = append(w.docs, new(scan.Doc))
		}
		d := w.docs[n]
		if err := d.ParseAll(p.JSON, limits); err != nil || d.Nodes[0].Kind != scan.Object {
			return unreadable(r, err)
		}
		n++
		w.found.look(t, d, "", p.Subject)
	}
	for i := range t.leaves {
		l, v := &t.leaves[i], &w.found.at[i]
		w.key = append(comma(w.key, i), l.name...)
		var ok bool
		if v.found && !v.clash {
			w.found.out, ok = w.found.treat(w.found.out[:0], l, v, nil)
		}
		if !ok {
			w.found.out = append(w.found.out[:0], "null"...)
		}
		w.key = append(w.key, w.found.out...)
	}
	for _, d := range w.docs[:n] {
		d.Src = nil
	}
	w.key = append(w.key, '}')
	return nil
}

// Lines appends the window's lines, once. Head returns who speaks now for a person who was counted, and
// false when nobody does, because they were erased, moved or no longer allow it: what is about them
// alone is taken out. Nil changes nobody.
//
// Errors: TooLarge, see Add; Invalid when the lines were given before.
func (w *Window) Lines(dst []byte, head func(id.Subject) (id.Subject, bool)) (out []byte, lines int, err error) {
	switch {
	case w.full:
		return dst, 0, w.tooFull()
	case w.given:
		return dst, 0, fault.New(fault.Invalid, "form.window_given", "the window's lines were given")
	}
	w.given = true
	keys := slices.SortedFunc(maps.Keys(w.groups), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		g := w.groups[k]
		sum := g.sum.now(head)
		if len(sum.people) < w.least {
			continue
		}
		cells := make([]cell, 0, len(g.cells))
		for _, c := range g.cells {
			if c := c.now(head); c.records > 0 {
				cells = append(cells, c)
			}
		}
		shown := suppress(cells, w.least)
		dst = w.line(dst, k, &sum, len(shown) == 0)
		for i := range shown {
			dst = w.line(dst, k, &shown[i], true)
		}
		lines += 1 + len(shown)
	}
	w.groups = nil
	return dst, lines, nil
}

// now is the cell as of now: by who speaks for whom.
func (c *cell) now(head func(id.Subject) (id.Subject, bool)) cell {
	out := cell{key: c.key, records: c.records, people: make(map[id.Subject]int, len(c.people))}
	gone := map[id.Subject]bool{}
	for s, n := range c.people {
		h, ok := s, true
		if head != nil {
			h, ok = head(s)
		}
		if ok {
			out.people[h] += n
		} else {
			gone[s] = true
			out.records -= n
		}
	}
	for all, n := range c.joint {
		if len(gone) > 0 && allGone(gone, all) {
			out.records -= n
		}
	}
	return out
}

func allGone(gone map[id.Subject]bool, all string) bool {
	for len(all) > 0 {
		if !gone[id.Subject([]byte(all[:len(id.Subject{})]))] {
			return false
		}
		all = all[len(id.Subject{}):]
	}
	return true
}

// line appends one number. People who are in several cells make the distinct people of the sum fewer than
// those of the cells together; beside the cells' the sum's would tell how many they are, who may be few.
func (w *Window) line(dst []byte, k [2]string, c *cell, people bool) []byte {
	dst = appendTime(append(dst, `{"window":{"from":"`...), w.from, windowMinute)
	dst = appendTime(append(dst, `","until":"`...), w.until, windowMinute)
	dst = appendText(append(dst, `"},"service":`...), k[0])
	dst = appendText(append(dst, `,"kind":`...), k[1])
	if c.key != "" {
		dst = append(append(dst, `,"by":`...), c.key...)
	}
	dst = append(dst, `,"records":`...)
	dst = appendInt(dst, c.records)
	if people {
		dst = appendInt(append(dst, `,"people":`...), len(c.people))
	}
	return append(dst, "}\n"...)
}

func newDimensions(all []programme.Dimension) *table {
	leaves := make([]leaf, len(all))
	for i, x := range all {
		leaves[i] = newLeaf(x.Path, "", x.Is, x.Treat, x.Values, x.Bounds)
		leaves[i].name = string(append(appendText(nil, x.ID), ':'))
	}
	return newTable(leaves)
}

// suppress returns the cells that may be shown beside their sum, in order of their values.
//
// A cell about too few people isn't shown. What the sum has and the cells that are shown have not is
// what isn't shown, so that must be about enough people together: until it is so the smallest of the
// cells that would be shown isn't either.
func suppress(cells []cell, least int) (shown []cell) {
	slices.SortFunc(cells, func(a, b cell) int {
		if n := len(a.people) - len(b.people); n != 0 {
			return n
		}
		return strings.Compare(a.key, b.key)
	})
	hidden, inHidden := 0, map[id.Subject]struct{}{}
	for hidden < len(cells) && (len(cells[hidden].people) < least || hidden > 0 && len(inHidden) < least) {
		for s := range cells[hidden].people {
			inHidden[s] = struct{}{}
		}
		hidden++
	}
	shown = cells[hidden:]
	slices.SortFunc(shown, func(a, b cell) int { return strings.Compare(a.key, b.key) })
	return shown
}
