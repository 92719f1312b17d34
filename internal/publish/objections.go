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
}

// ListObjections returns a tenant's objections, to the operator everybody's, the oldest first. Those that were
// withdrawn are among them.
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
			x := Objected{Objection: o}
			for _, a := range announced {
				if a.Recipient == o.Recipient && a.On <= dayOf(o.MadeAt) {
					x.Version, x.Until = (&Version{N: a.N}).Name(), dateOf(a.Until)
				}
			}
			out = append(out, x)
		}
		return err
	})
	return out, err
}
