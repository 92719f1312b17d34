package plane

import (
	"context"
	"fmt"
	"math"

	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// Delivery is a proof that the target of a move may not have, since whoever carried the move may have
// stopped after the source let go.
type Delivery struct {
	Caller *tenant.Caller // in whose name; nobody's token
	Move   string
	Region string
	Proof  []byte
}

// mostDeliveries bounds a list of them.
const mostDeliveries = 100

// Undelivered returns the proofs that no target has confirmed, the oldest first. name returns the id of
// a tenant by its number, "" for one that isn't known.
func (p *Plane) Undelivered(ctx context.Context, name func(uint32) string) (out []Delivery, err error) {
	var due []*Move
	err = p.DB.View(ctx, func(tx store.Tx) error {
		return p.Moves.StaleMoves(tx, MoveMoved, math.MaxInt64, mostDeliveries, func(m *Move) { due = append(due, m) })
	})
	if err != nil {
		return nil, fmt.Errorf("list moves to confirm: %w", err)
	}
	for _, m := range due {
		c := &tenant.Caller{Tenant: m.Tenant, TenantID: name(m.Tenant)}
		if c.TenantID == "" {
			continue
		}
		body, err := p.leavingBody(c, m)
		if err != nil {
			return nil, err
		}
		out = append(out, Delivery{Caller: c, Move: m.ID, Region: m.Peer, Proof: body.Release})
	}
	return out, nil
}

// Delivered notes that the target of a move is the person's home.
func (p *Plane) Delivered(ctx context.Context, d Delivery) error {
	return p.step(ctx, d.Caller, func(g *group) error {
		m, err := p.load(g.tx, d.Caller, d.Move, false, MoveMoved, MoveLeft)
		if err != nil || m.State == MoveLeft {
			return err
		}
		if err := m.to(MoveLeft); err != nil {
			return err
		}
		if err := p.Moves.PutMove(g.tx, m); err != nil {
			return fmt.Errorf("keep move %s: %w", m.ID, err)
		}
		return nil
	})
}
