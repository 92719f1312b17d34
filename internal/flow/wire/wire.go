// Package wire is how connectors speak HTTP: certificates verified, TLS of the version that a
// delivery asks for, no redirect followed and no proxy asked, answers bounded, and an attempt that is
// cut sends nothing more.
package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"domicile.dev/internal/fault"
)

// Options tunes a Client. The zero value is right for a recipient on the internet.
type Options struct {
	// Timeout is how long one attempt may take, from looking up the name to the end of the answer.
	// Default 60 s.
	Timeout time.Duration
	// Roots are who may have signed the recipient's certificate. Default: the system's.
	Roots *x509.CertPool
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Client sends requests to one place. It is safe for concurrent use.
type Client struct {
	opt Options
	tls map[string]*http.Transport // by the oldest version of TLS
}

const (
	dialPatience   = 10 * time.Second
	maxHeaderBytes = 64 << 10
	mostIdle       = 8
)

// New returns a Client. clear says that it speaks plain HTTP, which it does to this machine alone.
func New(clear bool, opt Options) *Client {
	if opt.Timeout <= 0 {
		opt.Timeout = time.Minute
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c := &Client{opt: opt, tls: map[string]*http.Transport{}}
	for version, oldest := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		c.tls[version] = &http.Transport{
			DialContext:            dialer(clear, dialPatience),
			TLSClientConfig:        &tls.Config{MinVersion: oldest, RootCAs: opt.Roots},
			TLSHandshakeTimeout:    dialPatience,
			DisableCompression:     true, // an answer is small, and must not unpack into something that isn't
			MaxIdleConnsPerHost:    mostIdle,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxHeaderBytes,
			// HTTP/1.1 alone: an attempt has its connection for itself, and cutting it cuts the bytes.
			TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		}
	}
	return c
}

// Target parses a recipient's address, with scheme as that of HTTPS and schemeClear as that of plain
// HTTP, which must be of this machine.
//
// Fault: Invalid "destination.bad_url".
func Target(target, scheme, schemeClear string) (u *url.URL, clear bool, err error) {
	u, err = url.Parse(target)
	if err != nil || u.Scheme != scheme && u.Scheme != schemeClear || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, false, fault.New(fault.Invalid, "destination.bad_url", "the address is not of the form %s://host/path", scheme).
			WithHint("credentials are never part of it")
	}
	clear = u.Scheme == schemeClear
	if ip := net.ParseIP(u.Hostname()); clear && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, false, fault.New(fault.Invalid, "destination.bad_url", "plain HTTP is for this machine alone").
			WithHint("give an address of the form " + scheme + "://host/path")
	}
	u.Scheme = "https"
	if clear {
		u.Scheme = "http"
	}
	return u, clear, nil
}

// Answer is what a recipient said, in full or its beginning.
type Answer struct {
	Status     int
	RetryAfter int // seconds, 0 when it said nothing of it
	Body       []byte
	Cut        bool // Body is longer than was asked for
}

// Send makes one attempt. minimumTLS is "1.2", "1.3" or "" for 1.2; of the answer's body it returns at
// most most bytes. It returns an Answer of whatever status once the whole body was handed over and the
// answer has come whole, or to the bound.
//
// Errors: that of ctx when it has ended; Unavailable "destination.…" for what may pass; Invalid
// "destination.bad_request" when the request can't be made. None of them holds the address or what
// the recipient sent.
func (c *Client) Send(ctx context.Context, method string, to *url.URL, header http.Header, body []byte, minimumTLS string, most int) (*Answer, error) {
	if !sound(header) {
		return nil, badRequest()
	}
	req, err := http.NewRequest(method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, badRequest()
	}
	req.Header = header
	_, a, err := c.exchange(ctx, req, minimumTLS, most)
	return a, err
}

// Do is Send with a request that a library made. The body of the response, at most most bytes of it,
// is in memory.
func (c *Client) Do(req *http.Request, minimumTLS string, most int) (*http.Response, *Answer, error) {
	res, a, err := c.exchange(req.Context(), req, minimumTLS, most)
	if err != nil {
		return nil, nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(a.Body))
	return res, a, nil
}

// exchange makes one attempt.
func (c *Client) exchange(ctx context.Context, req *http.Request, minimumTLS string, most int) (*http.Response, *Answer, error) {
	once, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	req = req.WithContext(once)
	sent := counted(req)
	res, at, err := c.do(req, minimumTLS)
	if err != nil {
		at.end(false)
		return nil, nil, say(ctx, err)
	}
	a := &Answer{Status: res.StatusCode, RetryAfter: RetryAfter(res.Header.Get("Retry-After"), c.opt.Now())}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, int64(most)+1))
	if a.Cut = len(a.Body) > most; a.Cut {
		a.Body = a.Body[:most]
	}
	all, good := sent(), a.Status >= 200 && a.Status <= 299
	at.end(err == nil && !a.Cut && all)
	_ = res.Body.Close()
	switch {
	case err != nil && good:
		return nil, nil, say(ctx, err)
	case !all && good:
		return nil, nil, fault.New(fault.Unavailable, "destination.early_answer", "the recipient acknowledges what it hasn't got yet")
	}
	return res, a, nil
}

// Close closes what connections are idle.
func (c *Client) Close() {
	for _, t := range c.tls {
		t.CloseIdleConnections()
	}
}

// sound says whether all values may stand in a header: net/http would say so with the header's name.
func sound(h http.Header) bool {
	for _, values := range h {
		for _, v := range values {
			if !HeaderSound(v) {
				return false
			}
		}
	}
	return true
}

// HeaderSound says whether v may be the value of a header.
func HeaderSound(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
