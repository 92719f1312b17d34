package record

import (
	"cmp"
	"sync"
)

// memtable is the part of the index that no run has yet: generations of group indexes, each written
// as one run of either family. A reader takes from it what lies above the last merged position of
// its own snapshot and not above the last position its snapshot has.
type memtable struct {
	mu   sync.RWMutex
	gens []*generation // guarded by mu, as is all in them; oldest first, the last one grows
	pos  uint64        // guarded by mu: last position that was applied

	maxRecords, maxGroups int
}

// generation indexes the rows of (after, last].
type generation struct {
	after, last     uint64
	records, groups int

	subs     []memSubject
	subSlots []uint32 // 1 + index into subs; a power of two
	locs     []memLoc
	clients  []memClient
	cliSlots []uint32 // 1 + index into clients
}

type memSubject struct {
	key  key
	head uint32 // 1 + index into locs of the newest
	n    uint32
}

type memLoc struct {
	rel  uint32 // position − after
	idx  uint16
	kind uint16
	next uint32 // 1 + index of the next older one
}

type memClient struct {
	key key
	rel uint32
	idx uint16
}

// maxGenerationRows keeps relative positions within 32 bits.
const maxGenerationRows = 1 << 31

func newGeneration(after uint64) *generation { return &generation{after: after, last: after} }

// full says whether the generation is to be written.
func (m *memtable) full(g *generation) bool {
	return g.records >= m.maxRecords || g.groups >= m.maxGroups || g.last-g.after >= maxGenerationRows
}

// apply adds a group index if it is the next one. The caller holds mu.
func (m *memtable) apply(first, last uint64, body []byte) error {
	if first != m.pos+1 {
		return nil
	}
	g := m.gens[len(m.gens)-1]
	if m.full(g) {
		g = newGeneration(m.pos)
		m.gens = append(m.gens, g)
	}
	if err := g.apply(first, last, body); err != nil {
		return err
	}
	m.pos = last
	return nil
}

// apply adds a group index.
func (g *generation) apply(first, last uint64, body []byte) error {
	if err := readGroup(body, first, last, g); err != nil {
		return err
	}
	g.last = last
	g.groups++
	return nil
}

func (k key) slot(slots int) int { return int(k.hash()) & (slots - 1) }

// clientSlot depends on the first 6 bytes of a client key alone, so that all keys of one client id
// are neighbours.
func (k key) clientSlot(slots int) int {
	return int(mix(k.hi<<16^k.hi>>32^k.lo>>48)) & (slots - 1)
}

// bySubject adds a location, which is newer than all before.
func (g *generation) bySubject(e entry) {
	if 2*len(g.subs)+2 > len(g.subSlots) {
		g.subSlots = make([]uint32, max(256, 4*len(g.subSlots)))
		for i := range g.subs {
			at := g.subs[i].key.slot(len(g.subSlots))
			for g.subSlots[at] != 0 {
				at = (at + 1) & (len(g.subSlots) - 1)
			}
			g.subSlots[at] = uint32(i + 1)
		}
	}
	at := e.key.slot(len(g.subSlots))
	for ; g.subSlots[at] != 0; at = (at + 1) & (len(g.subSlots) - 1) {
		if g.subs[g.subSlots[at]-1].key == e.key {
			break
		}
	}
	if g.subSlots[at] == 0 {
		g.subs = append(g.subs, memSubject{key: e.key})
		g.subSlots[at] = uint32(len(g.subs))
	}
	s := &g.subs[g.subSlots[at]-1]
	g.locs = append(g.locs, memLoc{uint32(e.pos - g.after), e.idx, e.kind, s.head})
	s.head = uint32(len(g.locs))
	s.n++
	g.records = max(g.records, len(g.locs))
}

