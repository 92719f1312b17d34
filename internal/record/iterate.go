package record

import (
	"slices"
	"sort"

	"domicile.dev/internal/id"
)

// located walks the locations of a set of subjects in order, newest or oldest first, reading only as
// far as it is asked. Memory and each run index a range of positions of their own, so that they are
// walked one after another, and only the subjects within one are merged.
type located struct {
	v       *view
	keys    []key
	probes  []probe
	oldest  bool
	bound   Location // exclusive
	bounded bool
	accept  func(e *entry) (bool, error)
	refill  int // how many entries to take from memory at a time

	sources []source
	current source
	walks   []walk // in current, one for each subject it may have
	last    Location
	started bool
}

// source is a generation, or a run of the BySubject family.
type source struct {
	gen         *generation
	run         *run
	after, last uint64 // its positions
}

// walk goes through the entries of one subject in one source.
type walk struct {
	k     key
	buf   []entry // ahead, in the order of walking
	at    int
	done  bool // nothing behind buf
	block int  // of a run: the next one to read
	first bool // block may not have the subject at all
}

func (v *view) locate(tenant uint32, subjects []id.Subject, oldest bool, after Location, refill int) *located {
	w := &located{v: v, oldest: oldest, bound: after, bounded: after != Location{}, refill: max(refill, 16)}
	for _, s := range subjects {
		if k := makeKey(tenant, s); !s.IsNobody() && !slices.Contains(w.keys, k) {
			w.keys, w.probes = append(w.keys, k), append(w.probes, k.probe())
		}
	}
	for i := len(v.gens) - 1; i >= 0; i-- {
		g := v.gens[i]
		w.addSource(source{gen: g, after: max(g.after, v.st.merged), last: v.pos})
	}
	for _, r := range v.st.runs[BySubject] {
		w.addSource(source{run: r, after: r.FirstPos - 1, last: r.LastPos})
	}
	if oldest {
		slices.Reverse(w.sources)
	}
	return w
}

func (w *located) addSource(s source) {
	if s.after >= s.last || w.bounded && (w.oldest && s.last < w.bound.Pos || !w.oldest && s.after >= w.bound.Pos) {
		return
	}
	if s.run != nil && !slices.ContainsFunc(w.probes, s.run.mayHave) {
		return
	}
	w.sources = append(w.sources, s)
}

// prefetch reads the blocks where the walk through each run begins, in one round trip.
func (w *located) prefetch() error {
	var refs []blockRef
	for _, s := range w.sources {
		if s.run == nil {
			continue
		}
		for i, k := range w.keys {
			if s.run.mayHave(w.probes[i]) {
				if n, ok := w.start(s.run, k); ok {
					refs = append(refs, blockRef{s.run, n})
				}
			}
		}
	}
	return w.v.fetch(refs)
}

// start is the first block to read of a run.
func (w *located) start(r *run, k key) (n int, ok bool) {
	if len(r.fences) == 0 {
		return 0, false
	}
	if !w.oldest {
		upTo := ^uint64(0)
		if w.bounded {
			upTo = w.bound.Pos
		}
		n = r.lastBlock(k, upTo)
		return n, n >= 0
	}
	from := uint64(0)
	if w.bounded {
		from = w.bound.Pos
	}
	n = sort.Search(len(r.fences), func(i int) bool {
		if r.fences[i] != k {
			return k.less(r.fences[i])
		}
		return r.starts[i] >= from
	})
	return max(0, n-1), true
}

