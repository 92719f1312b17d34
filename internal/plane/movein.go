package plane

import (
	"context"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/transit"
	"domicile.dev/internal/vault"
)

// arrivingBody is what the target knows of a move, sealed under the key of who arrives.
type arrivingBody struct {
	Private []byte `json:",omitempty"` // the move's key; gone when the move is done
	Hello   transit.Hello
	Pages   uint32 // that have come, Hello included
	Next    string // the source's cursor after them
	Records int64
	Person  []byte `json:",omitempty"` // transit.Person as it came
	Ack     *Ack   `json:",omitempty"`
	Entry   id.Entry
	Index   int64
	Head    id.Subject // when done
}

// Arriving is how far a move is at the target.
type Arriving struct {
	Move    string
	From    string
	State   MoveState
	Public  []byte // what the source seals to; nil when the move is over
	Subject id.Subject
	Pages   uint32
	Next    string
	Records int64
}

// OpenMove makes the key of a move from another region, and the subject that will be the person here.
// Nobody sees that subject before ActivateMove.
func (p *Plane) OpenMove(ctx context.Context, c *tenant.Caller, from string) (out Arriving, err error) {
	if from == p.Region || p.opt.URLs[from] == "" {
		return out, fault.New(fault.Invalid, "move.unknown_region", "that is no other region whose address this node knows").
			WithHint("add it to peers in the node's configuration")
	}
	key, err := transit.NewKey()
	if err != nil {
		return out, err
	}
	private, err := key.Bytes()
	if err != nil {
		return out, fmt.Errorf("encode a move's key: %w", err)
	}
	err = p.step(ctx, c, func(g *group) error {
		if _, err := p.Vault.Fence(g.tx); err != nil {
			return err
		}
		m := &Move{Tenant: c.Tenant, ID: id.New("mov_"+p.Region, 15), In: true, Peer: from, State: MoveArriving, Subject: id.NewSubject(), At: g.now.UnixMilli()}
		w, own, err := p.Vault.Mint(c.TenantID, m.Subject)
		if err != nil {
			return fmt.Errorf("mint key of %s: %w", m.Subject, err)
		}
		row := &subject.Row{Key: subject.Key{Tenant: c.Tenant, Subject: m.Subject}, Head: m.Subject, State: subject.Arriving,
			CreatedAt: m.At, Epoch: w.Epoch, Wrapped: w.Bytes}
		if err := p.Subjects.InsertRows(g.tx, []*subject.Row{row}); err != nil {
			return fmt.Errorf("insert who arrives: %w", err)
		}
		body := arrivingBody{Private: private}
		if err := p.sealBody(c, m, own, &body); err != nil {
			return err
		}
		if err := p.Moves.PutMove(g.tx, m); err != nil {
			return fmt.Errorf("keep move %s: %w", m.ID, err)
		}
		out, err = arriving(m, &body)
		return err
	})
	return out, err
}

func arriving(m *Move, b *arrivingBody) (Arriving, error) {
	out := Arriving{Move: m.ID, From: m.Peer, State: m.State, Subject: m.Subject, Pages: b.Pages, Next: b.Next, Records: b.Records}
	if len(b.Private) > 0 {
		k, err := transit.ParseKey(b.Private)
		if err != nil {
			return out, err
		}
		out.Public = k.Public()
	}
	return out, nil
}

// comer returns a move into this region, what is known of it, and the row and key of who arrives.
func (p *Plane) comer(tx store.Tx, c *tenant.Caller, moveID string, states ...MoveState) (*Move, *arrivingBody, *subject.Row, *seal.Key, error) {
	m, err := p.load(tx, c, moveID, true, states...)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	var row *subject.Row
	if err := p.Subjects.Rows(tx, []subject.Key{{Tenant: c.Tenant, Subject: m.Subject}}, func(r subject.Row) { row = &r }); err != nil {
		return nil, nil, nil, nil, fmt.Errorf("load who arrives: %w", err)
	}
	if row == nil {
		return nil, nil, nil, nil, refused{p.notThere(tx, subject.Key{Tenant: c.Tenant, Subject: m.Subject})}
	}
	key, err := p.open(row)
	if err != nil {
		return nil, nil, nil, nil, fmt.Errorf("open key of %s: %w", row.Subject, err)
	}
	body := &arrivingBody{}
	return m, body, row, key, p.openBody(c, m, key, body)
}

