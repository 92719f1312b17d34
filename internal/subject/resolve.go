package subject

import (
	"slices"

	"domicile.dev/internal/id"
	"domicile.dev/internal/term"
)

// Resolve returns the head of the person that s speaks of, creating and joining as the source's
// trust allows (design 6, "Who is who"). Every identifier of s must have been loaded. It returns
// nil when s names nobody.
func (g *Graph) Resolve(s *Say) (*Row, error) {
	if s.Primary() == nil {
		return nil, nil
	}
	if s.Trust == term.Public {
		return g.resolvePublic(s)
	}
	return g.resolveServer(s)
}

// resolveServer follows a source that holds a secret key: what it says of identity counts.
func (g *Graph) resolveServer(s *Say) (*Row, error) {
	primary := s.Primary()
	p, shared := g.knownToServer(s)
	if p == nil {
		var err error
		if p, err = g.create(s); err != nil {
			return nil, err
		}
	}
	if !g.bound(s, primary.Digest, p) && !g.gaveUp(primary.Digest, p) {
		g.bind(s, primary, p, false, shared)
	}
	if primary.Type == term.UserID && p.State&Known == 0 {
		p.State |= Known
		g.touch(p)
	}
	if p.State&Trusted == 0 {
		p.State |= Trusted
		g.touch(p)
	}
	if !s.Join {
		return p, nil
	}
	if prev := s.Previous; prev != nil {
		if q, _ := g.owner(s.Tenant, prev.Digest, s.when()); q != nil && q != p {
			p = g.join(s, p, q, prev.Type)
		}
	}
	for i := range s.Identifiers {
		if ident := &s.Identifiers[i]; ident != primary {
			p = g.attach(s, p, ident)
		}
	}
	if s.Former != nil {
		g.retire(p, s.Former.Digest, s.retiredAt())
	}
	return p, nil
}

// gaveUp says whether the identifier was retired from p. What sources go on saying from older
// knowledge doesn't give it back, let alone its next holder: only Link does.
func (g *Graph) gaveUp(d Digest, p *Row) bool {
	for _, b := range g.bindings[BindingKey{p.Tenant, d}] {
		if b.RetiredAt != 0 && g.Head(Key{p.Tenant, b.Subject}) == p {
			return true
		}
	}
	return false
}

// retiredAt is when s.Former ceases to be the person's.
func (s *Say) retiredAt() int64 {
	if s.Occurred == 0 {
		return s.At
	}
	return s.Occurred
}

// retire takes an identifier from p at that time: from then on it names nobody, or whoever has it
// next. What occurred before is p's all the same, whenever it comes, and the identifier goes with p.
func (g *Graph) retire(p *Row, d Digest, at int64) {
	for _, b := range g.bindings[BindingKey{p.Tenant, d}] {
		if b.Claimed || b.RetiredAt != 0 || g.Head(Key{p.Tenant, b.Subject}) != p {
			continue
		}
		b.RetiredAt = at
		if !slices.Contains(g.newBindings, b) {
			g.retired = append(g.retired, b)
		}
		g.shared = append(g.shared, p.Key)
	}
}

// Lookup returns the head of the person whom Resolve would take s to be about, nil when it would make
// a new one. Every identifier of s must have been loaded.
func (g *Graph) Lookup(s *Say) *Row {
	if s.Primary() == nil {
		return nil
	}
	if s.Trust == term.Public {
		p, _ := g.knownToPublic(s)
		return p
	}
	p, _ := g.knownToServer(s)
	if p == nil && s.Join && s.Previous != nil { // who is made new is joined to them at once
		p, _ = g.owner(s.Tenant, s.Previous.Digest, s.when())
	}
	return p
}

// knownToServer returns the person whom a server source speaks of, nil when that is somebody new.
// shared says that several people hold the primary identifier.
func (g *Graph) knownToServer(s *Say) (p *Row, shared bool) {
	primary := s.Primary()
	p, shared = g.owner(s.Tenant, primary.Digest, s.when())
	if p == nil && s.Join && !shared {
		p = g.joinable(s, primary)
	}
	return p, shared
}

