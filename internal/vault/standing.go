package vault

import (
	"context"
	"time"

	"domicile.dev/internal/store"
)

// Standing is where the epochs are.
type Standing struct {
	Length    time.Duration // how old an epoch grows
	Current   uint32
	Since     time.Time // the beginning of the current one
	Destroyed int       // epochs whose key is gone
	LastGone  time.Time // when the last of these went, zero for never
}

// Standing reads it from the store.
func (v *Vault) Standing(ctx context.Context) (s Standing, err error) {
	err = v.db.View(ctx, func(tx store.Tx) error {
		s = Standing{Length: v.opt.EpochLength}
		all, err := v.store.Epochs(tx)
		for _, e := range all {
			s.Current, s.Since = e.N, e.CreatedAt
			if !e.DestroyedAt.IsZero() {
				s.Destroyed++
				if e.DestroyedAt.After(s.LastGone) {
					s.LastGone = e.DestroyedAt
				}
			}
		}
		return err
	})
	return s, err
}
