package api

import (
	"context"
	"time"

	"domicile.dev/internal/publish"
	"domicile.dev/internal/tenant"
)

type (
	objectedBody struct {
		ID           string       `json:"id"`
		Tenant       string       `json:"tenant"`
		SubProcessor string       `json:"sub_processor"`
		Version      string       `json:"version,omitempty" doc:"that announced it"`
		Until        string       `json:"object_until,omitempty" doc:"last day to object"`
		MadeAt       time.Time    `json:"made_at"`
		WithdrawnAt  *time.Time   `json:"withdrawn_at,omitempty"`
		State        string       `json:"state" enum:"open,overdue,kept,lifted,withdrawn" doc:"overdue: nobody settled it, and the time to object is over"`
		SettledAt    *time.Time   `json:"settled_at,omitempty"`
		Reason       string       `json:"reason,omitempty" enum:"tenant_agreed,alternative_found" doc:"why it was lifted"`
		Ledger       *enteredBody `json:"ledger,omitempty" doc:"of the settlement"`
		Stands       bool         `json:"stands" doc:"nothing of the tenant's flows to the sub-processor"`
	}
	objectionsBody struct {
		Objections []objectedBody `json:"objections" nullable:"false"`
	}
	settleBody struct {
		Outcome string `json:"outcome" enum:"lifted,kept"`
		Reason  string `json:"reason,omitempty" enum:"tenant_agreed,alternative_found" doc:"needed to lift"`
	}
)

func objectedOf(o publish.Objected) objectedBody {
	b := objectedBody{o.ID(), o.TenantID, o.Recipient, o.Version, string(o.Until), o.MadeAt.UTC(), wireTime(&o.WithdrawnAt), o.Now, wireTime(&o.Settled.At), o.Settled.Reason, nil, o.Stands()}
	if o.Settled.Entry != "" {
		b.Ledger = &enteredBody{o.Settled.Entry}
	}
	return b
}

func (a *API) objections(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[objectionsBody], error) {
	all, err := a.opt.Publisher.ListObjections(ctx, c)
	if err != nil {
		return nil, err
	}
	b := objectionsBody{Objections: make([]objectedBody, len(all))}
	for i, o := range all {
		b.Objections[i] = objectedOf(o)
	}
	return &out[objectionsBody]{b}, nil
}

type settleIn struct {
	ID   string `path:"id"`
	Body settleBody
}

func (a *API) settleObjection(ctx context.Context, c *tenant.Caller, in *settleIn) (*out[objectedBody], error) {
	o, err := a.opt.Publisher.Settle(ctx, c, in.ID, in.Body.Outcome, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return &out[objectedBody]{objectedOf(o)}, nil
}
