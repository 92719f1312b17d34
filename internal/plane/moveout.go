package plane

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

// leavingBody is what the source knows of a move. Its secrets are for nobody but the two regions,
// until they are revealed.
type leavingBody struct {
	Public  []byte // the target's key
	AckKey  []byte
	Release []byte // revealed when the person is gone from here
	Cancel  []byte // revealed when the move is called off
	Members string // membersDigest when it began
	Entry   id.Entry
	Index   int64
	Subject id.Subject // at the target, when moved
}

func (b *leavingBody) hello() transit.Hello {
	release, cancel := sha256.Sum256(b.Release), sha256.Sum256(b.Cancel)
	return transit.Hello{AckKey: b.AckKey, Release: release[:], Cancel: cancel[:]}
}

// Leaving is a move that began at the source.
type Leaving struct {
	Move   string
	To     string
	Hello  []byte // sealed, page 0
	Ledger ledger.Ref
}

// BeginMove lets the person whom s belongs to be copied to another region, whose key for the move
// called moveID is public. It is entered before anything can be copied. Where a move to that region
// has begun, it is that one which goes on, under its own id.
//
// Errors: NotFound; Gone; WrongRegion; Conflict hold.in_force, tenant.pinned and move.under_way;
// Invalid.
func (p *Plane) BeginMove(ctx context.Context, c *tenant.Caller, s id.Subject, to, moveID string, public []byte) (Leaving, error) {
	if err := p.mayMove(c, to, moveID, public); err != nil {
		return Leaving{}, err
	}
	body := leavingBody{Public: public}
	body.AckKey, _ = transit.NewSecret()
	body.Release, _ = transit.NewSecret()
	body.Cancel, _ = transit.NewSecret()
	var out Leaving
	err := p.step(ctx, c, func(g *group) error {
		pers, err := p.personOf(g.tx, c.Tenant, s)
		if err != nil {
			return refused{err}
		}
		if inForce(pers.head, g.now)&subject.Held != 0 {
			return refused{held(pers.head, "moved")}
		}
		m, err := p.openMove(g.tx, c, pers)
		if err != nil {
			return err
		}
		if m != nil {
			if m.Peer != to {
				return refused{underWay(m)}
			}
			out, err = p.leaving(c, m)
			return err
		}
		if taken, err := p.Moves.Move(g.tx, c.Tenant, moveID); err != nil || taken != nil {
			return firstError(err, refused{fault.New(fault.Conflict, "move.exists", "there was a move of that id").WithHint("begin another in the region that the person moves to")})
		}
		m = &Move{Tenant: c.Tenant, ID: moveID, Peer: to, State: MoveLeaving, Subject: pers.head.Subject, At: g.now.UnixMilli()}
		body.Members = membersDigest(pers.subjects())
		refs, err := g.enter(ledger.Draft{Kind: "move.begin", Tenant: c.TenantID, At: g.now, Body: map[string]any{"move": m.ID, "subject": m.Subject,
			"members_sha256": body.Members, "from": p.Region, "to": to, "token": c.Token}})
		if err != nil {
			return fmt.Errorf("enter a move: %w", err)
		}
		body.Entry, body.Index = refs[0].Entry, refs[0].Index
		if err := p.sealBody(c, m, p.Vault.MoveKey(c.TenantID, m.ID), &body); err != nil {
			return err
		}
		if err := p.Moves.PutMove(g.tx, m); err != nil {
			return fmt.Errorf("keep move %s: %w", m.ID, err)
		}
		out, err = p.leaving(c, m)
		return err
	})
	return out, err
}

func firstError(err, then error) error {
	if err != nil {
		return err
	}
	return then
}

// mayMove refuses what can't be said of the person alone.
func (p *Plane) mayMove(c *tenant.Caller, to, moveID string, public []byte) error {
	if pinned(c) {
		return fault.New(fault.Conflict, "tenant.pinned", "the tenant's settings pin its people to their regions").
			WithHint("lift it with domicile tenant settings set --unpin, in the region that the person leaves, and pin again afterwards")
	}
	if to == p.Region {
		return fault.New(fault.Invalid, "move.same_region", "the person is asked to move to where they are")
	}
	if p.opt.URLs[to] == "" {
		return fault.New(fault.Invalid, "move.unknown_region", "that is no region whose address this node knows").
			WithHint("add it to peers in the node's configuration")
	}
	if moveRegion(moveID) != to || len(moveID) > 64 {
		return fault.New(fault.Invalid, "move.bad_id", "the move's id is none of region %s", to).WithHint("begin with POST /api/v1/moves there")
	}
	return transit.CheckPublic(public)
}

