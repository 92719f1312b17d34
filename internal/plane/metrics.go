package plane

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the committer does. No label holds anything that a client chose.
type metrics struct {
	groups   atomic.Int64
	records  atomic.Int64
	outcomes *prometheus.CounterVec
	size     prometheus.Histogram
	seconds  prometheus.Histogram
	erased   prometheus.Counter
	queued   prometheus.GaugeFunc
	found    *prometheus.CounterVec
	putOff   *prometheus.CounterVec
}

func newMetrics(p *Plane) *metrics {
	return &metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "domicile_ingest_events_total",
			Help: "Events by what became of them."}, []string{"outcome"}),
		size: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "domicile_commit_group_operations",
			Help: "Operations in one commit group.", Buckets: prometheus.ExponentialBuckets(1, 2, 12)}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "domicile_commit_seconds",
			Help: "Time to make one commit group durable.", Buckets: []float64{.0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 5}}),
		found: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "domicile_violations_total",
			Help: "What tracking plans did not have, and places that were too exact, by what was done."}, []string{"violation", "done"}),
		putOff: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "domicile_corrections_put_off_total",
			Help: "Comparisons of what events corrected that were put off, by why: failed, or tenant (none has the number)."}, []string{"reason"}),
		erased: prometheus.NewCounter(prometheus.CounterOpts{Name: "domicile_erasures_total", Help: "People erased."}),
		queued: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "domicile_commit_queue",
			Help: "Operations that wait for a commit group."}, func() float64 { return float64(len(p.queue)) }),
	}
}

// Collectors are the metrics of the data path.
func (p *Plane) Collectors() []prometheus.Collector {
	return []prometheus.Collector{p.metrics.outcomes, p.metrics.size, p.metrics.seconds, p.metrics.erased, p.metrics.queued, p.metrics.found, p.metrics.putOff}
}

// Totals returns how many commit groups and records this node wrote since it started.
func (p *Plane) Totals() (groups, records int64) {
	return p.metrics.groups.Load(), p.metrics.records.Load()
}

// observe counts a group that is durable.
func (m *metrics) observe(ops []*op, seconds float64) {
	m.groups.Add(1)
	m.size.Observe(float64(len(ops)))
	m.seconds.Observe(seconds)
	for _, o := range ops {
		switch {
		case o.ingest != nil:
			out := &o.ingest.outcome
			m.records.Add(int64(out.accepted))
			m.outcomes.WithLabelValues("accepted").Add(float64(out.accepted))
			m.outcomes.WithLabelValues("duplicate").Add(float64(out.duplicate))
			m.outcomes.WithLabelValues("refused").Add(float64(len(out.refused) + len(o.ingest.refused)))
		case o.erase != nil && o.err == nil && !o.erase.receipt.Already:
			m.erased.Inc()
		}
	}
}
