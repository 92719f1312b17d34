package record

import (
	"fmt"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

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
