package flow

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// Order is what the operator asks of a flow.
type Order struct {
	Flow   string
	Verb   Verb
	Tenant string // "" for all, and for those who come later
	From   string // start, replay: a position of the log, a date or a time; "" for the newest
}

// ordered is the ledger's entry on an order.
type ordered struct {
	Flow  string  `json:"flow"`
	Verb  string  `json:"verb"`
	State State   `json:"state"`
	Pos   *uint64 `json:"after_row,omitempty"`
	Batch string  `json:"delivery,omitempty"` // that was given up
	Token string  `json:"token"`
}

// Do carries out an order, in one transaction with its ledger entries. What is on its way ends as it
// would have, except that a replay doesn't wait for it.
//
// Faults: Forbidden for a tenant; NotFound flow.unknown, tenant.unknown; Conflict flow.state; Invalid
// flow.bad_from, flow.not_from.
func (r *Runner) Do(ctx context.Context, c *tenant.Caller, o Order) (v View, err error) {
	if !c.Operator {
		return v, fault.New(fault.Forbidden, "operator.only", "only the region's operator may do this").WithHint("use the operator's token, dok_…")
	}
	f := flowOf(r.Rules.Engine().Programme(), o.Flow)
	if f == nil || f.From != r.Region {
		return v, unknownFlow(o.Flow)
	}
	if o.From != "" && o.Verb != Start && o.Verb != Replay {
		return v, fault.New(fault.Invalid, "flow.not_from", "from goes with start and replay only")
	}
	if o.Verb == Replay && o.From == "" {
		return v, fault.New(fault.Invalid, "flow.bad_from", "a replay needs a position or a date to begin from")
	}
	who, err := r.whom(o.Tenant)
	if err != nil {
		return v, err
	}
	if err := r.DB.Do(ctx, func(tx store.Tx) error {
		if err := store.Effect(ctx, tx); err != nil {
			return err
		}
		return r.order(tx, c, o, who)
	}); err != nil {
		return v, err
	}
	r.Ledger.Committed()
	r.forget(o.Flow)
	r.Wake()
	return r.Show(ctx, c, o.Flow)
}

// forget lets streams begin without what they waited for.
func (r *Runner) forget(flow string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, st := range r.streams {
		if k.Flow == flow {
			st.due, st.judged = time.Time{}, nil
		}
	}
}

// whom returns the tenants of an order, by number; with 0 for the flow as such when it is about all.
func (r *Runner) whom(tenantID string) (who []Tenant, err error) {
	for _, t := range r.Tenants() {
		if tenantID == "" || t.ID == tenantID {
			who = append(who, t)
		}
	}
	switch {
	case tenantID == "":
		return append([]Tenant{{}}, who...), nil
	case len(who) == 0:
		return nil, fault.New(fault.NotFound, "tenant.unknown", "there is no such tenant here")
	}
	return who, nil
}

// order changes every stream that the order is about. For all tenants it passes by those that are
// where it leads already, and fails when it changes none.
func (r *Runner) order(tx store.Tx, c *tenant.Caller, o Order, who []Tenant) error {
	var pos *uint64
	if o.Verb == Start || o.Verb == Replay {
		at, err := r.position(tx, o.From)
		if err != nil {
			return err
		}
		pos = &at
	}
	var refused error
	var drafts []ledger.Draft
	for _, t := range who {
		k := Key{t.No, o.Flow}
		s, err := r.Store.Stream(tx, k)
		if err != nil {
			return err
		}
		if s == nil {
			s = &Stream{Key: k, State: Idle}
		}
		to, ok := s.State.After(o.Verb)
		if !ok {
			if refused == nil {
				refused = s.State.refuse(o.Verb)
			}
			continue
		}
		if t.No == 0 && o.Verb != Start && o.Verb != Pause && o.Verb != Resume {
			continue // the flow as such has no cursor to move and no batch
		}
		x := ordered{Flow: o.Flow, Verb: string(o.Verb), State: to, Pos: pos, Token: c.Token}
		if x.Batch, err = r.edit(tx, s, o.Verb, pos); err != nil {
			return err
		}
		s.State, s.Since, s.Reasons = to, r.now().UnixMilli(), ""
		if err := r.Store.PutStream(tx, s); err != nil {
			return err
		}
		drafts = append(drafts, r.draft("flow."+string(o.Verb), t.ID, x))
	}
	if len(drafts) == 0 {
		return refused
	}
	_, err := r.Ledger.Append(tx, drafts...)
	return err
}

// edit does to a stream and its batch what a verb asks, and returns the batch that was given up.
func (r *Runner) edit(tx store.Tx, s *Stream, v Verb, pos *uint64) (gone string, err error) {
	if pos != nil {
		s.Pos, s.Received = *pos, r.now().UnixMilli() // windows that were given aren't given again: Window stays
	}
	b, err := r.Store.Batch(tx, s.Key)
	if err != nil || b == nil {
		return "", err
	}
	switch v {
	case Replay:
		if b.WindowUntil > 0 && len(b.Lines) > 0 { // may have arrived: counted anew, the difference would tell who is gone
			b.NextAt = 0
			return "", r.Store.PutBatch(tx, b)
		}
		return b.ID, r.Store.DeleteBatch(tx, s.Key)
	case Skip:
		s.Pos, s.Window = b.To, max(s.Window, b.WindowUntil)
		return b.ID, r.Store.DeleteBatch(tx, s.Key)
	case Retry, Resume:
		b.NextAt, b.Records = 0, nil // not BegunAt: by its day recipients know the delivery again
		return "", r.Store.PutBatch(tx, b)
	}
	return "", nil
}

// position reads where to begin: a position, a day or a time of UTC, or nothing for the newest.
func (r *Runner) position(tx store.Tx, from string) (uint64, error) {
	if from == "" {
		return r.Store.Last(tx), nil
	}
	if n, err := strconv.ParseUint(from, 10, 63); err == nil {
		if last := r.Store.Last(tx); n > last {
			return 0, fault.New(fault.Invalid, "flow.bad_from", "the log ends at position %d", last)
		}
		return n, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, from); err == nil {
			if t.After(r.now()) {
				return 0, fault.New(fault.Invalid, "flow.bad_from", "from is still to come").
					WithHint("days and times are in UTC; start the flow when it is time")
			}
			pos, err := r.Store.Before(tx, t)
			if err != nil {
				return 0, fmt.Errorf("find where that was received: %w", err)
			}
			return pos, nil
		}
	}
	return 0, fault.New(fault.Invalid, "flow.bad_from", "from is no position, date or time").WithHint("as in 1234, 2026-11-25 or 2026-11-25T08:00:00Z")
}

func unknownFlow(flow string) error {
	return fault.New(fault.NotFound, "flow.unknown", "the programme declares no such flow out of this region").
		WithHint("GET /api/v1/flows lists them")
}
