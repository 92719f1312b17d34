package subject

import (
	"bytes"
	"cmp"
	"slices"
)

// While the index key is rotated an identifier has two digests, and the store has its bindings under
// either.

// ordered returns the bindings of one identifier that came under two digests as the store returns
// those that came under one: in its order, each once, MostBindings at most.
func ordered(list []*Binding) []*Binding {
	class := func(b *Binding) int {
		switch {
		case b.RetiredAt != 0:
			return -1
		case b.Claimed:
			return 2
		case b.Solo:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b *Binding) int {
		return cmp.Or(cmp.Compare(class(a), class(b)), bytes.Compare(a.Subject[:], b.Subject[:]), cmp.Compare(b.RetiredAt, a.RetiredAt))
	})
	list = slices.CompactFunc(list, func(a, b *Binding) bool { return class(a) == class(b) && a.Subject == b.Subject })
	return list[:min(len(list), MostBindings)]
}

// stored returns bindings under every digest under which the store can have them.
func (g *Graph) stored(list []*Binding) []*Binding {
	older := make(map[BindingKey]BindingKey, len(g.before))
	for old, k := range g.before {
		older[k] = old
	}
	out := list[:len(list):len(list)]
	for _, b := range list {
		if old, ok := older[b.BindingKey]; ok {
			other := *b
			other.BindingKey = old
			out = append(out, &other)
		}
	}
	return out
}
