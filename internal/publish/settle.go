package publish

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// How the operator settles an objection.
const (
	// Lifted: flows to the sub-processor start for the tenant; one of LiftReasons says why.
	Lifted = "lifted"
	// Kept: nothing of the tenant's will flow to it.
	Kept = "kept"
)

// LiftReasons are why an objection may be lifted by somebody else than who made it.
var LiftReasons = []string{"tenant_agreed", "alternative_found"}

// Settlement is what the operator settled of an objection; the zero value is that nothing was.
type Settlement struct {
	At      time.Time
	Outcome string // Lifted, Kept
	Reason  string // of Lifted
	Entry   string // in the ledger
}

// States of an objection. All but withdrawn and lifted hold the tenant's flows.
const (
	Open    = "open"
	Overdue = "overdue" // nobody settled it, and the time to object is over
	Ended   = "withdrawn"
)

// Stands says whether an objection holds flows.
func (o *Objection) Stands() bool { return o.EndedAt().IsZero() }

// EndedAt is when it was withdrawn or lifted, zero while it stands.
func (o *Objection) EndedAt() time.Time {
	if !o.WithdrawnAt.IsZero() {
		return o.WithdrawnAt
	}
	if o.Settled.Outcome == Lifted {
		return o.Settled.At
	}
	return time.Time{}
}

// State is one of the states above, Kept or Lifted, on a day. until is the last day to object.
func (o *Objection) State(day, until programme.Day) string {
	switch {
	case !o.WithdrawnAt.IsZero():
		return Ended
	case o.Settled.Outcome != "":
		return o.Settled.Outcome
	case day > until:
		return Overdue
	}
	return Open
}

// ID is how an objection is called outside. It tells nothing to whom doesn't know the rest.
func (o *Objection) ID() string {
	b := seal.AppendName(seal.AppendName(nil, o.TenantID), o.Recipient)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(o.MadeAt.UnixMilli())))
	return "obj_" + id.Subject(sum[:12]).String()[len("sub_"):]
}

// Settle enters how the operator settled an objection: Lifted with one of LiftReasons, or Kept. What was kept can be
// lifted later.
//
// Faults: Invalid for another outcome or reason; NotFound; Conflict for one that holds nothing any more, or is kept already.
func (s *Service) Settle(ctx context.Context, c *tenant.Caller, which, outcome, reason string) (x Objected, err error) {
	if err := operator(c); err != nil {
		return x, err
	}
	if err := settleable(outcome, reason); err != nil {
		return x, err
	}
	err = s.DB.Do(ctx, func(tx store.Tx) error {
		o, err := s.objection(tx, which)
		switch {
		case err != nil:
			return err
		case !o.Stands():
			return fault.New(fault.Conflict, "objection.over", "this objection holds nothing any more")
		case o.Settled.Outcome == outcome:
			return fault.New(fault.Conflict, "objection.settled", "this objection is settled so already")
		}
		announced, err := s.Store.Announcements(tx)
		if err != nil {
			return err
		}
		body := map[string]any{"objection": which, "recipient": o.Recipient, "outcome": outcome}
		if reason != "" {
			body["reason"] = reason
		}
		entry, err := s.enter(tx, "subprocessor.objection_settled", o.TenantID, body)
		if err != nil {
			return err
		}
		o.Settled = Settlement{At: s.opt.Now().UTC().Truncate(time.Millisecond), Outcome: outcome, Reason: reason, Entry: entry.String()}
		if err := s.Store.PutSettlement(tx, *o); err != nil {
			return err
		}
		x = s.objected(*o, announced)
		return store.Effect(ctx, tx)
	})
	if err == nil {
		s.changed()
	}
	return x, err
}

// settleable says whether there is such an outcome, with such a reason.
func settleable(outcome, reason string) error {
	switch {
	case outcome == Kept && reason == "":
		return nil
	case outcome == Lifted:
		for _, r := range LiftReasons {
			if r == reason {
				return nil
			}
		}
		return fault.New(fault.Invalid, "objection.no_reason", "an objection is lifted for a reason").WithHint("tenant_agreed or alternative_found")
	case outcome == Kept:
		return fault.New(fault.Invalid, "objection.no_reason", "an objection is kept without a reason")
	}
	return fault.New(fault.Invalid, "objection.bad_outcome", "there is no such outcome").WithHint("lifted or kept")
}

// objection finds one by its id.
func (s *Service) objection(tx store.Tx, which string) (*Objection, error) {
	all, err := s.Store.Objections(tx, 0)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID() == which {
			return &all[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "objection.unknown", "there is no such objection").WithHint("GET /api/v1/objections lists them")
}
