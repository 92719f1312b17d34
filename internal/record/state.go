package record

import (
	"fmt"
	"slices"
	"sort"

	"domicile.dev/internal/id"
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

// load reads the manifest. The caller holds stateMu.
func (l *Log) load(tx store.Tx, version uint64) (*state, error) {
	infos, err := l.store.Runs(tx)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	st := &state{version: version, dropped: map[classKey]uint64{}, dead: map[key]uint64{}}
	known := map[int64]*run{}
	for _, old := range l.states {
		for _, family := range old.runs {
			for _, r := range family {
				known[r.ID] = r
			}
		}
	}
	for id, r := range l.fresh {
		known[id] = r
	}
	for _, info := range infos {
		if info.State != RunPublished {
			continue
		}
		r := known[info.ID]
		if r == nil {
			if r, err = l.loadRun(tx, info); err != nil {
				return nil, err
			}
		}
		st.merged = max(st.merged, info.LastPos)
		st.runs[info.Family] = append(st.runs[info.Family], r)
	}
	for f := range st.runs {
		slices.SortFunc(st.runs[f], func(a, b *run) int { return -Location{Pos: a.LastPos}.Compare(Location{Pos: b.LastPos}) })
	}
	l.trim(st)
	marks, err := l.store.Marks(tx)
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	for _, m := range marks {
		if m.Tenant == 0 {
			st.rewritten = m.Pos
		} else if len(m.Subject) == 0 {
			st.dropped[classKey{m.Tenant, m.Class}] = m.Pos
		} else if len(m.Subject) == 12 {
			st.dead[makeKey(m.Tenant, id.Subject(m.Subject))] = m.Pos
		}
	}
	return st, nil
}

// trim leaves out pieces of filters, of the largest first, until the budget holds.
func (l *Log) trim(st *state) {
	var bytes int64
	for _, family := range st.runs {
		for _, r := range family {
			bytes += r.filter.bytes()
		}
	}
	for bytes > l.opt.FilterBytes {
		var most *[]*run
		at := -1
		for f := range st.runs {
			for i, r := range st.runs[f] {
				if r.filter.bytes() > 0 && (at < 0 || r.filter.bytes() > (*most)[at].filter.bytes()) {
					most, at = &st.runs[f], i
				}
			}
		}
		if at < 0 {
			return
		}
		less := *(*most)[at]
		n := len(less.filter.pieces) - 1
		bytes -= int64(less.filter.pieceBytes())
		less.filter.pieces = slices.Clone(less.filter.pieces[:n])
		(*most)[at] = &less
	}
}

// loadRun reads fences and filter of a run from the store.
func (l *Log) loadRun(tx store.Tx, info RunInfo) (*run, error) {
	r := &run{RunInfo: info, fences: make([]key, 0, info.Blocks)}
	size := 16
	if info.Family == BySubject {
		size, r.starts = 24, make([]uint64, 0, info.Blocks)
	}
	if err := l.store.Blocks(tx, info.ID, info.Blocks, info.Blocks+info.FenceBlocks-1, func(_ int, b []byte) error {
		for ; len(b) >= size; b = b[size:] {
			r.fences = append(r.fences, keyOf(b))
			if size == 24 {
				r.starts = append(r.starts, be.Uint64(b[16:]))
			}
		}
		if len(b) > 0 {
			return corrupt("fences of a run")
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read fences of run %d: %w", info.ID, err)
	}
	if len(r.fences) != info.Blocks {
		return nil, corrupt("number of fences of a run")
	}
	r.filter.lines = info.FilterLines
	if info.FilterBlocks == 0 {
		return r, nil
	}
	pieces := piecesOf(info.Family)
	for range pieces {
		r.filter.pieces = append(r.filter.pieces, make([]uint64, info.FilterLines*lineWords))
	}
	from, at := info.Blocks+info.FenceBlocks, 0
	if err := l.store.Blocks(tx, info.ID, from, from+info.FilterBlocks-1, func(_ int, b []byte) error {
		for len(b) > 0 {
			p, in := at/r.filter.pieceBytes(), at%r.filter.pieceBytes()
			n := min(len(b), r.filter.pieceBytes()-in)
			if p >= pieces || !decodePiece(r.filter.pieces[p], in, b[:n]) {
				return corrupt("filter of a run")
			}
			b, at = b[n:], at+n
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read filter of run %d: %w", info.ID, err)
	}
	if at != pieces*r.filter.pieceBytes() {
		return nil, corrupt("length of a run's filter")
	}
	return r, nil
}

// block returns index block n of r.
func (v *view) block(r *run, n int) ([]byte, error) {
	k := blockKey(r.ID, n)
	if b := v.l.cache.get(k); b != nil {
		return b, nil
	}
	if b := v.got[k]; b != nil {
		return b, nil
	}
	var body []byte
	if err := v.l.store.Blocks(v.tx, r.ID, n, n, func(_ int, b []byte) error {
		body = b
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read block %d of run %d: %w", n, r.ID, err)
	}
	if body == nil {
		return nil, corrupt(fmt.Sprintf("no block %d of run %d", n, r.ID))
	}
	v.l.cache.put(k, body)
	return body, nil
}

// A blockRef names a block.
type blockRef struct {
	r *run
	n int
}

// fetch reads blocks that are not in the cache, in one round trip, and keeps them for this view.
func (v *view) fetch(refs []blockRef) error {
	var runs []int64
	var ns []int
	for _, ref := range refs {
		k := blockKey(ref.r.ID, ref.n)
		if b := v.l.cache.get(k); b != nil || v.got[k] != nil {
			v.keep(k, b)
			continue
		}
		runs, ns = append(runs, ref.r.ID), append(ns, ref.n)
	}
	if len(runs) == 0 {
		return nil
	}
	return v.l.store.BlocksOf(v.tx, runs, ns, func(i int, b []byte) error {
		k := blockKey(runs[i], ns[i])
		v.l.cache.put(k, b)
		v.keep(k, b)
		return nil
	})
}

func (v *view) keep(k cacheKey, b []byte) {
	if v.got == nil {
		v.got = make(map[cacheKey][]byte)
	}
	if b != nil {
		v.got[k] = b
	}
}

// gone says whether entries like this are to be left out: retention dropped the row, or the
// subject's parts were compacted away.
func (v *view) gone(e *entry, class uint16) bool {
	st := v.st
	if len(st.dropped) > 0 {
		if pos, ok := st.dropped[classKey{e.key.tenant(), class}]; ok && e.pos <= pos {
			return true
		}
	}
	if len(st.dead) > 0 {
		if pos, ok := st.dead[e.key]; ok && e.pos <= pos {
			return true
		}
	}
	return false
}
