package tenant

import (
	"context"
	"maps"
	"slices"
	"time"

	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
)

// SettingsChange is what changes of a tenant's settings; what is nil stays.
type SettingsChange struct {
	Placement *[]residency.Rule // replaces the whole list
	Pin       *bool
	// ForPurposes says whether people are read for a purpose of the programme only.
	ForPurposes *bool
}

// Settings returns where a tenant's people are at home, as the tenant decides. Faults: NotFound.
func (s *Service) Settings(c *Caller, tid string) (residency.Settings, error) {
	a, ok := s.index.account(tid)
	if !ok || !c.mayManage(tid) {
		return residency.Settings{}, noTenant()
	}
	return a.settings(), nil
}

// SetSettings changes a tenant's settings in this region, and returns all of them. They hold for
// people who are met from then on: who is known here stays at home here.
//
// Faults: NotFound; Invalid when a rule is not good, or names a region whose address this node
// doesn't know.
func (s *Service) SetSettings(ctx context.Context, c *Caller, tid string, n SettingsChange) (residency.Settings, Change, error) {
	var set residency.Settings
	ch, err := s.change(ctx, c, tid, func(_ store.Tx, a *Account, _ time.Time) (string, any, error) {
		set = a.settings()
		if n.Placement != nil {
			set.Placement = *n.Placement
		}
		if n.Pin != nil {
			set.Pin = *n.Pin
		}
		if n.ForPurposes != nil {
			set.ForPurposes = *n.ForPurposes
		}
		var err error
		if set, err = set.Check(s.regions()); err != nil {
			return "", nil, err
		}
		kept := set
		a.Settings = &kept
		return "tenant.settings", map[string]any{"tenant": tid, "settings": set, "token": c.Token}, nil
	})
	return set, ch, err
}

// Adapter returns the adapter of a source by its id, "" when there is no such source here.
func (s *Service) Adapter(sid string) string { return s.index.adapter(sid) }

// settings are the account's, never nil and with a list that can be shown.
func (t *Tenant) settings() (set residency.Settings) {
	if t.Settings != nil {
		set = *t.Settings
	}
	if set.Placement == nil {
		set.Placement = []residency.Rule{}
	}
	return set
}

// regions are those whose addresses this node knows, and its own.
func (s *Service) regions() []string {
	all := slices.Sorted(maps.Keys(s.opt.Peers))
	if !slices.Contains(all, s.opt.Region) {
		all = append(all, s.opt.Region)
	}
	return all
}
