package plane

import (
	"context"
	"fmt"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

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
