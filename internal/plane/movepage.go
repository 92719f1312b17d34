package plane

import (
	"context"
	"encoding/json"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
)

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
		if err := p.nonePending(tx, c, found); err != nil {
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
	pers, err := p.mover(tx, c, m.Subject)
	if err != nil {
		return nil, body, nil, err
	}
	if membersDigest(pers.subjects()) != body.Members {
		return nil, body, nil, refused{fault.New(fault.Conflict, "move.changed", "since the move began the person was joined with somebody, or something came of a conversation of theirs without a name").
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
		doc.Identifiers = append(doc.Identifiers, transit.Identifier{Type: b.Type, Value: string(value), Claimed: b.Claimed, Solo: b.Solo, Source: b.Source, CreatedAt: b.CreatedAt, RetiredAt: b.RetiredAt})
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
	if err := p.packSaid(tx, c, pers, &doc); err != nil {
		return nil, err
	}
	if err := p.packResidence(tx, all, &doc); err != nil {
		return nil, err
	}
	doc.Sort()
	return json.Marshal(doc)
}
