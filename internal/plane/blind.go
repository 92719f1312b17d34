package plane

import (
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// blind makes a tenant's identifiers findable: under the current version of the index key and, while
// the key is rotated, under the one before.
type blind struct{ now, before *vault.Blinder }

func blindUnder(x *vault.IndexKeys, tenantID string) blind {
	return blind{x.Blinder(tenantID), x.Before(tenantID)}
}

// identifier returns the identifier with its digests. It keeps value.
func (b blind) identifier(typ string, value []byte) subject.Identifier {
	i := subject.Identifier{Type: typ, Value: value}
	b.set(&i)
	return i
}

func (b blind) set(i *subject.Identifier) {
	i.Digest, i.Before = b.now.Identifier(i.Type, i.Value), subject.Digest{}
	if b.before != nil {
		i.Before = b.before.Identifier(i.Type, i.Value)
	}
}

// blindAnew makes the identifiers of a request blind under the versions that count in the
// transaction, which may be newer than those of the time at which it came.
func (o *ingestOp) blindAnew(x *vault.IndexKeys) {
	if o.index.Same(x) {
		return
	}
	b := blindUnder(x, o.src.TenantID)
	for i := range o.events {
		for j := range o.events[i].says {
			s := &o.events[i].says[j].Say
			for k := range s.Identifiers {
				b.set(&s.Identifiers[k])
			}
			for _, other := range [...]*subject.Identifier{s.Previous, s.Former} {
				if other != nil {
					b.set(other)
				}
			}
		}
	}
	o.index = x
}

// otherDigests knows, of the identifiers of people who are erased while the index key is rotated,
// what each is under either version: others may have the same identifier under the other one.
type otherDigests struct {
	before map[subject.BindingKey]subject.BindingKey // by that under the current version
	now    map[subject.BindingKey]subject.BindingKey // by that under the version before
}

// all returns the keys, with those under the version before.
func (o *otherDigests) all(keys []subject.BindingKey) []subject.BindingKey {
	both := keys
	for _, k := range keys {
		if b, ok := o.before[k]; ok {
			both = append(both, b)
		}
	}
	return both
}

// current returns k under the current version.
func (o *otherDigests) current(k subject.BindingKey) subject.BindingKey {
	if n, ok := o.now[k]; ok {
		return n
	}
	return k
}

// blindErased gives the bindings of e their digests under the current version. A value that doesn't
// open keeps the digest that it has: damage must not keep anybody from being erased.
func (g *group) blindErased(e *erasure) {
	if !g.index.Rotating() {
		return
	}
	tid := g.p.tenantOf(e.head.Tenant)
	blind := blindUnder(g.index, tid)
	e.other = otherDigests{map[subject.BindingKey]subject.BindingKey{}, map[subject.BindingKey]subject.BindingKey{}}
	for i := range e.bindings {
		b := &e.bindings[i]
		value, err := g.valueOf(tid, e.rows, *b)
		if err != nil {
			continue
		}
		ident := blind.identifier(b.Type, value)
		now, before := subject.BindingKey{Tenant: b.Tenant, Digest: ident.Digest}, subject.BindingKey{Tenant: b.Tenant, Digest: ident.Before}
		b.Digest = ident.Digest
		e.other.before[now], e.other.now[before] = before, now
	}
}
