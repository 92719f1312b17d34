package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/internal/drift"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
)

// watch compares what this region does with what its published notice says.
type watch struct {
	n *Node
	// published is the programme whose notice is in effect.
	published func() *programme.Programme
	// disclosed is what flows have sent, of a tenant or, with "", of all. nil: nothing was.
	disclosed func(tx store.Tx, tenant string) ([]drift.Disclosed, error)

	mu    sync.Mutex // guards what follows
	asked time.Time
	last  map[string]int
}

// Drift implements api.Drift: a tenant's own, with names as its records have them; to the operator
// everybody's, with names masked that could be data.
func (w *watch) Drift(ctx context.Context, c *tenant.Caller) (api.DriftReport, error) {
	var o drift.Observed
	if c.Operator {
		if err := w.n.db.View(ctx, func(tx store.Tx) error { return w.all(tx, &o) }); err != nil {
			return api.DriftReport{}, fmt.Errorf("look at what was collected: %w", err)
		}
	} else {
		all, unmapped, err := w.n.Plane.Collection(ctx, c)
		if err != nil {
			return api.DriftReport{}, err
		}
		observe(&o, c.TenantID, all, unmapped)
		if err := w.n.db.View(ctx, func(tx store.Tx) error { return w.sent(tx, c.TenantID, &o) }); err != nil {
			return api.DriftReport{}, fmt.Errorf("look at what was disclosed: %w", err)
		}
	}
	running, published := w.n.rules.p, w.published()
	if published == nil {
		return api.DriftReport{}, fault.New(fault.Unavailable, "drift.unpublished", "what is published can't be read at the moment")
	}
	return api.DriftReport{Region: w.n.Config.Region, Programme: running.Hash, Published: published.Hash, Notice: published.Notice.ID,
		Findings: drift.Find(published, running, w.n.Config.Region, o)}, nil
}

func (w *watch) all(tx store.Tx, o *drift.Observed) error {
	for _, t := range w.n.Tenants.Tenants(tenant.Operator) {
		all, unmapped, err := w.n.Plane.CollectionOf(tx, t.No)
		if err != nil {
			return err
		}
		observe(o, t.ID, all, unmapped)
	}
	return w.sent(tx, "", o)
}

func (w *watch) sent(tx store.Tx, tenantID string, o *drift.Observed) (err error) {
	if w.disclosed != nil {
		o.Disclosed, err = w.disclosed(tx, tenantID)
	}
	return err
}

func observe(o *drift.Observed, tenantID string, all []plane.Collected, unmapped []plane.Unmapped) {
	for _, c := range all {
		o.Collected = append(o.Collected, drift.Collected{Tenant: tenantID, Service: c.Service, Kind: c.Kind, Category: c.Category, Count: c.N, FirstAt: c.FirstAt, LastAt: c.LastAt})
	}
	for _, u := range unmapped {
		o.Unmapped = append(o.Unmapped, drift.Unmapped{Tenant: tenantID, Source: u.Source, Service: u.Service, Kind: u.Kind, Path: u.Path, Count: u.N, FirstAt: u.FirstAt, LastAt: u.LastAt})
	}
}

// driftAge is how old the metric may be: nobody scrapes a region's tables faster.
const driftAge = 5 * time.Second

var driftDesc = prometheus.NewDesc("domicile_drift_findings", "What the region does and its published notice doesn't say, by code. 0 is what it should be.", []string{"code"}, nil)

// Describe implements prometheus.Collector.
func (w *watch) Describe(to chan<- *prometheus.Desc) { to <- driftDesc }

// Collect implements prometheus.Collector. A region that can't say reports nothing.
func (w *watch) Collect(to chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.asked) > driftAge {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		r, err := w.Drift(ctx, tenant.Operator)
		if err != nil {
			w.n.log.Warn("drift can't be told", "error", err)
			return
		}
		w.asked, w.last = time.Now(), map[string]int{}
		for _, code := range drift.All {
			w.last[code] = 0
		}
		for _, f := range r.Findings {
			w.last[f.Code]++
		}
	}
	for code, n := range w.last {
		to <- prometheus.MustNewConstMetric(driftDesc, prometheus.GaugeValue, float64(n), code)
	}
}

// disclosed is what flows have sent, of a tenant or, with "", of all.
func (n *Node) disclosed(tx store.Tx, tenantID string) (out []drift.Disclosed, err error) {
	ids, one := map[uint32]string{}, uint32(0)
	for _, t := range n.Tenants.Tenants(tenant.Operator) {
		if ids[t.No] = t.ID; t.ID == tenantID {
			one = t.No
		}
	}
	if tenantID != "" && one == 0 {
		return nil, nil
	}
	all, err := sqlstore.Flows{}.Sent(tx, one)
	if err != nil {
		return nil, fmt.Errorf("look up what flows sent: %w", err)
	}
	for _, s := range all {
		if s.Category == "" { // the first of its flow, recipient and purpose
			out = append(out, drift.Disclosed{Tenant: ids[s.Tenant], Flow: s.Flow, Recipient: s.Recipient, Purpose: s.Purpose, Count: s.Count,
				FirstAt: time.UnixMilli(s.FirstAt).UTC(), LastAt: time.UnixMilli(s.LastAt).UTC()})
		} else if len(out) > 0 {
			last := &out[len(out)-1]
			last.Categories = append(last.Categories, s.Category)
		}
	}
	return out, nil
}

// drifts are the codes of what a flow would do that the published notice doesn't say; one of its own
// while nobody can tell what is published.
func (n *Node) drifts(flow string) (codes []string) {
	public := n.Published()
	if public == nil {
		return []string{"drift.unpublished"}
	}
	for _, c := range drift.Codes(drift.Flow(public, n.rules.p, flow)) {
		codes = append(codes, "drift."+c)
	}
	return codes
}
