package plane

import (
	"context"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/transit"
	"domicile.dev/internal/vault"
)

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
	records []ArrivedRecord
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
	bind, clients := t.p.binder(t.c.TenantID), t.p.Vault.Clients(t.c.TenantID)
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
		was, err := id.ParseRecord(r.ID)
		if err != nil {
			return fault.New(fault.Invalid, "move.malformed", "a record's id is none").WithHint("both regions must run the same version of domicile")
		}
		t.records = append(t.records, ArrivedRecord{Source: was, Record: rec})
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
			out.ClientKey = clients.ClientKey(r.Source, r.Service+"/"+r.Kind, move+" "+r.ID, clientID)
			if again[r.Adapter] {
				t.clients = append(t.clients, arrivedKey(clients, r.Adapter, r.Service, r.Kind, clientID))
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
func arrivedKey(clients *vault.Clients, adapter, service, kind string, clientID []byte) [12]byte {
	return clients.ClientKey("arrived/"+adapter, service+"/"+kind, "", clientID)
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
	if err := t.p.Moves.PutArrivedRecords(g.tx, m.Tenant, m.ID, t.records); err != nil {
		return fmt.Errorf("note which records became which: %w", err)
	}
	if len(t.clients) > 0 {
		if err := t.p.Moves.PutArrived(g.tx, m.Tenant, m.ID, t.clients); err != nil {
			return fmt.Errorf("note which records came: %w", err)
		}
	}
	return nil
}
