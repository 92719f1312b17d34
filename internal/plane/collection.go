package plane

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// Collected is how many records of a kind hold a part of a category.
type Collected struct {
	Tenant                  uint32
	Service, Kind, Category string
	N                       int64
	FirstAt, LastAt         time.Time
}

// Unmapped is how many records of a kind hold a member that the kind doesn't map. Path is masked; the
// sample is the latest record that has it, from which the name can be read as long as it opens.
type Unmapped struct {
	Tenant                uint32
	Source, Service, Kind string
	Digest                [16]byte // keyed, of the path as it was sent; zero for all beyond the bound
	Path                  string
	Sample                id.Record
	Client                [6]byte // of the sample: the front of its client key, zero when it has none
	Subject               id.Subject
	N                     int64
	FirstAt, LastAt       time.Time
}

// maxUnmapped bounds the paths that are told apart of one source. What is beyond counts as one.
const maxUnmapped = 500

// collectedKey is the shape of an event: the kind as its source's plan has it, and its parts.
type collectedKey struct {
	tenant uint32
	kind   *ingest.Kind
	slots  uint64
}

type unmappedKey struct {
	tenant        uint32
	source        string
	service, kind string
	digest        [16]byte
}

// sourceKey names a source of a tenant.
type sourceKey struct {
	tenant uint32
	source string
}

// collect counts what was accepted, by category and by what isn't mapped.
func (g *group) collect(o *ingestOp, e *prepared) error {
	ev := e.ev
	g.collected = add(g.collected, collectedKey{o.src.Tenant, ev.Kind, ev.Slots}, 1)
	if ev.Slots&1 == 0 { // the first slot is what is unclassified
		return nil
	}
	for i := range ev.Fragments {
		f := &ev.Fragments[i]
		if f.Category != term.Unclassified {
			continue
		}
		var err error
		ev.Kind.Unmapped(f.JSON, func(path string) {
			if err == nil {
				err = g.collectUnmapped(o, e, path)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *group) collectUnmapped(o *ingestOp, e *prepared, path string) error {
	ev := e.ev
	key := unmappedKey{o.src.Tenant, o.src.ID, ev.Kind.Service, ev.Kind.Name, g.p.unmappedDigest(o.src.TenantID, ev.Kind, path)}
	if u := g.unmapped[key]; u != nil {
		u.N++
		return nil
	}
	room, err := g.roomForUnmapped(sourceKey{o.src.Tenant, o.src.ID}, key.digest)
	if err != nil {
		return err
	}
	masked := ingest.MaskNames(path, ev.Kind.Knows)
	if !room {
		key.digest, masked = [16]byte{}, "*"
	}
	u := g.unmapped[key]
	if u == nil {
		u = &Unmapped{Tenant: key.tenant, Source: key.source, Service: key.service, Kind: key.kind, Digest: key.digest, Path: masked, FirstAt: g.now, LastAt: g.now,
			Sample: id.Record{Chunk: o.chunk.ID, Ordinal: uint32(ev.Index)}, Client: [6]byte(e.key[:6])}
		for i := range e.sealed.Parts {
			if s := e.sealed.Parts[i].Subject; !s.IsNobody() {
				u.Subject = s
				break
			}
		}
		if g.unmapped == nil {
			g.unmapped = map[unmappedKey]*Unmapped{}
		}
		g.unmapped[key] = u
	}
	u.N++
	return nil
}

// unmappedDigest tells paths apart without keeping them: names are the client's to choose.
func (p *Plane) unmappedDigest(tenantID string, k *ingest.Kind, path string) [16]byte {
	return p.Vault.Clients(tenantID).Thing("unmapped", []byte(k.Service+"/"+k.Name+"/"+path))
}

// roomForUnmapped says whether a path is known of its source, or there is room for it. What this node
// knows is a saving: in a retried transaction it may know more than the store, never less.
func (g *group) roomForUnmapped(s sourceKey, digest [16]byte) (bool, error) {
	known := g.p.unmapped[s]
	if known == nil {
		known = map[[16]byte]struct{}{}
		if err := g.p.Counters.UnmappedDigests(g.tx, s.tenant, s.source, func(d [16]byte) { known[d] = struct{}{} }); err != nil {
			return false, err
		}
		if len(g.p.unmapped) >= maxUnmappedSources {
			clear(g.p.unmapped)
		}
		g.p.unmapped[s] = known
	}
	if _, ok := known[digest]; ok {
		return true, nil
	}
	if len(known) >= maxUnmapped {
		return false, nil
	}
	known[digest] = struct{}{}
	return true, nil
}

// maxUnmappedSources bounds what a node remembers: 500 digests of each.
const maxUnmappedSources = 256

// countCollected writes what collect counted.
func (g *group) countCollected() error {
	if len(g.collected) > 0 {
		by := map[Collected]int64{}
		for k, n := range g.collected {
			parts := k.kind.Parts()
			for set := k.slots; set != 0; set &= set - 1 {
				by[Collected{Tenant: k.tenant, Service: k.kind.Service, Kind: k.kind.Name, Category: parts[bits.TrailingZeros64(set)].Category}] += n
			}
		}
		all := make([]Collected, 0, len(by))
		for c, n := range by {
			c.N, c.FirstAt, c.LastAt = n, g.now, g.now
			all = append(all, c)
		}
		// In one order everywhere, so that two nodes never wait for each other's rows.
		slices.SortFunc(all, func(a, b Collected) int {
			return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Category, b.Category))
		})
		if err := g.p.Counters.AddCollected(g.tx, all); err != nil {
			return err
		}
	}
	if len(g.unmapped) == 0 {
		return nil
	}
	all := make([]Unmapped, 0, len(g.unmapped))
	for _, u := range g.unmapped {
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b Unmapped) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Kind, b.Kind), slices.Compare(a.Digest[:], b.Digest[:]))
	})
	return g.p.Counters.AddUnmapped(g.tx, all)
}

