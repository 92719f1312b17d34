package subject

import (
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/term"
)

// What a tenant does by hand to the identifiers of a person. What is said so is the tenant's own word,
// and goes before what sources said.

// Retire takes an identifier from the person p from now on. It says whether that changed anything.
//
// Errors: NotFound identifier.unknown; Conflict identifier.claimed when a browser's word is all there is.
func (g *Graph) Retire(p *Row, ident *Identifier, at int64) (changed bool, err error) {
	claimed, retired := false, false
	for _, b := range g.bindings[BindingKey{p.Tenant, ident.Digest}] {
		switch {
		case g.Head(Key{p.Tenant, b.Subject}) != p:
		case b.Claimed:
			claimed = true
		case b.RetiredAt != 0:
			retired = true
		default:
			g.retire(p, ident.Digest, at)
			return true, nil
		}
	}
	switch {
	case retired:
		return false, nil
	case claimed:
		return false, fault.New(fault.Conflict, "identifier.claimed", "only a public source says that the person has this identifier").
			WithHint("a claim finds nobody whom a server source knows; there is nothing to retire")
	}
	return false, fault.New(fault.NotFound, "identifier.unknown", "the person has no such identifier").
		WithHint("GET the subject to see what they are known by")
}

// Link gives an identifier to p, also one that was retired from p, and joins whoever has it into the
// same person. It returns the head of both, and whether that changed anything.
//
// Errors: Conflict identity.two_user_ids when they would be one person with two user ids;
// Conflict subject.ambiguous when several people have it. Both have the others under "subjects".
func (g *Graph) Link(s *Say, p *Row, ident *Identifier) (head *Row, changed bool, err error) {
	q, shared := g.owner(s.Tenant, ident.Digest, now)
	switch {
	case q == p && !shared || g.bound(s, ident.Digest, p):
		return p, false, nil
	case shared:
		return p, false, fault.New(fault.Conflict, "subject.ambiguous", "several people have this identifier").With("subjects", g.Holders(s.Tenant, ident.Digest)).
			WithHint("retire it from those who don't have it any more")
	case q != nil && p.State&q.State&Known != 0 || q == nil && ident.Type == term.UserID && p.State&Known != 0:
		f := fault.New(fault.Conflict, RefusedTwoUsers, "a person has one user id").
			WithHint("two people with user ids of their own stay two; retire the identifier from the one who doesn't have it")
		if q != nil {
			f.With("subjects", g.Holders(s.Tenant, ident.Digest))
		}
		return p, false, f
	case q != nil:
		return g.join(s, p, q, ident.Type), true, nil
	}
	g.bind(s, ident, p, false, false)
	g.shared = append(g.shared, p.Key)
	if ident.Type == term.UserID {
		p.State |= Known
	}
	p.State |= Trusted
	g.touch(p)
	return p, true, nil
}

// Holders returns the heads of those who have an identifier now, in order.
func (g *Graph) Holders(tenant uint32, d Digest) []id.Subject {
	var heads []id.Subject
	for _, b := range g.strong(tenant, d, now) {
		if r := g.Head(Key{tenant, b.Subject}); !slices.Contains(heads, r.Subject) {
			heads = append(heads, r.Subject)
		}
	}
	return heads
}
