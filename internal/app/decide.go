package app

import (
	"context"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/api"
)

// people says what persons have said, each given as the ids that are one person, head first.
type people interface {
	Of(tx store.Tx, tenant uint32, people [][]id.Subject) ([]decision.Subject, error)
}

// decider answers the API's questions.
type decider struct {
	d      *decisions
	db     store.DB
	people people
}

// Decide answers what c asks. A tenant asks about itself; the operator about every tenant and no person.
// What the region knows of a person takes the place of what a question assumes of one.
//
// Faults: Forbidden; Invalid; NotFound for a person who isn't there.
func (x *decider) Decide(ctx context.Context, c *tenant.Caller, q api.DecideQuestion) (*decision.Decision, error) {
	if !c.Operator {
		if q.Ask.Tenant != "" && q.Ask.Tenant != c.TenantID {
			return nil, fault.New(fault.Forbidden, "decide.other_tenant", "a tenant asks about itself").WithHint("leave tenant out")
		}
		q.Ask.Tenant = c.TenantID
	}
	engine, err := x.d.Without(q.Without)
	if err != nil {
		return nil, err
	}
	question := q.Ask.Question(engine)
	if q.Subject != "" {
		if c.Operator {
			return nil, fault.New(fault.Forbidden, "operator.no_data", "an operator manages tenants and does not see their data").WithHint("use a token of the tenant, dtk_…")
		}
		said, err := x.said(ctx, c.Tenant, q.Subject)
		if err != nil {
			return nil, err
		}
		question.Subject = said
	}
	return engine.Decide(&question, q.At), nil
}

// said is what a person has said. A look-up that fails is an error, and no answer.
func (x *decider) said(ctx context.Context, tenantNo uint32, text string) (said decision.Subject, err error) {
	s, err := id.ParseSubject(text)
	if err != nil || s.IsNobody() {
		return said, fault.New(fault.Invalid, "subject.malformed", "this is no subject id").WithHint("sub_… as POST /api/v1/subjects:find answers")
	}
	err = x.db.View(ctx, func(tx store.Tx) error {
		ids, err := person(tx, subject.Key{Tenant: tenantNo, Subject: s})
		if err != nil {
			return err
		}
		if ids == nil {
			said = decision.Subject{Known: true, States: decision.Erased}
			return nil
		}
		all, err := x.people.Of(tx, tenantNo, [][]id.Subject{ids})
		if err == nil {
			said = all[0]
		}
		return err
	})
	return said, err
}

// person returns the ids that are one person, head first; nil when they were erased here or moved away.
func person(tx store.Tx, k subject.Key) (ids []id.Subject, err error) {
	var subjects sqlstore.Subjects
	for range 64 { // heads follow heads a few times at most
		var row *subject.Row
		if err := subjects.Rows(tx, []subject.Key{k}, func(r subject.Row) { row = &r }); err != nil {
			return nil, err
		}
		switch {
		case row == nil:
			gone := false
			if err := subjects.Tombs(tx, []subject.Key{k}, func(subject.Tomb) { gone = true }); err != nil {
				return nil, err
			}
			if gone {
				return nil, nil
			}
			return nil, fault.New(fault.NotFound, "subject.not_found", "there is no such subject")
		case !row.IsHead():
			k.Subject = row.Head
			continue
		}
		ids = append(ids, k.Subject)
		return ids, subjects.Members(tx, []subject.Key{k}, func(r subject.Row) { ids = append(ids, r.Subject) })
	}
	return nil, fault.New(fault.Internal, "internal", "heads of a subject go round")
}

// Volumes counts what came in of the tenants that c may see, of the last days.
func (x *decider) Volumes(ctx context.Context, c *tenant.Caller, since time.Time) (all []api.Volume, err error) {
	who := x.d.tenants.Tenants(c)
	err = x.db.View(ctx, func(tx store.Tx) error {
		all = all[:0]
		for _, t := range who {
			counts, err := sqlstore.Stats{}.Counts(tx, t.No, since)
			if err != nil {
				return err
			}
			for _, n := range counts {
				if n.Outcome == "accepted" {
					all = append(all, api.Volume{Tenant: t.ID, Service: n.Service, Kind: n.Kind, Records: n.N})
				}
			}
		}
		return nil
	})
	return all, err
}

// Due returns what lapses within so many days, to the operator.
func (x *decider) Due(ctx context.Context, c *tenant.Caller, within int) ([]register.Due, error) {
	if !c.Operator {
		return nil, fault.New(fault.Forbidden, "operator.only", "only the region's operator may do this").WithHint("use the operator's token, dok_…")
	}
	return x.d.due(ctx, within)
}

// Tenants are those that c may see.
func (x *decider) Tenants(c *tenant.Caller) (ids []string) {
	for _, t := range x.d.tenants.Tenants(c) {
		ids = append(ids, t.ID)
	}
	return ids
}
