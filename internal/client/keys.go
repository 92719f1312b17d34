package client

import (
	"context"
	"time"
)

// Keys is the state of a region's keys.
type Keys struct {
	Epochs   []Epoch    `json:"epochs"`
	Index    []IndexKey `json:"index"`
	Rotating bool       `json:"rotating"`
	Left     int64      `json:"left"` // identifiers that are still under the version before
	Begun    bool       `json:"begun,omitempty"`
}

// Epoch is the life of one epoch key.
type Epoch struct {
	N           uint32     `json:"n"`
	CreatedAt   time.Time  `json:"created_at"`
	DestroyedAt *time.Time `json:"destroyed_at,omitempty"`
}

// IndexKey is the life of one version of the index key.
type IndexKey struct {
	N         uint32     `json:"n"`
	CreatedAt time.Time  `json:"created_at"`
	Moved     int64      `json:"moved"`
	RetiredAt *time.Time `json:"retired_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Kept      bool       `json:"kept,omitempty"`
}

// Keys returns the state of the region's keys, to the operator.
func (c *Client) Keys(ctx context.Context) (k Keys, err error) {
	return k, c.get(ctx, "/keys", nil, &k)
}

// RotateIndex begins a rotation of the index key; Begun is false when one was under way.
func (c *Client) RotateIndex(ctx context.Context) (k Keys, err error) {
	return k, c.post(ctx, "/keys:rotate-index", nil, &k)
}
