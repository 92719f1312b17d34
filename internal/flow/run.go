package flow

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
)

// Times of the Runner's own.
const (
	troubleWait = 2 * time.Second        // after a step that failed
	turn        = 500 * time.Millisecond // how long a stream goes on before others get theirs
	lookWhole   = time.Second            // how often all streams are looked at, whatever is new
)

// Run runs the flows until ctx ends, and then ends what is on its way.
func (r *Runner) Run(ctx context.Context) {
	r.work.Add(1)
	go func() {
		defer r.work.Done()
		r.watch(ctx)
	}()
	r.work.Add(1)
	go func() {
		defer r.work.Done()
		r.runNotices(ctx)
	}()
	tick := time.NewTicker(r.opt.Poll)
	defer tick.Stop()
	var last uint64
	var looked time.Time
	for ctx.Err() == nil {
		whole := time.Since(looked) >= lookWhole
		if whole {
			looked = time.Now()
		}
		if err := r.look(ctx, &last, whole); err != nil && ctx.Err() == nil {
			r.log.Error("looking for what is to flow failed, it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-r.wake:
			looked = time.Time{}
		}
	}
	r.work.Wait()
	r.release()
	r.close()
}

// release gives the leases up, so that another node of the cell goes on at once.
func (r *Runner) release() {
	ctx, cancel := context.WithTimeout(context.Background(), renewAfter)
	defer cancel()
	r.mu.Lock()
	var names []string
	for k := range r.streams {
		names = append(names, k.lease())
	}
	r.mu.Unlock()
	slices.Sort(names)
	if len(names) == 0 {
		return
	}
	_ = r.DB.Do(ctx, func(tx store.Tx) error { // else they end by themselves
		for _, n := range names {
			if err := r.Store.Release(tx, n, r.node); err != nil {
				return err
			}
		}
		return nil
	})
}

// scene is what a look finds in one snapshot.
type scene struct {
	last      uint64
	streams   []Stream
	batches   map[Key]*Batch
	newest    map[uint32]uint64
	elsewhere map[string]bool
	new       bool // something was written since the last look
}

// look starts what there is to do. Without anything new, and unless whole is set, it costs no statement.
func (r *Runner) look(ctx context.Context, last *uint64, whole bool) error {
	tenants := r.tenants()
	var s scene
	if err := r.DB.View(ctx, func(tx store.Tx) (err error) {
		s = scene{last: r.Store.Last(tx)}
		if s.new = s.last > *last; !s.new && !whole && !r.awaits() {
			return nil
		}
		return r.see(tx, &s, tenants)
	}); err != nil {
		return err
	}
	if s.streams == nil {
		return nil
	}
	*last = s.last
	if added, err := r.addStreams(ctx, &s, tenants); err != nil {
		return err
	} else if added {
		r.Wake()
		return nil
	}
	r.observe(&s)
	engine := r.Rules.Engine()             // not under the lock: it can wait for a register that has to be read
	first := int(r.looks) % len(s.streams) // so that none waits for those before it
	r.looks++
	for i := range s.streams {
		x := &s.streams[(first+i)%len(s.streams)]
		t, here := tenants[x.Tenant]
		if !here || t.Disabled || s.elsewhere[x.lease()] || x.State != Running && x.State != Halted {
			continue
		}
		if st := r.take(x, &s, engine, whole); st != nil {
			r.work.Add(1)
			go func() {
				defer r.work.Done()
				r.turn(ctx, st, t)
			}()
		}
	}
	return nil
}

// awaits says whether a stream waits for a time that has come.
func (r *Runner) awaits() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, st := range r.streams {
		if !st.busy && !st.due.IsZero() && !r.now().Before(st.due) {
			return true
		}
	}
	return false
}

func (r *Runner) see(tx store.Tx, s *scene, tenants map[uint32]Tenant) (err error) {
	if s.streams, err = r.Store.Streams(tx); err != nil || len(s.streams) == 0 {
		return err
	}
	batches, err := r.Store.Batches(tx)
	if err != nil {
		return err
	}
	s.batches = make(map[Key]*Batch, len(batches))
	for i := range batches {
		s.batches[batches[i].Key] = &batches[i]
	}
	nos := make([]uint32, 0, len(tenants))
	for no := range tenants {
		nos = append(nos, no)
	}
	newest, err := r.Store.Newest(tx, nos)
	if err != nil {
		return err
	}
	s.newest = make(map[uint32]uint64, len(nos))
	for i, no := range nos {
		s.newest[no] = newest[i]
	}
	s.elsewhere, err = r.Store.Elsewhere(tx, r.node, r.now().UnixMilli())
	return err
}

