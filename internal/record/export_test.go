package record

import (
	"fmt"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Small makes a log do with a few records what it otherwise does with millions.
func (o Options) Small(blockBytes, batchBytes int) Options {
	o.blockBytes, o.batchBytes = blockBytes, batchBytes
	return o
}

// RunCount is how many runs of a family there are.
func (l *Log) RunCount(f Family) int { return len(l.state.Load().runs[f]) }

// IndexBytes is about what the index holds in memory beside the cache: filters, fences, generations.
func (l *Log) IndexBytes() (filters, fences, memory int64) {
	for _, family := range l.state.Load().runs {
		for _, r := range family {
			filters += r.filter.bytes()
			fences += int64(16*len(r.fences) + 8*len(r.starts))
		}
	}
	for _, g := range l.mem.gens {
		memory += int64(24*cap(g.subs) + 4*len(g.subSlots) + 16*cap(g.locs) + 24*cap(g.clients) + 4*len(g.cliSlots))
	}
	return filters, fences, memory
}

// Freeze closes what memory holds, as after IdleFlush.
func (l *Log) Freeze() { l.idle() }

func (l *Log) DebugFind(tx store.Tx, tenant uint32, s id.Subject) string {
	v, err := l.at(tx)
	if err != nil {
		return err.Error()
	}
	k := makeKey(tenant, s)
	out := fmt.Sprintf("pos %d merged %d version %d own %v\n", v.pos, v.st.merged, v.st.version, v.own)
	total := 0
	for _, r := range v.st.runs[BySubject] {
		n := 0
		for b := range r.Blocks {
			body, err := v.block(r, b)
			if err != nil {
				return err.Error()
			}
			br := readBlock(BySubject, r.FirstPos, body)
			var g group
			for {
				ok, err := br.next(&g)
				if err != nil {
					return err.Error()
				}
				if !ok {
					break
				}
				if g.key == k {
					es, _ := g.locations(r.FirstPos, nil)
					n += len(es)
				}
			}
		}
		w := &located{v: v, keys: []key{k}, probes: []probe{k.probe()}, accept: func(*entry) (bool, error) { return true, nil }}
		w.addSource(source{run: r, after: r.FirstPos - 1, last: r.LastPos})
		m := 0
		for {
			_, ok, err := w.next()
			if err != nil || !ok {
				break
			}
			m++
		}
		total += n
		out += fmt.Sprintf("run %d %d..%d entries %d keys %d blocks %d: has %v, brute %d, located %d\n", r.ID, r.FirstPos, r.LastPos, r.Entries, r.Keys, r.Blocks, r.mayHave(k.probe()), n, m)
	}
	for _, g := range v.gens {
		n, all := 0, 0
		v.read(func() {
			g.locations(k, func(e entry) bool {
				all++
				if e.pos > v.st.merged && e.pos <= v.pos {
					n++
				}
				return true
			})
		})
		total += n
		out += fmt.Sprintf("gen (%d,%d] groups %d: %d of %d\n", g.after, g.last, g.groups, n, all)
	}
	return out + fmt.Sprint("total ", total)
}
