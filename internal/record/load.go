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
	infos = slices.DeleteFunc(infos, func(r RunInfo) bool { return r.State != RunPublished })
	pieces := l.budget(infos, known)
	for i, info := range infos {
		r := known[info.ID]
		if r == nil {
			if r, err = l.loadRun(tx, info, pieces[i]); err != nil {
				return nil, err
			}
		} else {
			r = r.with(pieces[i])
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

// budget says how many pieces of its filter each run may have in memory. It leaves out pieces of the
// largest first, until FilterBytes hold them all, and before any is read: what is left out was
// never in memory. A run that is there already keeps at most what it has.
func (l *Log) budget(infos []RunInfo, known map[int64]*run) (pieces []int) {
	pieces = make([]int, len(infos))
	size := func(i int) int64 { return int64(infos[i].FilterLines) * lineWords * 8 }
	var bytes int64
	for i, info := range infos {
		if r := known[info.ID]; r != nil {
			pieces[i] = len(r.filter.pieces)
		} else {
			pieces[i] = info.pieces()
		}
		bytes += int64(pieces[i]) * size(i)
	}
	for bytes > l.opt.FilterBytes {
		most := -1
		for i := range infos {
			if pieces[i] > 0 && (most < 0 || int64(pieces[i])*size(i) > int64(pieces[most])*size(most)) {
				most = i
			}
		}
		if most < 0 {
			break
		}
		pieces[most]--
		bytes -= size(most)
	}
	return pieces
}

// with returns r with at most pieces of its filter.
func (r *run) with(pieces int) *run {
	if len(r.filter.pieces) <= pieces {
		return r
	}
	less := *r
	less.filter.pieces = slices.Clone(less.filter.pieces[:pieces])
	return &less
}

// loadRun reads from the store a run's fences and the first pieces of its filter.
func (l *Log) loadRun(tx store.Tx, info RunInfo, pieces int) (*run, error) {
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
	if err := l.loadFilter(tx, r, pieces); err != nil {
		return nil, fmt.Errorf("read filter of run %d: %w", info.ID, err)
	}
	return r, nil
}

// pieceBlocks is how many blocks a piece of r's filter has, pieces how many pieces are stored.
func (r *RunInfo) pieceBlocks() int { return (r.FilterLines*lineWords*8 + metaBytes - 1) / metaBytes }

func (r *RunInfo) pieces() int {
	if r.FilterBlocks == 0 || r.FilterLines == 0 {
		return 0
	}
	return r.FilterBlocks / r.pieceBlocks()
}

// loadFilter reads the first pieces of r's filter. Each piece begins a block of its own.
func (l *Log) loadFilter(tx store.Tx, r *run, pieces int) error {
	if pieces == 0 {
		return nil
	}
	size, each := r.filter.pieceBytes(), r.pieceBlocks()
	if stored := r.pieces(); stored > piecesOf(r.Family) || r.FilterBlocks != each*stored {
		return corrupt("number of blocks of a run's filter")
	}
	for range pieces {
		r.filter.pieces = append(r.filter.pieces, make([]uint64, r.FilterLines*lineWords))
	}
	from, at := r.Blocks+r.FenceBlocks, 0
	if err := l.store.Blocks(tx, r.ID, from, from+pieces*each-1, func(_ int, b []byte) error {
		p, in := at/size, at%size
		if p >= pieces || len(b) > size-in || !decodePiece(r.filter.pieces[p], in, b) {
			return corrupt("filter of a run")
		}
		at += len(b)
		return nil
	}); err != nil {
		return err
	}
	if at != pieces*size {
		return corrupt("length of a run's filter")
	}
	return nil
}
