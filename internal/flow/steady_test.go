package flow_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// A pin and a disabling hold from the next batch on, also while a stream has a lot to send.
func TestWhatIsSetForATenantHoldsFromTheNextBatchOn(t *testing.T) {
	for name, set := range map[string]func(*flow.Tenant){
		"pinned":   func(x *flow.Tenant) { x.Pinned = true },
		"disabled": func(x *flow.Tenant) { x.Disabled = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, "")
			n := r.open(nil)
			for i := range 80 { // in rows of their own
				n.message(numbers(i, i+1)[0], ann, ann)
			}
			r.to.answers(func(context.Context, *flow.Delivery) error {
				r.mu.Lock()
				defer r.mu.Unlock()
				set(&r.tenants[0])
				return nil
			})
			n.run()
			n.order(flow.Start, "0")
			r.until("the first is there", func() bool { return len(r.to.all()) > 0 })
			if name == "pinned" {
				r.until("it is through", func() bool { return n.at().LagRows == 0 })
			} else {
				time.Sleep(100 * time.Millisecond)
			}
			clear := 0
			for _, d := range r.to.all() {
				if d.Form == "clear" {
					clear++
				}
			}
			if clear != 1 {
				t.Errorf("%d batches left in the clear, want the first", clear)
			}
		})
	}
}

// refusing makes the recipient take nothing.
func refusing(r *region, kind fault.Kind) (tried *atomic.Int32) {
	tried = new(atomic.Int32)
	r.to.answers(func(context.Context, *flow.Delivery) error {
		tried.Add(1)
		return fault.New(kind, "destination.trouble", "no")
	})
	return tried
}

// By the day of its first attempt a folder knows a delivery again.
func TestABatchThatIsTriedAgainOnAnotherDayIsOfTheDayOfItsFirstAttempt(t *testing.T) {
	r := newRegion(t, "")
	n := r.open(nil).run()
	refusing(r, fault.Invalid)
	n.message("0", ann, bob)
	n.order(flow.Start, "0")
	r.until("it is parked", func() bool { return n.at().Stream.State == flow.Parked })
	r.leap(72 * time.Hour)
	r.to.answers(nil)
	n.order(flow.Retry, "")
	r.until("it is there", func() bool { return n.at().Batch == nil && n.at().LagRows == 0 })
	all := r.to.all()
	if first, last := all[0], all[len(all)-1]; first.ID != last.ID || !first.BegunAt.Equal(last.BegunAt) {
		t.Errorf("%s begun at %s, then %s begun at %s", first.ID, first.BegunAt, last.ID, last.BegunAt)
	}
}

// The time in which nobody tried is no time of trying.
func TestABatchIsntParkedForTheTimeInWhichItsFlowStood(t *testing.T) {
	for name, stand := range map[string]func(r *region, n *node){
		"halted": func(r *region, n *node) {
			r.decide("contracts")
			r.until("it halts", func() bool { return n.at().Stream.State == flow.Halted })
			r.leap(72 * time.Hour)
			r.decide()
		},
		"paused": func(r *region, n *node) {
			n.order(flow.Pause, "")
			r.leap(72 * time.Hour)
			n.order(flow.Resume, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, "")
			n := r.open(nil).run()
			tried := refusing(r, fault.Unavailable)
			n.message("0", ann, bob)
			n.order(flow.Start, "0")
			r.until("it is tried", func() bool { return tried.Load() > 0 })
			stand(r, n)
			was := tried.Load()
			r.until("it is tried again", func() bool { return tried.Load() > was+2 })
			if s := n.at().Stream.State; s != flow.Running {
				t.Fatalf("it is %s", s)
			}
			r.leap(25 * time.Hour)
			r.until("a day of trying is enough", func() bool { return n.at().Stream.State == flow.Parked })
		})
	}
}

