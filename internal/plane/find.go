package plane

import (
	"context"
	"fmt"
	"slices"
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
	idents, err := canonical(ids)
	if err != nil {
		return FindResult{}, err
	}
	sup := p.Vault.Suppressor(c.TenantID)
	left := make([]subject.BindingKey, len(idents))
	for i := range idents {
		left[i] = subject.BindingKey{Tenant: c.Tenant, Digest: sup.Identifier(idents[i].Type, idents[i].Value)}
	}
	say := subject.Say{Tenant: c.Tenant, Identifiers: idents, Join: true}
	var heads, claimed []id.Subject
	err = p.view(ctx, c, func(tx store.Tx) error {
		index, err := p.Vault.IndexAt(tx)
		if err != nil {
			return err
		}
		blind := blindUnder(index, c.TenantID)
		digests := make([]subject.Digest, len(idents))
		for i := range idents {
			blind.set(&idents[i])
			digests[i] = idents[i].Digest
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
	Traits      *Traits // set by Profile alone
	Refused     []RefusedLinkView
	Origins     []OriginView // whose law they bring; set by Profile alone
	Says        []SayView    // what the person says now
	Said        []SayView    // and said before, the newest first
}

// IdentifierView is one identifier of a person. Shared says that somebody else has it, too.
type IdentifierView struct {
	Type, Value     string
	Claimed, Shared bool
	Source          string // who said so first, or the tenant's token
	State           string // of IdentifierKnown and the others
	Since           time.Time
	RetiredAt       time.Time    // zero while the person has it
	SharedWith      []id.Subject // who else has it
}

// States of an identifier, of which a person is shown one: the first of these that holds.
const (
	IdentifierRetired = "retired" // the person had it: it finds them no more
	IdentifierClaimed = "claimed" // a public source alone says that they have it
	IdentifierShared  = "shared"  // others have it, too: it finds nobody for sure
	IdentifierKnown   = "known"
)

// RefusedLinkView is what was said of a person's identity and not followed.
type RefusedLinkView struct {
	Reason          string     // subject.RefusedTwoUsers or subject.RefusedClaim
	Type            string     // of the identifier that said so; its value isn't kept
	With            id.Subject // with whom they would have been one; Nobody when that wasn't looked at
	Source          string
	Count           int64
	FirstAt, LastAt time.Time
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
		v, err = p.subjectView(tx, c, pers)
		return err
	})
	return v, err
}

func (p *Plane) subjectView(tx store.Tx, c *tenant.Caller, pers *somebody) (v SubjectView, err error) {
	v = SubjectView{Subject: pers.head.Subject, Members: pers.subjects(), States: statesOf(pers.head, p.now()),
		HoldUntil: holdUntil(pers.head, p.now()), CreatedAt: time.UnixMilli(pers.head.CreatedAt).UTC()}
	if v.Counts, err = p.Log.Counts(tx, c.Tenant, idsOf(pers.whole())); err != nil {
		return v, fmt.Errorf("count records: %w", err)
	}
	if v.Reasons, err = p.reasonsOf(tx, c, pers); err != nil {
		return v, err
	}
	if v.Says, v.Said, err = p.saidOf(tx, c, pers); err != nil {
		return v, err
	}
	if v.Identifiers, err = p.identifiersOf(tx, c, pers); err == nil {
		v.Refused, err = p.refusedOf(tx, c, pers)
	}
	return v, err
}

// refusedOf returns which links of the person were refused.
func (p *Plane) refusedOf(tx store.Tx, c *tenant.Caller, pers *somebody) ([]RefusedLinkView, error) {
	if pers.head.State&subject.Contested == 0 {
		return nil, nil
	}
	var of []subject.Key
	for _, r := range pers.rows {
		of = append(of, r.Key)
	}
	var links []subject.RefusedCount
	others := map[subject.Key]bool{}
	if err := p.Subjects.Refused(tx, of, func(l subject.RefusedCount) {
		links = append(links, l)
		if !l.Other.IsNobody() {
			others[subject.Key{Tenant: c.Tenant, Subject: l.Other}] = true
		}
	}); err != nil {
		return nil, fmt.Errorf("load refused links: %w", err)
	}
	g := subject.NewGraph(nil)
	if err := g.LoadRows(tx, p.Subjects, others); err != nil {
		return nil, err
	}
	views := make([]RefusedLinkView, 0, len(links))
	for _, l := range links {
		v := RefusedLinkView{Reason: l.Reason, Type: l.Type, Source: l.Source, Count: l.N, FirstAt: milli(l.FirstAt), LastAt: milli(l.LastAt)}
		if !l.Other.IsNobody() {
			other := g.Head(subject.Key{Tenant: c.Tenant, Subject: l.Other})
			if other == nil || other.Subject == pers.head.Subject { // erased, or one with the person since
				continue
			}
			v.With = other.Subject
		}
		views = append(views, v)
	}
	return views, nil
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
	g := subject.NewGraph(nil)
	say := &subject.Say{Tenant: c.Tenant, Join: true, Identifiers: make([]subject.Identifier, len(bindings))}
	for i, b := range bindings {
		value, err := seal.OpenBytes(opened[b.Subject], p.identifierAD(c.TenantID, b.Subject, b.Type), b.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open an identifier of %s: %w", b.Subject, err)
		}
		say.Identifiers[i] = subject.Identifier{Type: b.Type, Value: value, Digest: b.Digest}
		if index.Rotating() { // others may have it under either version
			blind.set(&say.Identifiers[i])
		}
	}
	g.Want(say)
	if err := g.Load(tx, p.Subjects); err != nil {
		return nil, err
	}
	views := make([]IdentifierView, 0, len(bindings))
	for i := range bindings {
		ident := &say.Identifiers[i]
		views = append(views, identifierView(&bindings[i], string(ident.Value), others(g.Holders(c.Tenant, ident.Digest), pers.head.Subject)))
	}
	return views, nil
}

func identifierView(b *subject.Binding, value string, with []id.Subject) IdentifierView {
	v := IdentifierView{Type: b.Type, Value: value, Claimed: b.Claimed, Source: b.Source, Since: milli(b.CreatedAt), State: IdentifierKnown}
	switch {
	case b.RetiredAt != 0:
		v.State, v.RetiredAt = IdentifierRetired, milli(b.RetiredAt)
		return v
	case b.Claimed:
		v.State = IdentifierClaimed
	case len(with) > 0:
		v.State = IdentifierShared
	}
	v.Shared = len(with) > 0
	v.SharedWith = with
	return v
}

// others returns those who aren't s.
func others(all []id.Subject, s id.Subject) []id.Subject {
	return slices.DeleteFunc(all, func(o id.Subject) bool { return o == s })
}
