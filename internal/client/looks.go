package client

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// Stats are counts of what came in.
type Stats struct {
	Since         *time.Time `json:"since,omitempty"`
	Counts        []Count    `json:"counts"`
	OldestRemains *time.Time `json:"oldest_remains,omitempty"`
}

// Count is how many records of a kind had one outcome.
type Count struct {
	Service string `json:"service"`
	Kind    string `json:"kind"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	Count   int64  `json:"count"`
}

// Refusal is what was refused, by reason and path.
type Refusal struct {
	Source  string    `json:"source"`
	Reason  string    `json:"reason"`
	Path    string    `json:"path,omitempty"`
	Count   int64     `json:"count"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

// Entry is a ledger entry as it is shown to whom it concerns; docs/formats/ledger.md says how to
// verify it.
type Entry struct {
	ID         string          `json:"id"`
	Index      int64           `json:"index"`
	Entry      json.RawMessage `json:"entry"`
	Nonce      []byte          `json:"nonce"`
	Sub        json.RawMessage `json:"sub"`
	Proof      [][]byte        `json:"proof"`      // nil until a checkpoint covers it
	Checkpoint *string         `json:"checkpoint"` // likewise
}

// Stats counts what came in since a time, from the start when it is zero.
func (c *Client) Stats(ctx context.Context, since time.Time) (s Stats, err error) {
	q := url.Values{}
	if !since.IsZero() {
		q.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	return s, c.get(ctx, "/stats", q, &s)
}

// Refusals lists what was refused.
func (c *Client) Refusals(ctx context.Context) ([]Refusal, error) {
	var b struct {
		Refusals []Refusal `json:"refusals"`
	}
	err := c.get(ctx, "/refusals", nil, &b)
	return b.Refusals, err
}

// LedgerEntry returns an entry that concerns the tenant.
func (c *Client) LedgerEntry(ctx context.Context, entry string) (e Entry, err error) {
	return e, c.get(ctx, "/ledger/entries/"+url.PathEscape(entry), nil, &e)
}
