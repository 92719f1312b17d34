package flow

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts by flow; no label is of a tenant or a person.
type metrics struct {
	records, deliveries, denials, attempts, refused, notices *prometheus.CounterVec
	streams, lagRows, lagSeconds, pending, oldest            *prometheus.GaugeVec
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "domicile_flow_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "domicile_flow_" + name, Help: help}, labels)
	}
	return &metrics{
		records:    counter("records_total", "Lines that recipients acknowledged.", "flow", "form"),
		deliveries: counter("deliveries_total", "Batches that recipients acknowledged.", "flow", "form"),
		denials:    counter("denials_total", "Records, once for each person, that were left out, by the code of the denial.", "flow", "code"),
		attempts:   counter("attempts_ended_total", "Attempts that brought no batch, by how they ended.", "flow", "outcome"),
		refused:    counter("refused_records_total", "Records that a recipient refused for good, when it took the rest of the batch, by its reason.", "flow", "reason"),
		notices:    counter("notices_total", "Notices to recipients that came to an end, by kind and outcome.", "kind", "outcome"),
		streams:    gauge("tenants", "Tenants for whom a flow is in a state.", "flow", "state"),
		lagRows:    gauge("lag_positions", "Positions of the log between the cursor and the end, of the tenant who is furthest behind.", "flow"),
		pending:    gauge("notices_pending", "Notices that a recipient hasn't acknowledged.", "recipient"),
		oldest:     gauge("notices_oldest_seconds", "Age of the oldest notice that a recipient hasn't acknowledged.", "recipient"),
		lagSeconds: gauge("lag_seconds", "Age of the newest record that is done with while there are newer ones, of the tenant who is furthest behind.", "flow"),
	}
}

// Collectors are the metrics of flows.
func (r *Runner) Collectors() []prometheus.Collector {
	m := r.metrics
	return []prometheus.Collector{m.records, m.deliveries, m.denials, m.attempts, m.refused, m.notices, m.streams, m.lagRows, m.lagSeconds, m.pending, m.oldest}
}

// delivered counts an acknowledged batch.
func (m *metrics) delivered(flow string, b *built) {
	m.deliveries.WithLabelValues(flow, b.form.String()).Inc()
	m.records.WithLabelValues(flow, b.form.String()).Add(float64(b.lines - len(b.refused.records)))
	for reason, n := range b.refused.reasons {
		m.refused.WithLabelValues(flow, reason).Add(float64(n))
	}
	m.left(flow, b)
}

// left counts what was left out, once the cursor is past it.
func (m *metrics) left(flow string, b *built) {
	for _, d := range b.denied {
		m.denials.WithLabelValues(flow, d.code).Add(float64(d.n))
	}
}

// observe shows where the streams are.
func (r *Runner) observe(s *scene) {
	m, now := r.metrics, r.now()
	type at struct {
		states  map[State]int
		rows    uint64
		seconds float64
	}
	flows := map[string]*at{}
	for i := range s.streams {
		x := &s.streams[i]
		f := flows[x.Flow]
		if f == nil {
			f = &at{states: map[State]int{}}
			flows[x.Flow] = f
		}
		if x.Tenant == 0 {
			continue
		}
		f.states[x.State]++
		rows, age := lag(x, s.newest[x.Tenant], now)
		f.rows, f.seconds = max(f.rows, rows), max(f.seconds, age.Seconds())
	}
	for flow, f := range flows {
		for _, state := range []State{Idle, Running, Paused, Halted, Parked} {
			m.streams.WithLabelValues(flow, string(state)).Set(float64(f.states[state]))
		}
		m.lagRows.WithLabelValues(flow).Set(float64(f.rows))
		m.lagSeconds.WithLabelValues(flow).Set(f.seconds)
	}
}

// lag is how far a stream is behind.
func lag(s *Stream, newest uint64, now time.Time) (rows uint64, age time.Duration) {
	if newest <= s.Pos {
		return 0, 0
	}
	return newest - s.Pos, max(0, now.Sub(time.UnixMilli(s.Received)))
}
