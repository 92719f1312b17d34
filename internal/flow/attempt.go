package flow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// attempt is one delivery of this node on its way, and whom it holds.
type attempt struct {
	Key
	subjects []byte // packed
	ctx      context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex // guards what follows
	cut     bool
	seq     int64     // changes up to here were looked at when it was entered; 0 before
	renewed time.Time // when its lease last began
	over    bool      // Deliver has returned
}

// begin makes an attempt known, before it is entered: an erasure that comes after the entry finds it.
func (r *Runner) begin(ctx context.Context, k Key, subjects []byte) *attempt {
	a := &attempt{Key: k, subjects: subjects, renewed: r.now()}
	a.ctx, a.cancel = context.WithCancel(ctx)
	r.mu.Lock()
	r.attempts[a] = struct{}{}
	r.mu.Unlock()
	return a
}

func (r *Runner) end(a *attempt) {
	a.cancel()
	r.mu.Lock()
	delete(r.attempts, a)
	r.mu.Unlock()
}

// entered says that the attempt's lease is in the store, and which changes its transaction looked at.
func (a *attempt) entered(now time.Time, seq int64) {
	a.mu.Lock()
	a.renewed, a.seq = now, seq
	a.mu.Unlock()
}

func (a *attempt) stop() {
	a.mu.Lock()
	a.cut = true
	a.mu.Unlock()
	a.cancel()
}

func (a *attempt) wasCut() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cut
}

// deliver calls the connector, unless the attempt was cut before it began.
func (a *attempt) deliver(c Connector, d *Delivery, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(a.ctx, timeout)
	defer cancel()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := c.Deliver(ctx, d)
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	if err != nil && ctx.Err() != nil && a.ctx.Err() == nil {
		return fault.New(fault.Unavailable, "recipient.slow", "the recipient did not acknowledge in time").Because(err)
	}
	return err
}

// live returns the attempts of this node.
func (r *Runner) live() []*attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*attempt, 0, len(r.attempts))
	for a := range r.attempts {
		all = append(all, a)
	}
	return all
}

// watch looks, while attempts are on their way, for erasures by other nodes, and prolongs the
// attempts' leases. What it can't prolong it cuts before somebody else may take it up.
func (r *Runner) watch(ctx context.Context) {
	tick := time.NewTicker(r.opt.Poll)
	defer tick.Stop()
	seen := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		live := r.live()
		if len(live) == 0 {
			seen = -1
			continue
		}
		seen = r.lookForErasures(ctx, live, seen)
		r.renew(ctx, live)
	}
}

// lookForErasures cuts what holds somebody who is gone since seen, and returns up to which change it
// looked. What changed before an attempt was entered its own transaction took care of.
func (r *Runner) lookForErasures(ctx context.Context, live []*attempt, seen int64) int64 {
	first := int64(-1)
	for _, a := range live {
		a.mu.Lock()
		if a.seq > 0 && (first < 0 || a.seq < first) {
			first = a.seq
		}
		a.mu.Unlock()
	}
	if first < 0 {
		return seen
	}
	var changes []Change
	whole, at := true, int64(0)
	ctx, cancel := context.WithTimeout(ctx, renewAfter)
	defer cancel()
	err := r.DB.View(ctx, func(tx store.Tx) (err error) {
		at = r.Store.ChangeSeq(tx)
		changes, whole, err = r.Store.Changed(tx, max(seen, first-1))
		return err
	})
	if err != nil {
		return seen
	}
	for _, a := range live {
		if !whole || a.lost(changes) {
			a.stop()
		}
	}
	return at
}

// lost says whether somebody whom a holds is gone.
func (a *attempt) lost(changes []Change) bool {
	for _, ch := range changes {
		if ch.Tenant == a.Tenant && (ch.Kind == "erase" || ch.Kind == "move") && holds(a.subjects, ch.Subject) {
			return true
		}
	}
	return false
}

// renew prolongs the leases of attempts that have lasted for a while.
func (r *Runner) renew(ctx context.Context, live []*attempt) {
	now := r.now()
	due := false
	for _, a := range live {
		a.mu.Lock()
		due = due || !a.over && !a.cut && now.Sub(a.renewed) >= renewAfter
		a.mu.Unlock()
	}
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, renewAfter)
	err := r.DB.Do(ctx, func(tx store.Tx) error { return r.Store.Renew(tx, r.node, now.Add(leaseFor)) })
	cancel()
	for _, a := range live {
		a.mu.Lock()
		if err == nil && !a.cut {
			a.renewed = now
		}
		stale := r.now().Sub(a.renewed) >= cutAfter
		a.mu.Unlock()
		if stale {
			a.stop()
		}
	}
}

