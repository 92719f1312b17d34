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
		if !b.Claimed && !b.Solo {
			p = g.meet(p, b)
		}
		g.bindings[b.BindingKey] = append(g.bindings[b.BindingKey], b)
		g.newBindings = append(g.newBindings, b)
	}
	return p
}

// meet joins p with whoever has b's identifier here, and returns the head.
func (g *Graph) meet(p *Row, b *Binding) *Row {
	q, shared := g.owner(b.Tenant, b.Digest)
	switch {
	case q == nil || shared || q == p:
		return p
	case p.State&Known == 0 || q.State&Known == 0 || b.Type == term.UserID:
		if q.State&Known != 0 {
			p, q = q, p
		}
		return g.unite(p, q)
	}
	g.Refusals[Refusal{b.Tenant, b.Source, RefusedTwoUsers}]++ // from here on the identifier is shared
	g.shared = append(g.shared, q.Key)
	return p
}
