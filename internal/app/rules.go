package app

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/cloudevents"
	"domicile.dev/internal/plan"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// rules is the programme as the data path asks it: kinds compiled once. It implements plane.Rules.
type rules struct {
	p     *programme.Programme
	kinds map[[2]string]*ingest.Kind
	plans *plan.Set
}

// compile turns the declared kinds into what decoders walk.
func compile(p *programme.Programme) (*rules, error) {
	r := &rules{p: p, kinds: map[[2]string]*ingest.Kind{}}
	for k, fields := range p.KindRules() {
		list := make([]ingest.Rule, 0, len(fields))
		for _, f := range fields {
			list = append(list, ingest.Rule{Path: f.Path, Category: f.Category, Owner: f.OwnerOrDefault(), Precise: p.PreciseLocation(f.Category)})
		}
		kind, err := ingest.Compile(k.Service, k.Kind, list)
		if err != nil {
			return nil, fmt.Errorf("compile kind %s/%s: %w", k.Service, k.Kind, err)
		}
		r.kinds[[2]string{k.Service, k.Kind}] = kind
	}
	for _, k := range p.Kinds {
		if kind := r.kinds[[2]string{k.Service, k.Kind}]; kind != nil {
			kind.SubjectType = k.SubjectType
		}
	}
	plans, err := plan.Compile(p, r)
	if err != nil {
		return nil, fmt.Errorf("compile the plans: %w", err)
	}
	r.plans = plans
	return r, nil
}

// planned returns the kinds as the plan of a source judges their events.
func (r *rules) planned(src *tenant.Source) ingest.Kinds {
	return r.plans.Kinds(plan.Source{Tenant: src.TenantID, ID: src.ID, Name: src.Name, Adapter: src.Adapter, Service: src.Service})
}

// sends is a kind that the adapter sends and that its source's service has to declare. Records of
// other adapters name their service themselves.
var sends = map[string]string{term.AdapterSegment: "track", term.AdapterSendGrid: "email.event", term.AdapterWhatsApp: "message",
	term.AdapterCloudEvents: cloudevents.DefaultKind}

// serviceFor says which service a source of an adapter belongs to: one that declares the kinds that
// the adapter sends. With none given it is the one that does, if there is only one.
func (r *rules) serviceFor(adapter, service string) (string, error) {
	kind, bound := sends[adapter]
	if !bound {
		if service != "" && r.p.Service(service) == nil {
			return "", fault.New(fault.Invalid, "source.unknown_service", "the programme declares no service of that name").With("services", r.services(""))
		}
		return service, nil
	}
	fit := r.services(kind)
	switch {
	case service == "" && len(fit) == 1:
		return fit[0], nil
	case slices.Contains(fit, service), adapter == term.AdapterCloudEvents && r.p.Service(service) != nil: // which may have kinds for each type
		return service, nil
	}
	return "", fault.New(fault.Invalid, "source.unknown_service", "a source of %s needs a service for which the programme declares the kind %s", adapter, kind).
		With("services", fit).WithHint("give one of: " + strings.Join(fit, ", "))
}

// services returns the ids of the services that declare the kind, or of all.
func (r *rules) services(kind string) (ids []string) {
	for i := range r.p.Services {
		if id := r.p.Services[i].ID; kind == "" || r.Kind(id, kind) != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Kind implements ingest.Kinds.
func (r *rules) Kind(service, name string) *ingest.Kind { return r.kinds[[2]string{service, name}] }

// Hash implements plane.Rules.
func (r *rules) Hash() string { return r.p.Hash }

// RetentionDays implements plane.Rules.
func (r *rules) RetentionDays(service, kind, category string) uint16 {
	return r.p.RetentionDays(service, kind, category)
}
