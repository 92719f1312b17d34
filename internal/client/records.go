package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"domicile.dev/internal/fault"
)

// Taken is what a node answers to native records.
type Taken struct {
	Accepted  int64           `json:"accepted"`
	Duplicate int64           `json:"duplicate"`
	Refused   []RefusedRecord `json:"refused"`
}

// RefusedRecord is a record that was not kept; More that follow it were refused for the same
// reason.
type RefusedRecord struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"`
	Path   string `json:"path,omitempty"`
	More   int    `json:"more,omitempty"`
	Region string `json:"region,omitempty"` // where it belongs, when that is why
}

// SenderOptions tunes a Sender. The zero value is right.
type SenderOptions struct {
	// Patience is how long a body is sent again and again before its trouble is returned. Default
	// 5 minutes.
	Patience time.Duration
	// Timeout is how long one answer may take. Default 60 seconds.
	Timeout time.Duration
	// Waiting is told before each pause why there is one. It may be called from several goroutines.
	Waiting func(why error, pause time.Duration)
}

// Sender brings native records to one node with a source's key. It is safe for concurrent use.
type Sender struct {
	base, key string
	http      *http.Client
	opt       SenderOptions
}

// NewSender returns a sender to the node at base. Nil for hc means a client of its own that
// follows no redirect: a body goes where it was meant to go, or nowhere.
func NewSender(base, key string, hc *http.Client, opt SenderOptions) (*Sender, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fault.New(fault.Invalid, "node.bad_address", "the node's address is not of the form https://host")
	}
	if hc == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 16
		hc = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if opt.Patience == 0 {
		opt.Patience = 5 * time.Minute
	}
	if opt.Timeout == 0 {
		opt.Timeout = time.Minute
	}
	return &Sender{base: strings.TrimSuffix(base, "/"), key: key, http: hc, opt: opt}, nil
}

// The pauses between two tries: twice as long each time, and never shorter than the node asks.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 10 * time.Second
	mostAsked    = 2 * time.Minute
)

// Send sends records, one a line, and returns when they are durable. While the node is away, busy
// or in trouble it sends the same body again, also when only the answer was lost: the node knows
// the records by their ids, and counts those it has as duplicates.
func (s *Sender) Send(ctx context.Context, body []byte) (Taken, error) {
	deadline := time.Now().Add(s.opt.Patience)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		t, asked, err := s.try(ctx, body)
		if err == nil || ctx.Err() != nil || asked < 0 {
			return t, err
		}
		wait := max(pause/2+rand.N(pause/2), min(asked, mostAsked))
		if time.Now().Add(wait).After(deadline) {
			return t, err
		}
		if s.opt.Waiting != nil {
			s.opt.Waiting(err, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Taken{}, ctx.Err()
		}
	}
}

// try sends once. asked is how long the node wants to be left alone, negative when to try again
// can't help.
func (s *Sender) try(ctx context.Context, body []byte) (t Taken, asked time.Duration, err error) {
	once, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(once, http.MethodPost, s.base+"/v1/records", bytes.NewReader(body))
	if err != nil {
		return t, -1, fault.New(fault.Invalid, "node.bad_address", "the node's address is malformed")
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := s.http.Do(req)
	if err != nil {
		return t, 0, unreachable(ctx, s.base, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		err = problem(res)
		asked = -1
		if again(res.StatusCode) {
			var f *fault.Error
			_ = errors.As(err, &f)
			asked = time.Duration(f.RetryAfterSeconds) * time.Second
		}
		return Taken{}, asked, err
	}
	if err := json.NewDecoder(res.Body).Decode(&t); err != nil {
		if ctx.Err() != nil {
			return Taken{}, -1, ctx.Err()
		}
		return Taken{}, 0, fault.New(fault.Unavailable, "node.bad_answer", "the node's answer was cut off, or is not what its API promises").Because(err)
	}
	return t, 0, nil
}

// again says whether the same request may succeed later.
func again(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}
