package publish

import (
	"context"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// Objected is an objection with the announcement that it was made against.
type Objected struct {
	Objection
	Version string         // that announced the recipient
	Until   programme.Date // last day to object
	Now     string         // its state today
}

// ListObjections returns a tenant's objections, to the operator everybody's, the oldest first. Those that ended
// are among them.
func (s *Service) ListObjections(ctx context.Context, c *tenant.Caller) (out []Objected, err error) {
	err = s.DB.View(ctx, func(tx store.Tx) error {
		out = nil
		announced, err := s.Store.Announcements(tx)
		if err != nil {
			return err
		}
		of := uint32(0)
		if !c.Operator {
			of = c.Tenant
		}
		all, err := s.Store.Objections(tx, of)
		for _, o := range all {
			if !c.Operator && o.Tenant != c.Tenant { // 0 would be everybody
				continue
			}
			out = append(out, s.objected(o, announced))
		}
		return err
	})
	return out, err
}

// objected adds to an objection what of announced it was made against.
func (s *Service) objected(o Objection, announced []Announced) Objected {
	x, until := Objected{Objection: o}, programme.Never
	for _, a := range announced {
		if a.Recipient == o.Recipient && a.On <= dayOf(o.MadeAt) {
			x.Version, x.Until, until = (&Version{N: a.N}).Name(), dateOf(a.Until), a.Until
		}
	}
	x.Now = o.State(s.today(), until)
	return x
}
