package client

import (
	"context"
	"net/url"
	"time"
)

// Flow is a flow out of a region, and where it stands.
type Flow struct {
	ID        string       `json:"id"`
	Name      string       `json:"name,omitempty"`
	From      string       `json:"from"`
	Recipient string       `json:"recipient"`
	Purpose   string       `json:"purpose"`
	Asks      string       `json:"asks"`
	Form      string       `json:"form"`
	State     string       `json:"state"`
	Reasons   []FlowReason `json:"reasons,omitempty"`
	Passed    []FlowReason `json:"passed_over,omitempty"`
	Fields    []FlowField  `json:"fields,omitempty"`
	Tenants   []FlowTenant `json:"tenants"`
}

// FlowReason is why a kind of a flow is denied.
type FlowReason struct {
	Code string `json:"code"`
	Says string `json:"says"`
	At   string `json:"at,omitempty"`
}

// FlowField is an element that leaves.
type FlowField struct {
	Service   string `json:"service"`
	Kind      string `json:"kind"`
	Path      string `json:"path"`
	Category  string `json:"category"`
	Form      string `json:"form"`
	Mechanism string `json:"mechanism,omitempty"`
	Fallback  string `json:"fallback,omitempty"`
	Mark      string `json:"mark,omitempty"`
	Review    string `json:"review,omitempty"`
}

// FlowTenant is where a flow stands for one tenant.
type FlowTenant struct {
	Tenant       string           `json:"tenant"`
	State        string           `json:"state"`
	Since        time.Time        `json:"since"`
	Position     uint64           `json:"position"`
	Window       *time.Time       `json:"window,omitempty"`
	LagPositions uint64           `json:"lag_positions"`
	LagSeconds   int64            `json:"lag_seconds"`
	Sequence     uint64           `json:"sequence"`
	SentAt       *time.Time       `json:"sent_at,omitempty"`
	Entry        string           `json:"entry,omitempty"`
	Halted       string           `json:"halted,omitempty"`
	Error        string           `json:"error,omitempty"`
	Batch        *FlowBatch       `json:"batch,omitempty"`
	Sent         map[string]int64 `json:"sent"`
	Refused      map[string]int64 `json:"refused,omitempty"`
	Parked       []string         `json:"parked,omitempty"` // single records that were refused
	Denied       map[string]int64 `json:"denied"`
}

// FlowBatch is one that was begun and not ended.
type FlowBatch struct {
	ID      string     `json:"id"`
	Attempt int        `json:"attempt"`
	Records int        `json:"records"`
	Begun   time.Time  `json:"begun_at"`
	Next    *time.Time `json:"next_at,omitempty"`
	Parked  []string   `json:"parked,omitempty"`
	From    *time.Time `json:"window_from,omitempty"` // of counts
	Until   *time.Time `json:"window_until,omitempty"`
	Mend    string     `json:"mend,omitempty"`
}

// Flows lists the flows out of the region.
func (c *Client) Flows(ctx context.Context) ([]Flow, error) {
	var b struct {
		Flows []Flow `json:"flows"`
	}
	err := c.get(ctx, "/flows", nil, &b)
	return b.Flows, err
}

// Flow shows one, with its fields.
func (c *Client) Flow(ctx context.Context, id string) (f Flow, err error) {
	return f, c.get(ctx, "/flows/"+url.PathEscape(id), nil, &f)
}

// OrderFlow starts, pauses, resumes, replays, retries or skips. Without a tenant it is about all.
func (c *Client) OrderFlow(ctx context.Context, id, verb, tenant, from string) (f Flow, err error) {
	body := map[string]string{}
	if tenant != "" {
		body["tenant"] = tenant
	}
	if from != "" {
		body["from"] = from
	}
	return f, c.post(ctx, "/flows/"+url.PathEscape(id)+":"+verb, body, &f)
}