// TakePage takes page n of a move: 0 is what the source says of itself, the others are records. They
// are sealed anew under the key of who arrives. A page that came before changes nothing.
//
// Errors: NotFound move.unknown; Conflict move.wrong_state, move.page_order; Invalid move.altered,
// move.malformed.
func (p *Plane) TakePage(ctx context.Context, c *tenant.Caller, moveID string, n uint32, sealed []byte) (out Arriving, err error) {
	t := taking{p: p, c: c, n: n}
	err = p.view(ctx, c, func(tx store.Tx) error { return t.prepare(tx, moveID, sealed) })
	if err != nil {
		return out, unrefused(err)
	}
	err = p.step(ctx, c, func(g *group) error {
		m, body, _, key, err := p.comer(g.tx, c, moveID, MoveArriving, MoveArrived)
		if err != nil {
			return err
		}
		if n < body.Pages {
			out, err = arriving(m, body)
			return err
		}
		if n > body.Pages || n > 0 && t.page.From != body.Next {
			return refused{fault.New(fault.Conflict, "move.page_order", "that is not the page which comes next").With("pages", body.Pages).With("next", body.Next).
				WithHint("go on from pages and next")}
		}
		if n == 0 {
			body.Hello = t.hello
		} else if err := t.append(g, m, body); err != nil {
			return err
		}
		body.Pages++
		if err := p.sealBody(c, m, key, body); err != nil {
			return err
		}
		if err := p.Moves.PutMove(g.tx, m); err != nil {
			return fmt.Errorf("keep move %s: %w", m.ID, err)
		}
		out, err = arriving(m, body)
		return err
	})
	return out, err
}

// taking is one page on its way in. What is costly is done before the commit gate is held.
type taking struct {
	p *Plane
	c *tenant.Caller
	n uint32

	hello   transit.Hello
	page    transit.Page
	chunks  []*record.Chunk
	clients [][12]byte // for Arrived
}

// prepare opens the page and seals its records anew.
func (t *taking) prepare(tx store.Tx, moveID string, sealed []byte) error {
	m, body, row, key, err := t.p.comer(tx, t.c, moveID, MoveArriving, MoveArrived)
	if err != nil {
		return err
	}
	if t.n < body.Pages {
		return nil // it has come before
	}
	k, err := transit.ParseKey(body.Private)
	if err != nil {
		return err
	}
	part := transit.PartPage
	if t.n == 0 {
		part = transit.PartHello
	}
	plain, err := k.Open(t.p.route(t.c, m), part, t.n, sealed)
	if err != nil {
		return refused{err}
	}
	defer clear(plain)
	if t.n == 0 {
		t.hello, err = transit.DecodeHello(plain)
	} else if t.page, err = transit.DecodePage(plain); err == nil {
		err = t.sealAnew(m.ID, row.Subject, key)
	}
	if err != nil {
		return refused{err}
	}
	return nil
}

