package app

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
)

// Times of counting consents.
const (
	countPause = 10 * time.Minute
	// A count that took less than quickCount is made anew for who asks, at most every freshCount.
	quickCount = 250 * time.Millisecond
	freshCount = 2 * time.Second
)

// consentCounts counts how many consents stand, have to be asked for again, and don't count for that. It looks at
// everybody, so it does so in the background: after each publication and every ten minutes.
type consentCounts struct {
	n    *Node
	wake chan struct{}
	turn sync.Mutex // held while it counts

	mu   sync.Mutex // guards what follows
	of   map[string][]plane.ConsentCount
	at   time.Time
	took time.Duration
}

func newConsentCounts(n *Node) *consentCounts {
	return &consentCounts{n: n, wake: make(chan struct{}, 1)}
}

// again lets everything be counted soon.
func (x *consentCounts) again() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// run counts until ctx ends.
func (x *consentCounts) run(ctx context.Context) {
	for {
		if err := x.count(ctx); err != nil && ctx.Err() == nil {
			x.n.log.Warn("consents can't be counted, it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		case <-time.After(countPause):
		}
	}
}

func (x *consentCounts) count(ctx context.Context) error {
	x.turn.Lock()
	defer x.turn.Unlock()
	begun, of := time.Now(), map[string][]plane.ConsentCount{}
	for _, t := range x.n.Tenants.Tenants(tenant.Operator) {
		counts, err := x.n.Plane.CountConsents(ctx, t.No)
		if err != nil {
			return err
		}
		of[t.ID] = counts
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.of, x.at, x.took = of, time.Now(), time.Since(begun)
	return nil
}

// quick says whether counting is cheap and what is known isn't new.
func (x *consentCounts) quick() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.at.IsZero() && x.took < quickCount && time.Since(x.at) > freshCount
}

// ConsentCounts implements api.ConsentCounter: a tenant's own, and to the operator all of them together.
func (x *consentCounts) ConsentCounts(ctx context.Context, c *tenant.Caller) (api.ConsentCounts, error) {
	if x.quick() {
		if err := x.count(ctx); err != nil {
			return api.ConsentCounts{}, err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.at.IsZero() {
		return api.ConsentCounts{}, nil
	}
	out := api.ConsentCounts{At: x.at.UTC(), Counts: x.of[c.TenantID]}
	if c.Operator {
		out.Counts = x.all()
	}
	return out, nil
}

// all adds the tenants' counts up. The caller holds mu.
func (x *consentCounts) all() (sum []plane.ConsentCount) {
	for _, counts := range x.of {
		for _, n := range counts {
			i := slices.IndexFunc(sum, func(s plane.ConsentCount) bool { return s.Purpose == n.Purpose })
			if i < 0 {
				i = len(sum)
				sum = append(sum, plane.ConsentCount{Purpose: n.Purpose})
			}
			sum[i].Current += n.Current
			sum[i].ToAsk += n.ToAsk
			sum[i].Outdated += n.Outdated
		}
	}
	slices.SortFunc(sum, func(a, b plane.ConsentCount) int { return strings.Compare(a.Purpose, b.Purpose) })
	return sum
}

var consentDesc = prometheus.NewDesc("domicile_consents", "Consents that stand, by purpose and by whether they count as they were given, have to be asked for again and count until then, or don't count until they are given again. Counted every ten minutes.", []string{"purpose", "state"}, nil)

// Describe implements prometheus.Collector.
func (x *consentCounts) Describe(to chan<- *prometheus.Desc) { to <- consentDesc }

// Collect implements prometheus.Collector. Before the first count there is nothing.
func (x *consentCounts) Collect(to chan<- prometheus.Metric) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range x.all() {
		for state, v := range map[string]int64{"current": n.Current, "to_ask": n.ToAsk, "outdated": n.Outdated} {
			to <- prometheus.MustNewConstMetric(consentDesc, prometheus.GaugeValue, float64(v), n.Purpose, state)
		}
	}
}
