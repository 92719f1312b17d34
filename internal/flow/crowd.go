package flow

import (
	"fmt"
	"slices"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// crowd is whom the records of a page are about. Its buffers are kept.
type crowd struct {
	at     map[id.Subject]int32
	people []known
	groups [][]id.Subject // persons as sets of subjects, the head first
	facts  []decision.Subject
	plain  map[id.Subject]struct{} // who are persons, and stand in for none, as far as was asked; kept over pages
}

// known is a subject that a part is about, or that takes part in what such a one stands in for.
type known struct {
	id, head id.Subject
	wrapped  vault.Wrapped
	key      *seal.Key
	group    int32 // of facts; -1: erased, or not at home here
	gone     bool  // erased
	standsIn []int32
	facts    *decision.Subject
}

// mostPlain bounds what is remembered of who stands in for none.
const mostPlain = 1 << 16

func (c *crowd) reset() {
	if c.at == nil {
		c.at, c.plain = map[id.Subject]int32{}, map[id.Subject]struct{}{}
	}
	clear(c.at)
	c.people, c.groups, c.facts = c.people[:0], c.groups[:0], nil
	if len(c.plain) > mostPlain {
		clear(c.plain)
	}
}

// add returns the number of s.
func (c *crowd) add(s id.Subject) int32 {
	n, ok := c.at[s]
	if !ok {
		n = int32(len(c.people))
		c.people = append(c.people, known{id: s, head: s, group: -1, gone: true})
		c.at[s] = n
	}
	return n
}

// Facts of whom nothing can be looked up.
var (
	erased  = decision.Subject{Known: true, States: decision.Erased}
	unknown = decision.Subject{}
)

// meet looks up everybody in c: their keys, who they are one with, and what they have said.
func (r *Runner) meet(tx store.Tx, tenant uint32, c *crowd) error {
	if len(c.people) == 0 {
		return nil
	}
	if err := r.meetStandIns(tx, tenant, c); err != nil {
		return err
	}
	rows := func(keys []subject.Key, each func(*subject.Row)) error {
		if len(keys) == 0 {
			return nil
		}
		if err := r.Subjects.Rows(tx, keys, func(row subject.Row) { each(&row) }); err != nil {
			return fmt.Errorf("load subjects: %w", err)
		}
		return nil
	}
	keys := make([]subject.Key, len(c.people))
	for i := range c.people {
		keys[i] = subject.Key{Tenant: tenant, Subject: c.people[i].id}
	}
	heads := map[id.Subject]int32{} // head → group
	var order []subject.Key
	group := func(s id.Subject) {
		if _, ok := heads[s]; !ok {
			heads[s] = int32(len(order))
			order = append(order, subject.Key{Tenant: tenant, Subject: s})
		}
	}
	away := map[id.Subject]bool{} // heads that are not at home here yet
	merged := map[id.Subject]bool{}
	if err := rows(keys, func(row *subject.Row) {
		k := &c.people[c.at[row.Subject]]
		k.head, k.gone, k.wrapped = row.Head, false, vault.Wrapped{Epoch: row.Epoch, Bytes: row.Wrapped}
		group(row.Head)
		if row.IsHead() && row.State&subject.Arriving != 0 {
			away[row.Head] = true
		} else if !row.IsHead() {
			merged[row.Head] = true
		}
	}); err != nil {
		return err
	}
	var missing []subject.Key
	for s := range merged {
		if _, here := c.at[s]; !here {
			missing = append(missing, subject.Key{Tenant: tenant, Subject: s})
		}
	}
	if err := rows(missing, func(row *subject.Row) { away[row.Subject] = row.State&subject.Arriving != 0 }); err != nil {
		return err
	}
	if err := r.gather(tx, order, heads, c); err != nil {
		return err
	}
	c.settle(heads, away)
	return nil
}

// gather loads who is one with each head, and what they have said.
func (r *Runner) gather(tx store.Tx, order []subject.Key, heads map[id.Subject]int32, c *crowd) error {
	if len(order) == 0 {
		return nil
	}
	flat := make([]id.Subject, len(order))
	for i, k := range order {
		flat[i] = k.Subject
		c.groups = append(c.groups, flat[i:i+1:i+1])
	}
	if err := r.Subjects.Members(tx, order, func(row subject.Row) {
		n := heads[row.Head]
		c.groups[n] = append(c.groups[n], row.Subject)
	}); err != nil {
		return fmt.Errorf("load members: %w", err)
	}
	var err error
	if c.facts, err = r.Say.Of(tx, order[0].Tenant, c.groups); err != nil {
		return fmt.Errorf("load what people have said: %w", err)
	}
	if len(c.facts) != len(c.groups) {
		return fmt.Errorf("flow: %d answers about %d people", len(c.facts), len(c.groups))
	}
	return nil
}

// settle gives everybody their facts.
func (c *crowd) settle(heads map[id.Subject]int32, away map[id.Subject]bool) {
	for i := range c.people {
		k := &c.people[i]
		switch {
		case k.gone:
			k.facts = &erased
		case away[k.head]:
			k.facts, k.wrapped = &unknown, vault.Wrapped{}
		default:
			k.group = heads[k.head]
			k.facts = &c.facts[k.group]
		}
	}
	for i := range c.people {
		if k := &c.people[i]; len(k.standsIn) > 0 && k.group >= 0 {
			k.facts = c.together(k)
		}
	}
}

// together is what stands against any of those for whom k stands in: whose its records are isn't known.
func (c *crowd) together(k *known) *decision.Subject {
	all := *k.facts
	all.Consents = nil
	brought := all.Origins.Words()
	for i, n := range k.standsIn {
		f := c.people[n].facts
		all.Known = all.Known && f.Known
		all.States |= f.States
		all.OptOuts |= f.OptOuts
		brought = append(brought, f.Origins.Words()...)
		all.Objects = append(slices.Clip(all.Objects), f.Objects...)
		if i == 0 {
			all.Consents = slices.Clone(f.Consents)
			continue
		}
		all.Consents = both(all.Consents, f.Consents)
	}
	all.Origins = decision.NewSet(brought...)
	return &all
}

// counted appends whom somebody is when people are counted: themselves, or those for whom they stand in.
// A stand-in is no person: twenty calls of one person have twenty, and aren't about twenty people.
func (c *crowd) counted(people []id.Subject, who int32) []id.Subject {
	k := &c.people[who]
	if _, plain := c.plain[k.id]; plain {
		return append(people, k.head)
	}
	for _, n := range k.standsIn {
		if x := &c.people[n]; x.group >= 0 {
			people = append(people, x.head)
		}
	}
	return people
}

// both are the consents that each of two people gave: the older words count.
func both(a, b []decision.Consent) []decision.Consent {
	out := a[:0]
	for _, x := range a {
		for _, y := range b {
			if x.Purpose != y.Purpose {
				continue
			}
			if x.At = min(x.At, y.At); x.Text != y.Text {
				x.Text = ""
			}
			out = append(out, x)
			break
		}
	}
	return out
}

// meetStandIns finds out for whom people of c stand in, and adds those.
func (r *Runner) meetStandIns(tx store.Tx, tenant uint32, c *crowd) error {
	var ask []id.Subject
	for i := range c.people {
		if _, plain := c.plain[c.people[i].id]; !plain {
			ask = append(ask, c.people[i].id)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	for _, s := range ask {
		c.plain[s] = struct{}{}
	}
	err := r.Store.StandsFor(tx, tenant, ask, func(standIn, person id.Subject) {
		delete(c.plain, standIn) // others may join what it stands in for, so it is asked about each time
		if person.IsNobody() {
			return
		}
		n, at := c.add(person), c.at[standIn]
		c.people[at].standsIn = append(c.people[at].standsIn, n)
	})
	if err != nil {
		return fmt.Errorf("load for whom stand-ins stand: %w", err)
	}
	return nil
}

// touched says whether one of the changes is about somebody in c, as a part names them or as the person
// that they are.
func (c *crowd) touched(tenant uint32, changes []Change) bool {
	for _, ch := range changes {
		if ch.Tenant != tenant {
			continue
		}
		if _, here := c.at[ch.Subject]; here {
			return true
		}
		for _, g := range c.groups {
			if slices.Contains(g, ch.Subject) {
				return true
			}
		}
	}
	return false
}
