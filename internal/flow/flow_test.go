package flow_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
)

const (
	ann = "+353861110001"
	bob = "+353861110002"
)

func numbers(from, until int) (out []string) {
	for i := from; i < until; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestNothingLeavesBeforeAFlowIsStarted(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.message("0", ann, bob)
		time.Sleep(100 * time.Millisecond)
		if got := r.to.all(); len(got) != 0 {
			t.Fatalf("%d deliveries of a flow that nobody started", len(got))
		}
		n.order(flow.Start, "")
		for i := 1; i < 12; i++ {
			n.message(fmt.Sprint(i), ann, bob)
		}
		r.until("all that came after the start is there", func() bool { return len(r.to.lines()) == 11 })
		if got := texts(t, r.to.lines()); !slices.Equal(got, numbers(1, 12)) {
			t.Errorf("messages %v, want 1 to 11 in order", got)
		}
		for i, d := range r.to.all() {
			if d.Seq != uint64(i+1) || d.Attempt != 1 || d.Form != "clear" || d.Tenant != "acme" || d.Recipient != "sp-01" || d.MinimumTLS != "1.3" {
				t.Errorf("delivery %d: %+v", i, d)
			}
		}
		n.mustBeEntered()
	})
}

func TestAReplayBeginsAtAPositionOrADateAndIsDecidedAnew(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.order(flow.Start, "0")
		for i := range 6 {
			n.message(fmt.Sprint(i), ann, bob)
		}
		r.until("all is there", func() bool { return len(r.to.lines()) == 6 })
		r.until("the cursor is at the end", func() bool { return n.at().LagRows == 0 && n.at().Batch == nil })
		if _, err := n.plane.Restrict(context.Background(), acme, n.find(ann), ""); err != nil {
			t.Fatal(err)
		}
		n.order(flow.Replay, "2026-11-25")
		r.until("it is there again", func() bool { return len(r.to.lines()) == 12 })
		for _, l := range r.to.lines()[6:] {
			if strings.Contains(l, n.find(ann).String()) || strings.Contains(l, ann+`"`) && strings.Contains(l, `"from"`) {
				t.Errorf("a restricted person's part left: %s", l)
			}
		}
		if _, err := n.runner.Do(t.Context(), operator, flow.Order{Flow: screening, Verb: flow.Replay, From: "yesterday"}); fault.ReasonOf(err) != "flow.bad_from" {
			t.Errorf("replay from yesterday: %v", err)
		}
		n.mustBeEntered()
	})
}

func TestARecipientWhoDoesntAnswerGetsTheSameBatchAgain(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		var calls atomic.Int32
		r.to.answers(func(context.Context, *flow.Delivery) error {
			if calls.Add(1)%3 != 0 {
				return fault.New(fault.Unavailable, "recipient.unavailable", "it is away")
			}
			return nil
		})
		n.order(flow.Start, "0")
		for i := range 10 {
			n.message(fmt.Sprint(i), ann, bob)
		}
		r.until("all is done", func() bool { return len(r.to.lines()) == 10 && n.at().LagRows == 0 })
		if got := texts(t, r.to.lines()); !slices.Equal(got, numbers(0, 10)) {
			t.Errorf("messages %v, want 0 to 9 in order", got)
		}
		body := map[string]string{}
		for _, d := range r.to.all() {
			if b, again := body[d.ID]; again && b != string(d.Body) {
				t.Errorf("delivery %s had another body at attempt %d", d.ID, d.Attempt)
			}
			body[d.ID] = string(d.Body)
		}
		n.mustBeEntered()
	})
}

