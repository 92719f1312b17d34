package client

import (
	"context"
	"net/url"
	"time"
)

// Objection is a tenant's to a sub-processor.
type Objection struct {
	ID           string     `json:"id"`
	Tenant       string     `json:"tenant"`
	SubProcessor string     `json:"sub_processor"`
	Version      string     `json:"version,omitempty"`
	Until        string     `json:"object_until,omitempty"`
	MadeAt       time.Time  `json:"made_at"`
	WithdrawnAt  *time.Time `json:"withdrawn_at,omitempty"`
	State        string     `json:"state"` // open, overdue, kept, lifted or withdrawn
	SettledAt    *time.Time `json:"settled_at,omitempty"`
	Reason       string     `json:"reason,omitempty"`
	Ledger       *struct {
		Entry string `json:"entry"`
	} `json:"ledger,omitempty"` // of the settlement
	Stands bool `json:"stands"`
}

// Objections returns the caller's objections, to the operator everybody's, the oldest first.
func (c *Client) Objections(ctx context.Context) ([]Objection, error) {
	var b struct {
		All []Objection `json:"objections"`
	}
	err := c.get(ctx, "/objections", nil, &b)
	return b.All, err
}

// SettleObjection settles one, for the operator: outcome is lifted, with a reason, or kept.
func (c *Client) SettleObjection(ctx context.Context, id, outcome, reason string) (o Objection, err error) {
	return o, c.post(ctx, "/objections/"+url.PathEscape(id)+":settle", struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason,omitempty"`
	}{outcome, reason}, &o)
}
