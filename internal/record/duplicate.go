package record

import (
	"cmp"
	"fmt"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
)

// candidate is a record whose client key is looked for.
type candidate struct {
	key   key
	probe probe
	dup   *bool
}

// hit is a candidate that a run's filter lets through.
type hit struct {
	cand  int
	run   *run
	block int
}

// Duplicates says, for each chunk and record, whether Append would leave the record out if it were
// called now in the same write transaction. Of the records it looks at tenant and client key alone.
func (l *Log) Duplicates(tx store.Tx, chunks []*Chunk) ([][]bool, error) {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	v, err := l.at(tx)
	if err != nil {
		return nil, err
	}
	if err := l.ahead(v.pos); err != nil {
		return nil, err
	}
	outcome := outcomes(chunks)
	if err := l.duplicates(v, chunks, outcome); err != nil {
		return nil, fmt.Errorf("find duplicates: %w", err)
	}
	return outcome, nil
}

// ahead refuses to go on when this node knows of more than the gate, which it holds: then the store
// went back, as after a failover to a standby that lacked the last commits. What the node has in
// memory could call a record a duplicate that is not stored.
func (l *Log) ahead(pos uint64) error {
	l.mem.mu.RLock()
	have := l.mem.pos
	l.mem.mu.RUnlock()
	if have <= pos {
		return nil
	}
	return fault.New(fault.Unavailable, "store.went_back", "the store is at position %d, this node knew it at %d", pos, have).
		WithHint("the store was restored or failed over: restart this node, clients will send again what it took meanwhile")
}

// outcomes returns a false for each record.
func outcomes(chunks []*Chunk) [][]bool {
	n := 0
	for _, c := range chunks {
		n += len(c.Records)
	}
	all, each := make([]bool, n), make([][]bool, len(chunks))
	for i, c := range chunks {
		each[i] = all[:len(c.Records):len(c.Records)]
		all = all[len(c.Records):]
	}
	return each
}

// duplicates sets outcome for the records whose client key is stored, or came before in the group.
//
// It asks filter by filter, not record by record: the lookups of a loop miss the processor's caches
// side by side instead of one after another.
func (l *Log) duplicates(v *view, chunks []*Chunk, outcome [][]bool) error {
	b := &l.build
	b.cands, b.hits = b.cands[:0], b.hits[:0]
	n := 0
	for _, c := range chunks {
		n += len(c.Records)
	}
	size := 64
	for size < 2*n {
		size *= 2
	}
	if len(b.slots) < size || len(b.slots) > 64*size {
		b.slots = make([]uint32, size)
	} else {
		clear(b.slots[:size])
	}
	slots := b.slots[:size]
	for ci, c := range chunks {
		for i := range c.Records {
			r := &c.Records[i]
			if r.ClientKey == [12]byte{} {
				continue
			}
			k := makeKey(c.Tenant, r.ClientKey)
			p := k.probe()
			at := int(p.hash) & (size - 1)
			for ; slots[at] != 0; at = (at + 1) & (size - 1) {
				if b.cands[slots[at]-1].key == k {
					outcome[ci][i] = true
					break
				}
			}
			if slots[at] == 0 {
				b.cands = append(b.cands, candidate{k, p, &outcome[ci][i]})
				slots[at] = uint32(len(b.cands))
			}
		}
	}
	v.read(func() {
		for _, g := range v.gens {
			if g.last <= v.st.merged {
				continue
			}
			for i := range b.cands {
				if g.hasClient(b.cands[i].key) {
					*b.cands[i].dup = true
				}
			}
		}
	})
	for _, r := range v.st.runs[ByClient] {
		if r.Keys == 0 {
			continue
		}
		for i := range b.cands {
			if r.filter.has(b.cands[i].probe) {
				b.hits = append(b.hits, hit{cand: i, run: r})
			}
		}
	}
	return v.confirm(b.cands, b.hits)
}

// confirm looks into the blocks of hits.
func (v *view) confirm(cands []candidate, hits []hit) error {
	var refs []blockRef
	n := 0
	for _, h := range hits {
		if *cands[h.cand].dup {
			continue
		}
		if h.block = h.run.lastBlock(cands[h.cand].key, 0); h.block >= 0 {
			hits[n] = h
			n++
			refs = append(refs, blockRef{h.run, h.block})
		}
	}
	hits = hits[:n]
	if n == 0 {
		return nil
	}
	slices.SortFunc(refs, func(a, b blockRef) int {
		return cmp.Or(cmp.Compare(a.r.ID, b.r.ID), cmp.Compare(a.n, b.n))
	})
	if err := v.fetch(slices.Compact(refs)); err != nil {
		return err
	}
	for _, h := range hits {
		c := &cands[h.cand]
		if *c.dup {
			continue
		}
		found, err := v.hasEntry(h.run, h.block, c.key)
		if err != nil {
			return err
		}
		*c.dup = found
	}
	return nil
}

// hasEntry says whether a ByClient block has a key.
func (v *view) hasEntry(r *run, n int, k key) (bool, error) {
	body, err := v.block(r, n)
	if err != nil {
		return false, err
	}
	br := readBlock(ByClient, r.FirstPos, body)
	var g group
	for {
		ok, err := br.next(&g)
		if !ok || err != nil {
			return false, err
		}
		if !g.key.less(k) {
			return g.key == k, nil
		}
	}
}
