package plan

import (
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