// Collection returns what a tenant's sources brought by category, and what of it no kind maps, with
// the names as the tenant's own records have them; a name whose record doesn't open any more is masked.
func (p *Plane) Collection(ctx context.Context, c *tenant.Caller) (all []Collected, unmapped []Unmapped, err error) {
	err = p.view(ctx, c, func(tx store.Tx) error {
		if all, err = p.Counters.Collected(tx, c.Tenant); err != nil {
			return err
		}
		if unmapped, err = p.Counters.Unmapped(tx, c.Tenant); err != nil {
			return err
		}
		for i := range unmapped {
			if err := p.nameUnmapped(tx, c, &unmapped[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return all, unmapped, err
}

// CollectionOf is what Collection returns, for somebody who may not read the tenant's records: names
// stay masked.
func (p *Plane) CollectionOf(tx store.Tx, tenant uint32) (all []Collected, unmapped []Unmapped, err error) {
	if all, err = p.Counters.Collected(tx, tenant); err == nil {
		unmapped, err = p.Counters.Unmapped(tx, tenant)
	}
	return all, unmapped, err
}

// nameUnmapped reads the path from the sample.
func (p *Plane) nameUnmapped(tx store.Tx, c *tenant.Caller, u *Unmapped) error {
	kind := p.Rules.Kind(u.Service, u.Kind)
	if kind == nil || u.Digest == [16]byte{} {
		return nil
	}
	var found []record.Found
	var err error
	if u.Client != [6]byte{} {
		found, err = p.Log.ByClientPrefix(tx, c.Tenant, u.Client)
	} else if !u.Subject.IsNobody() {
		found, _, err = p.Log.Find(tx, c.Tenant, []id.Subject{u.Subject}, record.Query{Kinds: []string{u.Service + "/" + u.Kind}, Limit: 100})
	}
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(f record.Found) bool { return f.ID != u.Sample })
	if len(found) == 0 {
		return nil
	}
	keys, _, err := p.keysOf(tx, c, nil, found, "")
	if err != nil {
		return err
	}
	o := opener{keep: func(part *record.FoundPart) bool { return part.Category == term.Unclassified }}
	v, err := o.open(p, c.TenantID, &found[0], keys)
	if err != nil || v.Data == nil {
		return err
	}
	kind.Unmapped(v.Data, func(path string) {
		if p.unmappedDigest(c.TenantID, kind, path) == u.Digest {
			u.Path = ingest.FieldPath(path)
		}
	})
	return nil
}