// sealAnew makes chunks of the page's records. Those received together share one, as they did.
func (t *taking) sealAnew(move string, s id.Subject, key *seal.Key) error {
	bind, blind := t.p.binder(t.c.TenantID), t.p.Vault.Blinder(t.c.TenantID)
	var chunk *record.Chunk
	var n uint32 // nonce counter in the chunk
	var nobody *seal.Key
	for i := range t.page.Records {
		r := &t.page.Records[i]
		kind := t.p.Rules.Kind(r.Service, r.Kind)
		if kind == nil {
			return fault.New(fault.Conflict, "move.undeclared_kind", "a record is of a kind that the programme here doesn't declare").
				WithHint("run both regions with the same programme")
		}
		if r.ReceivedAt > t.p.now().Add(clocksApart).UnixMilli() {
			return fault.New(fault.Invalid, "move.future", "a record was received in the future").WithHint("set the clocks of both regions")
		}
		if chunk == nil || chunk.ReceivedAt != r.ReceivedAt {
			chunk = &record.Chunk{ID: id.NewChunk(), Tenant: t.c.Tenant, ReceivedAt: r.ReceivedAt}
			n, nobody = 0, t.p.Vault.Nobody(t.c.TenantID, chunk.ID)
			t.chunks = append(t.chunks, chunk)
		}
		rec := id.Record{Chunk: chunk.ID, Ordinal: uint32(len(chunk.Records))}
		out := record.Sealed{Ordinal: rec.Ordinal, OccurredAt: r.OccurredAt}
		var categories []uint16
		var clientID []byte
		for j := range r.Parts {
			f := &r.Parts[j]
			if named, _, _ := f.Split(); len(named) > 0 {
				clientID = named
			}
			owner, k := s, key
			if f.Nobody {
				owner, k = id.Nobody, nobody
			}
			category := f.Category
			if !slices.ContainsFunc(kind.Parts(), func(p ingest.Part) bool { return p.Category == category }) {
				category = term.Unclassified // an older programme declared it
			}
			sealed := bind.Seal(nil, k, owner, rec, n, category, seal.Pack(nil, f.Plain))
			out.Parts = append(out.Parts, record.Part{Subject: owner, Sealed: sealed, N: n})
			categories = append(categories, t.p.shapes.category(category))
			n++
		}
		if len(clientID) > 0 { // what tells records of one client id apart isn't known: their old ids do
			out.ClientKey = blind.ClientKey(r.Source, r.Service+"/"+r.Kind, move+" "+r.ID, clientID)
			if again[r.Adapter] {
				t.clients = append(t.clients, arrivedKey(blind, r.Adapter, r.Service, r.Kind, clientID))
			}
		}
		out.Shape = t.p.shapes.of(t.p.Rules, kind, r.Source, categories)
		chunk.Records = append(chunk.Records, out)
	}
	return nil
}

// clocksApart is how far the clocks of two regions may differ.
const clocksApart = 5 * time.Minute

// again are the adapters whose clients may send to another region what they sent before: of their
// records the client's id alone says whether they are the same.
var again = map[string]bool{term.AdapterSegment: true, term.AdapterNative: true}

// arrivedKey is what a record that came with somebody who moved has in common with a late retry of it,
// whatever source that comes by.
func arrivedKey(blind *vault.Blinder, adapter, service, kind string, clientID []byte) [12]byte {
	return blind.ClientKey("arrived/"+adapter, service+"/"+kind, "", clientID)
}

