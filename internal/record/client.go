package record

import (
	"fmt"
	"slices"

	"domicile.dev/internal/store"
)

// ByClientPrefix returns the records that a client named by one id, oldest first. prefix is the part
// of their client keys that depends on the id alone.
func (l *Log) ByClientPrefix(tx store.Tx, tenant uint32, prefix [6]byte) ([]Found, error) {
	v, err := l.at(tx)
	if err != nil {
		return nil, err
	}
	from := makeKey(tenant, [12]byte(append(prefix[:], 0, 0, 0, 0, 0, 0)))
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

// clientRange appends the locations of keys that share their first 6 bytes with from, whose last 6
// are zero.
func (v *view) clientRange(r *run, from key, to []Location) ([]Location, error) {
	upTo := key{from.hi, from.lo | (1<<48 - 1)}
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
