// Package webhook brings deliveries to a recipient's HTTP endpoint, signed as Standard Webhooks has it
// (standardwebhooks.com, version 1 signatures), so that the recipient can verify them with a library
// of its language.
package webhook

import (
	"context"
	"crypto/x509"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/wire"
)

// Options tunes a Connector. The zero value is right for most recipients.
type Options struct {
	// Headers go with every delivery, such as an Authorization that a gateway asks for. HeaderAllowed
	// says which may.
	Headers map[string]string
	// Gzip compresses bodies.
	Gzip bool
	// Timeout is how long one attempt may take. Default 60 s.
	Timeout time.Duration
	// Roots are who may have signed the recipient's certificate. Default: the system's.
	Roots *x509.CertPool
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Connector is a flow.Connector.
type Connector struct {
	to     *url.URL
	keys   [][]byte
	header http.Header
	gzip   bool
	now    func() time.Time
	wire   *wire.Client
	gate   wire.Gate
}

var _ flow.Connector = (*Connector)(nil)

// maxAnswerBytes bounds what is read of an answer, which says nothing that matters beyond its status.
const maxAnswerBytes = 64 << 10

// Open returns a connector to target, "https://…", or "http://…" for this machine. secrets are one or
// two, as ParseSecrets reads them. It asks nobody yet.
//
// Faults: Invalid "destination.bad_url", "destination.bad_secret", "destination.bad_header".
func Open(_ context.Context, target, secrets string, opt Options) (*Connector, error) {
	to, clear, err := wire.Target(target, "https", "http")
	if err != nil {
		return nil, err
	}
	keys, err := ParseSecrets(secrets)
	if err != nil {
		return nil, err
	}
	c := &Connector{to: to, keys: keys, header: http.Header{}, gzip: opt.Gzip, now: opt.Now}
	for name, value := range opt.Headers {
		if !HeaderAllowed(name) || !wire.HeaderSound(value) {
			return nil, fault.New(fault.Invalid, "destination.bad_header", "the header %s can't be given", name).
				WithHint("headers of HTTP itself, webhook-… and domicile-… are the connector's own")
		}
		c.header.Set(name, value)
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.wire = wire.New(clear, wire.Options{Timeout: opt.Timeout, Roots: opt.Roots, Now: c.now})
	return c, nil
}

// HeaderAllowed says whether an operator may give the header of this name.
func HeaderAllowed(name string) bool {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) || strings.HasPrefix(canonical, "Webhook-") || strings.HasPrefix(canonical, "Domicile-") || strings.HasPrefix(canonical, "Content-") ||
		strings.HasPrefix(canonical, "Proxy-") || strings.HasPrefix(canonical, "If-") {
		return false
	}
	switch canonical {
	case "Host", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Accept-Encoding", "Range",
		"Cookie", "Date", "Idempotency-Key", "X-Idempotency-Key": // net/http sends again by itself what has one of the last two
		return false
	}
	return true
}

// Deliver implements flow.Connector. An answer of 2xx acknowledges the delivery, whatever its body.
func (c *Connector) Deliver(ctx context.Context, d *flow.Delivery) error {
	return c.gate.Run(ctx, func(ctx context.Context) error {
		body := d.Body
		h := c.headers(d)
		if c.gzip {
			body = wire.Gzip(body)
			h.Set("Content-Encoding", "gzip")
		}
		now := c.now()
		h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
		h.Set("Webhook-Signature", sign(c.keys, d.ID, now, body))
		a, err := c.wire.Send(ctx, http.MethodPost, c.to, h, body, d.MinimumTLS, maxAnswerBytes)
		if err != nil {
			return err
		}
		return wire.Classify(a.Status, a.RetryAfter)
	})
}

// headers returns those that are neither the signature nor about it.
func (c *Connector) headers(d *flow.Delivery) http.Header {
	h := maps.Clone(c.header)
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "domicile")
	}
	seq := strconv.FormatUint(d.Seq, 10)
	if d.Kind != "" {
		seq = "" // notices have no order
	}
	for name, value := range map[string]string{
		"Domicile-Notice":     d.Kind,
		"Content-Type":        "application/x-ndjson",
		"Webhook-Id":          d.ID,
		"Domicile-Flow":       d.Flow,
		"Domicile-Tenant":     d.Tenant,
		"Domicile-Region":     d.Region,
		"Domicile-Purpose":    d.Purpose,
		"Domicile-Form":       d.Form,
		"Domicile-Entry":      d.Entry,
		"Domicile-Programme":  d.Programme,
		"Domicile-Sequence":   seq,
		"Domicile-Attempt":    strconv.Itoa(d.Attempt),
		"Domicile-Records":    strconv.Itoa(d.Count),
		"Domicile-Decided-At": d.DecidedAt.UTC().Format(time.RFC3339),
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	return h
}

// Close implements flow.Connector. It cuts what attempts there are and waits for them.
func (c *Connector) Close() error {
	c.gate.Close()
	c.wire.Close()
	return nil
}
