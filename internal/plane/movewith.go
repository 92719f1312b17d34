package plane

import (
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// mover returns the person whom s belongs to as they move: what stands in for the people of a thing that
// they alone take part in goes along as theirs. Errors are refusals.
func (p *Plane) mover(tx store.Tx, c *tenant.Caller, s id.Subject) (*somebody, error) {
	pers, err := p.personOf(tx, c.Tenant, s)
	if err != nil {
		return nil, refused{err}
	}
	pers.rows = pers.whole()
	return pers, nil
}

// mayLeave refuses who can't be carried whole: whoever shares with people who stay what nobody knows
// whose it is.
func (p *Plane) mayLeave(tx store.Tx, pers *somebody) error {
	shares, err := p.sharesThings(tx, pers)
	if err != nil {
		return err
	}
	if shares {
		return refused{fault.New(fault.Conflict, "move.shares_records",
			"of a conversation or call that the person shares with others here there are records that name nobody, and nobody knows whose they are").
			WithHint("docs/moving.md says what can be done")}
	}
	return nil
}

// sharesThings says whether somebody else who is at home here takes part in one of the things whose
// stand-ins are among the person's rows.
func (p *Plane) sharesThings(tx store.Tx, pers *somebody) (bool, error) {
	if len(pers.things) == 0 {
		return false, nil
	}
	mine, standIn := map[id.Subject]bool{}, map[id.Subject]bool{}
	var keys []subject.Key
	for _, r := range pers.rows {
		mine[r.Subject] = true
		keys = append(keys, r.Key)
	}
	for _, r := range pers.things {
		standIn[r.Subject] = true
	}
	var things []subject.BindingKey
	if err := p.Subjects.ManyThings(tx, keys, func(t subject.BindingKey) { things = append(things, t) }); err != nil {
		return false, fmt.Errorf("load what the person takes part in: %w", err)
	}
	theirs := map[subject.BindingKey]bool{} // the stand-in comes first
	others := map[subject.Key]bool{}
	if err := p.Subjects.Links(tx, things, func(l subject.Link) {
		switch {
		case l.StandIn:
			theirs[l.Thing] = theirs[l.Thing] || standIn[l.Subject]
		case theirs[l.Thing] && !mine[l.Subject]:
			others[subject.Key{Tenant: l.Thing.Tenant, Subject: l.Subject}] = true
		}
	}); err != nil {
		return false, fmt.Errorf("load who takes part: %w", err)
	}
	shares := false
	ask := make([]subject.Key, 0, len(others))
	for k := range others {
		ask = append(ask, k)
	}
	if err := p.Subjects.Rows(tx, ask, func(subject.Row) { shares = true }); err != nil {
		return false, fmt.Errorf("load who takes part: %w", err)
	}
	return shares, nil
}

// nonePending refuses records of which a recording or attachment is still to be fetched from its vendor:
// the old home would have nobody to keep it for when it comes.
func (p *Plane) nonePending(tx store.Tx, c *tenant.Caller, found []record.Found) error {
	if p.Media == nil || len(found) == 0 {
		return nil
	}
	records := make([]id.Record, len(found))
	for i := range found {
		records[i] = found[i].ID
	}
	some := false
	if err := p.Media.FetchesOf(tx, c.Tenant, records, func(FetchRow) { some = true }); err != nil {
		return fmt.Errorf("look for what is to be fetched: %w", err)
	}
	if some {
		return refused{fault.New(fault.Conflict, "move.media_pending", "a recording or attachment of the person is still to be fetched from its vendor").
			WithHint("the same call goes on once it was fetched or given up, two days after its webhook at the latest; fetched and failed in /stats count both")}
	}
	return nil
}

// orMoved returns where somebody whom the records are about moved, and err when nobody did.
func (p *Plane) orMoved(tx store.Tx, tenant uint32, found []record.Found, err error) error {
	var keys []subject.Key
	for i := range found {
		for j := range found[i].Parts {
			if s := found[i].Parts[j].Subject; !s.IsNobody() {
				keys = append(keys, subject.Key{Tenant: tenant, Subject: s})
			}
		}
	}
	if len(keys) == 0 {
		return err
	}
	if failed := p.Subjects.Tombs(tx, keys, func(t subject.Tomb) {
		if t.MovedTo != "" {
			err = p.moved("who this is about", t.MovedTo, t.Move)
		}
	}); failed != nil {
		return fmt.Errorf("load who it is about: %w", failed)
	}
	return err
}

// allMoved returns where everybody moved whom the records were about, as long as something is left of
// these here. It returns nil when there is somebody who didn't, or when they went to several regions.
func (p *Plane) allMoved(tx store.Tx, tenant uint32, found []record.Found) error {
	seen := map[id.Subject]bool{}
	var keys []subject.Key
	for i := range found {
		for j := range found[i].Parts {
			if s := found[i].Parts[j].Subject; !s.IsNobody() && !seen[s] {
				seen[s] = true
				keys = append(keys, subject.Key{Tenant: tenant, Subject: s})
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	moved := 0
	var to subject.Tomb
	one := true
	if err := p.Subjects.Tombs(tx, keys, func(t subject.Tomb) {
		if t.MovedTo == "" {
			return
		}
		one = one && (moved == 0 || to.MovedTo == t.MovedTo)
		moved++
		to = t
	}); err != nil {
		return fmt.Errorf("load whom records were about: %w", err)
	}
	if moved < len(keys) || !one {
		return nil
	}
	return p.moved("who this was about", to.MovedTo, to.Move)
}
