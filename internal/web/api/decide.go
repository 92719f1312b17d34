package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/register"
	"domicile.dev/internal/tenant"
)

// Decider answers questions about leaving, by the node's programme and its live register.
type Decider interface {
	// Decide answers q. Faults: Forbidden for a tenant that asks about another, and for the operator who
	// asks about a person; NotFound for a person who isn't there; Invalid.
	Decide(ctx context.Context, c *tenant.Caller, q DecideQuestion) (*decision.Decision, error)
	// Due returns what lapses within so many days; Forbidden for all but the operator.
	Due(ctx context.Context, c *tenant.Caller, within int) ([]register.Due, error)
	// Volumes counts what came in since a time, of the tenants that c may see; Tenants names these.
	Volumes(ctx context.Context, c *tenant.Caller, since time.Time) ([]Volume, error)
	Tenants(c *tenant.Caller) []string
}

// DecideQuestion is what is asked of a node.
type DecideQuestion struct {
	Ask     decision.Ask
	Subject string // "sub_…", "" for the made-up person of Ask
	Without []string
	At      time.Time
}

// Volume is how many records of a kind came in.
type Volume struct {
	Tenant  string `json:"tenant"`
	Service string `json:"service"`
	Kind    string `json:"kind"`
	Records int64  `json:"records"`
}

func (a *API) addDecide() {
	typed(a, operation{id: "decide", method: http.MethodPost, path: "/api/v1/decide", tag: tagRegister, who: managers, fresh: true, errors: []int{403, 404},
		summary: "Ask whether data may leave, and why or why not",
		doc: "The same answer as domicile decide --json, by the programme that the node runs and its register as it stands. A denial is an answer, too: 200 with allowed false. " +
			"With a subject, what the region knows of that person counts; without one, the question says what to assume. docs/formats/decision.md explains the answer."}, a.decide)
	typed(a, operation{id: "list-volumes", method: http.MethodGet, path: "/api/v1/volumes", tag: tagRegister, who: managers,
		summary: "Count what came in by tenant, service and kind, of the last days", doc: "What flows would have carried. To a tenant: its own."}, a.volumes)
}

type (
	decideBody struct {
		Flow       string   `json:"flow" doc:"the declared flow"`
		Kind       string   `json:"kind" doc:"the kind of record"`
		Service    string   `json:"service,omitempty" doc:"may be left out where the flow has one that has the kind"`
		Tenant     string   `json:"tenant,omitempty" doc:"the customer; a tenant's token asks about itself"`
		Categories []string `json:"categories,omitempty" maxItems:"100" doc:"what would leave; what the flow declares of the kind when left out"`
		Origins    []string `json:"origins,omitempty" maxItems:"300" doc:"countries whose law the person brings, EU or EEA; the exporter's always count"`
		Recipient  string   `json:"recipient,omitempty" doc:"the flow's when left out"`
		Purpose    string   `json:"purpose,omitempty" doc:"the flow's when left out"`
		Region     string   `json:"region,omitempty" doc:"the flow's when left out"`
		Form       string   `json:"form,omitempty" enum:"clear,pseudonymised,aggregated" doc:"the most that is asked for"`
		Case       string   `json:"case,omitempty" doc:"the case of a one-off transfer"`
		Without    []string `json:"without,omitempty" maxItems:"100" doc:"as if these mechanisms or rules of law had been struck down"`
		At         string   `json:"at,omitempty" doc:"the day, YYYY-MM-DD; now when left out"`
		Subject    string   `json:"subject,omitempty" doc:"the person, sub_…; none of what follows goes with it"`
		Unknown    bool     `json:"unknown,omitempty" doc:"as if the person's state couldn't be looked up"`
		States     []string `json:"states,omitempty" enum:"erased,suppressed,restricted" doc:"what stands against any flow of the person's"`
		OptOuts    []string `json:"opt_outs,omitempty" enum:"marketing,cpni,targeted_advertising,sale_or_sharing,gpc" doc:"the person's opt-outs"`
		Consents   []string `json:"consents,omitempty" maxItems:"100" doc:"purposes that the person consents to"`
		Objects    []string `json:"objects,omitempty" maxItems:"100" doc:"purposes that the person objects to"`
	}
	volumesBody struct {
		Region  string    `json:"region"`
		Since   time.Time `json:"since"`
		Tenants []string  `json:"tenants" nullable:"false"`
		Volumes []Volume  `json:"volumes" nullable:"false"`
	}
)

func (a *API) decide(ctx context.Context, c *tenant.Caller, in *struct{ Body decideBody }) (*out[decision.Decision], error) {
	b := in.Body
	q := DecideQuestion{At: a.opt.Now(), Subject: b.Subject, Without: b.Without, Ask: decision.Ask{Flow: b.Flow, Tenant: b.Tenant, Service: b.Service, Kind: b.Kind,
		Categories: b.Categories, Origins: b.Origins, Recipient: b.Recipient, Purpose: b.Purpose, Region: b.Region, Form: b.Form, Case: b.Case,
		Unknown: b.Unknown, States: b.States, OptOuts: b.OptOuts, Consents: b.Consents, Objects: b.Objects}}
	if b.Subject != "" && (b.Unknown || len(b.States)+len(b.OptOuts)+len(b.Consents)+len(b.Objects) > 0) {
		return nil, fault.New(fault.Invalid, "decide.two_people", "a question is about a subject or about what it assumes of somebody, not both")
	}
	if b.At != "" {
		day, err := time.Parse(time.DateOnly, b.At)
		if err != nil {
			return nil, fault.New(fault.Invalid, "request.bad_time", "at is a day, such as 2026-01-31")
		}
		q.At = day.Add(12 * time.Hour)
	}
	d, err := a.opt.Decider.Decide(ctx, c, q)
	if err != nil {
		return nil, err
	}
	return &out[decision.Decision]{*d}, nil
}

func (a *API) volumes(ctx context.Context, c *tenant.Caller, in *struct {
	Days int `query:"days" default:"30" minimum:"1" maximum:"366"`
}) (*out[volumesBody], error) {
	since := a.opt.Now().UTC().Add(-time.Duration(in.Days) * 24 * time.Hour).Truncate(time.Hour)
	all, err := a.opt.Decider.Volumes(ctx, c, since)
	if err != nil {
		return nil, err
	}
	b := volumesBody{Region: a.opt.Region, Since: since, Tenants: a.opt.Decider.Tenants(c), Volumes: all}
	if b.Volumes == nil {
		b.Volumes = []Volume{}
	}
	if b.Tenants == nil {
		b.Tenants = []string{}
	}
	return answered(b, nil)
}
