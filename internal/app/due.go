package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/internal/register"
)

// dueMetric tells how many days are left until the first fact of each kind lapses.
type dueMetric struct{ d *decisions }

// dueDays is how far ahead the metric looks.
const dueDays = 400

var dueDesc = prometheus.NewDesc("domicile_register_due_days", "Days until the first fact of a kind lapses, below 1 when one has; nothing for a kind of which none does within 400 days.", []string{"kind"}, nil)

// Describe implements prometheus.Collector.
func (dueMetric) Describe(to chan<- *prometheus.Desc) { to <- dueDesc }

// Collect implements prometheus.Collector. A register that can't be read gives nothing.
func (m dueMetric) Collect(to chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	all, err := m.d.due(ctx, dueDays)
	if err != nil {
		return
	}
	for _, kind := range register.DueKinds {
		for _, d := range all { // what lapses first comes first
			if d.Kind == kind {
				to <- prometheus.MustNewConstMetric(dueDesc, prometheus.GaugeValue, float64(d.Days), kind)
				break
			}
		}
	}
}
