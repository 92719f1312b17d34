package plane

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/plan"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// Violation is how often a source sent what its tracking plan doesn't have, or a place that is too
// exact to be kept, without the values. Event and Path are masked.
type Violation struct {
	Tenant uint32
	Source string
	ingest.Finding
	FirstAt, LastAt time.Time
}

// findingKey is what violations are counted by: a finding whose N is 0.
type findingKey struct {
	tenant  uint32
	source  string
	finding ingest.Finding
}

func (v *Violation) compare(o *Violation) int {
	if c := cmp.Or(cmp.Compare(v.Tenant, o.Tenant), strings.Compare(v.Source, o.Source)); c != 0 {
		return c
	}
	a, b := v.Finding.Key(), o.Finding.Key()
	return slices.Compare(a[:], b[:])
}

// refusedByPlan says whether it was its plan that refused the event.
func refusedByPlan(ev *ingest.Event) bool {
	switch ev.Refused.Reason {
	case plan.ReasonEvent, plan.ReasonProperty, plan.ReasonInvalid:
		return true
	}
	return false
}

// note counts what was found in an event that was accepted, or refused by its plan. What a client
// sends twice is counted once, unless it was refused.
func (g *group) note(o *ingestOp, ev *ingest.Event) {
	for _, f := range ev.Findings {
		n := f.N
		f.N = 0
		g.found = add(g.found, findingKey{o.src.Tenant, o.src.ID, f}, int64(n))
		if f.Done == ingest.DoneDropped && ev.Refused == nil {
			reason := plan.ReasonProperty
			if f.What == ingest.FoundCoordinates {
				reason = ingest.ReasonCoordinates
			}
			g.counts = add(g.counts, countKey{o.src.Tenant, ev.Kind.Service, ev.Kind.Name, "dropped", reason}, int64(n))
		}
	}
}

// countFound writes the violations.
func (g *group) countFound() error {
	if len(g.found) == 0 {
		return nil
	}
	found := make([]Violation, 0, len(g.found))
	for k, n := range g.found {
		v := Violation{Tenant: k.tenant, Source: k.source, Finding: k.finding, FirstAt: g.now, LastAt: g.now}
		v.N = int(n)
		found = append(found, v)
	}
	// In one order everywhere, so that two nodes never wait for each other's rows.
	slices.SortFunc(found, func(a, b Violation) int { return a.compare(&b) })
	return g.p.Counters.AddViolations(g.tx, found)
}

// observeFound counts violations for this node's metrics, once they are durable.
func (g *group) observeFound() {
	for k, n := range g.found {
		g.p.metrics.found.WithLabelValues(k.finding.What, k.finding.Done).Add(float64(n))
	}
}

// Violations returns what was found against plans, the latest first, without values.
func (p *Plane) Violations(ctx context.Context, c *tenant.Caller) (list []Violation, err error) {
	err = p.view(ctx, c, func(tx store.Tx) error {
		list, err = p.Counters.Violations(tx, c.Tenant, mostRefusals)
		return err
	})
	return list, err
}
