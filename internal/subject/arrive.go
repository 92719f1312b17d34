package subject

import "domicile.dev/internal/term"

// Arrive gives the subject of k, which has been Arriving and has no identifiers, those that it had in
// another region, and the state. Where somebody here has one of them, the two become one person by
// the rules of Resolve; who has the same user id is the same user. It returns the head. The row of k and
// the identifiers of bindings must have been loaded.
func (g *Graph) Arrive(k Key, state State, bindings []*Binding) *Row {
	own := g.rows[k]
	own.State = own.State&^Arriving | state
	g.touch(own)
	p := own
	for _, b := range bindings {
		switch {
		case b.RetiredAt != 0: // it makes nobody one: whoever has it now is somebody else
			g.heldBefore(b)
		case !b.Claimed && !b.Solo:
			p = g.meet(p, b)
		}
		g.bindings[b.BindingKey] = append(g.bindings[b.BindingKey], b)
		g.newBindings = append(g.newBindings, b)
	}
	return p
}

// meet joins p with whoever has b's identifier here, and returns the head.
func (g *Graph) meet(p *Row, b *Binding) *Row {
	q, shared := g.owner(b.Tenant, b.Digest, now)
	switch {
	case q == nil || shared || q == p:
		return p
	case p.State&Known == 0 || q.State&Known == 0 || b.Type == term.UserID:
		if q.State&Known != 0 {
			p, q = q, p
		}
		return g.unite(p, q)
	}
	g.refuseTwo(&Say{Tenant: b.Tenant, Source: b.Source}, p, q, b.Type) // from here on the identifier is shared
	g.shared = append(g.shared, q.Key)
	return p
}

// heldBefore notes that an identifier had a holder before those who have it here, who are named by it
// only for what occurred since.
func (g *Graph) heldBefore(b *Binding) {
	for _, other := range g.strong(b.Tenant, b.Digest, now) {
		g.shared = append(g.shared, g.Head(Key{b.Tenant, other.Subject}).Key)
	}
}
