package client

import (
	"context"
	"time"
)

// Notice is what one recipient was told of a person whose data it had.
type Notice struct {
	ID          string     `json:"id"`
	Tenant      string     `json:"tenant"`
	Kind        string     `json:"kind"`
	Recipient   string     `json:"recipient"`
	Receipt     string     `json:"receipt"`
	Identifiers int        `json:"identifiers"`
	State       string     `json:"state"`
	Attempts    int        `json:"attempts"`
	Error       string     `json:"error,omitempty"`
	MadeAt      time.Time  `json:"made_at"`
	NextAt      *time.Time `json:"next_at,omitempty"`
	ExpiresAt   time.Time  `json:"expires_at"`
	DoneAt      *time.Time `json:"done_at,omitempty"`
	Entry       string     `json:"entry,omitempty"`
}

// Notices lists them, the pending first.
func (c *Client) Notices(ctx context.Context) ([]Notice, error) {
	var b struct {
		Notices []Notice `json:"notices"`
	}
	err := c.get(ctx, "/notices", nil, &b)
	return b.Notices, err
}
