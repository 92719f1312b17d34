package plane

import (
	"context"
	"fmt"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/record"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// metPerson is somebody whom the transaction named, for the cache.
type metPerson struct {
	key     subject.Key
	seal    *seal.Key
	trusted bool
	idents  []subject.BindingKey
}

type countKey struct {
	tenant                         uint32
	service, kind, outcome, reason string
}

type refusalKey struct {
	tenant               uint32
	source, reason, path string
}

// prefetch looks up, outside of the commit gate, people whom this node hasn't met lately, so that a
// batch about many of them doesn't hold up the group. It is a saving only: what it misses is looked
// up in the transaction, and so is whoever changed since.
func (p *Plane) prefetch(ctx context.Context, o *ingestOp) {
	if len(o.events) < 8 || p.opt.Sink != nil {
		return
	}
	seen := p.people.forgets.Load()
	g := subject.NewGraph(nil)
	var unknown []*subject.Say
	for i := range o.events {
		for j := range o.events[i].says {
			s := &o.events[i].says[j].Say
			if p.people.known(s) == nil {
				unknown = append(unknown, s)
				g.Want(s)
			}
		}
	}
	if len(unknown) == 0 {
		return
	}
	if err := p.DB.View(ctx, func(tx store.Tx) error {
		if index, err := p.Vault.IndexAt(tx); err != nil || !index.Same(o.index) {
			return fault.New(fault.Conflict, "vault.index_changed", "the identifiers are blind under other versions").Because(err)
		}
		return g.Load(tx, p.Subjects)
	}); err != nil {
		return // the transaction will look, and tell what is wrong
	}
	for _, s := range unknown {
		p.meet(g, s, func(r *subject.Row, key *seal.Key, idents []subject.BindingKey) {
			p.people.put(seen, r.Key, key, r.State&subject.Trusted != 0, idents...)
		})
	}
}

// meet calls put for the people whom the identifiers of s name alone, with their keys.
func (p *Plane) meet(g *subject.Graph, s *subject.Say, put func(*subject.Row, *seal.Key, []subject.BindingKey)) {
	for i := range s.Identifiers {
		r := g.Owner(s.Tenant, s.Identifiers[i].Digest)
		if r == nil {
			continue
		}
		key, err := p.open(r)
		if err != nil {
			continue
		}
		put(r, key, []subject.BindingKey{{Tenant: s.Tenant, Digest: s.Identifiers[i].Digest}})
	}
}

// open unwraps the person's key.
func (p *Plane) open(r *subject.Row) (*seal.Key, error) {
	return p.Vault.Unwrap(p.tenantOf(r.Tenant), r.Subject, vault.Wrapped{Epoch: r.Epoch, Bytes: r.Wrapped})
}

// ingestAll stores what this group's requests brought.
func (g *group) ingestAll() error {
	slow := false
	var ops []*ingestOp
	for _, o := range g.ops {
		if o.ingest == nil {
			continue
		}
		in := o.ingest
		in.outcome = outcome{}
		ops = append(ops, in)
		for i := range in.events {
			e := &in.events[i]
			slow = slow || !e.fast || !g.alive(e)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if some, err := g.findRetried(ops); err != nil {
		return err
	} else if some {
		slow = true
	}
	if slow {
		if err := g.resolve(ops); err != nil {
			return err
		}
	}
	if err := g.append(ops); err != nil {
		return err
	}
	if err := g.oweCorrections(); err != nil {
		return err
	}
	if err := g.hear(); err != nil {
		return err
	}
	if err := g.keepResidences(); err != nil {
		return err
	}
	return g.enterCollected(ops)
}

// alive says whether everybody whom the event was sealed for is still there.
func (g *group) alive(e *prepared) bool {
	for j := range e.says {
		who := e.says[j].who
		if who == nil || who.gone.Load() || g.dead[who.Key] || !g.whole {
			return false
		}
	}
	return true
}

// resolve finds out whom the events speak of that couldn't be sealed before, creates and joins
// people, and seals. Duplicates are set aside first: a late retry must not bring anybody back.
func (g *group) resolve(ops []*ingestOp) error {
	p := g.p
	if _, err := p.Vault.Fence(g.tx); err != nil {
		return err
	}
	g.graph = subject.NewGraph(func(t uint32, s id.Subject) (uint32, []byte, error) {
		w, _, err := p.Vault.Mint(p.tenantOf(t), s)
		return w.Epoch, w.Bytes, err
	})
	asked := make([]*record.Chunk, len(ops))
	for i, o := range ops {
		o.blindAnew(g.index)
		asked[i] = &record.Chunk{ID: o.chunk.ID, Tenant: o.src.Tenant, Records: make([]record.Sealed, len(o.events))}
		for j := range o.events {
			asked[i].Records[j].ClientKey = o.events[j].key
		}
	}
	known, err := p.Log.Duplicates(g.tx, asked)
	if err != nil {
		return err
	}
	var need []*slowEvent
	for i, o := range ops {
		for j := range o.events {
			e := &o.events[j]
			if e.fast && g.alive(e) && !e.retried {
				continue
			}
			need = append(need, &slowEvent{o: o, e: e, duplicate: known[i][j] || e.retried})
			if f, err := g.flags(o.src.Tenant); err != nil {
				return err
			} else if (known[i][j] || e.retried) && !f.Left {
				continue
			}
			for k := range e.says {
				if !e.unnamed {
					g.graph.Want(&e.says[k].Say)
				}
			}
		}
	}
	if err := g.graph.Load(g.tx, p.Subjects); err != nil {
		return err
	}
	if err := g.loadThings(need); err != nil {
		return err
	}
	suppressed, err := g.suppressed(need)
	if err != nil {
		return err
	}
	moved, err := g.movedAway(need)
	if err != nil {
		return err
	}
	for _, s := range need {
		if r := moved.refusal(p, s); r != nil { // a retry, too: there it is a duplicate
			s.e.fast, s.e.sealed = false, record.Sealed{}
			g.refuse(s.o, *r)
			continue
		}
		if s.e.unnamed && !s.duplicate {
			continue
		}
		if err := g.resolveEvent(s, suppressed); err != nil {
			return err
		}
	}
	for _, s := range need { // last, so that in one group the order makes no difference
		if s.e.unnamed && !s.duplicate {
			if err := g.resolveUnnamed(s); err != nil {
				return err
			}
		}
	}
	return g.flush()
}

// slowEvent is an event that is resolved inside the transaction.
type slowEvent struct {
	o         *ingestOp
	e         *prepared
	duplicate bool
}

// suppressed returns the identifiers that nobody has and that must not come back.
func (g *group) suppressed(need []*slowEvent) (map[subject.BindingKey]bool, error) {
	p := g.p
	var keys []subject.BindingKey
	back := map[subject.BindingKey]subject.BindingKey{} // suppression digest → index digest
	for _, s := range need {
		if s.duplicate {
			continue
		}
		sup := p.Vault.Suppressor(s.o.src.TenantID)
		for j := range s.e.says {
			say := &s.e.says[j].Say
			for i := range say.Identifiers {
				ident := &say.Identifiers[i]
				if !say.Decisive(ident) {
					continue
				}
				at := subject.BindingKey{Tenant: s.o.src.Tenant, Digest: ident.Digest}
				if g.graph.Held(at) {
					continue
				}
				k := subject.BindingKey{Tenant: at.Tenant, Digest: sup.Identifier(ident.Type, ident.Value)}
				if _, asked := back[k]; !asked {
					back[k] = at
					keys = append(keys, k)
				}
			}
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	hit := map[subject.BindingKey]bool{}
	err := p.Subjects.Suppressed(g.tx, keys, func(k subject.BindingKey) { hit[back[k]] = true })
	if err != nil {
		return nil, fmt.Errorf("look for suppressed identifiers: %w", err)
	}
	return hit, nil
}

func (g *group) resolveEvent(s *slowEvent, suppressed map[subject.BindingKey]bool) error {
	e, o := s.e, s.o
	e.fast = false
	e.sealed = record.Sealed{}
	if s.duplicate {
		o.outcome.duplicate++
		g.count(o, e.ev, "duplicate", "")
		return nil
	}
	for j := range e.says {
		for _, ident := range e.says[j].Identifiers {
			if suppressed[subject.BindingKey{Tenant: o.src.Tenant, Digest: ident.Digest}] {
				g.refuse(o, ingest.Refusal{Index: e.ev.Index, Reason: "subject.suppressed"})
				return nil
			}
		}
	}
	if r := g.elsewhere(s); r != nil {
		g.refuse(o, *r)
		return nil
	}
	for j := range e.says {
		sd := &e.says[j]
		row, err := g.graph.Resolve(&sd.Say)
		if err != nil {
			return err
		}
		sd.who, sd.row = nil, row
		if sd.skey, err = g.p.open(row); err != nil {
			return fmt.Errorf("open key of %s: %w", row.Subject, err)
		}
	}
	// A later say of the same event may have joined an earlier one's person into another: the part
	// is sealed under a member of the set either way, which is right.
	g.takePart(s)
	g.p.seal(o, e)
	return nil
}

// flush seals the values of new identifiers, writes what identity changed, and tells other nodes.
func (g *group) flush() error {
	p := g.p
	for _, b := range g.graph.NewBindings() {
		row := g.graph.Row(subject.Key{Tenant: b.Tenant, Subject: b.Subject})
		key, err := p.open(row)
		if err != nil {
			return fmt.Errorf("open key of %s: %w", row.Subject, err)
		}
		tid := p.tenantOf(b.Tenant)
		b.Sealed = seal.SealBytes(key, p.identifierAD(tid, b.Subject, b.Type), b.Value)
		b.KeyVersion = g.index.To
	}
	if err := g.graph.Flush(g.tx, p.Subjects); err != nil {
		return err
	}
	if len(g.links) > 0 {
		if err := p.Subjects.InsertLinks(g.tx, g.links); err != nil {
			return fmt.Errorf("insert links: %w", err)
		}
		if err := p.Subjects.MakeMany(g.tx, g.crowded); err != nil {
			return fmt.Errorf("note who else takes part: %w", err)
		}
	}
	for _, k := range append(g.graph.Disturbed(), numbered(g.graph)...) {
		if err := g.tell("identity", k); err != nil {
			return err
		}
	}
	if err := g.keepRefused(); err != nil {
		return err
	}
	return g.enterMerges()
}

// keepRefused counts what the rules of identity did not let happen.
func (g *group) keepRefused() error {
	for k, n := range g.graph.Refusals {
		g.refused = add(g.refused, refusalKey{k.Tenant, k.Source, k.Reason, ""}, int64(n))
	}
	if len(g.graph.RefusedLinks) > 0 {
		links := make([]subject.RefusedCount, 0, len(g.graph.RefusedLinks))
		for l, n := range g.graph.RefusedLinks {
			links = append(links, subject.RefusedCount{RefusedLink: l, N: int64(n), FirstAt: g.now.UnixMilli(), LastAt: g.now.UnixMilli()})
		}
		slices.SortFunc(links, subject.RefusedCount.Compare)
		if err := g.p.Subjects.AddRefused(g.tx, links); err != nil {
			return fmt.Errorf("add refused links: %w", err)
		}
	}
	return nil
}

// tell marks k as changed for this node's cache, for those of other nodes, and for flows, which look
// whether somebody changed while they built a batch.
func (g *group) tell(kind string, k subject.Key) error {
	g.dead[k] = true
	_, err := g.p.Changes.Change(g.tx, kind, k.Tenant, k.Subject[:], g.now)
	return err
}

// append writes the group's records and counts what became of each event.
func (g *group) append(ops []*ingestOp) error {
	chunks := make([]*record.Chunk, len(ops))
	for i, o := range ops {
		o.chunk.Records = o.chunk.Records[:0]
		for j := range o.events {
			if e := &o.events[j]; e.sealed.Shape != nil {
				o.chunk.Records = append(o.chunk.Records, e.sealed)
			}
		}
		chunks[i] = &o.chunk
	}
	a, err := g.p.Log.Append(g.tx, chunks)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	g.appended = a
	for i, o := range ops {
		n := 0
		for j := range o.events {
			e := &o.events[j]
			if e.sealed.Shape == nil {
				continue
			}
			if a.Outcome[i][n] {
				o.outcome.duplicate++
				g.count(o, e.ev, "duplicate", "")
			} else {
				o.outcome.accepted++
				g.count(o, e.ev, "accepted", "")
				g.note(o, e.ev)
				g.mayCorrect(e)
				if err := g.collect(o, e); err != nil {
					return err
				}
				if e.speech != nil {
					g.listen(o, e)
				}
				g.hearPlaces(o, e)
				if err := g.wantMedia(o, e); err != nil {
					return err
				}
			}
			n++
			g.met = g.meet(e)
		}
		for _, r := range o.refused {
			g.countRefused(o, r)
		}
		for _, ev := range o.unplanned {
			g.note(o, ev)
		}
	}
	return nil
}

func (g *group) meet(e *prepared) []metPerson {
	for j := range e.says {
		if e.says[j].row == nil {
			continue
		}
		g.p.meet(g.graph, &e.says[j].Say, func(r *subject.Row, key *seal.Key, idents []subject.BindingKey) {
			g.met = append(g.met, metPerson{r.Key, key, r.State&subject.Trusted != 0, idents})
		})
	}
	return g.met
}

func (g *group) count(o *ingestOp, ev *ingest.Event, what, reason string) {
	g.counts = add(g.counts, countKey{o.src.Tenant, ev.Kind.Service, ev.Kind.Name, what, reason}, 1)
}

func (g *group) refuse(o *ingestOp, r ingest.Refusal) {
	o.outcome.refused = append(o.outcome.refused, r)
	g.countRefused(o, r)
}

func (g *group) countRefused(o *ingestOp, r ingest.Refusal) {
	g.counts = add(g.counts, countKey{o.src.Tenant, o.src.Service, "", "refused", r.Reason}, int64(1+r.More))
	g.refused = add(g.refused, refusalKey{o.src.Tenant, o.src.ID, r.Reason, r.Path}, int64(1+r.More))
}

func add[K comparable](m map[K]int64, k K, n int64) map[K]int64 {
	if m == nil {
		m = map[K]int64{}
	}
	m[k] += n
	return m
}