func (g *generation) byClient(e entry) {
	if 2*len(g.clients)+2 > len(g.cliSlots) {
		g.cliSlots = make([]uint32, max(256, 4*len(g.cliSlots)))
		for i := range g.clients {
			g.placeClient(i)
		}
	}
	g.clients = append(g.clients, memClient{e.key, uint32(e.pos - g.after), e.idx})
	g.placeClient(len(g.clients) - 1)
	g.records = max(g.records, len(g.clients))
}

func (g *generation) placeClient(i int) {
	at := g.clients[i].key.clientSlot(len(g.cliSlots))
	for g.cliSlots[at] != 0 {
		at = (at + 1) & (len(g.cliSlots) - 1)
	}
	g.cliSlots[at] = uint32(i + 1)
}

// hasClient says whether the generation has the client key.
func (g *generation) hasClient(k key) bool {
	if len(g.cliSlots) == 0 {
		return false
	}
	for at := k.clientSlot(len(g.cliSlots)); g.cliSlots[at] != 0; at = (at + 1) & (len(g.cliSlots) - 1) {
		if g.clients[g.cliSlots[at]-1].key == k {
			return true
		}
	}
	return false
}

// clientsFrom appends the locations of client keys that share their first 6 bytes with k, in (after, through].
func (g *generation) clientsFrom(k key, after, through uint64, to []Location) []Location {
	if len(g.cliSlots) == 0 {
		return to
	}
	for at := k.clientSlot(len(g.cliSlots)); g.cliSlots[at] != 0; at = (at + 1) & (len(g.cliSlots) - 1) {
		c := &g.clients[g.cliSlots[at]-1]
		if pos := g.after + uint64(c.rel); c.key.hi == k.hi && c.key.lo>>48 == k.lo>>48 && pos > after && pos <= through {
			to = append(to, Location{pos, c.idx})
		}
	}
	return to
}

// locations calls each with the entries of a subject, newest first, until it returns false.
func (g *generation) locations(k key, each func(e entry) bool) {
	if len(g.subSlots) == 0 {
		return
	}
	for at := k.slot(len(g.subSlots)); g.subSlots[at] != 0; at = (at + 1) & (len(g.subSlots) - 1) {
		s := &g.subs[g.subSlots[at]-1]
		if s.key != k {
			continue
		}
		for n := s.head; n != 0; n = g.locs[n-1].next {
			l := &g.locs[n-1]
			if !each(entry{k, g.after + uint64(l.rel), l.idx, l.kind}) {
				return
			}
		}
		return
	}
}

// sortedSubjects calls each with all BySubject entries above after, in order.
func (g *generation) sortedSubjects(after uint64, each func(e *entry) error) error {
	sorted := order(len(g.subs), func(i int) uint64 { return g.subs[i].key.hi },
		func(a, b uint32) int { return g.subs[a].key.compare(g.subs[b].key) })
	var own []entry
	for _, o := range sorted {
		own = own[:0]
		s := &g.subs[o.at]
		for n := s.head; n != 0; n = g.locs[n-1].next {
			l := &g.locs[n-1]
			if pos := g.after + uint64(l.rel); pos > after {
				own = append(own, entry{s.key, pos, l.idx, l.kind})
			}
		}
		for i := len(own) - 1; i >= 0; i-- {
			if err := each(&own[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// sortedClients calls each with all ByClient entries above after, in order.
func (g *generation) sortedClients(after uint64, each func(e *entry) error) error {
	sorted := order(len(g.clients), func(i int) uint64 { return g.clients[i].key.hi }, func(a, b uint32) int {
		if c := g.clients[a].key.compare(g.clients[b].key); c != 0 {
			return c
		}
		return cmp.Compare(g.clients[a].rel, g.clients[b].rel)
	})
	for _, o := range sorted {
		c := &g.clients[o.at]
		e := entry{key: c.key, pos: g.after + uint64(c.rel), idx: c.idx}
		if e.pos <= after {
			continue
		}
		if err := each(&e); err != nil {
			return err
		}
	}
	return nil
}
