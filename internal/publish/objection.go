package publish

import (
	"context"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// Listed is a sub-processor as a tenant sees it.
type Listed struct {
	Recipient string
	Name      string
	Announced programme.Date
	Until     programme.Date // last day to object
	Withdrawn programme.Date
	// State is "announced" while customers may object, "listed" after it, "withdrawn".
	State    string
	Objected time.Time // zero while no objection of the caller's stands
	Version  string
}

// List returns every sub-processor that was announced, by recipient, with the caller's objections.
func (s *Service) List(ctx context.Context, c *tenant.Caller) (out []Listed, err error) {
	names := map[string]string{}
	for i := range s.Programme.Recipients {
		names[s.Programme.Recipients[i].ID] = s.Programme.Recipients[i].Name
	}
	last, err := s.Announcements(ctx)
	if err != nil {
		return nil, err
	}
	stands := map[string]time.Time{}
	if c.Tenant != 0 {
		if err := s.DB.View(ctx, func(tx store.Tx) error {
			all, err := s.Store.Objections(tx, c.Tenant)
			for _, o := range all {
				if o.Stands() {
					stands[o.Recipient] = o.MadeAt
				}
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	for r, a := range last {
		l := Listed{Recipient: r, Name: names[r], Announced: a.On.Date(), Until: dateOf(a.Until), State: "listed", Objected: stands[r], Version: (&Version{N: a.N}).Name()}
		switch {
		case a.Withdrawn != 0:
			l.State, l.Withdrawn = "withdrawn", a.Withdrawn.Date()
		case s.today() <= a.Until:
			l.State = "announced"
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Listed) int {
		if a.Recipient < b.Recipient {
			return -1
		}
		return 1
	})
	return out, nil
}

// Object enters that the caller objects to a sub-processor: from this day on nothing of the caller's
// flows to it.
//
// Faults: NotFound for one that was never announced; Conflict when the time to object is over, or one stands already.
func (s *Service) Object(ctx context.Context, c *tenant.Caller, recipient string) (id.Entry, error) {
	return s.change(ctx, c, recipient, func(tx store.Tx, a Announced, stands *Objection) (entry id.Entry, err error) {
		if stands != nil {
			return entry, fault.New(fault.Conflict, "objection.stands", "an objection of yours stands already")
		}
		if a.Withdrawn != 0 || s.today() > a.Until {
			return entry, fault.New(fault.Conflict, "objection.too_late", "the time to object was over on %s", dateOf(a.Until)).
				WithHint("ask the operator: a contract may allow more")
		}
		o := Objection{Tenant: c.Tenant, TenantID: c.TenantID, Recipient: recipient, MadeAt: s.opt.Now().UTC().Truncate(time.Millisecond)}
		if err := s.Store.PutObjection(tx, o); err != nil {
			return entry, err
		}
		return s.enter(tx, "subprocessor.objected", c.TenantID, map[string]any{"recipient": recipient, "version": a.N, "until": string(dateOf(a.Until))})
	})
}

// WithdrawObjection enters that the caller no longer objects. It may be done at any time.
func (s *Service) WithdrawObjection(ctx context.Context, c *tenant.Caller, recipient string) (id.Entry, error) {
	return s.change(ctx, c, recipient, func(tx store.Tx, a Announced, stands *Objection) (entry id.Entry, err error) {
		if stands == nil {
			return entry, fault.New(fault.Conflict, "objection.none", "no objection of yours stands")
		}
		stands.WithdrawnAt = s.opt.Now().UTC().Truncate(time.Millisecond)
		if err := s.Store.PutObjection(tx, *stands); err != nil {
			return entry, err
		}
		return s.enter(tx, "subprocessor.objection_withdrawn", c.TenantID, map[string]any{"recipient": recipient, "version": a.N})
	})
}

// change gives do what stands, in the transaction of the change.
func (s *Service) change(ctx context.Context, c *tenant.Caller, recipient string, do func(store.Tx, Announced, *Objection) (id.Entry, error)) (entry id.Entry, err error) {
	if c.Tenant == 0 {
		return entry, fault.New(fault.Forbidden, "objection.tenants_only", "only a tenant objects, for itself").WithHint("use a token of the tenant, dtk_…")
	}
	err = s.DB.Do(ctx, func(tx store.Tx) error {
		all, err := s.Store.Announcements(tx)
		if err != nil {
			return err
		}
		var a *Announced
		for i := range all {
			if all[i].Recipient == recipient {
				a = &all[i]
			}
		}
		if a == nil {
			return fault.New(fault.NotFound, "sub_processor.unknown", "no sub-processor of that id was announced").WithHint("GET /api/v1/sub-processors lists them")
		}
		objections, err := s.Store.Objections(tx, c.Tenant)
		if err != nil {
			return err
		}
		var stands *Objection
		for i := range objections {
			if o := &objections[i]; o.Recipient == recipient && o.Stands() {
				stands = o
			}
		}
		if entry, err = do(tx, *a, stands); err != nil {
			return err
		}
		return store.Effect(ctx, tx)
	})
	if err == nil {
		s.changed()
	}
	return entry, err
}
