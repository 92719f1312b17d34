// Package region brings deliveries to another Domicile region, as native records with a token of a
// source there. The other region's programme says what it keeps; it counts what it has already as
// duplicates, and says which records it refuses.
package region

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/wire"
)

// Options tunes a Connector. The zero value is right for most regions.
type Options struct {
	// Timeout is how long one request may take. Default 60 s.
	Timeout time.Duration
	// Roots are who may have signed the region's certificate. Default: the system's.
	Roots *x509.CertPool
}

// Connector is a flow.Connector.
type Connector struct {
	to     *url.URL
	tokens map[string]string
	wire   *wire.Client
	gate   wire.Gate
}

var _ flow.Connector = (*Connector)(nil)

// maxAnswerBytes holds a refusal of each of the most records there may be.
const maxAnswerBytes = 4 << 20

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{8,256}$`)

// Open returns a connector to the region at target, "domicile+https://us1.example.com", or
// "domicile+http://…" for this machine. tokens are those of native sources there, by the tenant's id
// here: what one tenant sends never gets into another's source. It asks nobody yet.
//
// Faults: Invalid "destination.bad_url", "destination.bad_token".
func Open(_ context.Context, target string, tokens map[string]string, opt Options) (*Connector, error) {
	to, clear, err := wire.Target(target, "domicile+https", "domicile+http")
	if err != nil {
		return nil, err
	}
	if to.Path != "" && to.Path != "/" || to.RawQuery != "" {
		return nil, fault.New(fault.Invalid, "destination.bad_url", "a region's address has no path").
			WithHint("give it as the region itself does: domicile+https://us1.example.com")
	}
	to.Path = "/v1/records"
	c := &Connector{to: to, tokens: map[string]string{}, wire: wire.New(clear, wire.Options{Timeout: opt.Timeout, Roots: opt.Roots})}
	for tenant, token := range tokens {
		if !tokenForm.MatchString(token) {
			return nil, fault.New(fault.Invalid, "destination.bad_token", "the token for tenant %s is none", tenant).
				WithHint("give the token of a native source of the other region: domicile source create there")
		}
		c.tokens[tenant] = token
	}
	return c, nil
}

// Deliver implements flow.Connector. A delivery may be several requests; when one of them fails, the next
// attempt sends all of them again, and the region counts what it has as duplicates. When the region has
// taken a part of the records and refuses others for good, it returns what flow.NewRefused makes.
func (c *Connector) Deliver(ctx context.Context, d *flow.Delivery) error {
	return c.gate.Run(ctx, func(ctx context.Context) error {
		token, ok := c.tokens[d.Tenant]
		if !ok {
			f := fault.New(fault.Unavailable, "destination.no_token", "there is no token for this tenant's source in the other region").
				WithHint("give one in the destination's tokens, by the tenant's id")
			f.RetryAfterSeconds = int(time.Minute / time.Second)
			return f
		}
		if d.Kind != "" {
			return c.tell(ctx, d, token)
		}
		if d.Form == "aggregated" {
			return fault.New(fault.Invalid, "destination.form", "another region takes records, and no aggregates").
				WithHint("point this flow at a webhook or a bucket")
		}
		all, err := requests(d.Flow, d.Form, d.Body)
		if err != nil {
			return err
		}
		total := flow.Refused{Reasons: map[string]int{}}
		for _, r := range all {
			v, err := c.send(ctx, d, token, r)
			if err != nil {
				return err
			}
			for i, id := range r.ids {
				if reason, refused := v.refused[i]; refused {
					total.Records = append(total.Records, id)
					total.Reasons[reason]++
				}
			}
		}
		if len(total.Records) > 0 {
			return flow.NewRefused(total, d.Count)
		}
		return nil
	})
}

// send makes one request.
func (c *Connector) send(ctx context.Context, d *flow.Delivery, token string, r *request) (verdict, error) {
	h := http.Header{}
	for name, value := range map[string]string{
		"Authorization":    "Bearer " + token,
		"Content-Type":     "application/x-ndjson",
		"User-Agent":       "domicile",
		"Domicile-Flow":    d.Flow,
		"Domicile-Region":  d.Region,
		"Domicile-Form":    d.Form,
		"Domicile-Entry":   d.Entry,
		"Domicile-Purpose": d.Purpose,
	} {
		h.Set(name, value)
	}
	a, err := c.wire.Send(ctx, http.MethodPost, c.to, h, r.body.Bytes(), d.MinimumTLS, maxAnswerBytes)
	if err != nil {
		return verdict{}, err
	}
	if err := wire.Classify(a.Status, a.RetryAfter); err != nil {
		return verdict{}, err
	}
	v, err := read(a.Body, len(r.ids))
	if err != nil || a.Cut || a.Status != http.StatusOK {
		return verdict{}, fault.New(fault.Unavailable, "destination.bad_answer", "the answer is not a region's").
			WithHint("does the destination's url lead to a region of Domicile?").Because(err)
	}
	if v.again != "" {
		return verdict{}, fault.New(fault.Unavailable, "destination.in_part", "the region took a part of the records, and the rest for another time").
			WithHint("its reason is " + v.again)
	}
	return v, nil
}

// Close implements flow.Connector. It cuts what attempts there are and waits for them.
func (c *Connector) Close() error {
	c.gate.Close()
	c.wire.Close()
	return nil
}
