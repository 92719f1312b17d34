package client

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// AskAgain says that a consent has to be asked for again: it counts until the day before From.
type AskAgain struct {
	Version string `json:"version"`
	From    string `json:"from"`
}

// ConsentToAsk is somebody's consent that has to be asked for again.
type ConsentToAsk struct {
	Subject     string    `json:"subject"`
	Purpose     string    `json:"purpose"`
	At          time.Time `json:"at"`
	TextVersion string    `json:"text_version,omitempty"`
	Counts      bool      `json:"counts"`
	AskAgain    AskAgain  `json:"ask_again"`
}

// ConsentCount is how many people's consents to a purpose stand.
type ConsentCount struct {
	Purpose  string `json:"purpose"`
	Current  int64  `json:"current"`
	ToAsk    int64  `json:"to_ask"`
	Outdated int64  `json:"outdated"`
}

// Published is what was published, and what that did to consents. ConsentsAt is nil while they weren't counted.
type Published struct {
	Versions   []NoticeVersion `json:"versions"`
	Consents   []ConsentCount  `json:"consents,omitempty"`
	ConsentsAt *time.Time      `json:"consents_at,omitempty"`
}

// ConsentsToAsk returns one page of the consents that have to be asked for again, by subject, and where the next
// begins, "" after the last. purpose narrows it to one.
func (c *Client) ConsentsToAsk(ctx context.Context, purpose, after string, limit int) (all []ConsentToAsk, next string, err error) {
	q := url.Values{}
	for k, v := range map[string]string{"purpose": purpose, "after": after} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var b struct {
		Consents []ConsentToAsk `json:"consents"`
		Next     string         `json:"next"`
	}
	err = c.get(ctx, "/consents/ask-again", q, &b)
	return b.Consents, b.Next, err
}

// Published returns what was published, the oldest version first, with how many consents stand.
func (c *Client) Published(ctx context.Context) (p Published, err error) {
	return p, c.get(ctx, "/notice", nil, &p)
}
