package flow_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
)

// What the published notice doesn't say halts a flow however it is set going: when it is resumed, replayed or
// retried as well as when it is started. It goes on by itself when the notice says it.
func TestDriftHaltsAFlowHoweverItIsSetGoing(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(t *testing.T, r *region, n *node)
		order func(n *node)
		sent  int // deliveries before the drift
	}{
		{"resumed", func(t *testing.T, r *region, n *node) {
			r.until("the first is there", func() bool { return len(r.to.all()) == 1 && n.at().LagRows == 0 })
			n.order(flow.Pause, "")
		}, func(n *node) { n.message("1", ann, bob); n.order(flow.Resume, "") }, 1},
		{"replayed", func(t *testing.T, r *region, n *node) {
			r.until("the first is there", func() bool { return len(r.to.all()) == 1 && n.at().LagRows == 0 })
			n.order(flow.Pause, "")
		}, func(n *node) { n.order(flow.Replay, "0"); n.order(flow.Resume, "") }, 1},
		{"retried", func(t *testing.T, r *region, n *node) {
			r.until("it is parked", func() bool { return n.at().Stream.State == flow.Parked })
			r.to.answers(nil)
		}, func(n *node) { n.order(flow.Retry, "") }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, r *region) {
				var drifts atomic.Bool
				n := r.open(nil)
				n.runner.Drifts = func(string) []string {
					if drifts.Load() {
						return []string{"drift.recipient.undeclared"}
					}
					return nil
				}
				n.run()
				if c.name == "retried" {
					r.to.answers(func(context.Context, *flow.Delivery) error {
						return fault.New(fault.Invalid, "recipient.refused", "it doesn't want it")
					})
				}
				n.message("0", ann, bob)
				n.order(flow.Start, "0")
				c.first(t, r, n)
				drifts.Store(true)
				c.order(n)
				r.until("it halts", func() bool { return n.at().Stream.State == flow.Halted })
				time.Sleep(50 * time.Millisecond)
				if got := len(r.to.all()); got != c.sent {
					t.Errorf("%d deliveries, want %d", got, c.sent)
				}
				drifts.Store(false)
				r.until("it goes on", func() bool { return len(r.to.all()) > c.sent })
			})
		})
	}
}
