package record

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// merger is what the one that merges remembers.
type merger struct {
	cleaned  bool      // leftovers of a crash were looked for
	leasedAt time.Time // when the lease was last taken or prolonged
	retired  []RunInfo // runs whose blocks are to be removed
}

const (
	leaseName = "merge"
	leaseTTL  = 30 * time.Second
	leaseEach = 10 * time.Second
	// lookEach is how often Run looks for what other nodes wrote.
	lookEach = 2 * time.Second
	// deleteBlocks is how many blocks one transaction removes.
	deleteBlocks = 512
	// maxPending is how many generations may wait for merging before Pace holds writers back.
	maxPending = 6
	// maxPace is the longest that Pace waits.
	maxPace = time.Second
)

// Merge does one piece of merging if there is any to do: it writes a full part of the memory as
// runs, or merges runs of like size, or removes what a merge left. did is false when there was
// nothing, or another node has the lease.
func (l *Log) Merge(ctx context.Context) (did bool, err error) {
	l.mergeMu.Lock()
	defer l.mergeMu.Unlock()
	if err := l.prepare(ctx); err != nil {
		if errors.Is(err, errLost) {
			return false, nil
		}
		return false, err
	}
	if did, err = l.mergeStep(ctx, 0); err != nil {
		l.merger.cleaned = false
	}
	return did, err
}

// Settle writes all of the memory and merges all runs into one of each family. It is for measuring
// and for before a backup; nothing needs it.
func (l *Log) Settle(ctx context.Context) error {
	l.mergeMu.Lock()
	defer l.mergeMu.Unlock()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	l.mem.mu.Lock()
	l.mem.freeze()
	l.mem.mu.Unlock()
	for {
		if did, err := l.mergeStep(ctx, 0); err != nil {
			return err
		} else if !did {
			break
		}
	}
	for _, f := range families {
		inputs := l.state.Load().runs[f]
		if len(inputs) > 1 {
			if err := l.mergeRuns(ctx, f, inputs); err != nil {
				return err
			}
		}
	}
	if err := l.removeRetired(ctx); err != nil {
		return err
	}
	l.mem.mu.Lock()
	l.mem.release(l.state.Load().merged, 0)
	l.mem.mu.Unlock()
	return nil
}

// prepare takes the lease, catches up and removes what a crash or another node left.
func (l *Log) prepare(ctx context.Context) error {
	if l.db.Engine() != "sqlite" && time.Since(l.merger.leasedAt) > leaseEach {
		had := time.Since(l.merger.leasedAt) < leaseTTL
		if err := l.mergeDo(ctx, func(store.Tx) error { return nil }); err != nil {
			return err
		}
		l.merger.cleaned = l.merger.cleaned && had
	}
	if err := l.refresh(ctx); err != nil {
		return err
	}
	if l.merger.cleaned {
		return nil
	}
	if err := l.db.View(ctx, func(tx store.Tx) error {
		all, err := l.store.Runs(tx)
		l.merger.retired = slices.DeleteFunc(all, func(r RunInfo) bool { return r.State == RunPublished })
		return err
	}); err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	l.merger.cleaned = true
	return nil
}

// refresh makes the newest manifest this node's.
func (l *Log) refresh(ctx context.Context) error {
	return l.db.View(ctx, func(tx store.Tx) error {
		_, err := l.at(tx)
		return err
	})
}

// mergeDo runs fn in a write transaction, prolonging the lease when it is time.
func (l *Log) mergeDo(ctx context.Context, fn func(tx store.Tx) error) error {
	now := time.Now()
	prolong := l.db.Engine() != "sqlite" && now.Sub(l.merger.leasedAt) > leaseEach
	if err := l.db.Do(ctx, func(tx store.Tx) error {
		if prolong {
			if ok, err := l.store.Lease(tx, leaseName, l.opt.Node, now, leaseTTL); err != nil {
				return err
			} else if !ok {
				return errLost
			}
		}
		return fn(tx)
	}); err != nil {
		return err
	}
	if prolong {
		l.merger.leasedAt = now
	}
	return nil
}

// mergeStep does one piece, touching only runs of rows above a position.
func (l *Log) mergeStep(ctx context.Context, above uint64) (did bool, err error) {
	if g := l.closed(); g != nil {
		return true, l.flush(ctx, g)
	}
	if above == 0 && len(l.merger.retired) > 0 {
		return true, l.removeRetired(ctx)
	}
	st := l.state.Load()
	for _, f := range families {
		if inputs := l.tier(st.runs[f], above); inputs != nil {
			return true, l.mergeRuns(ctx, f, inputs)
		}
	}
	return false, nil
}

// closed returns the oldest generation that is to be written.
func (l *Log) closed() *generation {
	st := l.state.Load()
	l.mem.mu.Lock()
	defer l.mem.mu.Unlock()
	if g := l.mem.gens[len(l.mem.gens)-1]; l.mem.full(g) {
		l.mem.freeze()
	}
	for _, g := range l.mem.gens[:len(l.mem.gens)-1] {
		if g.last > st.merged {
			return g
		}
	}
	return nil
}