// erasureWait bounds how long an erasure waits for attempts.
const erasureWait = 5 * time.Second

// Cut ends every attempt that holds one of the subjects, who were erased in a transaction that is
// durable, and returns when none is on its way any more, here or on another node. Without subjects it
// is about everybody who is erased.
//
// It is a fault Unavailable erase.in_flight when that took more than 5 seconds: what was erased is
// erased, and whoever asks again waits again.
func (r *Runner) Cut(ctx context.Context, tenant uint32, gone []id.Subject) error {
	for _, a := range r.live() {
		if a.Tenant != tenant {
			continue
		}
		for _, s := range gone {
			if holds(a.subjects, s) {
				a.stop()
				break
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, erasureWait)
	defer cancel()
	for {
		held, err := r.held(ctx, tenant, gone)
		if err == nil && !held {
			return nil
		}
		select {
		case <-ctx.Done():
			return (&fault.Error{Kind: fault.Unavailable, Reason: "erase.in_flight", Public: "the person is erased, and a delivery that held something of them may not have ended",
				Hint: "ask again: the answer waits until it has", RetryAfterSeconds: 1}).Because(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// looks lets erasures that ended together ask together what is in flight: one look answers all that came
// before it began.
type looks struct {
	mu     sync.Mutex // guards what follows
	next   map[uint32]*look
	active map[uint32]bool // tenants who are looked at right now
}

type look struct {
	done chan struct{}
	all  []Batch
	err  error
}

// inFlight returns the attempts in flight of a tenant, as a look has them that begins after the call.
func (r *Runner) inFlight(ctx context.Context, tenant uint32) ([]Batch, error) {
	l := &r.looked
	l.mu.Lock()
	if l.next == nil {
		l.next, l.active = map[uint32]*look{}, map[uint32]bool{}
	}
	mine := l.next[tenant]
	if mine == nil {
		mine = &look{done: make(chan struct{})}
		l.next[tenant] = mine
	}
	if !l.active[tenant] {
		l.active[tenant] = true
		go r.lookFor(tenant)
	}
	l.mu.Unlock()
	select {
	case <-mine.done:
		return mine.all, mine.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lookFor looks until nobody waits any more.
func (r *Runner) lookFor(tenant uint32) {
	l := &r.looked
	for {
		l.mu.Lock()
		now := l.next[tenant]
		delete(l.next, tenant)
		if l.active[tenant] = now != nil; now == nil {
			delete(l.active, tenant)
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), erasureWait)
		now.err = r.DB.View(ctx, func(tx store.Tx) (err error) {
			now.all, err = r.Store.InFlight(tx, tenant, r.now().UnixMilli())
			return err
		})
		cancel()
		close(now.done)
	}
}

// held says whether an attempt in flight holds one of the subjects, or without any somebody erased.
func (r *Runner) held(ctx context.Context, tenant uint32, gone []id.Subject) (held bool, err error) {
	if gone != nil {
		all, err := r.inFlight(ctx, tenant)
		return slices.ContainsFunc(all, func(b Batch) bool {
			return slices.ContainsFunc(gone, func(s id.Subject) bool { return holds(b.Subjects, s) })
		}), err
	}
	err = r.DB.View(ctx, func(tx store.Tx) error {
		all, err := r.Store.InFlight(tx, tenant, r.now().UnixMilli())
		if err != nil {
			return err
		}
		held = false
		for i := range all {
			if held, err = r.anyErased(tx, &all[i]); held || err != nil {
				return err
			}
		}
		return nil
	})
	return held, err
}

func (r *Runner) anyErased(tx store.Tx, b *Batch) (any bool, err error) {
	list, err := unpackSubjects(b.Subjects)
	if err != nil || len(list) == 0 {
		return false, err
	}
	keys := make([]subject.Key, len(list))
	for i, s := range list {
		keys[i] = subject.Key{Tenant: b.Tenant, Subject: s}
	}
	return any, errors.Join(err, r.Subjects.Tombs(tx, keys, func(subject.Tomb) { any = true }))
}

// draft is a ledger entry about a tenant's flow.
func (r *Runner) draft(kind, tenant string, body any) ledger.Draft {
	return ledger.Draft{Kind: kind, Tenant: tenant, At: r.now(), Body: body}
}
