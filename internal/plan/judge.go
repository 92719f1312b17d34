package plan

import (
	"encoding/json"
	"slices"
	"strings"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/scan"
)

// unnamed stands for the name of an event that isn't in the plan.
const unnamed = "*"

// trial is one event being judged.
type trial struct {
	*judge
	d     *scan.Doc
	root  int
	event string // as findings have it
	mask  func(path string) string
	out   ingest.Judgement
}

// Judge implements ingest.Plan.
func (j *judge) Judge(d *scan.Doc, root int, mask func(path string) string) ingest.Judgement {
	t := &trial{judge: j, d: d, root: root, mask: mask}
	e, name := j.eventOf(d, root)
	if e == nil {
		t.event = unnamed
		t.unplannedEvent(name)
		return t.out
	}
	t.event = e.name
	value := map[string]any{}
	sections, odd := t.sections()
	for _, n := range sections {
		for k, v := range t.object(int(d.Nodes[n].At), n, e.shape, t.pathOf(n)) {
			value[k] = v
		}
	}
	for _, n := range odd {
		t.found(ingest.Finding{What: ingest.FoundInvalid, Rule: "type", Path: t.pathOf(n)}, n)
	}
	if len(odd) == 0 || len(sections) > 0 {
		t.check(e, sections, value)
	}
	return t.out
}

// eventOf returns the planned event that the object at root is, nil when there is none, and the node
// of its name.
func (j *judge) eventOf(d *scan.Doc, root int) (e *event, name int) {
	if j.member == "" {
		return j.events[""], -1
	}
	if name = d.Member(root, j.member); name > 0 && d.Nodes[name].Kind == scan.String {
		var scratch []byte
		if text, whole := d.Text(name, &scratch); whole && len(text) > 0 {
			if e := j.events[string(text)]; e != nil {
				return e, name
			}
		}
	}
	return j.events[""], name
}

// sections returns the objects that the schema is about. Odd are those that are none.
func (t *trial) sections() (list, odd []int) {
	if t.at == nil {
		return []int{t.root}, nil
	}
	for _, way := range [][]string{t.also, t.at} { // the second overrides
		if way == nil {
			continue
		}
		switch n := t.follow(way); {
		case n < 0 || t.d.Nodes[n].Kind == scan.Null:
		case t.d.Nodes[n].Kind == scan.Object:
			list = append(list, n)
		default:
			odd = append(odd, n)
		}
	}
	return list, odd
}

// follow returns the node to which the names lead, -1 when there is none.
func (t *trial) follow(way []string) int {
	n := t.root
	for _, name := range way {
		if n = t.d.Member(n, name); n < 0 {
			return -1
		}
	}
	return n
}

// pathOf returns the names that lead from the root to node n.
func (t *trial) pathOf(n int) string {
	var names []string
	for ; n > t.root; n = int(t.d.Nodes[n].Parent) {
		names = append(names, string(t.d.Key(n)))
	}
	slices.Reverse(names)
	return strings.Join(names, ".")
}

// found notes f and does what the plan says: node n is set aside, -1 for none.
func (t *trial) found(f ingest.Finding, n int) {
	setting, reason := t.plan.Invalid, ReasonInvalid
	if f.What == ingest.FoundUnplannedProperty {
		setting, reason = t.plan.UnplannedProperty, ReasonProperty
	}
	f.Plan, f.Event = t.plan.ID, t.event
	switch setting {
	case programme.PlanRefuseEvent:
		f.Done = ingest.DoneRefused
		if t.out.Reason == "" {
			t.out.Reason, t.out.Path = reason, f.Path
		}
	case programme.PlanDrop:
		f.Done = ingest.DoneDropped
	default:
		f.Done = ingest.DoneKept
		if k := len(t.out.Aside); n > t.root && (k == 0 || t.out.Aside[k-1] != n) {
			t.out.Aside = append(t.out.Aside, n)
		}
	}
	f.Path = t.mask(f.Path)
	t.out.Findings = ingest.Note(t.out.Findings, f)
}

