package plane

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
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

	Upstream []upstream `json:",omitempty"` // the homes before this one, when moved
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
		pers, err := p.mover(g.tx, c, s)
		if err != nil {
			return err
		}
		if inForce(pers.head, g.now)&subject.Held != 0 {
			return refused{held(pers.head, "moved")}
		}
		if err := p.mayLeave(g.tx, pers); err != nil {
			return err
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
		if err := g.tell("move", pers.head.Key); err != nil { // so that no node erases them now
			return err
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
	if m := moveIDs.FindStringSubmatch(moveID); m == nil || m[1] != to {
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
