package plane

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sort"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// op is one thing to be committed. Exactly one of ingest, erase, state, say, hand, media and move is set.
type op struct {
	ingest *ingestOp
	erase  *eraseOp
	state  *stateOp
	say    *sayOp
	media  *mediaOp
	hand   *handOp
	move   func(g *group) error // a step of a move, in a group of its own
	done   chan error           // buffered by one
	err    error                // the op's own answer, when its group is durable
}

func (o *op) bytes() int {
	if o.ingest != nil {
		return o.ingest.bytes
	}
	return 512
}

// commitLoop commits whatever is queued, one group after the other, without timers: while one group
// is written, the next one gathers.
func (p *Plane) commitLoop() {
	defer close(p.stopped)
	for {
		select {
		case o := <-p.queue:
			p.commit(p.gather(o))
		case <-p.closing:
			for away := false; ; {
				select {
				case o := <-p.queue:
					if ops := p.gather(o); away { // the store is gone: nobody waits for it group by group
						answer(ops, errStopping())
					} else {
						away = p.commit(ops) != nil
					}
				default:
					return
				}
			}
		}
	}
}

func (p *Plane) gather(first *op) []*op {
	ops, size := []*op{first}, first.bytes()
	for size < p.opt.GroupBytes {
		select {
		case o := <-p.queue:
			ops = append(ops, o)
			size += o.bytes()
		default:
			return ops
		}
	}
	return ops
}

// commit writes one group and answers everybody in it. When a group fails for a reason that isn't
// the store's, its operations are tried one by one, so that one can't fail the others.
func (p *Plane) commit(ops []*op) error {
	if apart, err := p.movesApart(ops); apart {
		return err
	}
	err := p.commitGroup(ops)
	if err != nil && len(ops) > 1 && fault.KindOf(err) != fault.Unavailable {
		p.log.Error("commit group failed, trying its operations one by one", "operations", len(ops), "error", err)
		for _, o := range ops {
			_ = p.commit([]*op{o})
		}
		return nil
	}
	answer(ops, err)
	return err
}

// answer tells everybody how their group went.
func answer(ops []*op, err error) {
	for _, o := range ops {
		if err != nil {
			o.done <- err
		} else {
			o.done <- o.err
		}
	}
}

func (p *Plane) commitGroup(ops []*op) (err error) {
	durable := false
	defer func() {
		if r := recover(); r != nil {
			p.log.Error("commit group panicked", "durable", durable, "at", frames())
			p.people.clear()
			clear(p.flags)
			if err = fmt.Errorf("commit group panicked"); durable {
				err = nil
			}
		}
	}()
	if p.opt.Sink != nil {
		if ops, err = p.sink(ops); err != nil || len(ops) == 0 {
			return err
		}
	}
	began := time.Now()
	var g *group
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = p.DB.Do(ctx, func(tx store.Tx) error {
		g = &group{p: p, tx: tx, ops: ops, now: p.now(), dead: map[subject.Key]bool{}, seen: p.people.forgets.Load()}
		return g.run()
	})
	if err != nil {
		p.people.clear() // the group may be durable all the same, and then somebody may be gone
		clear(p.flags)
		clear(p.unmapped)
		return err
	}
	durable = true
	g.publish()
	g.observeFound()
	p.metrics.observe(ops, time.Since(began).Seconds())
	return nil
}

// patience is how long a group's statements may take: a store that doesn't answer for so long is away.
const patience = 45 * time.Second

// frames returns the calls that lead to a panic, without their arguments, which could be ids.
func frames() (calls []string) {
	pcs := make([]uintptr, 24)
	list := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := list.Next()
		calls = append(calls, fmt.Sprintf("%s:%d", f.Function, f.Line))
		if !more {
			return calls
		}
	}
}

