package record

import "fmt"

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
