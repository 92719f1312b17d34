package record

import (
	"fmt"

	"domicile.dev/internal/store"
)

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
		if err := v.l.store.Rows(v.tx, tenant, missing, nil, func(i int, body []byte) error {
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
