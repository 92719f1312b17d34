// Package client speaks the tenant API, for the command line and the end-to-end tests. Errors that
// a node answers come back as the faults that they were there.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/fault"
)

// Client speaks to one node of one region. It is safe for concurrent use.
type Client struct {
	base    string // without a slash at the end
	token   string
	http    *http.Client
	purpose string // the purpose that it reads for, "" for none
}

// PurposeHeader names the purpose of the programme that a tenant reads for.
const PurposeHeader = "Domicile-Purpose"

// For returns a client that reads for a purpose of the programme.
func (c *Client) For(purpose string) *Client {
	out := *c
	out.purpose = purpose
	return &out
}

// New returns a client of the node at base, such as "https://ie1.example.com". Nil for hc means
// http.DefaultClient.
func New(base, token string, hc *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fault.New(fault.Invalid, "node.bad_address", "the node's address is not of the form https://host")
	}
	if hc == nil {
		hc = http.DefaultClient
	}
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, http: hc}, nil
}

// get asks and decodes the answer into v.
func (c *Client) get(ctx context.Context, path string, q url.Values, v any) error {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, v)
}

// post sends body, none when it is nil, and decodes the answer into v.
func (c *Client) post(ctx context.Context, path string, body, v any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	return c.call(ctx, http.MethodPost, path, r, v)
}

func (c *Client) call(ctx context.Context, method, path string, body io.Reader, v any) error {
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return fault.New(fault.Unavailable, "node.bad_answer", "the node's answer is not what its API promises").Because(err)
	}
	return nil
}

// send returns the answer when its status is 2xx; the caller closes its body.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	return c.sendAs(ctx, method, path, body, nil)
}

// sendAs is send with headers of its own.
func (c *Client) sendAs(ctx context.Context, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "node.bad_address", "the node's address is malformed")
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if c.purpose != "" {
		req.Header.Set(PurposeHeader, c.purpose)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(req.Header, header)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(ctx, c.base, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		defer func() { _ = res.Body.Close() }()
		return nil, problem(res)
	}
	return res, nil
}

// unreachable drops the address from net/http's error: paths may hold a client's own ids.
func unreachable(ctx context.Context, base string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fault.New(fault.Unavailable, "node.unreachable", "no node answers at %s", base).Because(err).
		WithHint("is it running? domicile up starts one to try")
}

// kinds maps a status back to the kind of fault that it came from.
var kinds = map[int]fault.Kind{
	http.StatusBadRequest:            fault.Invalid,
	http.StatusUnauthorized:          fault.Unauthenticated,
	http.StatusForbidden:             fault.Forbidden,
	http.StatusNotFound:              fault.NotFound,
	http.StatusMethodNotAllowed:      fault.Invalid,
	http.StatusConflict:              fault.Conflict,
	http.StatusGone:                  fault.Gone,
	http.StatusRequestEntityTooLarge: fault.TooLarge,
	http.StatusMisdirectedRequest:    fault.WrongRegion,
	http.StatusUnprocessableEntity:   fault.Unprocessable,
	http.StatusTooManyRequests:       fault.RateLimited,
	http.StatusServiceUnavailable:    fault.Unavailable,
}

// maxProblem bounds what is read of an error.
const maxProblem = 64 << 10

// mostRetryAfter is as long as anybody means it, in seconds.
const mostRetryAfter = 24 * 60 * 60

// retryAfter reads the header of that name, seconds or a date (RFC 9110, section 10.2.3): 0 when it
// says neither, or that the time is over.
func retryAfter(v string, now time.Time) int {
	seconds, err := strconv.ParseInt(v, 10, 64) // what overflows is the largest number of all
	if errors.Is(err, strconv.ErrSyntax) {
		at, err := http.ParseTime(v)
		if err != nil {
			return 0
		}
		seconds = int64(at.Sub(now).Round(time.Second) / time.Second)
	}
	return int(min(max(seconds, 0), mostRetryAfter))
}

// problem turns an answer that isn't 2xx into a fault. Members of the problem beyond its own are
// in Extra.
func problem(res *http.Response) error {
	f := &fault.Error{Kind: kinds[res.StatusCode], Reason: "node.answered_" + strconv.Itoa(res.StatusCode), Public: "the node answered " + res.Status}
	f.RetryAfterSeconds = retryAfter(res.Header.Get("Retry-After"), time.Now())
	var m map[string]any
	b, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil || json.Unmarshal(b, &m) != nil {
		return f
	}
	take := func(name string, into *string) {
		if s, ok := m[name].(string); ok {
			*into = s
		}
		delete(m, name)
	}
	take("reason", &f.Reason)
	take("title", &f.Public)
	take("detail", &f.Public)
	take("hint", &f.Hint)
	for _, name := range []string{"type", "status"} {
		delete(m, name)
	}
	f.Extra = maps.Clone(m)
	return f
}
