package record

import (
	"fmt"
	"slices"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

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
	if err := st.contiguous(); err != nil {
		return nil, err
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

// contiguous says whether the runs of each family tell of all rows up to merged, each once: readers
// walk one run after another and rely on it.
func (st *state) contiguous() error {
	for _, runs := range st.runs {
		next := st.merged
		for _, r := range runs {
			if r.LastPos != next || r.FirstPos > r.LastPos {
				return corrupt(fmt.Sprintf("run %d tells of rows %d to %d, want up to %d", r.ID, r.FirstPos, r.LastPos, next))
			}
			next = r.FirstPos - 1
		}
		if next != 0 {
			return corrupt(fmt.Sprintf("no run tells of rows up to %d", next))
		}
	}
	return nil
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
