package plane

import (
	"cmp"
	"context"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// Count is how often something came in. Reason is set for refusals only.
type Count struct {
	Tenant                         uint32
	Hour                           time.Time // start of the hour; zero in an answer over several
	Service, Kind, Outcome, Reason string
	N                              int64
}

func (c Count) less(d Count) bool {
	return cmp.Or(cmp.Compare(c.Tenant, d.Tenant), compareStrings(c.Service, d.Service), compareStrings(c.Kind, d.Kind),
		compareStrings(c.Outcome, d.Outcome), compareStrings(c.Reason, d.Reason)) < 0
}

// RefusalCount is how often a source sent what can't be kept, without the values. Path is masked.
type RefusalCount struct {
	Tenant               uint32
	Source, Reason, Path string
	N                    int64
	FirstAt, LastAt      time.Time
}

func (r RefusalCount) compare(o RefusalCount) int {
	return cmp.Or(cmp.Compare(r.Tenant, o.Tenant), compareStrings(r.Source, o.Source),
		compareStrings(r.Reason, o.Reason), compareStrings(r.Path, o.Path))
}

func compareStrings(a, b string) int { return strings.Compare(a, b) }

// Stats is what a tenant's sources brought since a point in time, and what erasures left to clear.
type Stats struct {
	Since         time.Time
	Counts        []Count
	OldestRemains *time.Time // erasure time of the oldest sealed remains not yet cleared; nil when there are none
}

// Stats returns the counts since the hour in which since lies.
func (p *Plane) Stats(ctx context.Context, c *tenant.Caller, since time.Time) (Stats, error) {
	s := Stats{Since: since.UTC().Truncate(time.Hour)}
	if since.IsZero() {
		s.Since = time.UnixMilli(0).UTC()
	}
	err := p.view(ctx, c, func(tx store.Tx) (err error) {
		if s.Counts, err = p.Counters.Counts(tx, c.Tenant, s.Since); err != nil {
			return err
		}
		at, err := p.Counters.OldestRemains(tx, c.Tenant)
		if at != 0 {
			t := time.UnixMilli(at).UTC()
			s.OldestRemains = &t
		}
		return err
	})
	return s, err
}

// mostRefusals bounds the list of refusals.
const mostRefusals = 1000

// Refusals returns what was refused, the latest first, without values.
func (p *Plane) Refusals(ctx context.Context, c *tenant.Caller) (list []RefusalCount, err error) {
	err = p.view(ctx, c, func(tx store.Tx) error {
		list, err = p.Counters.Refusals(tx, c.Tenant, mostRefusals)
		return err
	})
	return list, err
}

// LedgerEntry returns an entry that concerns the tenant, with its proof.
//
// Errors: NotFound, also for another tenant's entry.
func (p *Plane) LedgerEntry(ctx context.Context, c *tenant.Caller, e id.Entry) (v ledger.EntryView, err error) {
	err = p.view(ctx, c, func(tx store.Tx) error {
		v, err = p.Ledger.Entry(tx, e)
		return err
	})
	if err == nil && v.Tenant != c.TenantID {
		return ledger.EntryView{}, unknownEntry(e)
	}
	return v, err
}

func unknownEntry(e id.Entry) error {
	return fault.New(fault.NotFound, "ledger.no_entry", "there is no entry %s", e)
}