func TestARefusedBatchIsParkedUntilTheOperatorSays(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		r.to.answers(func(context.Context, *flow.Delivery) error {
			return fault.New(fault.Invalid, "recipient.refused", "it doesn't want it")
		})
		n.message("0", ann, bob)
		n.order(flow.Start, "0")
		r.until("the batch is parked", func() bool { return n.at().Stream.State == flow.Parked })
		if x := n.at(); len(x.Records) != 1 || x.Error != "recipient.refused" {
			t.Errorf("parked with records %v, error %q", x.Records, x.Error)
		}
		n.message("1", ann, bob)
		time.Sleep(50 * time.Millisecond)
		if got := r.to.all(); len(got) != 1 {
			t.Errorf("%d deliveries while a batch is parked", len(got))
		}
		n.order(flow.Retry, "")
		r.until("it is parked again", func() bool { return len(r.to.all()) == 2 && n.at().Stream.State == flow.Parked })
		r.to.answers(nil)
		n.order(flow.Skip, "")
		r.until("the next is there", func() bool { return len(r.to.all()) == 3 })
		if got := texts(t, r.to.lines()); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("messages %v", got)
		}
		if _, err := n.runner.Do(t.Context(), operator, flow.Order{Flow: screening, Verb: flow.Skip}); fault.ReasonOf(err) != "flow.state" {
			t.Errorf("skip of a running flow: %v", err)
		}
	})
}

func TestAnErasureDuringADeliveryLeavesNothingAfterItAnswered(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		nodes := []*node{r.open(nil)}
		if r.url != "" {
			nodes = append(nodes, r.open(nil)) // the erasure comes to another node than the delivery is on
		}
		n, eraser := nodes[0].run(), nodes[len(nodes)-1]
		n.message("0", ann, bob)
		n.message("1", bob, bob)
		gone := n.find(ann)
		var answered atomic.Bool
		inside := make(chan struct{}, 10)
		r.to.answers(func(ctx context.Context, d *flow.Delivery) error {
			if !strings.Contains(string(d.Body), gone.String()) {
				return nil
			}
			inside <- struct{}{}
			<-ctx.Done()
			if answered.Load() {
				t.Error("the erasure answered while the attempt was on its way")
			}
			return ctx.Err()
		})
		n.order(flow.Start, "0")
		<-inside
		began := time.Now()
		if _, err := eraser.plane.Erase(t.Context(), acme, gone, plane.EraseRequest{}); err != nil {
			t.Fatal(err)
		}
		answered.Store(true)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the erasure took %v", took)
		}
		r.until("all is done", func() bool { return n.at().LagRows == 0 && n.at().Batch == nil })
		all, with := r.to.all(), 0
		for _, d := range all {
			if strings.Contains(string(d.Body), gone.String()) {
				with++
			}
		}
		if with != 1 || len(all) < 2 || all[0].ID != all[1].ID || all[1].Attempt != 2 || all[0].Seq != all[1].Seq {
			t.Errorf("%d deliveries, %d with the person; the first two are %s/%d and %s/%d", len(all), with, all[0].ID, all[0].Attempt, all[1].ID, all[1].Attempt)
		}
		n.mustBeEntered()
	})
}

func TestAnErasureWaitsForANodeThatIsGoneUntilItsLeaseEnds(t *testing.T) {
	r := newRegion(t, "")
	n := r.open(nil).run()
	n.message("0", ann, bob)
	inside, never := make(chan struct{}, 1), make(chan struct{})
	r.to.answers(func(context.Context, *flow.Delivery) error { inside <- struct{}{}; <-never; return nil }) // deaf to its context
	n.order(flow.Start, "0")
	<-inside
	began := time.Now()
	if _, err := n.plane.Erase(t.Context(), acme, n.find(ann), plane.EraseRequest{}); err != nil {
		t.Errorf("erase: %v", err)
	}
	if took := time.Since(began); took < 2*time.Second || took > 5*time.Second {
		t.Errorf("it took %v, want what is left of the lease", took)
	}
	close(never)
}

func TestAFlowHaltsWhenItsMechanismFallsAndGoesOnByItself(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.order(flow.Start, "0")
		n.message("0", ann, bob)
		r.until("the first is there", func() bool { return len(r.to.lines()) == 1 && n.at().LagRows == 0 })
		r.decide("contracts")
		r.until("it halts", func() bool { return n.at().Stream.State == flow.Halted })
		n.message("1", ann, bob)
		entry := n.at().Stream.Entry
		time.Sleep(1200 * time.Millisecond) // past another look at everything
		if x := n.at(); len(r.to.all()) != 1 || x.Stream.Entry != entry || x.Stream.Reasons == "" {
			t.Errorf("halted: %d deliveries, entry changed %v, reasons %q", len(r.to.all()), x.Stream.Entry != entry, x.Stream.Reasons)
		}
		r.decide()
		r.until("it goes on where it stood", func() bool { return len(r.to.lines()) == 2 })
		if got := texts(t, r.to.lines()); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("messages %v", got)
		}
	})
}