func pinned(c *tenant.Caller) bool { return c.Settings != nil && c.Settings.Pin }

func underWay(m *Move) error {
	return fault.New(fault.Conflict, "move.under_way", "the person is about to move to region %s", m.Peer).With("move", m.ID).With("region", m.Peer).
		WithHint("finish that move, or call it off with domicile subject move --cancel")
}

// openMove returns the move by which the person is about to leave, nil when there is none.
func (p *Plane) openMove(tx store.Tx, c *tenant.Caller, pers *somebody) (found *Move, err error) {
	err = p.Moves.MovesOf(tx, c.Tenant, pers.subjects(), func(m *Move) {
		if m.State == MoveLeaving {
			found = m
		}
	})
	if err != nil {
		return nil, fmt.Errorf("look for moves: %w", err)
	}
	return found, nil
}

func (p *Plane) leaving(c *tenant.Caller, m *Move) (Leaving, error) {
	body, err := p.leavingBody(c, m)
	if err != nil {
		return Leaving{}, err
	}
	plain, err := json.Marshal(body.hello())
	if err != nil {
		return Leaving{}, fmt.Errorf("encode hello: %w", err)
	}
	sealed, err := transit.Seal(body.Public, p.route(c, m), transit.PartHello, 0, plain)
	return Leaving{Move: m.ID, To: m.Peer, Hello: sealed, Ledger: ledger.Ref{Entry: body.Entry, Index: body.Index}}, err
}

func (p *Plane) leavingBody(c *tenant.Caller, m *Move) (b leavingBody, err error) {
	return b, p.openBody(c, m, p.Vault.MoveKey(c.TenantID, m.ID), &b)
}

// SealedPage is one page on its way. More says that there are further records behind it now.
type SealedPage struct {
	Sealed []byte
	Next   string
	More   bool
}

// movePageBytes is about how much content one page carries; it ends after the record that goes beyond.
const movePageBytes = 1 << 20

// MovePage returns page n of somebody who is about to leave, from 1: records after a cursor, with the
// person's own parts and those that are about nobody, sealed to the target.
//
// Errors: NotFound move.unknown; Conflict move.wrong_state, and move.changed when the person has become
// another set of subjects since the move began: it is called off and begun anew.
func (p *Plane) MovePage(ctx context.Context, c *tenant.Caller, moveID string, n uint32, after string) (out SealedPage, err error) {
	from, err := parseCursor(after)
	if err != nil {
		return out, err
	}
	var m *Move
	var body leavingBody
	page := transit.Page{From: after, Next: after, Records: []transit.Record{}}
	err = p.view(ctx, c, func(tx store.Tx) error {
		var pers *somebody
		if m, body, pers, err = p.leaver(tx, c, moveID); err != nil {
			return err
		}
		found, more, err := p.Log.Find(tx, c.Tenant, pers.subjects(), record.Query{After: from, Limit: exportPage, Oldest: true})
		if err != nil {
			return fmt.Errorf("find records: %w", err)
		}
		keys, err := p.ownKeys(pers)
		if err != nil {
			return err
		}
		read := 0
		for size := 0; read < len(found) && size < movePageBytes; read++ {
			r, bytes, err := p.carry(c, &found[read], keys)
			if err != nil {
				return err
			}
			if size += bytes; len(r.Parts) > 0 {
				page.Records = append(page.Records, r)
			}
		}
		if read > 0 {
			page.Next = formatCursor(found[read-1].At)
		}
		out.More = more || read < len(found)
		return nil
	})
	if err != nil {
		return out, unrefused(err)
	}
	plain, err := json.Marshal(page)
	if err != nil {
		return out, fmt.Errorf("encode page: %w", err)
	}
	defer clear(plain)
	out.Next = page.Next
	out.Sealed, err = transit.Seal(body.Public, p.route(c, m), transit.PartPage, n, plain)
	return out, err
}

// unrefused takes the mark off a refusal that no group looks at.
func unrefused(err error) error {
	if r, ok := err.(refused); ok { //nolint:errorlint // it is outermost
		return r.error
	}
	return err
}

// leaver returns a move that is open, and the person as long as they are the same.
func (p *Plane) leaver(tx store.Tx, c *tenant.Caller, moveID string) (*Move, leavingBody, *somebody, error) {
	m, err := p.load(tx, c, moveID, false, MoveLeaving)
	if err != nil {
		return nil, leavingBody{}, nil, err
	}
	body, err := p.leavingBody(c, m)
	if err != nil {
		return nil, body, nil, err
	}
	pers, err := p.personOf(tx, c.Tenant, m.Subject)
	if err != nil {
		return nil, body, nil, refused{err}
	}
	if membersDigest(pers.subjects()) != body.Members {
		return nil, body, nil, refused{fault.New(fault.Conflict, "move.changed", "the person was joined with somebody since the move began").
			WithHint("call the move off and begin anew")}
	}
	return m, body, pers, nil
}

