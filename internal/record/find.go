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
	if len(q.Kinds) > 0 { // many may be passed over, and each time memory is walked from its newest
		w.refill = max(w.refill, 4096)
	}
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
	var borrowed scratch
	defer borrowed.release()
	bodies, err := v.rows(tenant, bases, &borrowed)
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
		if beside, err = v.rows(tenant, siblings, &borrowed); err != nil {
			return nil, err
		}
	}
	if found == nil {
		found = make([]Found, 0, len(locs))
	}
	arena := make([]FoundPart, 0, 4*len(locs))
	at, from := 0, len(found)
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
	keepParts(found[from:])
	return found, nil
}

// keepParts takes what was found out of the rows that it was found in.
func keepParts(found []Found) {
	size := 0
	for i := range found {
		for j := range found[i].Parts {
			size += len(found[i].Parts[j].Sealed)
		}
	}
	all := make([]byte, 0, size)
	for i := range found {
		for j := range found[i].Parts {
			p := &found[i].Parts[j]
			n := len(all)
			all = append(all, p.Sealed...)
			p.Sealed = all[n:len(all):len(all)]
		}
	}
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

// rows returns the bodies of rows, nil for those that don't exist. What is not kept for others is in
// borrowed memory.
func (v *view) rows(tenant uint32, pos []uint64, borrowed *scratch) ([][]byte, error) {
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
	keep := false
	into := func(i int) []byte {
		if keep = v.l.cache.wants(rowKey(v.st.rewritten, tenant, missing[i])); keep {
			return nil
		}
		return borrowed.take()
	}
	return bodies, v.l.store.Rows(v.tx, tenant, missing, into, func(i int, body []byte) error {
		bodies[where[i]] = body
		if keep {
			v.l.cache.put(rowKey(v.st.rewritten, tenant, missing[i]), body)
		} else {
			borrowed.filled(body)
		}
		return nil
	})
}
