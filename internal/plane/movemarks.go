package plane

import (
	"errors"
	"fmt"
	"slices"

	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/subject"
)

// exceptLeaving leaves out who is about to move: the copy at the target would outlive them.
func (g *group) exceptLeaving(list []*erasure) ([]*erasure, error) {
	var failed error
	list = slices.DeleteFunc(list, func(e *erasure) bool {
		f, err := g.flags(e.head.Tenant)
		if err != nil || !f.Leaving {
			failed = errors.Join(failed, err)
			return false
		}
		subjects := make([]id.Subject, len(e.rows))
		for i, r := range e.rows {
			subjects[i] = r.Subject
		}
		var open *Move
		failed = errors.Join(failed, g.p.Moves.MovesOf(g.tx, e.head.Tenant, subjects, func(m *Move) {
			if m.State == MoveLeaving {
				open = m
			}
		}))
		if open == nil {
			return false
		}
		for _, o := range e.ops {
			o.err = underWay(open)
		}
		return true
	})
	return list, failed
}

// findRetried marks events that came with somebody who moved here. They are duplicates, by whatever
// source they come again. It says whether there is one.
func (g *group) findRetried(ops []*ingestOp) (any bool, err error) {
	for _, o := range ops {
		for i := range o.events {
			o.events[i].retried = false
		}
		f, err := g.flags(o.src.Tenant)
		if err != nil {
			return false, err
		}
		if !f.Came || !again[o.src.Adapter] {
			continue
		}
		clients := g.p.Vault.Clients(o.src.TenantID)
		var keys [][12]byte
		var events []*prepared
		for i := range o.events {
			if ev := o.events[i].ev; len(ev.ClientID) > 0 && ev.Qualifier == "" {
				keys = append(keys, arrivedKey(clients, o.src.Adapter, ev.Kind.Service, ev.Kind.Name, ev.ClientID))
				events = append(events, &o.events[i])
			}
		}
		if len(keys) == 0 {
			continue
		}
		if err := g.p.Moves.Arrived(g.tx, o.src.Tenant, keys, func(i int) { events[i].retried, any = true, true }); err != nil {
			return false, fmt.Errorf("look for records that came by a move: %w", err)
		}
	}
	return any, nil
}

// away is where somebody moved, by one of their identifiers under the index key.
type away map[subject.BindingKey]awayTo

// awayTo is a region, and until when the identifier was theirs who moved there; 0: it still is.
type awayTo struct {
	region    string
	retiredAt int64
}

// has says whether somebody of whom s speaks by that identifier is the one who moved.
func (a awayTo) has(s *subject.Say) bool {
	return a.region != "" && (a.retiredAt == 0 || s.Occurred != 0 && s.Occurred < a.retiredAt)
}

// movedAway returns the identifiers of these events that nobody here has, and whose person moved.
func (g *group) movedAway(need []*slowEvent) (away, error) {
	var keys, back []subject.BindingKey
	asked := map[subject.BindingKey]bool{}
	for _, s := range need {
		if f, err := g.flags(s.o.src.Tenant); err != nil || !f.Left {
			if err != nil {
				return nil, err
			}
			continue
		}
		sup := g.p.Vault.Suppressor(s.o.src.TenantID)
		for j := range s.e.says {
			say := &s.e.says[j].Say
			for i := range say.Identifiers {
				ident := &say.Identifiers[i]
				at := subject.BindingKey{Tenant: s.o.src.Tenant, Digest: ident.Digest}
				if !say.Decisive(ident) || asked[at] || g.graph.Held(at) {
					continue
				}
				asked[at] = true
				back = append(back, at)
				keys = append(keys, subject.BindingKey{Tenant: at.Tenant, Digest: sup.Identifier(ident.Type, ident.Value)})
			}
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	out := away{}
	if err := g.p.Moves.Moved(g.tx, keys, func(i int, region, _ string, retiredAt int64) { out[back[i]] = awayTo{region, retiredAt} }); err != nil {
		return nil, fmt.Errorf("look for who moved: %w", err)
	}
	return out, nil
}

// refusal is that of an event about somebody who moved, nil when nobody in it did.
func (a away) refusal(p *Plane, s *slowEvent) *ingest.Refusal {
	if len(a) == 0 {
		return nil
	}
	for j := range s.e.says {
		for _, ident := range s.e.says[j].Identifiers {
			if to := a[subject.BindingKey{Tenant: s.o.src.Tenant, Digest: ident.Digest}]; to.has(&s.e.says[j].Say) {
				return p.movedTo(s, to.region)
			}
		}
	}
	return nil
}

func (p *Plane) movedTo(s *slowEvent, region string) *ingest.Refusal {
	return &ingest.Refusal{Index: s.e.ev.Index, Reason: RefusedMoved, Region: region, URL: p.opt.URLs[region]}
}