func (p *Plane) ownKeys(pers *somebody) (map[id.Subject]*seal.Key, error) {
	keys := make(map[id.Subject]*seal.Key, len(pers.rows))
	for _, r := range pers.rows {
		k, err := p.open(r)
		if err != nil {
			return nil, fmt.Errorf("open key of %s: %w", r.Subject, err)
		}
		keys[r.Subject] = k
	}
	return keys, nil
}

// carry opens the parts of a record that go along. bytes is how much they are.
func (p *Plane) carry(c *tenant.Caller, f *record.Found, keys map[id.Subject]*seal.Key) (r transit.Record, size int, err error) {
	r = transit.Record{ID: f.ID.String(), Service: f.Service, Kind: f.Kind, Source: f.Source, OccurredAt: f.OccurredAt, ReceivedAt: f.ReceivedAt}
	if p.opt.Adapter != nil {
		r.Adapter = p.opt.Adapter(f.Source)
	}
	bind := p.binder(c.TenantID)
	for i := range f.Parts {
		part := &f.Parts[i]
		key := keys[part.Subject]
		if part.Subject.IsNobody() {
			key = p.Vault.Nobody(c.TenantID, f.ID.Chunk)
		}
		if key == nil {
			continue // somebody else's
		}
		packed, err := bind.Open(nil, key, part.Subject, f.ID, part.N, part.Category, part.Sealed)
		if err != nil {
			return r, 0, fmt.Errorf("open part %d of %s: %w", i, f.ID, err)
		}
		plain, err := seal.Unpack(nil, packed, MaxPartBytes)
		if err != nil {
			return r, 0, fmt.Errorf("unpack part %d of %s: %w", i, f.ID, err)
		}
		r.Parts = append(r.Parts, transit.Fragment{Category: part.Category, Nobody: part.Subject.IsNobody(), Plain: plain})
		size += len(plain)
	}
	return r, size, nil
}

// MovePerson returns who is about to leave, sealed to the target.
//
// Errors as MovePage.
func (p *Plane) MovePerson(ctx context.Context, c *tenant.Caller, moveID string) (sealed []byte, err error) {
	var m *Move
	var body leavingBody
	var doc []byte
	err = p.view(ctx, c, func(tx store.Tx) error {
		var pers *somebody
		if m, body, pers, err = p.leaver(tx, c, moveID); err != nil {
			return err
		}
		doc, err = p.personDoc(tx, c, pers)
		return err
	})
	if err != nil {
		return nil, unrefused(err)
	}
	defer clear(doc)
	return transit.Seal(body.Public, p.route(c, m), transit.PartPerson, 0, doc)
}

// personDoc is the person as they go along: the same bytes as long as nothing changed.
func (p *Plane) personDoc(tx store.Tx, c *tenant.Caller, pers *somebody) ([]byte, error) {
	st := pers.head.State
	doc := transit.Person{Subject: pers.head.Subject.String(), CreatedAt: pers.head.CreatedAt, Trusted: st&subject.Trusted != 0,
		Known: st&subject.Known != 0, Public: st&subject.Public != 0, Restricted: st&subject.Restricted != 0, Identifiers: []transit.Identifier{}}
	keys, err := p.ownKeys(pers)
	if err != nil {
		return nil, err
	}
	all := make([]subject.Key, len(pers.rows))
	for i, r := range pers.rows {
		all[i] = r.Key
		doc.Members = append(doc.Members, r.Subject.String())
	}
	var bindings []subject.Binding
	if err := p.Subjects.BindingsOf(tx, all, func(b subject.Binding) { bindings = append(bindings, b) }); err != nil {
		return nil, fmt.Errorf("load identifiers: %w", err)
	}
	for _, b := range bindings {
		value, err := seal.OpenBytes(keys[b.Subject], p.identifierAD(c.TenantID, b.Subject, b.Type), b.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open an identifier of %s: %w", b.Subject, err)
		}
		doc.Identifiers = append(doc.Identifiers, transit.Identifier{Type: b.Type, Value: string(value), Claimed: b.Claimed, Solo: b.Solo, Source: b.Source, CreatedAt: b.CreatedAt})
	}
	if doc.Restricted {
		reasons, err := p.reasonsOf(tx, c, pers)
		if err != nil {
			return nil, err
		}
		if why := reasons["restricted"]; why != "" {
			doc.Reasons = map[string]string{"restricted": why}
		}
	}
	doc.Sort()
	return json.Marshal(doc)
}