// A clock that was ahead for days doesn't make a flow stand for days once it is right again.
func TestAClockThatIsSetBackHoldsNoFlowUp(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil)
		n.message("0", ann, bob)
		r.leap(96 * time.Hour)
		tried := refusing(r, fault.Unavailable)
		n.run()
		n.order(flow.Start, "0")
		r.until("it failed", func() bool { return tried.Load() > 0 && n.at().Error == "destination.trouble" })
		r.leap(-96 * time.Hour)
		n.halt() // what a node remembers goes by a clock that can't be set
		n.runner = n.newRunner(n.db)
		r.to.answers(nil)
		n.run()
		r.until("it is there", func() bool { return n.at().Batch == nil && n.at().LagRows == 0 })
		n.mustBeEntered()
	})
}

// Who gets the flow's data from another day's programme on is told of erasures like whoever had it before.
func TestWhoGetsAFlowsDataByAnotherProgrammeIsKnownToHaveIt(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.message("0", ann, ann)
		n.order(flow.Start, "0")
		r.until("one has it", func() bool { return len(r.to.lines()) == 1 && n.at().Batch == nil })
		r.change("to: sp-01\n", "to: sp-26\n")
		n.message("1", ann, ann)
		r.until("so has the other", func() bool { return len(r.to.lines()) == 2 && n.at().Batch == nil })
		var all []flow.Reach
		if err := n.db.View(t.Context(), func(tx store.Tx) (err error) {
			all, err = sqlstore.Flows{}.ReachOf(tx, 1, subjects(n.find(ann)))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(all) != 2 || all[0].Recipient != "sp-01" || all[1].Recipient != "sp-26" {
			t.Errorf("known to have it: %+v", all)
		}
	})
}

func subjects(s ...id.Subject) []id.Subject { return s }

// Neither does it when the node that was before held the stream, and an attempt, by the clock that was ahead.
func TestAClockThatIsSetBackEndsLeases(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil)
		n.message("0", ann, bob)
		r.leap(time.Hour)
		hung := make(chan struct{}, 1)
		r.to.answers(func(ctx context.Context, _ *flow.Delivery) error {
			hung <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		dead := &frozen{DB: n.db}
		first := n.newRunner(dead)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); first.Run(ctx) }()
		n.order(flow.Start, "0")
		<-hung
		dead.freeze()
		cancel()
		<-ended
		r.leap(-time.Hour)
		r.to.answers(nil)
		n.run()
		r.until("the next node sends it", func() bool { return n.at().Batch == nil && n.at().LagRows == 0 })
		if _, err := n.plane.Erase(t.Context(), acme, n.find(ann), plane.EraseRequest{}); err != nil {
			t.Errorf("an erasure waits for an attempt of a clock that was ahead: %v", err)
		}
	})
}

// A notice names people, also when the flow that brought their data is halted: it goes over the flow's TLS.
func TestANoticeOfAHaltedFlowGoesOverTheFlowsTLS(t *testing.T) {
	r := newRegion(t, "")
	n := r.open(nil).run()
	n.sends()
	r.decide("contracts")
	r.until("it halts", func() bool { return n.at().Stream.State == flow.Halted })
	n.erase(ann)
	r.soon("it is confirmed", func() bool { return n.notices()[0].State == flow.NoticeConfirmed })
	if d := r.to.told()[0]; d.MinimumTLS != "1.3" {
		t.Errorf("told over TLS %s", d.MinimumTLS)
	}
}

// A clock that was ahead for days doesn't put a notice off for days either.
func TestAClockThatIsSetBackHoldsNoNoticeUp(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		var away atomic.Bool
		away.Store(true)
		r.to.answers(func(_ context.Context, d *flow.Delivery) error {
			if d.Kind != "" && away.Load() {
				return fault.New(fault.Unavailable, "recipient.unavailable", "it is away")
			}
			return nil
		})
		n.sends()
		n.erase(ann)
		r.leap(96 * time.Hour)
		r.until("it failed", func() bool { return n.notices()[0].Error == "recipient.unavailable" })
		away.Store(false)
		r.leap(-96 * time.Hour)
		r.until("it is confirmed", func() bool { return n.notices()[0].State == flow.NoticeConfirmed })
	})
}