// tier chooses runs to merge, newest first: all up to the last of a level that has as many as the
// fan-in. What is merged are always neighbours.
func (l *Log) tier(runs []*run, above uint64) []*run {
	level := func(r *run) int {
		units := 2 * float64(max(r.Entries, 1)) / float64(l.opt.MemRecords)
		return int(math.Floor(math.Log(units) / math.Log(float64(l.opt.FanIn))))
	}
	top, count := math.MinInt, 0
	for i, r := range runs {
		if r.FirstPos <= above {
			return nil
		}
		if n := level(r); n > top {
			top, count = n, 1
		} else if n == top {
			count++
		}
		if count >= l.opt.FanIn && (i+1 == len(runs) || runs[i+1].FirstPos <= above || level(runs[i+1]) > top) {
			return runs[:i+1]
		}
	}
	return nil
}

// flush writes a closed generation as a run of each family and removes its group indexes.
func (l *Log) flush(ctx context.Context, g *generation) error {
	after := max(g.after, l.state.Load().merged)
	if after >= g.last {
		return errLost // another node wrote it since closed looked
	}
	var writers [2]*runWriter
	for _, f := range families {
		keys, sorted := uint64(len(g.subs)), g.sortedSubjects
		if f == ByClient {
			keys, sorted = uint64(len(g.clients)), g.sortedClients
		}
		w := l.newRunWriter(ctx, f, after+1, g.last, keys)
		if err := sorted(after, w.add); err != nil {
			return fmt.Errorf("write memory as a run: %w", err)
		}
		if err := w.finish(); err != nil {
			return fmt.Errorf("write memory as a run: %w", err)
		}
		writers[f] = w
	}
	return l.publish(ctx, writers[:], func(tx store.Tx) error {
		all, err := l.store.Runs(tx)
		if err != nil {
			return err
		}
		for _, r := range all {
			if r.State == RunPublished && r.LastPos > after {
				return errLost // another node wrote them
			}
		}
		return l.store.DeleteGroups(tx, g.last)
	})
}

// publish makes runs visible together with what also does.
func (l *Log) publish(ctx context.Context, writers []*runWriter, also func(tx store.Tx) error) error {
	err := l.mergeDo(ctx, func(tx store.Tx) error {
		if err := also(tx); err != nil { // first: it looks at what is published
			return err
		}
		for _, w := range writers {
			if err := w.publish(tx); err != nil {
				return err
			}
		}
		g := l.store.Gate(tx)
		g.Manifest++
		l.store.SetGate(tx, g)
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish runs: %w", err)
	}
	l.stateMu.Lock()
	for _, w := range writers {
		l.fresh[w.info.ID] = w.run
	}
	l.stateMu.Unlock()
	return l.refresh(context.WithoutCancel(ctx))
}

// mergeRuns merges neighbouring runs, given newest first, into one. It reads and writes in pieces,
// and between them lets the memory be written, so that a large merge holds nothing up.
func (l *Log) mergeRuns(ctx context.Context, f Family, inputs []*run) error {
	inputs = slices.Clone(inputs)
	slices.Reverse(inputs)
	first, last := inputs[0].FirstPos, inputs[len(inputs)-1].LastPos
	var keys uint64
	for _, r := range inputs {
		keys += r.Keys
	}
	st := l.state.Load()
	keep, err := l.keeper(ctx, f, st)
	if err != nil {
		return err
	}
	w := l.newRunWriter(ctx, f, first, last, keys)
	w.between = func() error {
		for {
			if did, err := l.mergeStep(ctx, last); err != nil || !did {
				return err
			}
		}
	}
	if err := l.mergeInto(ctx, w, inputs, keep); err != nil {
		return fmt.Errorf("merge %d runs: %w", len(inputs), err)
	}
	if err := w.finish(); err != nil {
		return fmt.Errorf("merge %d runs: %w", len(inputs), err)
	}
	err = l.publish(ctx, []*runWriter{w}, func(tx store.Tx) error {
		for _, r := range inputs {
			info := r.RunInfo
			info.State = RunRetired
			if ok, err := l.store.UpdateRun(tx, RunPublished, info); err != nil {
				return err
			} else if !ok {
				return errLost
			}
		}
		if f == BySubject && first == 1 {
			return l.store.DeleteMarks(tx, deadMarks(st, last))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range inputs {
		info := r.RunInfo
		info.State = RunRetired
		l.merger.retired = append(l.merger.retired, info)
	}
	return nil
}

// deadMarks are the marks of subjects that no run mentions once all rows up to last are merged.
func deadMarks(st *state, last uint64) (marks []Mark) {
	for k, pos := range st.dead {
		if pos <= last {
			s := id.Subject(k.id())
			marks = append(marks, Mark{Tenant: k.tenant(), Subject: s[:], Pos: pos})
		}
	}
	return marks
}

// keeper tells which entries a merge keeps. Client keys stay for ever: a late retry of what was
// erased is a duplicate.
func (l *Log) keeper(ctx context.Context, f Family, st *state) (func(e *entry) bool, error) {
	if f == ByClient || len(st.dropped)+len(st.dead) == 0 {
		return func(*entry) bool { return true }, nil
	}
	class := map[uint16]uint16{}
	err := l.db.View(ctx, func(tx store.Tx) error {
		all, err := l.store.Kinds(tx)
		for _, k := range all {
			class[k.Code] = k.Class
		}
		return err
	})
	v := &view{st: st}
	return func(e *entry) bool { return !v.gone(e, class[e.kind]) }, err
}