// group is one run of one group's transaction. It is made anew when the transaction runs again.
type group struct {
	p    *Plane
	tx   store.Tx
	ops  []*op
	now  time.Time
	dead map[subject.Key]bool // erased or merged away, in this group or since this node last looked
	seen uint64               // people.forgets when the transaction began

	index     *vault.IndexKeys // that count in this transaction
	changes   int64
	whole     bool // the cache may be kept
	moves     bool // a move went on
	graph     *subject.Graph
	things    map[subject.BindingKey]*linked
	links     []subject.Link       // new ones
	crowded   []subject.BindingKey // things of one that have a second person
	appended  *record.Appended
	counts    map[countKey]int64
	refused   map[refusalKey]int64
	found     map[findingKey]int64
	collected map[collectedKey]int64
	unmapped  map[unmappedKey]*Unmapped
	corrected []subject.Key   // whose identify records were accepted
	owes      map[uint32]bool // whether anybody had something of a tenant's people, as far as it was asked
	speaking  []speaking      // events that say something of consent
	declaring []declaring     // events that say where somebody lives
	lives     []knownPlace    // what of that was looked at, for the cache
	spoken    []knownSpeech   // what people are then known to have said, for the cache
	met       []metPerson     // whom slow events named, for the cache
	destroyed []vault.Wrapped // keys that must leave this node's memory
}

