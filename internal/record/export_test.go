package record

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
