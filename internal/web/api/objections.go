package api

import (
	"context"
	"time"

	"domicile.dev/internal/tenant"
)

type (
	objectedBody struct {
		Tenant       string     `json:"tenant"`
		SubProcessor string     `json:"sub_processor"`
		Version      string     `json:"version,omitempty" doc:"that announced it"`
		Until        string     `json:"object_until,omitempty" doc:"last day to object"`
		MadeAt       time.Time  `json:"made_at"`
		WithdrawnAt  *time.Time `json:"withdrawn_at,omitempty"`
		Stands       bool       `json:"stands" doc:"nothing of the tenant's flows to the sub-processor"`
	}
	objectionsBody struct {
		Objections []objectedBody `json:"objections" nullable:"false"`
	}
)

func (a *API) objections(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[objectionsBody], error) {
	all, err := a.opt.Publisher.ListObjections(ctx, c)
	if err != nil {
		return nil, err
	}
	b := objectionsBody{Objections: make([]objectedBody, len(all))}
	for i, o := range all {
		b.Objections[i] = objectedBody{o.TenantID, o.Recipient, o.Version, string(o.Until), o.MadeAt.UTC(), wireTime(&o.WithdrawnAt), o.WithdrawnAt.IsZero()}
	}
	return &out[objectionsBody]{b}, nil
}
