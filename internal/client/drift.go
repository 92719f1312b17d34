package client

import (
	"context"
	"time"
)

// Drift is what a region does that its published notice doesn't say.
type Drift struct {
	Region    string    `json:"region"`
	Programme string    `json:"programme"`
	Published string    `json:"published"`
	Notice    string    `json:"notice"`
	Findings  []Finding `json:"findings"`
}

// Finding is one difference; which of its members are there depends on the code (docs/drift.md).
type Finding struct {
	Code      string     `json:"code"`
	Flow      string     `json:"flow,omitempty"`
	Service   string     `json:"service,omitempty"`
	Kind      string     `json:"kind,omitempty"`
	Path      string     `json:"path,omitempty"`
	Category  string     `json:"category,omitempty"`
	Purpose   string     `json:"purpose,omitempty"`
	Recipient string     `json:"recipient,omitempty"`
	Country   string     `json:"country,omitempty"`
	Says      string     `json:"says"`
	Hint      string     `json:"hint,omitempty"`
	At        string     `json:"at,omitempty"`
	Tenant    string     `json:"tenant,omitempty"`
	Source    string     `json:"source,omitempty"`
	Count     int64      `json:"count,omitempty"`
	FirstAt   *time.Time `json:"first_at,omitempty"`
	LastAt    *time.Time `json:"last_at,omitempty"`
}

// Drift compares what the region does with what it publishes: for the token's tenant, or for all.
func (c *Client) Drift(ctx context.Context) (d Drift, err error) {
	return d, c.get(ctx, "/drift", nil, &d)
}
