package client

import (
	"context"
	"time"
)

// Objection is a tenant's to a sub-processor.
type Objection struct {
	Tenant       string     `json:"tenant"`
	SubProcessor string     `json:"sub_processor"`
	Version      string     `json:"version,omitempty"`
	Until        string     `json:"object_until,omitempty"`
	MadeAt       time.Time  `json:"made_at"`
	WithdrawnAt  *time.Time `json:"withdrawn_at,omitempty"`
	Stands       bool       `json:"stands"`
}

// Objections returns the caller's objections, to the operator everybody's, the oldest first.
func (c *Client) Objections(ctx context.Context) ([]Objection, error) {
	var b struct {
		All []Objection `json:"objections"`
	}
	err := c.get(ctx, "/objections", nil, &b)
	return b.All, err
}
