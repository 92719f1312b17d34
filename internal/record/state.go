package record

import (
	"fmt"
	"slices"
	"sort"

	"domicile.dev/internal/store"
)

// run is a published run with what is in memory of it. It never changes; one with less of its
// filter is another value.
type run struct {
	RunInfo
	fences []key    // first key of each block
	starts []uint64 // position of each block's first entry; nil by client
	filter filter
}

func (r *run) mayHave(p probe) bool { return r.Keys > 0 && r.filter.has(p) }

// lastBlock is the number of the last block that begins at or before (k, pos), -1 for none.
func (r *run) lastBlock(k key, pos uint64) int {
	return sort.Search(len(r.fences), func(i int) bool {
		if r.fences[i] != k {
			return k.less(r.fences[i])
		}
		return r.starts != nil && r.starts[i] > pos
	}) - 1
}

// state is what one version of the manifest says. It never changes.
type state struct {
	version   uint64
	merged    uint64              // rows up to here are in runs
	runs      [2][]*run           // by family, newest first
	rewritten uint64              // version at which rows were last compacted or dropped
	dropped   map[classKey]uint64 // entries of a class up to this position are gone
	dead      map[key]uint64      // so are entries of these subjects
}

type classKey struct {
	tenant uint32
	class  uint16
}

// view is what one transaction sees of the index.
type view struct {
	l    *Log
	tx   store.Tx
	st   *state
	pos  uint64        // last position that tx sees
	gens []*generation // those that together cover (st.merged, pos], oldest first
	own  bool          // gens are this view's alone: no lock
	got  map[cacheKey][]byte
}

// at returns what tx sees, after catching up with what other nodes committed. It costs no statement
// when there is nothing new.
func (l *Log) at(tx store.Tx) (*view, error) {
	g := l.store.Gate(tx)
	v := &view{l: l, tx: tx, pos: g.Pos}
	var err error
	if v.st, err = l.stateOf(tx, g.Manifest); err != nil {
		return nil, err
	}
	if err := l.catchUp(tx, v.st, g.Pos); err != nil {
		return nil, err
	}
	l.mem.mu.RLock()
	v.gens = slices.Clone(l.mem.gens)
	l.mem.mu.RUnlock()
	if v.gens[0].after <= v.st.merged {
		return v, nil
	}
	// tx is older than a merge that has let its part of the memory go
	old := newGeneration(v.st.merged)
	v.gens, v.own = []*generation{old}, true
	return v, l.store.Groups(tx, v.st.merged, old.apply)
}

// read runs fn with the generations held still.
func (v *view) read(fn func()) {
	if !v.own {
		v.l.mem.mu.RLock()
		defer v.l.mem.mu.RUnlock()
	}
	fn()
}

// catchUp applies group indexes up to pos that this node did not write or did not hear the end of.
func (l *Log) catchUp(tx store.Tx, st *state, pos uint64) error {
	l.mem.mu.RLock()
	have := l.mem.pos
	l.mem.mu.RUnlock()
	if have >= pos {
		return nil
	}
	type group struct {
		first, last uint64
		body        []byte
	}
	var missing []group
	if err := l.store.Groups(tx, have, func(first, last uint64, body []byte) error {
		missing = append(missing, group{first, last, body})
		return nil
	}); err != nil {
		return err
	}
	l.mem.mu.Lock()
	defer l.mem.mu.Unlock()
	if len(missing) > 0 && missing[0].first > l.mem.pos+1 {
		// they were merged meanwhile: the runs that tx sees have them
		l.mem.gens, l.mem.pos = []*generation{newGeneration(missing[0].first - 1)}, missing[0].first-1
	}
	for _, g := range missing {
		if err := l.mem.apply(g.first, g.last, g.body); err != nil {
			return err
		}
	}
	if l.mem.pos < pos {
		if st.merged < pos {
			return corrupt(fmt.Sprintf("no group index between %d and %d", l.mem.pos, pos))
		}
		l.mem.gens, l.mem.pos = []*generation{newGeneration(pos)}, pos
	}
	return nil
}

// stateOf returns the state of a version that tx sees.
func (l *Log) stateOf(tx store.Tx, version uint64) (*state, error) {
	if st := l.state.Load(); st != nil && st.version == version {
		return st, nil
	}
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	for _, st := range l.states {
		if st.version == version {
			return st, nil
		}
	}
	st, err := l.load(tx, version)
	if err != nil {
		return nil, err
	}
	if now := l.state.Load(); now != nil && now.version > version {
		return st, nil // of an old snapshot: of no use to others
	}
	l.state.Store(st)
	clear(l.fresh)
	l.states = append(l.states, st)
	if len(l.states) > keptStates {
		l.states = slices.Delete(l.states, 0, len(l.states)-keptStates)
	}
	l.mem.mu.Lock()
	l.mem.release(st.merged, 1)
	l.mem.mu.Unlock()
	return st, nil
}

// keptStates is for Views that began before the last merges.
const keptStates = 4

// release lets go of generations that runs have, but for the newest keep of them, which Views that
// began before the merge may want. The caller holds mu.
func (m *memtable) release(merged uint64, keep int) {
	n := 0
	for n < len(m.gens) && m.gens[n].last <= merged && (n < len(m.gens)-1 || m.gens[n].last > m.gens[n].after) {
		n++
	}
	if n == len(m.gens) {
		m.gens = append(m.gens, newGeneration(m.pos))
	}
	m.gens = slices.Delete(m.gens, 0, max(0, n-keep))
}