// joinable returns the person to whom an unknown primary identifier is given: somebody whom
// another identifier of s names, and who has no user id of their own if the primary is one.
func (g *Graph) joinable(s *Say, primary *Identifier) *Row {
	best := -1
	var found *Row
	for i := range s.Identifiers {
		ident := &s.Identifiers[i]
		q, shared := g.owner(s.Tenant, ident.Digest, s.when())
		if ident == primary || q == nil || shared || primary.Type == term.UserID && q.State&Known != 0 {
			continue
		}
		if best < 0 || rank(ident.Type) < best {
			best, found = rank(ident.Type), q
		}
	}
	return found
}

// attach makes ident one of p's, joining its owner into p where the rules allow it, and returns the
// head of the person that p is then.
func (g *Graph) attach(s *Say, p *Row, ident *Identifier) *Row {
	if g.bound(s, ident.Digest, p) || g.gaveUp(ident.Digest, p) {
		return p
	}
	q, shared := g.owner(s.Tenant, ident.Digest, s.when())
	if q != nil && !shared && q != p {
		if p.State&Known == 0 || q.State&Known == 0 {
			return g.join(s, p, q, ident.Type)
		}
		g.refuseTwo(s, p, q, ident.Type) // from here on the identifier is shared
		g.shared = append(g.shared, q.Key)
	}
	g.bind(s, ident, p, false, false)
	return p
}

// join makes q and p one person and returns the head: the one with a user id, else p. Two people
// with user ids of their own stay two.
// typ is that of the identifier which says that they are one.
func (g *Graph) join(s *Say, p, q *Row, typ string) *Row {
	if p.State&Known != 0 && q.State&Known != 0 {
		g.refuseTwo(s, p, q, typ)
		return p
	}
	if q.State&Known != 0 {
		p, q = q, p
	}
	return g.unite(p, q)
}

// unite makes q and p one person, of whom p is the head.
func (g *Graph) unite(p, q *Row) *Row {
	moved := append(g.merged[q.Key], q)
	for _, r := range moved {
		r.Head = p.Subject
	}
	g.merged[p.Key] = append(g.merged[p.Key], moved...)
	delete(g.merged, q.Key)
	p.State |= q.State &^ Public
	p.HoldUntil = later(p, q)
	g.touch(p)
	g.touch(q)
	g.reheads = append(g.reheads, Merge{p.Tenant, q.Subject, p.Subject})
	return p
}

// later returns the end of the hold of two people who turn out to be one; no end wins.
func later(p, q *Row) int64 {
	switch {
	case q.State&Held == 0:
		return p.HoldUntil
	case p.State&Held == 0 || q.HoldUntil == 0:
		return q.HoldUntil
	case p.HoldUntil == 0:
		return 0
	}
	return max(p.HoldUntil, q.HoldUntil)
}

// resolvePublic follows a source whose key browsers hold. An event belongs to the person whom a
// server source knows by its user id, else to its anonymous id, else to a person of this source's
// own making. Whatever else it says is a claim, on subjects that it created and named by more than
// a claim; it never joins.
func (g *Graph) resolvePublic(s *Say) (*Row, error) {
	primary := s.Primary()
	user, anonymous := s.find(term.UserID), s.find(term.AnonymousID)
	p, sure := g.knownToPublic(s)
	if p == nil {
		var err error
		if p, err = g.create(s); err != nil {
			return nil, err
		}
		sure = true
		if anonymous != nil && len(g.strong(s.Tenant, anonymous.Digest, now)) == 0 {
			g.bind(s, anonymous, p, false, false)
		} else if anonymous != nil {
			g.bind(s, anonymous, p, false, true)
		}
		if user != nil {
			g.bind(s, user, p, true, false)
		} else if anonymous == nil {
			g.bind(s, primary, p, true, false)
		}
	}
	if s.Join {
		g.claim(s, p, sure)
	}
	return p, nil
}

// knownToPublic returns the person whom a public source speaks of, nil when that is somebody new. sure
// says that they are named by something that only the person's own device knows.
func (g *Graph) knownToPublic(s *Say) (p *Row, sure bool) {
	user, anonymous := s.find(term.UserID), s.find(term.AnonymousID)
	if user != nil {
		p, _ = g.owner(s.Tenant, user.Digest, s.when())
	}
	if p == nil && anonymous != nil {
		p, _ = g.owner(s.Tenant, anonymous.Digest, s.when())
		sure = p != nil
	}
	if p == nil && user != nil && anonymous == nil {
		p = g.claimant(s, user)
	}
	if p == nil && user == nil && anonymous == nil {
		p = g.claimant(s, s.Primary())
	}
	return p, sure
}

