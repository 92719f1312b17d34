package record

import (
	"context"
	"errors"
	"time"
)

// Run merges in the background until ctx ends. On a cell of several nodes the one with the lease
// merges.
func (l *Log) Run(ctx context.Context) {
	tick := time.NewTicker(min(l.opt.IdleFlush, lookEach))
	defer tick.Stop()
	was, since := uint64(0), time.Now()
	for ctx.Err() == nil {
		did, err := l.Merge(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errLost) {
			l.opt.OnError(err)
		}
		if did && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		case now := <-tick.C:
			if pos := l.lastPos(); pos != was {
				was, since = pos, now
			} else if now.Sub(since) >= l.opt.IdleFlush {
				l.idle()
			}
		}
	}
}

func (l *Log) lastPos() uint64 {
	l.mem.mu.RLock()
	defer l.mem.mu.RUnlock()
	return l.mem.pos
}

// idle closes the growing generation and lets go of those kept for old Views.
func (l *Log) idle() {
	st := l.state.Load()
	l.mem.mu.Lock()
	defer l.mem.mu.Unlock()
	l.mem.freeze()
	l.mem.release(st.merged, 0)
}

// freeze closes the growing generation if it has anything. The caller holds mu.
func (m *memtable) freeze() {
	if g := m.gens[len(m.gens)-1]; g.last > g.after {
		m.gens = append(m.gens, newGeneration(m.pos))
	}
}

// Pace waits while merging is far behind, at most a second. Writers call it before they take the
// gate.
func (l *Log) Pace(ctx context.Context) error {
	end := time.Now().Add(maxPace)
	for l.pending() > maxPending && time.Now().Before(end) {
		t := time.NewTimer(5 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
	return ctx.Err()
}

// pending is how many closed generations no run has yet.
func (l *Log) pending() (n int) {
	st := l.state.Load()
	l.mem.mu.RLock()
	defer l.mem.mu.RUnlock()
	for _, g := range l.mem.gens[:len(l.mem.gens)-1] {
		if g.last > st.merged {
			n++
		}
	}
	return n
}
