package plane

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/transit"
	"domicile.dev/internal/vault"
)

// CancelMove calls off a move: at the source as long as the person is at home there, at the target
// with the proof that the source gave, and without one as long as it acknowledged nothing. The
// source's answer is that proof.
//
// Errors: NotFound move.unknown; Conflict move.wrong_state, move.bad_proof.
func (p *Plane) CancelMove(ctx context.Context, c *tenant.Caller, moveID string, proof []byte) (cancelled []byte, err error) {
	err = p.step(ctx, c, func(g *group) error {
		m, err := p.Moves.Move(g.tx, c.Tenant, moveID)
		if err != nil {
			return fmt.Errorf("load move: %w", err)
		}
		if m == nil {
			return refused{unknownMove()}
		}
		if m.In {
			return g.cancelArrival(c, m, proof)
		}
		body, err := p.leavingBody(c, m)
		if err != nil {
			return err
		}
		cancelled = bytes.Clone(body.Cancel)
		switch {
		case m.State == MoveEnded:
			return nil
		case m.gone():
			cancelled = nil
			return refused{fault.New(fault.Conflict, "move.wrong_state", "the person has moved").WithHint("move them back from there")}
		}
		return g.end(c, m)
	})
	return cancelled, err
}

// end puts a move into its last state and enters that.
func (g *group) end(c *tenant.Caller, m *Move) error {
	if err := m.to(MoveEnded); err != nil {
		return err
	}
	if err := g.p.Moves.PutMove(g.tx, m); err != nil {
		return fmt.Errorf("keep move %s: %w", m.ID, err)
	}
	if _, err := g.enter(ledger.Draft{Kind: "move.cancelled", Tenant: c.TenantID, At: g.now, Body: map[string]any{"move": m.ID, "subject": m.Subject,
		"peer": m.Peer, "token": c.Token}}); err != nil {
		return fmt.Errorf("enter a cancelled move: %w", err)
	}
	return nil
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
	if err := g.p.Moves.DropArrival(g.tx, c.Tenant, m.ID); err != nil {
		return fmt.Errorf("drop what became what: %w", err)
	}
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