// claim binds what a public source says of p, as claims.
func (g *Graph) claim(s *Say, p *Row, sure bool) {
	mine := sure && p.CreatedBy == s.Source && p.State&Public != 0
	for i := range s.Identifiers {
		ident := &s.Identifiers[i]
		if g.boundAnyhow(s.Tenant, ident.Digest, p) {
			continue
		}
		if !mine {
			g.Refusals[Refusal{s.Tenant, s.Source, RefusedClaim}]++
			g.refuseLink(s, p, id.Nobody, ident.Type, RefusedClaim)
			continue
		}
		g.bind(s, ident, p, true, false)
	}
}

// claimant returns the one subject of this source's making that claims the identifier; nil when
// none or several do.
func (g *Graph) claimant(s *Say, ident *Identifier) *Row {
	var found *Row
	for _, b := range g.bindings[BindingKey{s.Tenant, ident.Digest}] {
		r := g.Head(Key{b.Tenant, b.Subject})
		if !b.Claimed || r == nil || r.CreatedBy != s.Source || r == found {
			continue
		}
		if found != nil {
			return nil
		}
		found = r
	}
	return found
}

// strong returns the bindings of an identifier that are no claims, of living subjects, as they were at
// that time: of what occurred before the identifier was retired, those of then.
func (g *Graph) strong(tenant uint32, d Digest, at int64) []*Binding {
	var out, then []*Binding
	for _, b := range g.bindings[BindingKey{tenant, d}] {
		switch {
		case b.Claimed || g.Head(Key{tenant, b.Subject}) == nil:
		case b.RetiredAt == 0:
			out = append(out, b)
		case at < b.RetiredAt:
			if len(then) > 0 && then[0].RetiredAt > b.RetiredAt {
				then = then[:0]
			}
			if len(then) == 0 || then[0].RetiredAt == b.RetiredAt {
				then = append(then, b)
			}
		}
	}
	if len(then) > 0 {
		return then
	}
	return out
}

// owner returns the person an identifier names at that time. shared says that several people hold
// it: then the owner is the subject of records known only by it, nil until there is one.
func (g *Graph) owner(tenant uint32, d Digest, at int64) (owner *Row, shared bool) {
	var solo *Row
	for _, b := range g.strong(tenant, d, at) {
		r := g.Head(Key{tenant, b.Subject})
		switch {
		case b.Solo:
			solo = r
		case owner != nil && owner != r:
			shared = true
		default:
			owner = r
		}
	}
	if shared {
		return solo, true
	}
	if owner == nil {
		return solo, false
	}
	return owner, false
}

func (g *Graph) bound(s *Say, d Digest, p *Row) bool {
	for _, b := range g.strong(s.Tenant, d, s.when()) {
		if g.Head(Key{s.Tenant, b.Subject}) == p {
			return true
		}
	}
	return false
}

func (g *Graph) boundAnyhow(tenant uint32, d Digest, p *Row) bool {
	for _, b := range g.bindings[BindingKey{tenant, d}] {
		if g.Head(Key{tenant, b.Subject}) == p {
			return true
		}
	}
	return false
}

// Find answers whom the identifiers name: the head when it is one person, several heads when the
// identifiers are shared or name different people. claimed are the subjects that only claim one of
// them; they are found themselves only when nobody holds it and no server source knows them.
func (g *Graph) Find(tenant uint32, digests []Digest) (heads, claimed []id.Subject) {
	seen := map[id.Subject]bool{}
	add := func(list *[]id.Subject, s id.Subject) {
		if !seen[s] {
			seen[s] = true
			*list = append(*list, s)
		}
	}
	for _, d := range digests {
		for _, b := range g.strong(tenant, d, now) {
			add(&heads, g.Head(Key{tenant, b.Subject}).Subject)
		}
	}
	var untrusted []id.Subject
	for _, d := range digests {
		for _, b := range g.bindings[BindingKey{tenant, d}] {
			r := g.Head(Key{tenant, b.Subject})
			if r == nil || !b.Claimed || seen[r.Subject] {
				continue
			}
			if len(heads) == 0 && r.State&Trusted == 0 {
				add(&untrusted, r.Subject)
			} else {
				add(&claimed, r.Subject)
			}
		}
	}
	if len(heads) == 0 {
		heads = untrusted
	}
	return heads, claimed
}