// next returns the next entry. An entry of several of the subjects comes once.
func (w *located) next() (e entry, ok bool, err error) {
	for {
		best := -1
		for i := range w.walks {
			wk := &w.walks[i]
			if err := w.fill(wk); err != nil {
				return e, false, err
			}
			if wk.at == len(wk.buf) {
				continue
			}
			if best < 0 || w.before(wk.buf[wk.at].loc(), w.walks[best].buf[w.walks[best].at].loc()) {
				best = i
			}
		}
		if best < 0 {
			if len(w.sources) == 0 {
				return e, false, nil
			}
			w.enter()
			continue
		}
		wk := &w.walks[best]
		e = wk.buf[wk.at]
		wk.at++
		if w.started && e.loc() == w.last {
			continue
		}
		if keep, err := w.accept(&e); err != nil {
			return e, false, err
		} else if !keep {
			continue
		}
		w.last, w.started = e.loc(), true
		return e, true, nil
	}
}

// before says whether a comes before b in the order of walking.
func (w *located) before(a, b Location) bool {
	if w.oldest {
		return a.Compare(b) < 0
	}
	return a.Compare(b) > 0
}

// within says whether l lies behind the bound.
func (w *located) within(l Location) bool { return !w.bounded || w.before(w.bound, l) }

// enter begins the next source.
func (w *located) enter() {
	s := w.sources[0]
	w.walks = w.walks[:0]
	for i, k := range w.keys {
		wk := walk{k: k, first: true}
		if s.run != nil {
			if !s.run.mayHave(w.probes[i]) {
				continue
			}
			n, ok := w.start(s.run, k)
			if !ok {
				continue
			}
			wk.block = n
		}
		w.walks = append(w.walks, wk)
	}
	w.current, w.sources = s, w.sources[1:]
}

// fill reads on when nothing is ahead.
func (w *located) fill(wk *walk) error {
	for wk.at == len(wk.buf) && !wk.done {
		wk.at = 0
		if w.current.gen != nil {
			w.fillMem(wk)
		} else if err := w.fillRun(wk); err != nil {
			return err
		}
	}
	return nil
}

// fillMem takes entries from a generation. Oldest first it takes all: the chain begins at the newest.
func (w *located) fillMem(wk *walk) {
	s := w.current
	var upTo Location
	resumed := len(wk.buf) > 0
	if resumed {
		upTo = wk.buf[len(wk.buf)-1].loc()
	}
	wk.buf, wk.done = wk.buf[:0], true
	w.v.read(func() {
		s.gen.locations(wk.k, func(e entry) bool {
			if e.pos > s.last || resumed && e.loc().Compare(upTo) >= 0 {
				return true
			}
			if e.pos <= s.after {
				return false
			}
			if w.within(e.loc()) {
				wk.buf = append(wk.buf, e)
			} else if w.oldest {
				return false
			}
			if !w.oldest && len(wk.buf) == w.refill {
				wk.done = false
			}
			return wk.done
		})
	})
	if w.oldest {
		slices.Reverse(wk.buf)
	}
}

// fillRun reads the next block of a run.
func (w *located) fillRun(wk *walk) error {
	r := w.current.run
	body, err := w.v.block(r, wk.block)
	if err != nil {
		return err
	}
	wk.buf = wk.buf[:0]
	br := readBlock(BySubject, r.FirstPos, body)
	var g group
	found := false
	for {
		ok, err := br.next(&g)
		if err != nil {
			return err
		}
		if !ok || wk.k.less(g.key) {
			break
		}
		if g.key == wk.k {
			found = true
			break
		}
	}
	if !found {
		// oldest first, the search may stop one block before the one that begins with the subject
		wk.done = !(w.oldest && wk.first && wk.block+1 < len(r.fences) && r.fences[wk.block+1] == wk.k)
		wk.block, wk.first = wk.block+1, false
		return nil
	}
	wk.first = false
	if wk.buf, err = g.locations(r.FirstPos, wk.buf); err != nil {
		return err
	}
	wk.buf = slices.DeleteFunc(wk.buf, func(e entry) bool { return !w.within(e.loc()) })
	if w.oldest {
		wk.done = !g.on
		wk.block++
		return nil
	}
	slices.Reverse(wk.buf)
	wk.done = !g.from || wk.block == 0
	wk.block--
	return nil
}
