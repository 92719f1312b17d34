package plane

import (
	"context"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

// Arrive takes who the person is, after the last page, and acknowledges that all is durable. Again with
// the same: the same answer; with more pages or another person in between, another one.
//
// Errors: NotFound move.unknown; Conflict move.wrong_state, move.page_order, subject.suppressed;
// Invalid move.altered, move.malformed.
func (p *Plane) Arrive(ctx context.Context, c *tenant.Caller, moveID string, sealed []byte) (ack Ack, err error) {
	err = p.step(ctx, c, func(g *group) error {
		m, body, row, key, err := p.comer(g.tx, c, moveID, MoveArriving, MoveArrived)
		if err != nil {
			return err
		}
		if body.Pages == 0 {
			return refused{fault.New(fault.Conflict, "move.page_order", "page 0 has not come").With("pages", 0)}
		}
		doc, person, err := p.person(c, m, body, sealed)
		if err != nil {
			return refused{err}
		}
		defer clear(doc)
		var media []MediumAt
		if err := p.Moves.ArrivedMedia(g.tx, c.Tenant, m.ID, func(a MediumAt) { media = append(media, a) }); err != nil {
			return fmt.Errorf("list media that came: %w", err)
		}
		next := Ack{Move: m.ID, Subject: row.Subject, Next: body.Next, Records: body.Records, Person: personMAC(body.Hello.AckKey, doc), Media: mediaMAC(body.Hello.AckKey, media)}
		if was := body.Ack; was != nil && was.Next == next.Next && was.Records == next.Records && string(was.Person) == string(next.Person) && string(was.Media) == string(next.Media) {
			ack = *was
			return nil
		}
		if err := g.mayArrive(c, person); err != nil {
			return err
		}
		refs, err := g.enter(ledger.Draft{Kind: "move.arrived", Tenant: c.TenantID, At: g.now, Body: map[string]any{"move": m.ID, "subject": row.Subject,
			"from": m.Peer, "records": body.Records, "media": len(media), "identifiers": len(person.Identifiers), "token": c.Token}})
		if err != nil {
			return fmt.Errorf("enter an arrival: %w", err)
		}
		next.Entry = refs[0].Entry
		next.MAC = next.mac(body.Hello.AckKey)
		body.Ack, body.Person, ack = &next, doc, next
		if err := m.to(MoveArrived); err != nil {
			return err
		}
		if err := p.sealBody(c, m, key, body); err != nil {
			return err
		}
		if err := p.Moves.PutMove(g.tx, m); err != nil {
			return fmt.Errorf("keep move %s: %w", m.ID, err)
		}
		return nil
	})
	return ack, err
}

// person opens and reads who arrives.
func (p *Plane) person(c *tenant.Caller, m *Move, body *arrivingBody, sealed []byte) ([]byte, transit.Person, error) {
	k, err := transit.ParseKey(body.Private)
	if err != nil {
		return nil, transit.Person{}, err
	}
	doc, err := k.Open(p.route(c, m), transit.PartPerson, 0, sealed)
	if err != nil {
		return nil, transit.Person{}, err
	}
	person, err := transit.DecodePerson(doc)
	return doc, person, err
}

// mayArrive refuses somebody who asked this region to keep them out.
func (g *group) mayArrive(c *tenant.Caller, person transit.Person) error {
	sup := g.p.Vault.Suppressor(c.TenantID)
	var keys []subject.BindingKey
	for _, i := range person.Identifiers {
		if value, ok := subject.Canonical(i.Type, []byte(i.Value)); !ok || string(value) != i.Value {
			return refused{fault.New(fault.Invalid, "move.malformed", "an identifier is not in the form that is compared").
				WithHint("both regions must run the same version of domicile")}
		}
		if i.RetiredAt == 0 { // else it may be somebody else who was erased
			keys = append(keys, subject.BindingKey{Tenant: c.Tenant, Digest: sup.Identifier(i.Type, []byte(i.Value))})
		}
	}
	out := false
	if err := g.p.Subjects.Suppressed(g.tx, keys, func(subject.BindingKey) { out = true }); err != nil {
		return fmt.Errorf("look for suppressed identifiers: %w", err)
	}
	if out {
		return refused{fault.New(fault.Conflict, "subject.suppressed", "the person was erased here, and must not come back").
			WithHint("call the move off with domicile subject move --cancel")}
	}
	return nil
}

// Activated is a move that is done at the target.
type Activated struct {
	Subject id.Subject // the head of the person that they are here
	Records int64
	Ledger  ledger.Ref
}

// ActivateMove makes this region the person's home, on the source's proof that it no longer is. Where
// somebody here has one of the identifiers, they become one person by the usual rules. Again: the
// same answer.
//
// Errors: NotFound move.unknown; Conflict move.wrong_state, move.bad_proof.
func (p *Plane) ActivateMove(ctx context.Context, c *tenant.Caller, moveID string, proof []byte) (out Activated, err error) {
	err = p.step(ctx, c, func(g *group) error {
		m, body, row, key, err := p.comer(g.tx, c, moveID, MoveArrived, MoveDone)
		if err != nil {
			return err
		}
		if m.State == MoveDone {
			out = Activated{Subject: body.Head, Records: body.Records, Ledger: ledger.Ref{Entry: body.Entry, Index: body.Index}}
			return nil
		}
		if !transit.Reveals(proof, body.Hello.Release) {
			return refused{badProof()}
		}
		person, err := transit.DecodePerson(body.Person)
		if err != nil {
			return fmt.Errorf("read who arrives by %s: %w", m.ID, err)
		}
		head, err := g.settle(c, row, key, person)
		if err != nil {
			return err
		}
		refs, err := g.enter(ledger.Draft{Kind: "move.in", Tenant: c.TenantID, At: g.now, Body: map[string]any{"move": m.ID, "subject": row.Subject, "head": head,
			"from": m.Peer, "predecessor": person.Subject, "records": body.Records, "token": c.Token}})
		if err != nil {
			return fmt.Errorf("enter a move: %w", err)
		}
		done := arrivingBody{Pages: body.Pages, Next: body.Next, Records: body.Records, Entry: refs[0].Entry, Index: refs[0].Index, Head: head, After: wordKey(body.Hello.AckKey)}
		if err := m.to(MoveDone); err != nil {
			return err
		}
		if err := p.sealBody(c, m, key, &done); err != nil {
			return err
		}
		if err := p.Moves.DropArrival(g.tx, c.Tenant, m.ID); err != nil {
			return fmt.Errorf("drop what became what: %w", err)
		}
		if err := p.Moves.PutMove(g.tx, m); err != nil {
			return fmt.Errorf("keep move %s: %w", m.ID, err)
		}
		out = Activated{Subject: head, Records: body.Records, Ledger: refs[0]}
		return nil
	})
	return out, err
}

func badProof() error {
	return fault.New(fault.Conflict, "move.bad_proof", "that is not what the source reveals").WithHint("give the proof that the source answered, unchanged")
}

// settle makes who arrives somebody whom their identifiers lead to, and returns the head.
func (g *group) settle(c *tenant.Caller, row *subject.Row, key *seal.Key, person transit.Person) (head id.Subject, err error) {
	p := g.p
	blind, sup := blindUnder(g.index, c.TenantID), p.Vault.Suppressor(c.TenantID)
	graph := subject.NewGraph(nil)
	say := subject.Say{Tenant: c.Tenant, Join: true}
	var bindings []*subject.Binding
	var back []subject.BindingKey
	for _, i := range person.Identifiers {
		value := []byte(i.Value)
		ident := blind.identifier(i.Type, value)
		b := &subject.Binding{BindingKey: subject.BindingKey{Tenant: c.Tenant, Digest: ident.Digest}, Subject: row.Subject, Type: i.Type,
			Claimed: i.Claimed, Solo: i.Solo, Source: i.Source, KeyVersion: g.index.To, CreatedAt: i.CreatedAt, RetiredAt: i.RetiredAt,
			Sealed: seal.SealBytes(key, p.identifierAD(c.TenantID, row.Subject, i.Type), value)}
		bindings = append(bindings, b)
		if i.RetiredAt == 0 {
			back = append(back, subject.BindingKey{Tenant: c.Tenant, Digest: sup.Identifier(i.Type, value)})
		}
		say.Identifiers = append(say.Identifiers, ident)
	}
	graph.Want(&say)
	if err := graph.Load(g.tx, p.Subjects); err != nil {
		return head, err
	}
	if err := graph.LoadRows(g.tx, p.Subjects, map[subject.Key]bool{row.Key: true}); err != nil {
		return head, err
	}
	var state subject.State
	for bit, on := range map[subject.State]bool{subject.Trusted: person.Trusted, subject.Known: person.Known, subject.Public: person.Public, subject.Restricted: person.Restricted,
		subject.Spoken: len(person.Standings)+len(person.Words) > 0} {
		if on {
			state |= bit
		}
	}
	who := graph.Arrive(row.Key, state, bindings)
	if err := graph.Flush(g.tx, p.Subjects); err != nil {
		return head, err
	}
	if err := g.unpackResidence(row.Key, &person); err != nil {
		return head, err
	}
	if err := g.unpackSaid(c, row.Subject, &person); err != nil {
		return head, err
	}
	if why := person.Reasons["restricted"]; why != "" {
		sealed := seal.SealBytes(key, p.identifierAD(c.TenantID, row.Subject, "reason.restricted"), []byte(why))
		if err := p.Subjects.PutReason(g.tx, row.Key, "restricted", sealed); err != nil {
			return head, fmt.Errorf("keep the reason: %w", err)
		}
	}
	if len(back) > 0 { // who moved away from here once is back
		if err := p.Moves.DropMoved(g.tx, back); err != nil {
			return head, fmt.Errorf("drop an old address: %w", err)
		}
	}
	for _, k := range append(graph.Disturbed(), row.Key, who.Key) {
		if err := g.tell("move", k); err != nil {
			return head, err
		}
	}
	g.graph = graph
	if err := g.keepRefused(); err != nil {
		return head, err
	}
	return who.Subject, g.enterMerges()
}
