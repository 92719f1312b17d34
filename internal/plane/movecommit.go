package plane

import (
	"bytes"
	"context"
	"crypto/hmac"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

// Departed is a move that is done at the source. Proof makes the target the person's home.
type Departed struct {
	Move            string
	Region, URL     string
	Subject         id.Subject // at the target
	Proof           []byte
	UnrecoverableBy time.Time
	Ledger          ledger.Ref
}

// movedOut is the ledger's entry on somebody who left.
type movedOut struct {
	Move            string     `json:"move"`
	Subject         id.Subject `json:"subject"`
	MembersDigest   string     `json:"members_sha256"`
	To              string     `json:"to"`
	Arrived         id.Entry   `json:"arrived"` // the target's entry
	Successor       id.Subject `json:"successor"`
	Records         int64      `json:"records"`
	Identifiers     int        `json:"identifiers"`
	UnrecoverableBy time.Time  `json:"unrecoverable_by"`
	Token           string     `json:"token"`
}

// CommitMove ends the person's home here, in one transaction: the keys go, whoever asks for the person
// is sent to the target, and it is entered. It takes the target's word that it has everything, and
// finds in the same transaction that there is no more. Again: the same answer.
//
// Errors: NotFound move.unknown; Conflict move.behind when there is more by now, which is then
// carried before the next try; move.changed, hold.in_force, tenant.pinned, move.bad_ack.
func (p *Plane) CommitMove(ctx context.Context, c *tenant.Caller, ack Ack) (out Departed, err error) {
	err = p.step(ctx, c, func(g *group) error {
		if m, err := p.Moves.Move(g.tx, c.Tenant, ack.Move); err == nil && m != nil && !m.In && m.gone() {
			out, err = p.departed(c, m)
			return err
		}
		m, body, pers, err := p.leaver(g.tx, c, ack.Move)
		if err != nil {
			return err
		}
		if err := p.mayCommit(g, c, pers, &body, &ack); err != nil {
			return err
		}
		out, err = g.depart(c, m, &body, pers, &ack)
		return err
	})
	return out, err
}

// mayCommit says whether the target has everything, and whether the person may go.
func (p *Plane) mayCommit(g *group, c *tenant.Caller, pers *somebody, body *leavingBody, ack *Ack) error {
	if pinned(c) {
		return refused{p.mayMove(c, "", "", nil)}
	}
	if inForce(pers.head, g.now)&subject.Held != 0 {
		return refused{held(pers.head, "moved")}
	}
	if !hmac.Equal(ack.mac(body.AckKey), ack.MAC) {
		return refused{fault.New(fault.Conflict, "move.bad_ack", "that is not what the target acknowledged").WithHint("give the target's answer to :arrive, unchanged")}
	}
	after, err := parseCursor(ack.Next)
	if err != nil {
		return refused{err}
	}
	behind := refused{fault.New(fault.Conflict, "move.behind", "more is known of the person than the target has").
		WithHint("carry the pages that follow, the media that are missing and the person again, then commit")}
	if err := p.mayLeave(g.tx, pers); err != nil {
		return err
	}
	more, _, err := p.Log.Find(g.tx, c.Tenant, pers.subjects(), record.Query{After: after, Limit: 1, Oldest: true})
	if err != nil {
		return fmt.Errorf("look for further records: %w", err)
	}
	doc, err := p.personDoc(g.tx, c, pers)
	if err != nil {
		return err
	}
	defer clear(doc)
	media, err := p.movingMedia(g.tx, c, pers)
	if err != nil {
		return err
	}
	if len(more) > 0 || !hmac.Equal(personMAC(body.AckKey, doc), ack.Person) || !hmac.Equal(mediaMAC(body.AckKey, media), ack.Media) {
		return behind
	}
	return nil
}

// depart destroys the person's keys and leaves where they are.
func (g *group) depart(c *tenant.Caller, m *Move, body *leavingBody, pers *somebody, ack *Ack) (Departed, error) {
	p := g.p
	if _, err := p.Vault.Fence(g.tx); err != nil {
		return Departed{}, err
	}
	e := &erasure{head: pers.head, rows: pers.rows, records: ack.Records}
	keys := make([]subject.Key, len(pers.rows))
	for i, r := range pers.rows {
		keys[i] = r.Key
	}
	if err := p.Subjects.BindingsOf(g.tx, keys, func(b subject.Binding) { e.bindings = append(e.bindings, b) }); err != nil {
		return Departed{}, fmt.Errorf("load identifiers: %w", err)
	}
	g.blindErased(e)
	if err := g.leaveAddress(c, m, e); err != nil {
		return Departed{}, err
	}
	if err := g.dropClaims([]*erasure{e}); err != nil {
		return Departed{}, err
	}
	if err := g.keepTold(c, m, body, pers); err != nil {
		return Departed{}, err
	}
	by := p.Vault.UnrecoverableBy(g.now).UTC().Truncate(time.Millisecond)
	refs, err := g.enter(ledger.Draft{Kind: "move.out", Tenant: c.TenantID, At: g.now, Body: movedOut{Move: m.ID, Subject: pers.head.Subject,
		MembersDigest: body.Members, To: m.Peer, Arrived: ack.Entry, Successor: ack.Subject, Records: ack.Records, Identifiers: len(e.bindings),
		UnrecoverableBy: by, Token: c.Token}})
	if err != nil {
		return Departed{}, fmt.Errorf("enter a move: %w", err)
	}
	tombs := make([]*subject.Tomb, len(pers.rows))
	for i, r := range pers.rows {
		tombs[i] = &subject.Tomb{Key: r.Key, Head: pers.head.Subject, ErasedAt: g.now.UnixMilli(), UnrecoverableBy: by.UnixMilli(), Records: ack.Records,
			Entry: refs[0].Entry, Index: refs[0].Index, Contested: (pers.head.State|r.State)&subject.Contested != 0,
			Spoken: (pers.head.State|r.State)&subject.Spoken != 0, HadState: (pers.head.State|r.State)&(subject.Restricted|subject.Held) != 0, MovedTo: m.Peer, Move: m.ID}
	}
	if err := p.Subjects.Erase(g.tx, tombs); err != nil {
		return Departed{}, fmt.Errorf("destroy keys: %w", err)
	}
	for _, r := range pers.rows {
		if err := g.tell("move", r.Key); err != nil {
			return Departed{}, err
		}
		g.destroyed = append(g.destroyed, vault.Wrapped{Epoch: r.Epoch, Bytes: r.Wrapped})
	}
	body.Entry, body.Index, body.Subject = refs[0].Entry, refs[0].Index, ack.Subject
	if err := m.to(MoveMoved); err != nil {
		return Departed{}, err
	}
	if err := p.sealBody(c, m, p.Vault.MoveKey(c.TenantID, m.ID), body); err != nil {
		return Departed{}, err
	}
	if err := p.Moves.PutMove(g.tx, m); err != nil {
		return Departed{}, fmt.Errorf("keep move %s: %w", m.ID, err)
	}
	out, err := p.departed(c, m)
	out.UnrecoverableBy = by
	return out, err
}

// leaveAddress notes of every identifier of the person where they moved, in keyed values. What only a
// browser said of them isn't noted when it is somebody else's.
func (g *group) leaveAddress(c *tenant.Caller, m *Move, e *erasure) error {
	others, err := g.heldByOthers(e)
	if err != nil {
		return err
	}
	sup := g.p.Vault.Suppressor(c.TenantID)
	var left []MovedFrom
	at := map[subject.BindingKey]int{}
	for _, b := range e.bindings {
		if b.Claimed && others[b.BindingKey] {
			continue
		}
		if n, seen := at[b.BindingKey]; seen {
			left[n].also(b.RetiredAt)
			continue
		}
		at[b.BindingKey] = len(left)
		value, err := g.valueOf(c.TenantID, e.rows, b)
		if err != nil {
			return err
		}
		left = append(left, MovedFrom{BindingKey: subject.BindingKey{Tenant: b.Tenant, Digest: sup.Identifier(b.Type, value)}, RetiredAt: b.RetiredAt})
	}
	if len(left) == 0 {
		return nil
	}
	if err := g.p.Moves.PutMoved(g.tx, left, sup.KeyVersion(), m.Peer, m.ID, g.now.UnixMilli()); err != nil {
		return fmt.Errorf("leave an address: %w", err)
	}
	return nil
}

func (p *Plane) departed(c *tenant.Caller, m *Move) (Departed, error) {
	body, err := p.leavingBody(c, m)
	return Departed{Move: m.ID, Region: m.Peer, URL: p.opt.URLs[m.Peer], Subject: body.Subject, Proof: bytes.Clone(body.Release),
		Ledger: ledger.Ref{Entry: body.Entry, Index: body.Index}}, err
}
