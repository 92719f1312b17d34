package api

import (
	"context"
	"net/http"

	"domicile.dev/internal/drift"
	"domicile.dev/internal/tenant"
)

// Drift tells what a region does that its published notice doesn't say.
type Drift interface {
	Drift(ctx context.Context, c *tenant.Caller) (DriftReport, error)
}

// DriftReport is what differs. Findings is empty when nothing does.
type DriftReport struct {
	Region    string          `json:"region"`
	Programme string          `json:"programme" doc:"hash of the programme that the region runs by"`
	Published string          `json:"published" doc:"hash of the programme whose notice is published"`
	Notice    string          `json:"notice" doc:"the published notice"`
	Findings  []drift.Finding `json:"findings" nullable:"false"`
}

// addDrift adds the call that compares what runs with what is published.
func (a *API) addDrift() {
	if a.opt.Drift == nil {
		return
	}
	typed(a, operation{id: "get-drift", method: http.MethodGet, path: "/api/v1/drift", tag: tagProof, who: managers,
		summary: "List what the region collects, uses and discloses that its published notice doesn't say",
		doc: "An element that no kind maps is named as the tenant's own records name it; to the operator, and when the record doesn't open any more, " +
			"names that could be data are *. Empty when practice and paper agree."}, a.drift)
}

func (a *API) drift(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[DriftReport], error) {
	r, err := a.opt.Drift.Drift(ctx, c)
	if err != nil {
		return nil, err
	}
	if r.Findings == nil {
		r.Findings = []drift.Finding{}
	}
	return &out[DriftReport]{r}, nil
}
