package subject

import (
	"fmt"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Graph is what one transaction knows of the identifiers it meets, and what it changes. It is not
// safe for concurrent use and lives as long as one run of the transaction.
type Graph struct {
	rows     map[Key]*Row
	bindings map[BindingKey][]*Binding
	wanted   map[BindingKey]Digest     // with the digest before
	before   map[BindingKey]BindingKey // under the version before → under the current one
	// Mint returns a new person's wrapped key; it has no effect outside the transaction.
	Mint func(tenant uint32, s id.Subject) (epoch uint32, wrapped []byte, err error)

	newRows     []*Row
	newBindings []*Binding
	retired     []*Binding // stored ones
	numbered    []Number   // of stored subjects
	fresh       map[Key]bool
	touched     map[Key]*Row
	reheads     []Merge
	shared      []Key
	merged      map[Key][]*Row // loaded rows by the head that they have beside themselves

	// Refusals counts what the rules did not let happen, by reason and tenant.
	Refusals map[Refusal]int
	// RefusedLinks counts the same by whom it is about.
	RefusedLinks map[RefusedLink]int
}

// Merge says that two subjects turned out to be one person.
type Merge struct {
	Tenant   uint32
	From, To id.Subject
}

// Refusal is a reason why an identity statement was not followed.
type Refusal struct {
	Tenant uint32
	Source string
	Reason string
}

// Reasons of refusals.
const (
	RefusedTwoUsers = "identity.two_user_ids"  // a merge of two known user ids
	RefusedClaim    = "identity.claim_ignored" // a public source spoke of a person that it did not create
)

// NewGraph returns an empty graph.
func NewGraph(mint func(tenant uint32, s id.Subject) (uint32, []byte, error)) *Graph {
	return &Graph{rows: map[Key]*Row{}, bindings: map[BindingKey][]*Binding{}, wanted: map[BindingKey]Digest{}, before: map[BindingKey]BindingKey{}, merged: map[Key][]*Row{},
		Mint: mint, touched: map[Key]*Row{}, Refusals: map[Refusal]int{}, RefusedLinks: map[RefusedLink]int{}}
}

// Want notes the identifiers of s that Resolve will look at for the next Load.
func (g *Graph) Want(s *Say) {
	for i := range s.Identifiers {
		if s.Decisive(&s.Identifiers[i]) {
			g.want(s.Tenant, &s.Identifiers[i])
		}
	}
	if s.Previous != nil {
		g.want(s.Tenant, s.Previous)
	}
}

func (g *Graph) want(tenant uint32, ident *Identifier) {
	g.wanted[BindingKey{tenant, ident.Digest}] = ident.Before
}

// Load fetches what the store knows of the wanted identifiers: their bindings, the subjects bound
// and the heads of those.
func (g *Graph) Load(tx store.Tx, st Store) error {
	keys := make([]BindingKey, 0, len(g.wanted))
	for k, before := range g.wanted {
		if _, known := g.bindings[k]; known {
			continue
		}
		keys = append(keys, k)
		g.bindings[k] = nil
		if before != (Digest{}) {
			old := BindingKey{k.Tenant, before}
			keys = append(keys, old)
			g.before[old] = k
		}
	}
	clear(g.wanted)
	if len(keys) == 0 {
		return nil
	}
	need := map[Key]bool{}
	if err := st.Bindings(tx, keys, func(b Binding) {
		if k, old := g.before[b.BindingKey]; old {
			b.BindingKey = k
		}
		g.bindings[b.BindingKey] = append(g.bindings[b.BindingKey], &b)
		need[Key{b.Tenant, b.Subject}] = true
	}); err != nil {
		return fmt.Errorf("load bindings: %w", err)
	}
	for _, k := range keys {
		if k, old := g.before[k]; old {
			g.bindings[k] = ordered(g.bindings[k])
		}
	}
	return g.LoadRows(tx, st, need)
}

// LoadRows fetches subjects and the heads of those that were merged.
func (g *Graph) LoadRows(tx store.Tx, st Store, need map[Key]bool) error {
	for round := 0; round < 2 && len(need) > 0; round++ {
		var keys []Key
		for k := range need {
			if g.rows[k] == nil {
				keys = append(keys, k)
			}
		}
		clear(need)
		if len(keys) == 0 {
			return nil
		}
		if err := st.Rows(tx, keys, func(r Row) {
			g.rows[r.Key] = &r
			if !r.IsHead() {
				g.merged[Key{r.Tenant, r.Head}] = append(g.merged[Key{r.Tenant, r.Head}], &r)
			}
			if head := (Key{r.Tenant, r.Head}); !r.IsHead() && g.rows[head] == nil {
				need[head] = true
			}
		}); err != nil {
			return fmt.Errorf("load subjects: %w", err)
		}
	}
	return nil
}

// Head returns the row that speaks for the person whom k belongs to, nil when there is none.
func (g *Graph) Head(k Key) *Row {
	r := g.rows[k]
	if r == nil || r.IsHead() {
		return r
	}
	return g.rows[Key{k.Tenant, r.Head}]
}

// NewBindings and Merges are what the graph changed, besides rows.
func (g *Graph) NewBindings() []*Binding { return g.newBindings }
func (g *Graph) Merges() []Merge         { return g.reheads }

// Disturbed returns the subjects whom an identifier no longer names alone, or no longer names: who
// was merged into somebody else, and who now shares an identifier or gave one up.
func (g *Graph) Disturbed() []Key {
	out := append([]Key(nil), g.shared...)
	for _, m := range g.reheads {
		out = append(out, Key{m.Tenant, m.From})
	}
	return out
}

// Row returns the subject of that key, nil when it isn't loaded or doesn't exist.
func (g *Graph) Row(k Key) *Row { return g.rows[k] }

// Held says whether somebody has the identifier; a claim is not enough.
func (g *Graph) Held(k BindingKey) bool { return len(g.strong(k.Tenant, k.Digest, now)) > 0 }

// Owner returns the head of the person whom an identifier names alone, nil when nobody or several do,
// or when it had another holder once: then it depends on when an event occurred.
func (g *Graph) Owner(tenant uint32, d Digest) *Row {
	for _, b := range g.bindings[BindingKey{tenant, d}] {
		if b.RetiredAt != 0 {
			return nil
		}
	}
	r, shared := g.owner(tenant, d, now)
	if shared {
		return nil
	}
	return r
}

// Flush writes what changed. The values of new bindings must have been sealed by then.
func (g *Graph) Flush(tx store.Tx, st Store) error {
	fresh := make(map[Key]bool, len(g.newRows))
	for _, r := range g.newRows {
		fresh[r.Key] = true
	}
	g.fresh = fresh
	more := g.numbers(fresh)
	if len(g.newRows) > 0 {
		if err := st.InsertRows(tx, g.newRows); err != nil {
			return fmt.Errorf("insert subjects: %w", err)
		}
	}
	for _, m := range g.reheads {
		if err := st.Rehead(tx, m.Tenant, m.From, m.To); err != nil {
			return fmt.Errorf("merge subjects: %w", err)
		}
	}
	var changed []*Row
	for k, r := range g.touched {
		if !fresh[k] {
			changed = append(changed, r)
		}
	}
	if len(changed) > 0 {
		if err := st.UpdateRows(tx, changed); err != nil {
			return fmt.Errorf("update subjects: %w", err)
		}
	}
	if len(g.retired) > 0 { // before the new ones, which may be the next holder's
		if err := st.RetireBindings(tx, g.stored(g.retired)); err != nil {
			return fmt.Errorf("retire bindings: %w", err)
		}
	}
	if len(g.newBindings) > 0 {
		if err := st.InsertBindings(tx, g.newBindings); err != nil {
			return fmt.Errorf("insert bindings: %w", err)
		}
	}
	if len(more) > 0 {
		if err := st.AddNumbers(tx, more); err != nil {
			return fmt.Errorf("add countries of numbers: %w", err)
		}
	}
	return nil
}

func (g *Graph) create(s *Say) (*Row, error) {
	k := Key{s.Tenant, id.NewSubject()}
	epoch, wrapped, err := g.Mint(k.Tenant, k.Subject)
	if err != nil {
		return nil, fmt.Errorf("mint key of %s: %w", k.Subject, err)
	}
	r := &Row{Key: k, Head: k.Subject, CreatedAt: s.At, CreatedBy: s.Source, Epoch: epoch, Wrapped: wrapped}
	if s.Trust == "public" {
		r.State |= Public
	} else {
		r.State |= Trusted
	}
	g.rows[k] = r
	g.newRows = append(g.newRows, r)
	return r, nil
}

func (g *Graph) bind(s *Say, i *Identifier, r *Row, claimed, solo bool) {
	b := &Binding{BindingKey: BindingKey{s.Tenant, i.Digest}, Subject: r.Subject, Type: i.Type,
		Claimed: claimed, Solo: solo, Source: s.Source, Value: i.Value, CreatedAt: s.At}
	for _, have := range g.bindings[b.BindingKey] { // the store would keep that one, but may have it under the version before
		if have.Subject == b.Subject && have.Claimed == claimed && have.Solo == solo && have.RetiredAt == 0 {
			return
		}
	}
	g.bindings[b.BindingKey] = append(g.bindings[b.BindingKey], b)
	g.newBindings = append(g.newBindings, b)
}

func (g *Graph) touch(r *Row) { g.touched[r.Key] = r }
