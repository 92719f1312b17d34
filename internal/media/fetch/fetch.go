// Package fetch gets recordings and pictures that lie at a vendor. What may be asked for comes out of a
// webhook, and so from outside: it asks hosts on a list alone, sends credentials to these only, and
// never connects to an address that is not public.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"domicile.dev/internal/fault"
)

// Options says where a Client may go. Hosts is needed.
type Options struct {
	// Hosts get credentials, "api.twilio.com" or, at another port than that of https, "host:port".
	Hosts []string
	// CDN are hosts to which those of Hosts may send on, without credentials. ".example.com" is every
	// host below, and "host/path/" what lies under a path.
	CDN []string
	// Private allows http, and addresses that are not public. It is for a vendor's stand-in in tests
	// and for a gateway inside.
	Private bool
	// Patience is how long the vendor may take for its head, and for each 64 KiB after it. Default 30 s.
	Patience time.Duration
}

const (
	mostRedirects = 3
	pace          = 64 << 10
	maxURLBytes   = 4096
)

// Client fetches. It is safe for concurrent use.
type Client struct {
	opt  Options
	http *http.Client
}

// New returns a Client.
func New(opt Options) *Client {
	if opt.Patience <= 0 {
		opt.Patience = 30 * time.Second
	}
	d := &net.Dialer{Timeout: 10 * time.Second}
	if !opt.Private {
		d.Control = func(_, address string, _ syscall.RawConn) error { return publicOnly(address) } // after the name was looked up
	}
	return &Client{opt: opt, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// No proxy from the environment: it would look names up by itself.
		Transport: &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: opt.Patience,
			DisableCompression: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true},
	}}
}

// Got is what a vendor sent. The caller closes Body.
type Got struct {
	Type   string // "" when the vendor didn't say
	Length int64  // -1 when it isn't known
	Body   io.ReadCloser
}

// Get fetches what lies at address, as user with password. It follows redirects to its hosts, and to
// the CDN without credentials.
//
// Faults: Unavailable for what may pass; Invalid "fetch.…" for what will not.
func (c *Client) Get(ctx context.Context, address, user, password string) (*Got, error) {
	if len(address) > maxURLBytes {
		return nil, refused("fetch.bad_url", "the address is too long")
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, refused("fetch.bad_url", "the address is none")
	}
	for range 1 + mostRedirects {
		known := c.known(u)
		if err := c.allowed(u, known); err != nil {
			return nil, err
		}
		got, next, err := c.once(ctx, u, known, user, password)
		if err != nil || next == nil {
			return got, err
		}
		if u = next; !known {
			user, password = "", "" // who was sent on to the CDN gets credentials nowhere any more
		}
	}
	return nil, refused("fetch.redirects", "the vendor sends on and on")
}

func refused(reason, what string) *fault.Error { return fault.New(fault.Invalid, reason, "%s", what) }

// known says whether u is of a host that gets credentials.
func (c *Client) known(u *url.URL) bool {
	return slices.Contains(c.opt.Hosts, strings.ToLower(u.Host))
}

// allowed says whether u may be asked for at all.
func (c *Client) allowed(u *url.URL, known bool) error {
	if u.Scheme != "https" && (u.Scheme != "http" || !c.opt.Private) || u.User != nil || u.Opaque != "" {
		return refused("fetch.bad_url", "the address is no plain one of https")
	}
	if known {
		return nil
	}
	host := strings.ToLower(u.Host)
	for _, of := range c.opt.CDN {
		at, path, under := strings.Cut(of, "/")
		fits := at == host || strings.HasPrefix(at, ".") && strings.HasSuffix(host, at)
		if fits && (!under || strings.HasPrefix(u.EscapedPath(), "/"+path) && !strings.Contains(u.Path, "..")) {
			return nil
		}
	}
	return refused("fetch.host", "the address is of a host that is not on the list")
}

// once asks once. next is where the vendor sends on to.
func (c *Client) once(ctx context.Context, u *url.URL, known bool, user, password string) (got *Got, next *url.URL, err error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return nil, nil, refused("fetch.bad_url", "the address is none")
	}
	if known && user != "" {
		req.SetBasicAuth(user, password)
	}
	req.Header.Set("User-Agent", "domicile")
	res, err := c.http.Do(req)
	if err != nil {
		cancel()
		return nil, nil, unreachable(err)
	}
	if res.StatusCode == http.StatusOK {
		return &Got{Type: res.Header.Get("Content-Type"), Length: res.ContentLength, Body: newBody(res.Body, cancel, c.opt.Patience)}, nil, nil
	}
	_ = res.Body.Close()
	cancel()
	switch {
	case res.StatusCode/100 == 3 && res.Header.Get("Location") != "":
		next, err := u.Parse(res.Header.Get("Location"))
		if err != nil {
			return nil, nil, refused("fetch.redirects", "the vendor sends on to no address")
		}
		return nil, next, nil
	case res.StatusCode == http.StatusRequestTimeout, res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500,
		res.StatusCode == http.StatusNotFound,                                             // it may not be ready yet
		res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden: // a credential may be mended
		return nil, nil, fault.New(fault.Unavailable, fmt.Sprintf("fetch.status_%d", res.StatusCode), "the vendor answers %d", res.StatusCode)
	}
	return nil, nil, refused(fmt.Sprintf("fetch.status_%d", res.StatusCode), "the vendor answers that it isn't there")
}

var errPrivate = errors.New("fetch: the address is not public")

// unreachable words what the transport says without the address, which is personal data.
func unreachable(err error) error {
	if errors.Is(err, errPrivate) {
		return refused("fetch.private", "the host's address is not a public one")
	}
	what := "connect"
	if op := new(net.OpError); errors.As(err, &op) {
		what = op.Op
	} else if dns := new(net.DNSError); errors.As(err, &dns) {
		what = "look up"
	}
	return fault.New(fault.Unavailable, "fetch.unreachable", "the vendor can't be reached").Because(errors.New(what))
}

// reserved are the networks that netip has no word for.
var reserved = func() (all []netip.Prefix) {
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

// publicOnly refuses an address that is not of the public internet.
func publicOnly(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errPrivate
	}
	ip := at.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return errPrivate
	}
	return nil
}

// body ends when the vendor stops sending.
type body struct {
	io.ReadCloser
	cancel   context.CancelFunc
	timer    *time.Timer
	patience time.Duration
	left     int
}

func newBody(r io.ReadCloser, cancel context.CancelFunc, patience time.Duration) *body {
	return &body{ReadCloser: r, cancel: cancel, timer: time.AfterFunc(patience, cancel), patience: patience, left: pace}
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left <= 0 {
		b.timer.Reset(b.patience)
		b.left = pace
	}
	return n, err
}

func (b *body) Close() error {
	b.timer.Stop()
	b.cancel()
	return b.ReadCloser.Close()
}
