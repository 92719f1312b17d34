package client

import (
	"context"
	"time"
)

// Violation is what a tracking plan did not have, or a place that was too exact, without values.
type Violation struct {
	Source     string    `json:"source"`
	Plan       string    `json:"plan,omitempty"`
	Event      string    `json:"event,omitempty"`
	Path       string    `json:"path,omitempty"`
	Violation  string    `json:"violation"`
	Rule       string    `json:"rule,omitempty"`
	Done       string    `json:"done"`
	LooksLike  string    `json:"looks_like,omitempty"`
	Suggestion *struct { // nil when the programme declares no such data
		Category string `json:"category"`
		Element  string `json:"element,omitempty"`
	} `json:"suggestion,omitempty"`
	Count   int64     `json:"count"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

// Violations lists what tracking plans did not have.
func (c *Client) Violations(ctx context.Context) ([]Violation, error) {
	var b struct {
		Violations []Violation `json:"violations"`
	}
	err := c.get(ctx, "/violations", nil, &b)
	return b.Violations, err
}
