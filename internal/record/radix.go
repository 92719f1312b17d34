package record

import "slices"

// ordered is the upper half of a key and where its entry is.
type ordered struct {
	hi uint64
	at uint32
}

// order sorts n things by their keys' upper halves, byte by byte from the last, leaving out bytes in
// which all are alike; then by all of what less looks at where upper halves are the same. Keys are
// random, so that is rare.
func order(n int, hi func(i int) uint64, less func(a, b uint32) int) []ordered {
	all, other := make([]ordered, n), make([]ordered, n)
	var counts [8][256]uint32
	for i := range all {
		h := hi(i)
		all[i] = ordered{h, uint32(i)}
		for b := range counts {
			counts[b][byte(h>>(8*b))]++
		}
	}
	for b := range counts {
		shift := 8 * b
		if n == 0 || counts[b][byte(all[0].hi>>shift)] == uint32(n) {
			continue
		}
		next := uint32(0)
		for v := range counts[b] {
			counts[b][v], next = next, next+counts[b][v]
		}
		for _, o := range all {
			v := byte(o.hi >> shift)
			other[counts[b][v]] = o
			counts[b][v]++
		}
		all, other = other, all
	}
	for from := 0; from < n; {
		to := from + 1
		for to < n && all[to].hi == all[from].hi {
			to++
		}
		if to-from > 1 {
			slices.SortFunc(all[from:to], func(a, b ordered) int { return less(a.at, b.at) })
		}
		from = to
	}
	return all
}
