package record

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Find returns the records that were stored with a part about one of the subjects, which belong to
// one person, newest first unless q says otherwise, with all their parts that are still there, of
// whomever. A record of which no part is left is not returned. more says that there are further ones
// behind the last.
//
// It costs a lookup for each run that may have a subject and one for each record; it reads no more of
// the index than it returns, but for what q.Kinds passes over. tx is any transaction in which Append
// was not called.
func (l *Log) Find(tx store.Tx, tenant uint32, subjects []id.Subject, q Query) (found []Found, more bool, err error) {
	v, err := l.at(tx)
	if err != nil {
		return nil, false, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	w := v.locate(tenant, subjects, q.Oldest, q.After, limit+1)
	w.accept = v.wanted(q.Kinds)
	if l.db.Engine() == "postgres" { // a round trip is dearer than a block read in vain
		if err := w.prefetch(); err != nil {
			return nil, false, err
		}
	}
	locs := make([]Location, 0, min(limit+1, 128))
	for len(found) <= limit {
		locs = locs[:0]
		for len(locs) < limit+1-len(found) {
			e, ok, err := w.next()
			if err != nil {
				return nil, false, fmt.Errorf("find records: %w", err)
			}
			if !ok {
				break
			}
			locs = append(locs, e.loc())
		}
		if len(locs) == 0 {
			break
		}
		if found, err = v.records(tenant, locs, found); err != nil {
			return nil, false, fmt.Errorf("read records: %w", err)
		}
	}
	if len(found) > limit {
		return found[:limit], true, nil
	}
	return found, false, nil
}

// wanted returns what tells the entries of some kinds that are not marked as gone.
func (v *view) wanted(kinds []string) func(e *entry) (bool, error) {
	marks := len(v.st.dropped)+len(v.st.dead) > 0
	if len(kinds) == 0 && !marks {
		return func(*entry) (bool, error) { return true, nil }
	}
	known := map[uint16]bool{}
	return func(e *entry) (bool, error) {
		keep, ok := known[e.kind]
		if ok && !marks {
			return keep, nil
		}
		k, err := v.kind(e.kind)
		if err != nil {
			return false, err
		}
		keep = len(kinds) == 0 || slices.ContainsFunc(kinds, func(want string) bool {
			service, kind, full := strings.Cut(want, "/")
			return full && service == k.Service && kind == k.Kind || !full && want == k.Kind
		})
		known[e.kind] = keep
		return keep && !v.gone(e, k.Class), nil
	}
}

// records appends the records at locs to found, in their order, leaving out those whose row is gone.
func (v *view) records(tenant uint32, locs []Location, found []Found) ([]Found, error) {
	bases := make([]uint64, 0, len(locs))
	for _, l := range locs {
		if n := len(bases); n == 0 || bases[n-1] != l.Pos {
			bases = append(bases, l.Pos)
		}
	}
	bodies, err := v.rows(tenant, bases)
	if err != nil {
		return nil, err
	}
	readers := make([]*rowReader, len(bases))
	var siblings []uint64
	for i, body := range bodies {
		if body == nil {
			continue
		}
		if readers[i], err = openRow(body, &v.l.shapes); err != nil {
			return nil, fmt.Errorf("row %d of tenant %d: %w", bases[i], tenant, err)
		}
		siblings = readers[i].siblingPositions(bases[i], siblings)
	}
	var beside [][]byte
	if len(siblings) > 0 {
		if beside, err = v.rows(tenant, siblings); err != nil {
			return nil, err
		}
	}
	if found == nil {
		found = make([]Found, 0, len(locs))
	}
	arena := make([]FoundPart, 0, 4*len(locs))
	at := 0
	for i, r := range readers {
		n := 0
		for at+n < len(locs) && locs[at+n].Pos == bases[i] {
			n++
		}
		own := locs[at : at+n]
		at += n
		if r == nil {
			continue
		}
		if k := len(r.siblings); k > 0 {
			if err := r.join(beside[:k]); err != nil {
				return nil, fmt.Errorf("row %d of tenant %d: %w", bases[i], tenant, err)
			}
			beside = beside[k:]
		}
		if found, err = r.pick(own, found, &arena); err != nil {
			return nil, fmt.Errorf("row %d of tenant %d: %w", bases[i], tenant, err)
		}
	}
	return found, nil
}

// pick appends the records at locs, all of this row and in one direction, to found.
func (r *rowReader) pick(locs []Location, found []Found, arena *[]FoundPart) ([]Found, error) {
	from := len(found)
	back := len(locs) > 1 && locs[0].Idx > locs[1].Idx
	for i := range locs {
		l := locs[i]
		if back { // a row is read forwards
			l = locs[len(locs)-1-i]
		}
		if err := r.seek(int(l.Idx)); err != nil {
			return nil, err
		}
		found = append(found, Found{})
		f := &found[len(found)-1]
		ok, err := r.next(f, arena)
		if err != nil {
			return nil, err
		}
		if f.At = l; !ok || f.empty() {
			found = found[:len(found)-1]
		}
	}
	if back {
		slices.Reverse(found[from:])
	}
	return found, nil
}

// rows returns the bodies of rows, nil for those that don't exist.
func (v *view) rows(tenant uint32, pos []uint64) ([][]byte, error) {
	bodies := make([][]byte, len(pos))
	var missing []uint64
	var where []int
	for i, p := range pos {
		if bodies[i] = v.l.cache.get(rowKey(v.st.rewritten, tenant, p)); bodies[i] == nil {
			missing, where = append(missing, p), append(where, i)
		}
	}
	if len(missing) == 0 {
		return bodies, nil
	}
	return bodies, v.l.store.Rows(v.tx, tenant, missing, func(i int, body []byte) error {
		bodies[where[i]] = body
		v.l.cache.put(rowKey(v.st.rewritten, tenant, missing[i]), body)
		return nil
	})
}

// ByClientPrefix returns the records that a client named by one id, oldest first. prefix is the part
// of their client keys that depends on the id alone.
func (l *Log) ByClientPrefix(tx store.Tx, tenant uint32, prefix [8]byte) ([]Found, error) {
	v, err := l.at(tx)
	if err != nil {
		return nil, err
	}
	from := makeKey(tenant, [12]byte(append(prefix[:], 0, 0, 0, 0)))
	var locs []Location
	for i := len(v.st.runs[ByClient]) - 1; i >= 0; i-- {
		if locs, err = v.clientRange(v.st.runs[ByClient][i], from, locs); err != nil {
			return nil, fmt.Errorf("find records by client id: %w", err)
		}
	}
	v.read(func() {
		for _, g := range v.gens {
			locs = g.clientsFrom(from, v.st.merged, v.pos, locs)
		}
	})
	slices.SortFunc(locs, Location.Compare)
	return v.records(tenant, slices.Compact(locs), nil)
}

// clientRange appends the locations of keys that share their first 8 bytes with from, whose last 4
// are zero.
func (v *view) clientRange(r *run, from key, to []Location) ([]Location, error) {
	upTo := key{from.hi, from.lo | 0xffffffff}
	for n := max(0, r.lastBlock(from, 0)); n < len(r.fences) && !upTo.less(r.fences[n]); n++ {
		body, err := v.block(r, n)
		if err != nil {
			return nil, err
		}
		br := readBlock(ByClient, r.FirstPos, body)
		var g group
		for {
			ok, err := br.next(&g)
			if err != nil {
				return nil, err
			}
			if !ok || upTo.less(g.key) {
				break
			}
			if !g.key.less(from) {
				to = append(to, g.at)
			}
		}
	}
	return to, nil
}

// Counts returns how many records each of the subjects has by "service/kind", summed. A record about
// two of them counts twice. Its time grows with the number of runs, not of records.
func (l *Log) Counts(tx store.Tx, tenant uint32, subjects []id.Subject) (map[string]int64, error) {
	v, err := l.at(tx)
	if err != nil {
		return nil, err
	}
	byCode := map[uint16]int64{}
	var own []entry
	w := v.locate(tenant, subjects, false, Location{}, 0)
	for _, s := range w.sources {
		for i, k := range w.keys {
			if s.gen != nil {
				v.read(func() {
					s.gen.locations(k, func(e entry) bool {
						if e.pos <= s.last && e.pos > s.after {
							own = append(own, e)
						}
						return e.pos > s.after
					})
				})
			} else if s.run.mayHave(w.probes[i]) {
				if own, err = v.countRun(s.run, k, own, byCode); err != nil {
					return nil, fmt.Errorf("count records: %w", err)
				}
			}
		}
	}
	keep := v.wanted(nil)
	for i := range own {
		if ok, err := keep(&own[i]); err != nil {
			return nil, err
		} else if ok {
			byCode[own[i].kind]++
		}
	}
	counts := make(map[string]int64, len(byCode))
	for code, n := range byCode {
		k, err := v.kind(code)
		if err != nil {
			return nil, err
		}
		counts[k.Service+"/"+k.Kind] += n
	}
	return counts, nil
}

// countRun adds what a run has of a subject: entries to own when they lie in one block, else the
// counts that the last block tells.
func (v *view) countRun(r *run, k key, own []entry, byCode map[uint16]int64) ([]entry, error) {
	n := r.lastBlock(k, ^uint64(0))
	if n < 0 {
		return own, nil
	}
	body, err := v.block(r, n)
	if err != nil {
		return nil, err
	}
	br := readBlock(BySubject, r.FirstPos, body)
	var g group
	for {
		ok, err := br.next(&g)
		if !ok || err != nil || k.less(g.key) {
			return own, err
		}
		if g.key != k {
			continue
		}
		if !g.from {
			return g.locations(r.FirstPos, own)
		}
		if _, dead := v.st.dead[k]; dead {
			return own, nil
		}
		if v.anyDropped(r, k.tenant()) { // the counts are of before; rare, until the next merge
			return v.allOf(r, k, own)
		}
		return own, g.tally(func(code uint16, n uint64) { byCode[code] += int64(n) })
	}
}

// anyDropped says whether retention dropped rows of a tenant that r tells of.
func (v *view) anyDropped(r *run, tenant uint32) bool {
	for c, pos := range v.st.dropped {
		if c.tenant == tenant && pos >= r.FirstPos {
			return true
		}
	}
	return false
}

// allOf appends all entries of a subject in a run.
func (v *view) allOf(r *run, k key, own []entry) ([]entry, error) {
	w := &located{v: v, keys: []key{k}, probes: []probe{k.probe()}, accept: func(*entry) (bool, error) { return true, nil }}
	w.addSource(source{run: r, after: r.FirstPos - 1, last: r.LastPos})
	for {
		e, ok, err := w.next()
		if err != nil || !ok {
			return own, err
		}
		own = append(own, e)
	}
}

// Scan calls each for the records of a tenant's rows after a position, in order, until limitRows
// rows are read, and returns the position of the last row read, after when there was none. Rows are
// never split between two scans.
func (l *Log) Scan(tx store.Tx, tenant uint32, after uint64, limitRows int, each func(Found) error) (last uint64, err error) {
	v := &view{l: l, tx: tx}
	var pos []uint64
	bodies := map[uint64][]byte{}
	if err := l.store.RowsAfter(tx, tenant, after, limitRows, func(p uint64, body []byte) error {
		pos = append(pos, p)
		bodies[p] = body
		return nil
	}); err != nil {
		return after, fmt.Errorf("scan rows: %w", err)
	}
	last = after
	for _, p := range pos {
		if !isBase(bodies[p]) {
			last = max(last, p)
			continue
		}
		n, err := v.scanRow(tenant, p, bodies, each)
		if err != nil {
			return last, fmt.Errorf("scan row %d of tenant %d: %w", p, tenant, err)
		}
		last = max(last, n)
	}
	return last, nil
}

// scanRow reads all records of a base row and returns the position of its last sibling.
func (v *view) scanRow(tenant uint32, pos uint64, have map[uint64][]byte, each func(Found) error) (uint64, error) {
	r, err := openRow(have[pos], &v.l.shapes)
	if err != nil {
		return pos, err
	}
	positions := r.siblingPositions(pos, nil)
	beside := make([][]byte, len(positions))
	var missing []uint64
	for i, p := range positions {
		if beside[i] = have[p]; beside[i] == nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		if err := v.l.store.Rows(v.tx, tenant, missing, func(i int, body []byte) error {
			beside[missing[i]-pos-1] = body
			return nil
		}); err != nil {
			return pos, err
		}
	}
	if err := r.join(beside); err != nil {
		return pos, err
	}
	arena := make([]FoundPart, 0, 4*r.records)
	for r.idx < r.records {
		var f Found
		ok, err := r.next(&f, &arena)
		if err != nil {
			return pos, err
		}
		if f.At.Pos = pos; !ok || f.empty() {
			continue
		}
		if err := each(f); err != nil {
			return pos, err
		}
	}
	return pos + uint64(len(r.siblings)), nil
}