func (r *Runner) tenants() map[uint32]Tenant {
	all := map[uint32]Tenant{}
	for _, t := range r.Tenants() {
		all[t.No] = t
	}
	return all
}

// addStreams gives tenants that were not seen before the flows that run for everybody: from where those
// were started, so that nothing of theirs is left out.
func (r *Runner) addStreams(ctx context.Context, s *scene, tenants map[uint32]Tenant) (bool, error) {
	have := make(map[Key]bool, len(s.streams))
	for i := range s.streams {
		have[s.streams[i].Key] = true
	}
	var missing []Stream
	for i := range s.streams {
		all := &s.streams[i]
		if all.Tenant != 0 || all.State == Idle || flowOf(r.Rules.Engine().Programme(), all.Flow) == nil {
			continue
		}
		for no := range tenants {
			if k := (Key{no, all.Flow}); !have[k] {
				missing = append(missing, Stream{Key: k, State: all.State, Pos: all.Pos, Since: r.now().UnixMilli(), Received: all.Received})
			}
		}
	}
	if len(missing) == 0 {
		return false, nil
	}
	return true, r.DB.Do(ctx, func(tx store.Tx) error {
		for i := range missing {
			there, err := r.Store.Stream(tx, missing[i].Key)
			if err != nil {
				return err
			}
			if there == nil {
				if err := r.Store.PutStream(tx, &missing[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// take returns the stream when it has something to do and there is room.
func (r *Runner) take(x *Stream, s *scene, engine *decision.Engine, whole bool) *stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.streams[x.Key]
	if st == nil {
		st = &stream{Key: x.Key}
		r.streams[x.Key] = st
	}
	now := r.now()
	b := s.batches[x.Key]
	switch {
	case st.busy || r.busy >= r.opt.Streams, now.Before(st.due), b != nil && b.waits(now), x.State == Halted && !whole:
		return nil
	case b == nil && x.State == Running && s.newest[x.Tenant] <= x.Pos && st.judged == engine && st.judgedOn == now.UTC().Format(time.DateOnly):
		return nil // nothing is new, and no decision
	}
	st.busy = true
	r.busy++
	return st
}

// tryStep is step, whose panics are errors: what one record does must not end the node.
func (r *Runner) tryStep(ctx context.Context, st *stream, t Tenant) (out outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			var pc [24]uintptr
			var calls []string
			for list := runtime.CallersFrames(pc[:runtime.Callers(3, pc[:])]); ; { // without arguments, which could be ids
				f, more := list.Next()
				calls = append(calls, fmt.Sprintf("%s:%d", f.Function, f.Line))
				if !more {
					break
				}
			}
			r.log.Error("a flow panicked", "flow", st.Flow, "at", calls)
			out, err = outcome{}, errors.New("a flow panicked")
		}
	}()
	return r.step(ctx, st, t)
}

// turn takes a stream further until it has nothing to do, something is in the way, or others wait.
func (r *Runner) turn(ctx context.Context, st *stream, t Tenant) {
	began := time.Now()
	var out outcome
	var err error
	ok := true // the tenant's settings are read for each batch: a pin holds from the next one on
	engine, day := r.Rules.Engine(), r.now().UTC().Format(time.DateOnly)
	for {
		if t, ok = r.tenant(t.No); !ok || t.Disabled {
			break
		}
		out, err = r.tryStep(ctx, st, t)
		if err != nil || !out.again || ctx.Err() != nil || time.Since(began) >= turn {
			break
		}
	}
	r.mu.Lock()
	st.busy = false
	r.busy--
	st.due, st.failed = out.due, ""
	st.judged, st.judgedOn = engine, day
	if err != nil && !begins(err) && ctx.Err() == nil {
		if st.due, st.failed = r.now().Add(troubleWait), reasonOf(err); fault.KindOf(err) == fault.NotFound {
			st.due = r.now().Add(10 * troubleWait)
		}
		r.log.Error("a flow is stuck, it will be tried again", "flow", st.Flow, "tenant", t.ID, "error", err)
	}
	r.mu.Unlock()
	if ok && !t.Disabled && out.again || err != nil && begins(err) && !errors.Is(err, errElsewhere) {
		r.Wake()
	}
}
