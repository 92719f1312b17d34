package plane

import (
	"context"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// StateChange is a person's state after a change, and where the change is entered.
type StateChange struct {
	Subject   id.Subject // the head
	States    []string   // in force now: "restricted", "held"
	HoldUntil *time.Time
	Ledger    ledger.Ref
}

type stateOp struct {
	caller  *tenant.Caller
	subject id.Subject
	verb    string // of the ledger entry
	set     subject.State
	unset   subject.State
	until   time.Time
	reason  string // may name people: kept sealed under the person's key, and in no ledger entry
	answer  StateChange
	effect  func(store.Tx) error // store.Effect of the request
}

// Restrict marks the person as restricted (GDPR art. 18): still collected and stored, not used. To
// do it again changes nothing and is entered again.
func (p *Plane) Restrict(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error) {
	return p.setState(ctx, &stateOp{caller: c, subject: s, verb: "restrict", set: subject.Restricted, reason: reason})
}

// Unrestrict lifts the restriction.
func (p *Plane) Unrestrict(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error) {
	return p.setState(ctx, &stateOp{caller: c, subject: s, verb: "unrestrict", unset: subject.Restricted, reason: reason})
}

// Hold keeps the person from being erased until then, or until Release when until is zero.
func (p *Plane) Hold(ctx context.Context, c *tenant.Caller, s id.Subject, reason string, until time.Time) (StateChange, error) {
	if !until.IsZero() && !until.After(p.now()) {
		return StateChange{}, fault.New(fault.Unprocessable, "hold.until_past", "until is in the past").
			WithHint("give a time to come, or leave until out for a hold without an end")
	}
	return p.setState(ctx, &stateOp{caller: c, subject: s, verb: "hold", set: subject.Held, until: until, reason: reason})
}

// Release ends the hold.
func (p *Plane) Release(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error) {
	return p.setState(ctx, &stateOp{caller: c, subject: s, verb: "release", unset: subject.Held, reason: reason})
}

func (p *Plane) setState(ctx context.Context, o *stateOp) (StateChange, error) {
	p.name(o.caller.Tenant, o.caller.TenantID)
	o.effect = func(tx store.Tx) error { return store.Effect(ctx, tx) }
	if err := p.submit(ctx, &op{state: o}); err != nil {
		return StateChange{}, err
	}
	return o.answer, nil
}

// stateChanged is the ledger's entry on a change of state.
type stateChanged struct {
	Subject id.Subject `json:"subject"`
	States  []string   `json:"states"`
	Until   *time.Time `json:"until,omitempty"`
	Token   string     `json:"token"`
}

func (g *group) changeStates() error {
	for _, o := range g.ops {
		if o.state == nil {
			continue
		}
		if err := g.changeState(o); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) changeState(o *op) error {
	s := o.state
	head, err := g.p.headOf(g.tx, s.caller.Tenant, s.subject)
	if err != nil {
		return o.failed(err)
	}
	if err := s.effect(g.tx); err != nil { // before any write: the group goes on without this op
		return o.failed(err)
	}
	head.State = head.State&^s.unset | s.set
	if s.set&subject.Held != 0 {
		head.HoldUntil = 0
		if !s.until.IsZero() {
			head.HoldUntil = s.until.UnixMilli()
		}
	}
	if s.unset&subject.Held != 0 {
		head.HoldUntil = 0
	}
	if err := g.p.Subjects.UpdateRows(g.tx, []*subject.Row{head}); err != nil {
		return fmt.Errorf("%s %s: %w", s.verb, head.Subject, err)
	}
	if err := g.keepReason(s, head); err != nil {
		return err
	}
	if (s.set|s.unset)&subject.Restricted != 0 {
		if err := g.tell("restrict", head.Key); err != nil { // a batch that is being built must not miss it
			return err
		}
	}
	s.answer = StateChange{Subject: head.Subject, States: statesOf(head, g.now), HoldUntil: holdUntil(head, g.now)}
	refs, err := g.enter(ledger.Draft{Kind: s.verb, Tenant: s.caller.TenantID, At: g.now, Body: stateChanged{Subject: head.Subject,
		States: s.answer.States, Until: s.answer.HoldUntil, Token: s.caller.Token}})
	if err != nil {
		return fmt.Errorf("enter %s of %s: %w", s.verb, head.Subject, err)
	}
	s.answer.Ledger = refs[0]
	switch {
	case s.set&subject.Restricted != 0:
		return g.notify("restriction", s.caller.TenantID, head, refs[0])
	case s.unset&subject.Restricted != 0:
		return g.notify("restriction_lifted", s.caller.TenantID, head, refs[0])
	}
	return nil
}

// notify tells recipients that had something of the living person what was done, by its ledger entry.
func (g *group) notify(kind, tenantID string, head *subject.Row, ref ledger.Ref) error {
	if g.p.Notices == nil {
		return nil
	}
	rows := []*subject.Row{head}
	if err := g.p.Subjects.Members(g.tx, []subject.Key{head.Key}, func(r subject.Row) { rows = append(rows, &r) }); err != nil {
		return fmt.Errorf("load members: %w", err)
	}
	if err := g.sendWords(kind, tenantID, ref.Entry.String(), rows); err != nil {
		return err
	}
	if err := g.p.Notices.Tell(g.tx, kind, tenantID, ref.Entry.String(), rows); err != nil {
		return fmt.Errorf("write notices of a %s: %w", kind, err)
	}
	return nil
}

// failed makes a fault the op's own answer; what is no fault, or the store's, is the group's.
func (o *op) failed(err error) error {
	if k := fault.KindOf(err); k == fault.Internal || k == fault.Unavailable {
		return err
	}
	o.err = err
	return nil
}

// keepReason seals why a state was set, or drops the reason when the state is lifted.
func (g *group) keepReason(s *stateOp, head *subject.Row) error {
	p := g.p
	for _, name := range (s.set | s.unset).Names() {
		var sealed []byte
		if s.set != 0 && s.reason != "" {
			key, err := p.open(head)
			if err != nil {
				return fmt.Errorf("open key of %s: %w", head.Subject, err)
			}
			sealed = seal.SealBytes(key, p.identifierAD(s.caller.TenantID, head.Subject, "reason."+name), []byte(s.reason))
		}
		if err := p.Subjects.PutReason(g.tx, head.Key, name, sealed); err != nil {
			return fmt.Errorf("keep the reason: %w", err)
		}
		var merged []subject.Key
		if err := p.Subjects.Members(g.tx, []subject.Key{head.Key}, func(r subject.Row) { merged = append(merged, r.Key) }); err != nil {
			return fmt.Errorf("load members: %w", err)
		}
		for _, k := range merged { // what was given before the merge is out of date
			if err := p.Subjects.PutReason(g.tx, k, name, nil); err != nil {
				return fmt.Errorf("drop a reason: %w", err)
			}
		}
	}
	return nil
}

// reasonsOf opens why the person's states are in force.
func (p *Plane) reasonsOf(tx store.Tx, c *tenant.Caller, pers *somebody) (map[string]string, error) {
	in := statesOf(pers.head, p.now())
	if len(in) == 0 {
		return nil, nil
	}
	reasons := map[string]string{}
	for _, row := range pers.rows {
		key, err := p.open(row)
		if err != nil {
			return nil, fmt.Errorf("open key of %s: %w", row.Subject, err)
		}
		sealed := map[string][]byte{}
		if err := p.Subjects.Reasons(tx, row.Key, func(name string, b []byte) { sealed[name] = b }); err != nil {
			return nil, fmt.Errorf("load reasons: %w", err)
		}
		for _, name := range in {
			if sealed[name] == nil {
				continue
			}
			b, err := seal.OpenBytes(key, p.identifierAD(c.TenantID, row.Subject, "reason."+name), sealed[name])
			if err != nil {
				return nil, fmt.Errorf("open a reason of %s: %w", row.Subject, err)
			}
			reasons[name] = string(b)
		}
	}
	return reasons, nil
}

// inForce returns the state with a hold that has ended taken out.
func inForce(r *subject.Row, now time.Time) subject.State {
	if r.State&subject.Held != 0 && r.HoldUntil != 0 && now.UnixMilli() >= r.HoldUntil {
		return r.State &^ subject.Held
	}
	return r.State
}

func statesOf(r *subject.Row, now time.Time) []string { return inForce(r, now).Names() }

func holdUntil(r *subject.Row, now time.Time) *time.Time {
	if inForce(r, now)&subject.Held == 0 || r.HoldUntil == 0 {
		return nil
	}
	t := time.UnixMilli(r.HoldUntil).UTC()
	return &t
}

func held(r *subject.Row, done string) error {
	f := fault.New(fault.Conflict, "hold.in_force", "%s is under a legal hold and can't be %s", r.Subject, done).
		WithHint("release the hold first, or wait until it ends")
	if r.HoldUntil != 0 {
		f.With("until", time.UnixMilli(r.HoldUntil).UTC())
	}
	return f
}
