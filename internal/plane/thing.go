package plane

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// thing is what an event is about, blind.
type thing struct {
	key  subject.BindingKey
	many bool
}

// linksLive is how long it is known whose a thing of one person was: a call's recordings and
// transcripts come within days.
const linksLive = 90 * 24 * time.Hour

// thingsOf blinds what ev is about. Only the word of a server source counts.
func (p *Plane) thingsOf(src *tenant.Source, ev *ingest.Event) []thing {
	if len(ev.Things) == 0 || src.Trust != term.Server {
		return nil
	}
	clients := p.Vault.Clients(src.TenantID)
	all := make([]thing, len(ev.Things))
	for i, t := range ev.Things {
		all[i] = thing{subject.BindingKey{Tenant: src.Tenant, Digest: clients.Thing(t.Type, t.ID)}, t.Many}
	}
	return all
}

// linked is what the transaction knows of one thing.
type linked struct {
	many    bool
	standIn *subject.Row // living and nobody else's, nil for none
	people  []subject.Key
	erased  bool   // somebody who took part, or the stand-in, was erased
	moved   string // the region that one of them moved to, when none was erased
}

// loadThings fetches what the store knows of the things of the events at hand.
func (g *group) loadThings(need []*slowEvent) error {
	var keys []subject.BindingKey
	g.things = map[subject.BindingKey]*linked{}
	for _, s := range need {
		for _, t := range s.e.things {
			if !s.duplicate && g.things[t.key] == nil {
				g.things[t.key] = &linked{many: t.many}
				keys = append(keys, t.key)
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	var links []subject.Link
	rows := map[subject.Key]bool{}
	gone := map[subject.Key][]*linked{}
	if err := g.p.Subjects.Links(g.tx, keys, func(l subject.Link) {
		links = append(links, l)
		rows[subject.Key{Tenant: l.Thing.Tenant, Subject: l.Subject}] = true
	}); err != nil {
		return fmt.Errorf("load who takes part: %w", err)
	}
	if err := g.graph.LoadRows(g.tx, g.p.Subjects, rows); err != nil {
		return err
	}
	for _, l := range links {
		k, t := subject.Key{Tenant: l.Thing.Tenant, Subject: l.Subject}, g.things[l.Thing]
		t.many = t.many || l.Many
		switch row := g.graph.Row(k); {
		case row == nil: // subjects go by erasure, or by a move
			gone[k] = append(gone[k], t)
		case l.StandIn && row.IsHead():
			t.standIn = row
		case l.StandIn: // it became the person, who is linked, too
		default:
			t.people = append(t.people, k)
		}
	}
	return g.goneFrom(gone)
}

// goneFrom notes who took part in things and was erased, or moved.
func (g *group) goneFrom(gone map[subject.Key][]*linked) error {
	if len(gone) == 0 {
		return nil
	}
	moved := map[subject.Key]string{}
	if err := g.p.Subjects.Tombs(g.tx, slices.Collect(maps.Keys(gone)), func(t subject.Tomb) { moved[t.Key] = t.MovedTo }); err != nil {
		return fmt.Errorf("load who took part: %w", err)
	}
	for k, things := range gone {
		for _, t := range things {
			if region := moved[k]; region != "" {
				t.moved = region
			} else {
				t.erased = true
			}
		}
	}
	return nil
}

// link notes that row takes part in t, or stands in for whoever does. A thing of one with a second
// person, such as a call that was passed on, is one of many from then on.
func (g *group) link(t thing, row *subject.Row, standIn bool) {
	l := g.things[t.key]
	if standIn {
		l.standIn = row
	} else {
		for _, k := range l.people {
			if g.graph.Head(k) == row {
				return
			}
		}
		if l.people = append(l.people, row.Key); len(l.people) > 1 && !l.many {
			l.many, g.crowded = true, append(g.crowded, t.key)
		}
		for _, k := range l.people {
			if l.many {
				g.graph.TakesPart(g.graph.Head(k))
			}
		}
	}
	g.links = append(g.links, subject.Link{Thing: t.key, Subject: row.Subject, StandIn: standIn, Many: l.many, At: g.now.UnixMilli()})
}

// takePart links the people whom an event names to what it is about. What stood in for the one
// person of a thing becomes that person.
func (g *group) takePart(s *slowEvent) {
	for _, t := range s.e.things {
		l := g.things[t.key]
		for j := range s.e.says {
			sd := &s.e.says[j]
			row := g.graph.Head(sd.row.Key)
			if !l.many && l.standIn != nil {
				row = g.graph.Adopt(&sd.Say, row, l.standIn)
				l.standIn = nil
			}
			g.link(t, row, false)
		}
	}
}

// standFor finds for whom an event that names nobody is sealed: the person of the closest thing of
// one that somebody is known of; else the stand-in of the closest thing of many, which goes with the
// first of its people; else one made for the thing. It returns nobody when whoever it was is
// erased or moved, or somebody of a thing of many is: what comes late could be about them; the thing says which.
func (g *group) standFor(s *slowEvent) (*subject.Row, *linked, error) {
	var at *thing
	for i := range s.e.things {
		t := &s.e.things[i]
		l := g.things[t.key]
		switch {
		case l.many && at == nil:
			at = t
		case l.many:
		case len(l.people) > 0:
			return g.graph.Head(l.people[0]), l, nil
		case l.standIn != nil:
			return l.standIn, l, nil
		case l.gone():
			return nil, l, nil
		}
	}
	if at == nil {
		at = &s.e.things[0]
	}
	l := g.things[at.key]
	if l.gone() {
		return nil, l, nil
	}
	if l.standIn != nil {
		return l.standIn, l, nil
	}
	row, err := g.graph.StandIn(s.o.src.Tenant, s.o.src.ID, g.now.UnixMilli())
	if err == nil {
		g.link(*at, row, true)
	}
	return row, l, err
}

// gone says that somebody who took part was erased, or moved.
func (l *linked) gone() bool { return l.erased || l.moved != "" }

// resolveUnnamed seals an event that names nobody for whom its things are about.
func (g *group) resolveUnnamed(s *slowEvent) error {
	e := s.e
	e.fast, e.sealed, e.says = false, record.Sealed{}, nil
	row, of, err := g.standFor(s)
	if err != nil {
		return err
	}
	if row == nil && of.erased {
		g.refuse(s.o, ingest.Refusal{Index: e.ev.Index, Reason: "subject.erased"})
		return nil
	}
	if row == nil {
		g.refuse(s.o, *g.p.movedTo(s, of.moved))
		return nil
	}
	sd := said{role: term.RoleSubject, row: row, Say: subject.Say{Tenant: s.o.src.Tenant, Trust: s.o.src.Trust, Source: s.o.src.ID, At: g.now.UnixMilli()}}
	if sd.skey, err = g.p.open(row); err != nil {
		return fmt.Errorf("open key of %s: %w", row.Subject, err)
	}
	e.says = []said{sd}
	g.p.seal(s.o, e)
	return nil
}

// standInsOf returns the subjects whose records are those of things that the people take part in,
// by the head of the person; none of somebody who is in no such thing.
func (p *Plane) standInsOf(tx store.Tx, rows []*subject.Row) ([]*subject.Row, error) {
	var of []subject.Key
	for _, r := range rows {
		of = append(of, r.Key)
	}
	seen := map[subject.Key]bool{}
	var keys []subject.Key
	if err := p.Subjects.StandIns(tx, of, func(_, k subject.Key) {
		if !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}); err != nil {
		return nil, fmt.Errorf("load what people take part in: %w", err)
	}
	var out []*subject.Row
	if len(keys) == 0 {
		return nil, nil
	}
	if err := p.Subjects.Rows(tx, keys, func(r subject.Row) {
		if r.IsHead() { // else it became a person, whose records are theirs
			out = append(out, &r)
		}
	}); err != nil {
		return nil, fmt.Errorf("load stand-ins: %w", err)
	}
	return out, nil
}
