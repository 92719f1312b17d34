package plane

import (
	"context"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// IdentifierChange is what became of a person's identifiers, and where it is entered.
type IdentifierChange struct {
	Subject id.Subject // the head, after the change
	Changed int        // how many identifiers were not so before
	Ledger  ledger.Ref
}

// handOp changes a person's identifiers by the tenant's word.
type handOp struct {
	caller  *tenant.Caller
	subject id.Subject
	verb    string // of the ledger entry: "retire" or "link"
	idents  []subject.Identifier
	answer  IdentifierChange
	effect  func(store.Tx) error // store.Effect of the request
}

// Retire takes identifiers from the person from now on, as when a number was given up: it finds them
// no more, and an event that occurs later and names it is about somebody else. What occurred before
// stays the person's, and an erasure takes it and the identifier. To do it again changes nothing.
//
// Errors: NotFound, also identifier.unknown; Gone subject.erased; Conflict identifier.claimed; Invalid.
// Of several identifiers all are retired, or none.
func (p *Plane) Retire(ctx context.Context, c *tenant.Caller, s id.Subject, ids []Identifier) (IdentifierChange, error) {
	return p.byHand(ctx, &handOp{caller: c, subject: s, verb: "retire"}, ids)
}

// Link gives identifiers to the person, as when they have a new number. Whoever has one of them
// becomes the same person, unless both have a user id.
//
// Errors: NotFound; Gone subject.erased; Conflict identity.two_user_ids, subject.ambiguous,
// subject.suppressed; Invalid. Of several identifiers all are linked, or none.
func (p *Plane) Link(ctx context.Context, c *tenant.Caller, s id.Subject, ids []Identifier) (IdentifierChange, error) {
	return p.byHand(ctx, &handOp{caller: c, subject: s, verb: "link"}, ids)
}

func (p *Plane) byHand(ctx context.Context, o *handOp, ids []Identifier) (IdentifierChange, error) {
	p.name(o.caller.Tenant, o.caller.TenantID)
	var err error
	if o.idents, err = canonical(ids); err != nil {
		return IdentifierChange{}, err
	}
	o.effect = func(tx store.Tx) error { return store.Effect(ctx, tx) }
	if err := p.submit(ctx, &op{hand: o}); err != nil {
		return IdentifierChange{}, err
	}
	return o.answer, nil
}

// canonical makes what a tenant gives canonical. It is made blind in the transaction, which knows under
// which versions of the index key.
func canonical(ids []Identifier) ([]subject.Identifier, error) {
	if len(ids) == 0 {
		return nil, fault.New(fault.Invalid, "find.no_identifiers", "no identifiers were given").
			WithHint(`send {"identifiers":[{"type":"email","value":"…"}]}`)
	}
	out := make([]subject.Identifier, len(ids))
	for i, in := range ids {
		value, ok := subject.Canonical(in.Type, []byte(in.Value))
		if in.Type == "" || !ok {
			return nil, fault.New(fault.Invalid, "identifier.bad_value", "the value of identifiers[%d] can't be one of its type", i).
				WithHint("an email has one @; a phone is written with + and its country code")
		}
		out[i] = subject.Identifier{Type: in.Type, Value: value}
	}
	return out, nil
}

func (g *group) changeByHand() error {
	for _, o := range g.ops {
		if o.hand == nil {
			continue
		}
		if err := g.byHand(o); err != nil {
			return err
		}
	}
	return nil
}

// handChanged is the ledger's entry on identifiers changed by hand.
type handChanged struct {
	Subject     id.Subject `json:"subject"`
	Types       []string   `json:"types"` // of the identifiers
	Changed     int        `json:"changed"`
	Token       string     `json:"token"`
	Identifiers int        `json:"identifiers"`
}

func (g *group) byHand(o *op) error {
	h := o.hand
	head, err := g.p.headOf(g.tx, h.caller.Tenant, h.subject)
	if err != nil {
		return o.failed(err)
	}
	blind := blindUnder(g.index, h.caller.TenantID)
	for i := range h.idents {
		blind.set(&h.idents[i])
	}
	say := &subject.Say{Tenant: h.caller.Tenant, Identifiers: h.idents, Join: true, Trust: term.Server, Source: h.caller.Token, At: g.now.UnixMilli()}
	graph := subject.NewGraph(nil)
	graph.Want(say)
	if err := graph.Load(g.tx, g.p.Subjects); err != nil {
		return err
	}
	if err := graph.LoadRows(g.tx, g.p.Subjects, map[subject.Key]bool{head.Key: true}); err != nil {
		return err
	}
	p := graph.Row(head.Key)
	h.answer = IdentifierChange{}
	for i := range h.idents {
		changed := false
		if h.verb == "retire" {
			changed, err = graph.Retire(p, &h.idents[i], say.At)
		} else if err = g.maySpeakOf(h, &h.idents[i], graph); err == nil {
			p, changed, err = graph.Link(say, p, &h.idents[i])
		}
		if err != nil {
			return o.failed(err)
		}
		if changed {
			h.answer.Changed++
		}
	}
	if err := h.effect(g.tx); err != nil { // before any write: the group goes on without this op
		return o.failed(err)
	}
	g.graph = graph
	if err := g.flush(); err != nil {
		return err
	}
	h.answer.Subject = p.Subject
	refs, err := g.enter(ledger.Draft{Kind: h.verb, Tenant: h.caller.TenantID, At: g.now, Body: handChanged{Subject: p.Subject,
		Types: typesOf(h.idents), Changed: h.answer.Changed, Token: h.caller.Token, Identifiers: len(h.idents)}})
	if err != nil {
		return fmt.Errorf("enter %s of %s: %w", h.verb, p.Subject, err)
	}
	h.answer.Ledger = refs[0]
	if h.answer.Changed > 0 {
		return g.notify("correction", h.caller.TenantID, p, refs[0])
	}
	return nil
}

// maySpeakOf refuses an identifier that nobody has and that must not come back.
func (g *group) maySpeakOf(h *handOp, ident *subject.Identifier, graph *subject.Graph) error {
	if graph.Held(subject.BindingKey{Tenant: h.caller.Tenant, Digest: ident.Digest}) {
		return nil
	}
	k := subject.BindingKey{Tenant: h.caller.Tenant, Digest: g.p.Vault.Suppressor(h.caller.TenantID).Identifier(ident.Type, ident.Value)}
	suppressed := false
	if err := g.p.Subjects.Suppressed(g.tx, []subject.BindingKey{k}, func(subject.BindingKey) { suppressed = true }); err != nil {
		return fmt.Errorf("look for suppressed identifiers: %w", err)
	}
	if suppressed {
		return fault.New(fault.Conflict, "subject.suppressed", "whoever had this identifier was erased and must not come back")
	}
	return nil
}

func typesOf(idents []subject.Identifier) []string {
	var types []string
	for i := range idents {
		types = addName(types, idents[i].Type)
	}
	return types
}
