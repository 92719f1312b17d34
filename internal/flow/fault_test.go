package flow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/storetest"
)

// enteredFirst is a recipient that looks, before it takes a batch, whether its decision is in the
// ledger: another connection sees it, so it is durable.
func (n *node) enteredFirst(ctx context.Context, d *flow.Delivery) error {
	e, err := id.ParseEntry(d.Entry)
	if err != nil {
		n.t.Errorf("entry %q: %v", d.Entry, err)
		return nil
	}
	err = n.db.View(context.WithoutCancel(ctx), func(tx store.Tx) error {
		v, err := n.led.Entry(tx, e)
		if err == nil && !strings.Contains(string(v.Entry), d.ID) {
			err = errors.New("another one's")
		}
		return err
	})
	if err != nil {
		n.t.Errorf("delivery %s attempt %d moved before its entry: %v", d.ID, d.Attempt, err)
	}
	return nil
}

// mustBeWhole fails unless the messages arrived in order, each in the last delivery under its id.
func (n *node) mustBeWhole(want int) {
	n.t.Helper()
	if got := texts(n.t, n.to.lines()); !slices.Equal(got, numbers(0, want)) {
		n.t.Errorf("messages %v, want 0 to %d in order", got, want-1)
	}
	seq := uint64(0)
	for _, d := range n.to.all() {
		if d.Seq != seq && d.Seq != seq+1 {
			n.t.Errorf("delivery %d after %d", d.Seq, seq)
		}
		seq = d.Seq
	}
	n.mustBeEntered()
}

func TestWhicheverWriteFailsNothingIsLostOrOutOfOrder(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		t.Run(string(when), func(t *testing.T) {
			for step := 1; ; step++ {
				r := newRegion(t, "")
				var f *storetest.Faults
				n := r.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return f })
				r.to.answers(n.enteredFirst)
				for i := range 3 {
					n.message(fmt.Sprint(i), ann, bob)
				}
				n.order(flow.Start, "0")
				f.FailAt(step, when)
				n.run()
				r.soon("all is there", func() bool { return len(r.to.lines()) == 3 && n.at().LagRows == 0 && n.at().Batch == nil })
				fired := f.Fired()
				n.mustBeWhole(3)
				n.close()
				if !fired {
					if step < 8 {
						t.Fatalf("only %d writes were seen", step-1)
					}
					return
				}
			}
		})
	}
}

// mortal is a store whose node dies at a write: nothing that it does afterwards reaches it.
type mortal struct{ *storetest.Faults }

func (m mortal) Do(ctx context.Context, fn func(store.Tx) error) error {
	if m.Fired() {
		return fault.New(fault.Unavailable, "store.unavailable", "this node is dead")
	}
	return m.Faults.Do(ctx, fn)
}

func (m mortal) View(ctx context.Context, fn func(store.Tx) error) error {
	if m.Fired() {
		return fault.New(fault.Unavailable, "store.unavailable", "this node is dead")
	}
	return m.Faults.View(ctx, fn)
}

func TestANodeThatDiesAtAnyStepIsFollowedByAnother(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		t.Run(string(when), func(t *testing.T) {
			for step := 1; ; step++ {
				r := newRegion(t, "")
				var f *storetest.Faults
				n := r.open(func(db store.DB) store.DB { f = storetest.NewFaults(db); return mortal{f} })
				r.to.answers(n.enteredFirst)
				for i := range 3 {
					n.message(fmt.Sprint(i), ann, bob)
				}
				n.order(flow.Start, "0")
				dying := n.runner
				n.runner = n.newRunner(n.db)
				f.FailAt(step, when)
				ctx, kill := context.WithCancel(context.Background())
				dead := make(chan struct{})
				go func() { defer close(dead); dying.Run(ctx) }()
				r.soon("it dies, or is through", func() bool { return f.Fired() || len(r.to.lines()) == 3 && n.at().Batch == nil })
				kill()
				<-dead
				fired := f.Fired()
				n.run()
				r.soon("all is there", func() bool { return len(r.to.lines()) == 3 && n.at().LagRows == 0 && n.at().Batch == nil })
				n.mustBeWhole(3)
				n.close()
				if !fired {
					return
				}
			}
		})
	}
}

func TestTwoNodesOfACellDontSendBeside(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil)
		other := n.newRunner(n.db) // on PostgreSQL and in one process alike: another node is another runner
		ctx, stop := context.WithCancel(context.Background())
		var ended sync.WaitGroup
		ended.Add(1)
		go func() { defer ended.Done(); other.Run(ctx) }()
		defer ended.Wait()
		defer stop()
		var inside sync.Mutex
		r.to.answers(func(ctx context.Context, d *flow.Delivery) error {
			if !inside.TryLock() {
				t.Error("two attempts of one stream at once")
				return nil
			}
			defer inside.Unlock()
			time.Sleep(2 * time.Millisecond)
			return n.enteredFirst(ctx, d)
		})
		n.run()
		n.order(flow.Start, "0")
		for i := range 40 {
			n.message(fmt.Sprint(i), ann, bob)
		}
		r.until("all is there", func() bool { return len(r.to.lines()) == 40 && n.at().LagRows == 0 && n.at().Batch == nil })
		n.mustBeWhole(40)
		for _, d := range r.to.all() {
			if d.Attempt != 1 {
				t.Errorf("delivery %s came %d times", d.ID, d.Attempt)
			}
		}
	})
}

func TestAnotherNodeTakesOverFromOneThatHangs(t *testing.T) {
	r := newRegion(t, "")
	n := r.open(nil)
	n.message("0", ann, bob)
	var once sync.Once
	hung := make(chan struct{})
	r.to.answers(func(ctx context.Context, _ *flow.Delivery) error {
		wait := false
		once.Do(func() { wait = true; close(hung) })
		if wait {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	dead := &frozen{DB: n.db}
	first := n.newRunner(dead)
	var ended sync.WaitGroup
	ended.Add(1)
	go func() { defer ended.Done(); first.Run(ctx) }()
	n.order(flow.Start, "0")
	<-hung
	dead.freeze() // its store is away: it must cut the attempt before the other begins
	n.run()
	r.soon("the other one sent it", func() bool { return len(r.to.all()) == 2 && n.at().LagRows == 0 })
	if all := r.to.all(); all[0].ID != all[1].ID || all[1].Attempt != 2 {
		t.Errorf("%s/%d then %s/%d", all[0].ID, all[0].Attempt, all[1].ID, all[1].Attempt)
	}
	cancel()
	ended.Wait()
}

// frozen is a store that goes away.
type frozen struct {
	store.DB
	mu   sync.Mutex
	away bool
}

func (f *frozen) freeze() { f.mu.Lock(); f.away = true; f.mu.Unlock() }

func (f *frozen) gone() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return fault.New(fault.Internal, "store.away", "it is away")
	}
	return nil
}

func (f *frozen) Do(ctx context.Context, fn func(store.Tx) error) error {
	if err := f.gone(); err != nil {
		return err
	}
	return f.DB.Do(ctx, fn)
}

func (f *frozen) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := f.gone(); err != nil {
		return err
	}
	return f.DB.View(ctx, fn)
}
