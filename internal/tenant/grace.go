package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"domicile.dev/internal/store"
)

// graceEvery is how often a node looks for old secrets whose grace is over.
const graceEvery = time.Minute

// ended says whether the source has an old secret that no longer holds.
func (f *StoredSource) ended(now time.Time) bool {
	return len(f.OldSealed) > 0 && !now.Before(f.OldEnds)
}

// EndGraces forgets the old secrets whose grace is over, here and in the store. They have not held
// since then; now a thief has nothing of them. Of several nodes, one changes the store. It is no
// entry in the ledger: the end is in the one of the rotation.
func (s *Service) EndGraces(ctx context.Context) error {
	now := s.opt.Now()
	ended := s.index.endGraces(now)
	if len(ended) == 0 {
		return nil
	}
	var errs []error
	for _, tid := range ended {
		if err := s.db.Do(ctx, func(tx store.Tx) error { return s.endGraces(tx, tid, now) }); err != nil {
			errs = append(errs, fmt.Errorf("clear old secrets of a tenant: %w", err))
		}
	}
	return errors.Join(append(errs, s.refresh(ctx))...)
}

// endGraces clears what is over of one tenant. Another node may have done so, or have rotated anew.
func (s *Service) endGraces(tx store.Tx, tid string, now time.Time) error {
	a, found, err := s.store.Account(tx, tid)
	if err != nil || !found {
		return err
	}
	over := false
	for i := range a.Sources {
		f := a.Sources[i]
		if !f.ended(now) {
			continue
		}
		over = true
		f.Old, f.OldEnds, f.OldSealed = nil, time.Time{}, nil
		if err := s.store.PutSource(tx, f); err != nil {
			return err
		}
	}
	if !over {
		return nil
	}
	return s.store.PutTenant(tx, a.Tenant)
}

// endGraces forgets the opened old secrets that no longer hold, and returns whose tenants' there are
// in the store.
func (x *index) endGraces(now time.Time) (tenants []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for tid, a := range x.accounts {
		over := false
		for i := range a.Sources {
			f := &a.Sources[i]
			if !f.ended(now) {
				continue
			}
			over = true
			h := x.hooks[f.ID]
			h.old = Secrets{}
			x.hooks[f.ID] = h
		}
		if over {
			tenants = append(tenants, tid)
		}
	}
	return tenants
}