// append writes the page's records, which nobody can read before the person is at home here.
func (t *taking) append(g *group, m *Move, body *arrivingBody) error {
	a, err := t.p.Log.Append(g.tx, t.chunks)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	g.appended = a
	for i := range a.Outcome {
		for _, duplicate := range a.Outcome[i] {
			if duplicate { // then it would be lost, once the source lets go
				return fmt.Errorf("a record of move %s is taken for another", m.ID)
			}
			body.Records++
		}
	}
	body.Next = t.page.Next
	if len(t.clients) > 0 {
		if err := t.p.Moves.PutArrived(g.tx, m.Tenant, m.ID, t.clients); err != nil {
			return fmt.Errorf("note which records came: %w", err)
		}
	}
	return nil
}

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
		next := Ack{Move: m.ID, Subject: row.Subject, Next: body.Next, Records: body.Records, Person: personMAC(body.Hello.AckKey, doc)}
		if was := body.Ack; was != nil && was.Next == next.Next && was.Records == next.Records && string(was.Person) == string(next.Person) {
			ack = *was
			return nil
		}
		if err := g.mayArrive(c, person); err != nil {
			return err
		}
		refs, err := g.enter(ledger.Draft{Kind: "move.arrived", Tenant: c.TenantID, At: g.now, Body: map[string]any{"move": m.ID, "subject": row.Subject,
			"from": m.Peer, "records": body.Records, "identifiers": len(person.Identifiers), "token": c.Token}})
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
		keys = append(keys, subject.BindingKey{Tenant: c.Tenant, Digest: sup.Identifier(i.Type, []byte(i.Value))})
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
		done := arrivingBody{Pages: body.Pages, Next: body.Next, Records: body.Records, Entry: refs[0].Entry, Index: refs[0].Index, Head: head}
		if err := m.to(MoveDone); err != nil {
			return err
		}
		if err := p.sealBody(c, m, key, &done); err != nil {
			return err
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
	blind, sup := p.Vault.Blinder(c.TenantID), p.Vault.Suppressor(c.TenantID)
	graph := subject.NewGraph(nil)
	say := subject.Say{Tenant: c.Tenant, Join: true}
	var bindings []*subject.Binding
	var back []subject.BindingKey
	for _, i := range person.Identifiers {
		value := []byte(i.Value)
		b := &subject.Binding{BindingKey: subject.BindingKey{Tenant: c.Tenant, Digest: blind.Identifier(i.Type, value)}, Subject: row.Subject, Type: i.Type,
			Claimed: i.Claimed, Solo: i.Solo, Source: i.Source, KeyVersion: blind.KeyVersion(), CreatedAt: i.CreatedAt,
			Sealed: seal.SealBytes(key, p.identifierAD(c.TenantID, row.Subject, i.Type), value)}
		bindings = append(bindings, b)
		back = append(back, subject.BindingKey{Tenant: c.Tenant, Digest: sup.Identifier(i.Type, value)})
		say.Identifiers = append(say.Identifiers, subject.Identifier{Type: i.Type, Digest: b.Digest})
	}
	graph.Want(&say)
	if err := graph.Load(g.tx, p.Subjects); err != nil {
		return head, err
	}
	if err := graph.LoadRows(g.tx, p.Subjects, map[subject.Key]bool{row.Key: true}); err != nil {
		return head, err
	}
	var state subject.State
	for bit, on := range map[subject.State]bool{subject.Trusted: person.Trusted, subject.Known: person.Known, subject.Public: person.Public, subject.Restricted: person.Restricted} {
		if on {
			state |= bit
		}
	}
	who := graph.Arrive(row.Key, state, bindings)
	if err := graph.Flush(g.tx, p.Subjects); err != nil {
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
	for k, n := range graph.Refusals {
		g.refused = add(g.refused, refusalKey{k.Tenant, k.Source, k.Reason, ""}, int64(n))
	}
	g.graph = graph
	return who.Subject, g.enterMerges()
}

// cancelArrival destroys the key of who was to arrive.
func (g *group) cancelArrival(c *tenant.Caller, m *Move, proof []byte) error {
	if m.State == MoveEnded {
		return nil
	}
	m, body, row, _, err := g.p.comer(g.tx, c, m.ID, MoveArriving, MoveArrived)
	if err != nil {
		return err
	}
	if m.State == MoveArrived && !transit.Reveals(proof, body.Hello.Cancel) {
		return refused{badProof()} // the person may be at home here already, for all that is known here
	}
	return g.endArrival(c, m, row)
}

func (g *group) endArrival(c *tenant.Caller, m *Move, row *subject.Row) error {
	if _, err := g.p.Vault.Fence(g.tx); err != nil {
		return err
	}
	by := g.p.Vault.UnrecoverableBy(g.now).UTC().Truncate(time.Millisecond)
	tomb := &subject.Tomb{Key: row.Key, Head: row.Subject, ErasedAt: g.now.UnixMilli(), UnrecoverableBy: by.UnixMilli(), MovedTo: m.Peer, Move: m.ID}
	if err := g.p.Subjects.Erase(g.tx, []*subject.Tomb{tomb}); err != nil {
		return fmt.Errorf("destroy keys: %w", err)
	}
	if err := g.tell("move", row.Key); err != nil {
		return err
	}
	g.destroyed = append(g.destroyed, vault.Wrapped{Epoch: row.Epoch, Bytes: row.Wrapped})
	m.Body = []byte{}
	return g.end(c, m)
}

// How long a move may stay open at the target before it acknowledged anything.
const moveOpenFor = 7 * 24 * time.Hour

// endStaleMoves calls off moves that nobody carried to their end in time, as far as the source can't
// have let go: those of which nothing was acknowledged.
func (p *Plane) endStaleMoves(ctx context.Context) error {
	if p.Moves == nil {
		return nil
	}
	var stale []*Move
	err := p.DB.View(ctx, func(tx store.Tx) error {
		return p.Moves.StaleMoves(tx, MoveArriving, p.now().Add(-moveOpenFor).UnixMilli(), 100, func(m *Move) { stale = append(stale, m) })
	})
	if err != nil {
		return fmt.Errorf("list open moves: %w", err)
	}
	for _, m := range stale {
		tid := p.tenantOf(m.Tenant)
		if tid == "" {
			continue // nobody of that tenant has called since this node started
		}
		c := &tenant.Caller{Tenant: m.Tenant, TenantID: tid}
		if _, err := p.CancelMove(ctx, c, m.ID, nil); err != nil && fault.KindOf(err) != fault.Conflict {
			return fmt.Errorf("end move %s: %w", m.ID, err)
		}
	}
	return nil
}

// MoveStatus is how far a move is here.
type MoveStatus struct {
	Arriving          // at the target; Move, State and Subject hold at the source, too
	In       bool     //
	To       string   // at the source
	Departed Departed // at the source, when the person has moved
	Cancel   []byte   // at the source, when the move was called off: the proof of that
}

// LastMove returns the move by which the person whom s belongs to is about to leave, else the last one
// that was called off.
//
// Errors: NotFound, also move.unknown when there was none; Gone; WrongRegion.
func (p *Plane) LastMove(ctx context.Context, c *tenant.Caller, s id.Subject) (out MoveStatus, err error) {
	var last *Move
	err = p.view(ctx, c, func(tx store.Tx) error {
		pers, err := p.personOf(tx, c.Tenant, s)
		if err != nil {
			return err
		}
		return p.Moves.MovesOf(tx, c.Tenant, pers.subjects(), func(m *Move) {
			if !m.In && (last == nil || m.State == MoveLeaving || last.State != MoveLeaving && m.At > last.At) {
				last = m
			}
		})
	})
	switch {
	case err != nil:
		return out, err
	case last == nil:
		return out, fault.New(fault.NotFound, "move.unknown", "the person is not about to move")
	}
	return p.MoveStatus(ctx, c, last.ID)
}

// MoveStatus returns how far a move is.
//
// Errors: NotFound move.unknown.
func (p *Plane) MoveStatus(ctx context.Context, c *tenant.Caller, moveID string) (out MoveStatus, err error) {
	err = p.view(ctx, c, func(tx store.Tx) error {
		m, err := p.Moves.Move(tx, c.Tenant, moveID)
		if err != nil {
			return fmt.Errorf("load move: %w", err)
		}
		if m == nil {
			return unknownMove()
		}
		out = MoveStatus{In: m.In, Arriving: Arriving{Move: m.ID, State: m.State, Subject: m.Subject}}
		switch {
		case m.In && m.State == MoveEnded:
			out.From = m.Peer
		case m.In:
			_, body, _, _, err := p.comer(tx, c, moveID, m.State)
			if err != nil {
				return unrefused(err)
			}
			out.Arriving, err = arriving(m, body)
			return err
		default:
			out.To = m.Peer
			if m.gone() {
				out.Departed, err = p.departed(c, m)
			} else if m.State == MoveEnded {
				body, err := p.leavingBody(c, m)
				out.Cancel = body.Cancel
				return err
			}
			return err
		}
		return nil
	})
	return out, err
}