// unplannedEvent refuses the event, or sets its content aside: its properties and its name, which
// nobody planned either.
func (t *trial) unplannedEvent(name int) {
	f := ingest.Finding{Plan: t.plan.ID, Event: t.event, What: ingest.FoundUnplannedEvent, Path: t.member, Done: ingest.DoneKept}
	if t.plan.UnplannedEvent == programme.PlanRefuse {
		f.Done = ingest.DoneRefused
		t.out.Reason, t.out.Path = ReasonEvent, t.member
	} else {
		sections, odd := t.sections()
		for _, n := range slices.Concat(sections, odd, []int{name}) {
			if n > t.root {
				t.out.Aside = append(t.out.Aside, n)
			}
		}
	}
	f.Path = t.mask(f.Path)
	t.out.Findings = ingest.Note(t.out.Findings, f)
}

// object judges the members of the object at src[at], and returns what is planned of them. Node n is
// the object's, or the list's in which it lies; nodes of members there are in the first case only.
func (t *trial) object(at, n int, s *shape, path string) map[string]any {
	src, out := t.d.Src, map[string]any{}
	mapped := t.d.Nodes[n].Kind == scan.Object
	m := n // the node of the member before
	_, _ = scan.EachMember(src, at, func(raw []byte, at int) (int, error) {
		end, err := scan.Skip(src, at)
		if err != nil {
			return end, err
		}
		member := n
		if mapped {
			if m == n {
				m++
			} else {
				m = int(t.d.Nodes[m].Next)
			}
			if member = m; t.d.Nodes[m].Dropped {
				return end, nil
			}
		}
		name, _ := scan.Unquote(nil, raw)
		below, here := s.in(string(name)), join(path, string(name))
		if below == nil {
			t.unplanned(string(name), here, at, end, member, ingest.Cut{From: ingest.NameAt(src, raw, at), To: end})
			return end, nil
		}
		out[string(name)] = t.value(at, end, member, below, here)
		return end, nil
	})
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// unplanned notes a member that no schema names. What is inside a list can't be set aside alone, so
// the whole list is; it can be dropped alone.
func (t *trial) unplanned(name, path string, at, end, n int, c ingest.Cut) {
	f := ingest.Finding{What: ingest.FoundUnplannedProperty, Path: path}
	if len(t.out.Findings) < ingest.MaxFindings {
		looks := Looks(name, FormOf(t.d.Src[at:end]))
		f.Looks, f.Suggest = string(looks), t.places.of(looks)
	}
	if t.plan.UnplannedProperty == programme.PlanDrop {
		t.out.Cuts = append(t.out.Cuts, c)
	}
	t.found(f, n)
}

// value returns what src[at:end] is in Go, without what isn't planned in it.
func (t *trial) value(at, end, n int, s *shape, path string) any {
	src := t.d.Src
	switch src[at] {
	case '{':
		return t.object(at, n, s, path)
	case '[':
		list := []any{}
		_, _ = scan.EachElement(src, at, func(_, at int) (int, error) {
			end, err := scan.Skip(src, at)
			if err == nil {
				list = append(list, t.value(at, end, n, s.itemsOrAny(), path))
			}
			return end, err
		})
		return list
	case '"':
		text, _ := scan.Unquote(nil, src[at+1:end-1])
		return string(text)
	case 't', 'f':
		return src[at] == 't'
	case 'n':
		return nil
	}
	return number(src[at:end])
}

func (s *shape) itemsOrAny() *shape {
	if s.items == nil {
		return anything
	}
	return s.items
}

// huge stands for a number that no schema could be asked about without unbounded work: it is of no
// JSON type, so that none allows it.
type huge struct{}

// maxNumberBytes bounds the digits of a number.
const maxNumberBytes = 64

// number returns raw as validation takes it.
func number(raw []byte) any {
	text := string(raw)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if exponent := strings.TrimLeft(text[i+1:], "+-0"); len(exponent) > 3 || len(exponent) == 3 && exponent > "308" {
			return huge{}
		}
	}
	if len(text) > maxNumberBytes {
		return huge{}
	}
	return json.Number(text)
}
