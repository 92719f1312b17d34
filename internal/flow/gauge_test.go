package flow_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
)

// noticeGauges is what the runner shows of notices to each recipient.
func (n *node) noticeGauges() (pending, oldest map[string]float64) {
	n.t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(n.runner.Collectors()...)
	families, err := reg.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	pending, oldest = map[string]float64{}, map[string]float64{}
	for _, f := range families {
		into := map[string]map[string]float64{"pending": pending, "oldest_seconds": oldest}[strings.TrimPrefix(f.GetName(), "domicile_flow_notices_")]
		for _, m := range f.GetMetric() {
			if into != nil {
				into[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return pending, oldest
}

// The gauges show how many notices a recipient doesn't acknowledge and for how long, and nothing once it has.
func TestTheGaugesShowWhoIsNotToldYet(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		away := make(chan struct{})
		r.to.answers(func(_ context.Context, d *flow.Delivery) error {
			select {
			case <-away:
				return nil
			default:
			}
			if d.Kind != "" {
				return fault.New(fault.Unavailable, "recipient.unavailable", "it is away")
			}
			return nil
		})
		n.sends()
		if p, o := n.noticeGauges(); len(p)+len(o) != 0 {
			t.Errorf("nobody is to be told, and it shows %v, %v", p, o)
		}
		n.erase(ann)
		recipient := n.notices()[0].Recipient
		began := r.now()
		r.leap(time.Hour)
		r.until("it shows one, for an hour", func() bool {
			p, o := n.noticeGauges()
			most := r.now().Sub(began).Seconds() + 1
			if o[recipient] > most {
				t.Fatalf("%v s, and it was made %v s ago", o[recipient], most)
			}
			return len(p) == 1 && p[recipient] == 1 && o[recipient] >= 3599
		})
		close(away)
		r.leap(2 * time.Hour)
		r.until("it shows none", func() bool { p, o := n.noticeGauges(); return len(p) == 0 && len(o) == 0 })
	})
}
