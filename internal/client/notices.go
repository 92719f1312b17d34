package client

import (
	"context"
	"net/url"
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
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
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

// HeardNotice is what another region told of a person whose data its flow brought here.
type HeardNotice struct {
	ID      string     `json:"id"`
	Tenant  string     `json:"tenant"`
	Notice  string     `json:"notice"`
	Source  string     `json:"source"`
	Kind    string     `json:"kind"`
	Subject string     `json:"subject,omitempty"`
	State   string     `json:"state"`
	Reason  string     `json:"reason,omitempty"`
	At      time.Time  `json:"at"`
	DoneAt  *time.Time `json:"done_at,omitempty"`
	Entry   string     `json:"entry"`
}

// HeardNotices lists them, the open first.
func (c *Client) HeardNotices(ctx context.Context) ([]HeardNotice, error) {
	var b struct {
		Heard []HeardNotice `json:"heard"`
	}
	err := c.get(ctx, "/heard-notices", nil, &b)
	return b.Heard, err
}

// CloseHeardNotice says that somebody has decided on one.
func (c *Client) CloseHeardNotice(ctx context.Context, id string) (h HeardNotice, err error) {
	err = c.post(ctx, "/heard-notices/"+url.PathEscape(id)+":close", nil, &h)
	return h, err
}