func (g *group) run() error {
	for _, o := range g.ops {
		o.err = nil
	}
	steps := []struct {
		name string
		run  func() error
	}{
		{"look for what other nodes changed", g.catchUp},
		{"look which index keys count", func() (err error) { g.index, err = g.p.Vault.IndexAt(g.tx); return err }},
		{"erase", g.eraseAll},
		{"change states", g.changeStates},
		{"keep what people say", g.tellAll},
		{"change identifiers", g.changeByHand},
		{"move", g.moveAll},
		{"ingest", g.ingestAll},
		{"keep media", g.mediaAll},
		{"count", g.countAll},
	}
	for _, s := range steps {
		if err := s.run(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// catchUp learns who is gone since this node last looked.
func (g *group) catchUp() error {
	if g.p.Changes.ChangeSeq(g.tx) < g.p.changes {
		return fault.New(fault.Unavailable, "store.went_back", "the store knows of fewer changes than this node").
			WithHint("the store was restored or failed over: restart this node")
	}
	if g.p.DB.Engine() == "sqlite" { // the process holds the store alone: all changes are its own
		g.whole = true
		return nil
	}
	gone, whole, err := g.p.Changes.GoneSince(g.tx, g.p.changes)
	if err != nil {
		return err
	}
	if g.p.Changes.ChangeSeq(g.tx) > g.p.changes {
		clear(g.p.flags)
	}
	g.whole = whole
	for _, k := range gone {
		g.dead[k] = true
	}
	if !whole {
		g.p.people.clear() // what other nodes did is no longer known one by one
	}
	return nil
}

// publish makes the committed group known to this node. It runs before the next group begins.
func (g *group) publish() {
	p := g.p
	g.seen = p.people.forgets.Load()
	for k := range g.dead {
		p.people.forget(k)
		g.seen++
	}
	for _, w := range g.destroyed {
		p.Vault.Forget(w)
	}
	p.changes = g.changes
	if g.moves {
		clear(p.flags)
	}
	if g.appended != nil {
		p.Log.Committed(g.appended)
	}
	for _, m := range g.met {
		if !g.dead[m.key] {
			p.people.put(g.seen, m.key, m.seal, m.trusted, m.idents...)
		}
	}
	for _, k := range g.lives {
		if !g.dead[k.key] {
			p.people.lives(k)
		}
	}
	for _, k := range g.spoken {
		if !g.dead[k.key] {
			p.people.heard(k.key, k.digest)
		}
	}
	p.Ledger.Committed()
}

// enter appends drafts to the ledger; those of one kind and tenant become one leaf.
func (g *group) enter(drafts ...ledger.Draft) ([]ledger.Ref, error) {
	return g.p.Ledger.Append(g.tx, drafts...)
}

// countAll writes the counts and the collection's ledger entries, and notes the last change.
func (g *group) countAll() error {
	if len(g.counts) > 0 {
		counts := make([]Count, 0, len(g.counts))
		for k, n := range g.counts {
			counts = append(counts, Count{Tenant: k.tenant, Hour: g.now.UTC().Truncate(time.Hour), Service: k.service,
				Kind: k.kind, Outcome: k.outcome, Reason: k.reason, N: n})
		}
		// In one order everywhere, so that two nodes never wait for each other's rows.
		sort.Slice(counts, func(i, j int) bool { return counts[i].less(counts[j]) })
		if err := g.p.Counters.AddCounts(g.tx, counts); err != nil {
			return err
		}
	}
	if len(g.refused) > 0 {
		refusals := make([]RefusalCount, 0, len(g.refused))
		for k, n := range g.refused {
			refusals = append(refusals, RefusalCount{Tenant: k.tenant, Source: k.source, Reason: k.reason, Path: k.path,
				N: n, FirstAt: g.now, LastAt: g.now})
		}
		slices.SortFunc(refusals, RefusalCount.compare)
		if err := g.p.Counters.AddRefusals(g.tx, refusals); err != nil {
			return err
		}
	}
	if err := g.countFound(); err != nil {
		return err
	}
	if err := g.countCollected(); err != nil {
		return err
	}
	g.changes = g.p.Changes.ChangeSeq(g.tx)
	return nil
}

// collected is the ledger's entry on what a tenant's sources brought in one group.
type collected struct {
	Decision  string           `json:"decision"` // "permit": the kind is declared
	Programme string           `json:"programme"`
	Region    string           `json:"region"`
	Accepted  map[string]int64 `json:"accepted"` // by service/kind
	Rows      int              `json:"rows,omitempty"`
	Digest    string           `json:"sha256,omitempty"` // over the sealed rows, when the group is this tenant's alone
}

// grouped is the region's own entry on a group of several tenants: none of them learns from theirs
// how much the others sent.
type grouped struct {
	Rows   int    `json:"rows"`
	Digest string `json:"sha256"`
}

func (g *group) enterCollected(ops []*ingestOp) error {
	a := g.appended
	if a.Rows == 0 {
		return nil
	}
	byTenant := map[string]map[string]int64{}
	for i, o := range ops {
		for j := range o.chunk.Records {
			if a.Outcome[i][j] {
				continue
			}
			m := byTenant[o.src.TenantID]
			if m == nil {
				m = map[string]int64{}
				byTenant[o.src.TenantID] = m
			}
			shape := o.chunk.Records[j].Shape
			m[shape.Service+"/"+shape.Kind]++
		}
	}
	digest := hex.EncodeToString(a.Digest[:])
	if len(byTenant) > 1 {
		if _, err := g.enter(ledger.Draft{Kind: "group", At: g.now, Body: grouped{a.Rows, digest}}); err != nil {
			return fmt.Errorf("enter group: %w", err)
		}
	}
	for _, tenant := range slices.Sorted(maps.Keys(byTenant)) {
		c := collected{Decision: "permit", Programme: g.p.Rules.Hash(), Region: g.p.Region, Accepted: byTenant[tenant]}
		if len(byTenant) == 1 {
			c.Rows, c.Digest = a.Rows, digest
		}
		if _, err := g.enter(ledger.Draft{Kind: "collect", Tenant: tenant, At: g.now, Body: c}); err != nil {
			return fmt.Errorf("enter collection: %w", err)
		}
	}
	return nil
}

// merged is the ledger's entry on two subjects that turned out to be one person.
type merged struct {
	From id.Subject `json:"from"`
	To   id.Subject `json:"to"`
}

func (g *group) enterMerges() error {
	for _, m := range g.graph.Merges() {
		if _, err := g.enter(ledger.Draft{Kind: "merge", Tenant: g.p.tenantOf(m.Tenant), At: g.now, Body: merged{m.From, m.To}}); err != nil {
			return fmt.Errorf("enter merge: %w", err)
		}
	}
	return nil
}

// sink hands chunks about people who are all known to Options.Sink, in place of the store, and
// returns the operations that it can't take.
func (p *Plane) sink(ops []*op) (rest []*op, err error) {
	var chunks []*record.Chunk
	for _, o := range ops {
		in := o.ingest
		if in == nil || slices.ContainsFunc(in.events, func(e prepared) bool { return !e.fast }) {
			rest = append(rest, o)
			continue
		}
		in.outcome = outcome{accepted: len(in.events)}
		in.chunk.Records = in.chunk.Records[:0]
		for i := range in.events {
			in.chunk.Records = append(in.chunk.Records, in.events[i].sealed)
		}
		chunks = append(chunks, &in.chunk)
	}
	if len(chunks) == 0 {
		return rest, nil
	}
	return rest, p.opt.Sink(chunks)
}
