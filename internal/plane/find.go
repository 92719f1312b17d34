package plane

import (
	"context"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
)

// Identifier is an identifier as a tenant gives it, not yet canonical.
type Identifier struct{ Type, Value string }

// FindResult is who was found. Claimed are subjects that a public source says have one of the
// identifiers; nothing of theirs is part of the person.
type FindResult struct {
	Subject id.Subject
	Claimed []id.Subject
}

// Find returns the person whom the identifiers name.
//
// Errors: NotFound; Conflict subject.ambiguous with "subjects" when they name several people;
// Invalid when an identifier can't be one of its type.
func (p *Plane) Find(ctx context.Context, c *tenant.Caller, ids []Identifier) (FindResult, error) {
	if len(ids) == 0 {
		return FindResult{}, fault.New(fault.Invalid, "find.no_identifiers", "no identifiers were given").
			WithHint(`send {"identifiers":[{"type":"email","value":"…"}]}`)
	}
	sup := p.Vault.Suppressor(c.TenantID)
	left := make([]subject.BindingKey, len(ids))
	say := subject.Say{Tenant: c.Tenant}
	for i, in := range ids {
		value, ok := subject.Canonical(in.Type, []byte(in.Value))
		if in.Type == "" || !ok {
			return FindResult{}, fault.New(fault.Invalid, "identifier.bad_value", "the value of identifiers[%d] can't be one of its type", i).
				WithHint("an email has one @; a phone is written with + and its country code")
		}
		left[i] = subject.BindingKey{Tenant: c.Tenant, Digest: sup.Identifier(in.Type, value)}
		say.Identifiers = append(say.Identifiers, subject.Identifier{Type: in.Type, Value: value})
	}
	var heads, claimed []id.Subject
	err := p.view(ctx, c, func(tx store.Tx) error {
		index, err := p.Vault.IndexAt(tx)
		if err != nil {
			return err
		}
		blind := blindUnder(index, c.TenantID)
		digests := make([]subject.Digest, len(ids))
		for i := range say.Identifiers {
			blind.set(&say.Identifiers[i])
			digests[i] = say.Identifiers[i].Digest
		}
		g := subject.NewGraph(nil)
		g.Want(&say)
		if err := g.Load(tx, p.Subjects); err != nil {
			return err
		}
		if heads, claimed = g.Find(c.Tenant, digests); len(heads) == 0 {
			return p.whereTo(tx, left)
		}
		return nil
	})
	switch {
	case err != nil:
		return FindResult{}, err
	case len(heads) == 0:
		return FindResult{}, fault.New(fault.NotFound, "subject.unknown", "nobody here has these identifiers").
			WithHint("people live in one region each: ask the others, too")
	case len(heads) > 1:
		return FindResult{}, fault.New(fault.Conflict, "subject.ambiguous", "the identifiers name %d people", len(heads)).
			With("subjects", heads).WithHint("ask for one of the subjects, or find by an identifier that only one person has")
	}
	return FindResult{Subject: heads[0], Claimed: claimed}, nil
}

// SubjectView is what a tenant is told of a person, without any record.
type SubjectView struct {
	Subject     id.Subject
	Members     []id.Subject // all subjects that are the person
	Identifiers []IdentifierView
	States      []string
	HoldUntil   *time.Time
	Reasons     map[string]string // by state in force, as they were given
	Counts      map[string]int64  // records by service/kind
	CreatedAt   time.Time
}

// IdentifierView is one identifier of a person. Shared says that somebody else has it, too.
type IdentifierView struct {
	Type, Value     string
	Claimed, Shared bool
	Source          string // who said so first
}

// Subject returns the person whom s belongs to. A restriction doesn't hide it: this is how a tenant
// sees that there is one.
//
// Errors: NotFound; Gone subject.erased.
func (p *Plane) Subject(ctx context.Context, c *tenant.Caller, s id.Subject) (SubjectView, error) {
	var v SubjectView
	err := p.view(ctx, c, func(tx store.Tx) error {
		pers, err := p.personOf(tx, c.Tenant, s)
		if err != nil {
			return err
		}
		v = SubjectView{Subject: pers.head.Subject, Members: pers.subjects(), States: statesOf(pers.head, p.now()),
			HoldUntil: holdUntil(pers.head, p.now()), CreatedAt: time.UnixMilli(pers.head.CreatedAt).UTC()}
		if v.Counts, err = p.Log.Counts(tx, c.Tenant, v.Members); err != nil {
			return fmt.Errorf("count records: %w", err)
		}
		if v.Reasons, err = p.reasonsOf(tx, c, pers); err != nil {
			return err
		}
		v.Identifiers, err = p.identifiersOf(tx, c, pers)
		return err
	})
	return v, err
}

func (p *Plane) identifiersOf(tx store.Tx, c *tenant.Caller, pers *somebody) ([]IdentifierView, error) {
	keys := make([]subject.Key, len(pers.rows))
	opened := map[id.Subject]*seal.Key{}
	for i, r := range pers.rows {
		k, err := p.open(r)
		if err != nil {
			return nil, fmt.Errorf("open key of %s: %w", r.Subject, err)
		}
		keys[i], opened[r.Subject] = r.Key, k
	}
	var bindings []subject.Binding
	if err := p.Subjects.BindingsOf(tx, keys, func(b subject.Binding) { bindings = append(bindings, b) }); err != nil {
		return nil, fmt.Errorf("load identifiers: %w", err)
	}
	index, err := p.Vault.IndexAt(tx)
	if err != nil {
		return nil, err
	}
	blind := blindUnder(index, c.TenantID)
	shared := map[subject.Digest]bool{}
	idents := make([]subject.Identifier, len(bindings))
	ask := make([]subject.BindingKey, len(bindings), 2*len(bindings))
	for i, b := range bindings {
		value, err := seal.OpenBytes(opened[b.Subject], p.identifierAD(c.TenantID, b.Subject, b.Type), b.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open an identifier of %s: %w", b.Subject, err)
		}
		ask[i] = b.BindingKey
		if idents[i] = (subject.Identifier{Type: b.Type, Value: value, Digest: b.Digest}); index.Rotating() {
			blind.set(&idents[i]) // others may have it under either version
			ask[i].Digest = idents[i].Digest
			ask = append(ask, subject.BindingKey{Tenant: b.Tenant, Digest: idents[i].Before})
		}
	}
	if err := p.Subjects.Bindings(tx, ask, func(b subject.Binding) {
		if opened[b.Subject] == nil && !b.Claimed {
			shared[b.Digest] = true
		}
	}); err != nil {
		return nil, fmt.Errorf("load shared identifiers: %w", err)
	}
	views := make([]IdentifierView, 0, len(bindings))
	for i, b := range bindings {
		views = append(views, IdentifierView{Type: b.Type, Value: string(idents[i].Value), Claimed: b.Claimed,
			Shared: shared[idents[i].Digest] || index.Rotating() && shared[idents[i].Before], Source: b.Source})
	}
	return views, nil
}