func TestWhoObjectsIsLeftOutFromTheNextBatchOn(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.order(flow.Start, "0")
		n.message("0", ann, bob)
		r.until("the first is there", func() bool { return len(r.to.lines()) == 1 && n.at().LagRows == 0 })
		said := n.find(ann)
		r.mu.Lock()
		r.refused[said] = true
		r.mu.Unlock()
		n.message("1", ann, bob)
		r.until("the second is there", func() bool { return len(r.to.lines()) == 2 })
		if l := r.to.lines()[1]; strings.Contains(l, said.String()) {
			t.Errorf("who objects is in %s", l)
		}
		r.until("it is counted", func() bool {
			return slices.ContainsFunc(n.at().Counts, func(c flow.Count) bool { return c.What == "denied" && c.Of == "subject.objects" && c.N == 1 })
		})
	})
}

func TestAPinnedTenantsClearDataStays(t *testing.T) {
	r := newRegion(t, "")
	r.tenants[0].Pinned = true
	n := r.open(nil).run()
	n.order(flow.Start, "0")
	n.message("0", ann, bob)
	r.until("the first is there", func() bool { return len(r.to.lines()) == 1 })
	if d := r.to.all()[0]; d.Form != "pseudonymised" || !strings.Contains(string(d.Body), `"form":"pseudonymised"`) {
		t.Errorf("a pinned tenant's data left as %s: %s", d.Form, d.Body)
	}
}

func TestATenantSeesItsOwnAndOrdersNothing(t *testing.T) {
	r := newRegion(t, "")
	r.tenants = append(r.tenants, flow.Tenant{No: 2, ID: "other"})
	n := r.open(nil).run()
	n.order(flow.Start, "")
	r.until("both tenants run", func() bool {
		v, err := n.runner.Show(t.Context(), operator, screening)
		return err == nil && len(v.Tenants) == 2
	})
	v, err := n.runner.Show(t.Context(), acme, screening)
	if err != nil || len(v.Tenants) != 1 || v.Tenants[0].Tenant != "acme" || v.State != flow.Running || len(v.Fields) == 0 || v.Form != "clear" {
		t.Errorf("the tenant sees %+v, %v", v, err)
	}
	if _, err := n.runner.Do(t.Context(), acme, flow.Order{Flow: screening, Verb: flow.Pause}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a tenant pauses: %v", err)
	}
	if _, err := n.runner.Show(t.Context(), operator, "connectivity_au"); fault.ReasonOf(err) != "flow.unknown" {
		t.Errorf("another region's flow: %v", err)
	}
	if l, err := n.runner.List(t.Context(), &tenant.Caller{Tenant: 3}); err != nil || len(l) == 0 || len(l[0].Tenants) != 0 {
		t.Errorf("a stranger sees %+v, %v", l, err)
	}
}

func TestAPausedFlowStandsStillAndGoesOn(t *testing.T) {
	r := newRegion(t, "")
	n := r.open(nil).run()
	n.order(flow.Start, "")
	n.order(flow.Pause, "")
	n.message("0", ann, bob)
	time.Sleep(100 * time.Millisecond)
	if got := r.to.all(); len(got) != 0 {
		t.Errorf("%d deliveries of a paused flow", len(got))
	}
	n.order(flow.Resume, "")
	r.until("it goes on", func() bool { return len(r.to.lines()) == 1 })
}

func TestRecordsOfACallThatNameNobodyLeaveOnlyIfAllItsPeopleMay(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.message("0", ann, bob)
		// What a thing's records are sealed under is a subject of its own: here it stands in for Ann.
		n.standIn(n.find(bob), n.find(ann))
		r.mu.Lock()
		for _, s := range []string{ann} {
			r.refused[n.find(s)] = true
		}
		r.mu.Unlock()
		n.message("1", bob, bob)
		n.order(flow.Start, "0")
		r.until("it is passed over", func() bool { return n.at().Stream.State == flow.Running && n.at().LagRows == 0 })
		if got := r.to.lines(); len(got) != 0 {
			t.Errorf("sent %v, though one who takes part objects", got)
		}
	})
}
