package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/tenant"
)

// addViolations adds the call that lists what tracking plans did not have.
func (a *API) addViolations() {
	typed(a, operation{id: "list-violations", method: http.MethodGet, path: "/api/v1/violations", tag: tagProof,
		summary: "List what tracking plans did not have, and places that were too exact, latest first",
		doc: "Values are never kept. An event or a part of a path that is of no vocabulary is *. " +
			"looks_like and suggestion go by the name and the form of the value; without a suggestion, the programme declares no such data."}, a.violations)
}

type violationsBody struct {
	Violations []violationBody `json:"violations" nullable:"false"`
}

type violationBody struct {
	Source     string          `json:"source" doc:"id of the source that sent it"`
	Plan       string          `json:"plan,omitempty" doc:"id of the plan; none of coordinates"`
	Event      string          `json:"event,omitempty" doc:"the planned event; * for one that is not planned"`
	Path       string          `json:"path,omitempty" doc:"where in the event; * for names that could be data themselves"`
	Violation  string          `json:"violation" enum:"unplanned_event,unplanned_property,invalid,coordinates"`
	Rule       string          `json:"rule,omitempty" doc:"keyword of JSON Schema that was broken"`
	Done       string          `json:"done" enum:"unclassified,dropped,refused" doc:"what became of it"`
	LooksLike  string          `json:"looks_like,omitempty" example:"email_address"`
	Suggestion *suggestionBody `json:"suggestion,omitempty"`
	Count      int64           `json:"count"`
	FirstAt    time.Time       `json:"first_at"`
	LastAt     time.Time       `json:"last_at"`
}

type suggestionBody struct {
	Category string `json:"category" doc:"category of the programme that has such data"`
	Element  string `json:"element,omitempty"`
}

type violationsOut struct{ Body violationsBody }

func (a *API) violations(ctx context.Context, c *tenant.Caller, _ *struct{}) (*violationsOut, error) {
	all, err := a.service.Violations(ctx, c)
	if err != nil {
		return nil, err
	}
	b := violationsBody{Violations: make([]violationBody, len(all))}
	for i, v := range all {
		b.Violations[i] = violationBody{Source: v.Source, Plan: v.Plan, Event: v.Event, Path: v.Path, Violation: v.What, Rule: v.Rule, Done: v.Done,
			LooksLike: v.Looks, Count: int64(v.N), FirstAt: v.FirstAt.UTC().Truncate(time.Millisecond), LastAt: v.LastAt.UTC().Truncate(time.Millisecond)}
		if v.Suggest.Category != "" {
			b.Violations[i].Suggestion = &suggestionBody{v.Suggest.Category, v.Suggest.Element}
		}
	}
	return &violationsOut{b}, nil
}
