package publish

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// event is a webhook's body.
type event struct {
	Type      string         `json:"type"`
	Timestamp time.Time      `json:"timestamp"`
	Data      map[string]any `json:"data"`
}

// Bounds of webhooks.
const (
	maxWebhooks     = 10 // of a tenant
	maxURLBytes     = 2048
	maxAnswerBytes  = 64 << 10
	secretBytes     = 32
	webhookPatience = 20 * time.Second
)

// poster calls webhooks, signed by Standard Webhooks. It follows no redirect and asks no proxy.
type poster struct {
	private bool
	http    *http.Client
}

var errPrivate = errors.New("not an address of the public internet")

func newPoster(private bool, patience time.Duration) *poster {
	d := &net.Dialer{Timeout: patience / 2}
	if !private {
		d.Control = func(_, address string, _ syscall.RawConn) error { // after the name was looked up
			at, err := netip.ParseAddrPort(address)
			if err != nil || !public(at.Addr()) {
				return errPrivate
			}
			return nil
		}
	}
	return &poster{private: private, http: &http.Client{Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: patience / 2, MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}}}
}

// allowed says whether a URL may be called.
func (p *poster) allowed(address string) error {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxURLBytes || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !p.private) {
		return fault.New(fault.Invalid, "webhook.bad_url", "give an https address without a user").WithHint("https://hooks.example.com/domicile")
	}
	return nil
}

// post sends e, and is content with any answer of 2xx.
func (p *poster) post(ctx context.Context, c contact, messageID string, now time.Time, e event) error {
	_, err := p.call(ctx, c, messageID, now, e)
	return err
}

func (p *poster) call(ctx context.Context, c contact, messageID string, now time.Time, e event) ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode an event: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "webhook.bad_url", "the address can't be called")
	}
	at := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Domicile")
	req.Header.Set("Webhook-Id", messageID)
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", sign(c.Secret, messageID, at, body))
	res, err := p.http.Do(req)
	if err != nil { // its text has the address, which may hold a secret
		reason := "webhook.unreachable"
		if errors.Is(err, errPrivate) {
			reason = "webhook.private"
		}
		return nil, fault.New(fault.Unavailable, reason, "the webhook's address doesn't answer")
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300 && err == nil:
		return answer, nil
	case res.StatusCode == http.StatusGone: // Standard Webhooks: never again
		return nil, fault.New(fault.Unprocessable, "webhook.410", "the webhook is gone")
	}
	return nil, fault.New(fault.Unavailable, "webhook."+strconv.Itoa(res.StatusCode), "the webhook answers %d", res.StatusCode)
}

// sign is the signature of Standard Webhooks, version 1.
func sign(secret []byte, messageID, at string, body []byte) string {
	m := hmac.New(sha256.New, secret)
	_, _ = m.Write([]byte(messageID + "." + at + "."))
	_, _ = m.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// Hook is a webhook.
type Hook struct {
	ID     string
	URL    string
	Lists  uint8
	MadeAt time.Time
	Entry  string // of its making; only there
	Secret string // "whsec_…"; only where it was made
	End    string // of a reader's, the address that ends it; only where it was made
}

// AddWebhook subscribes an address of the caller's, once it has answered a challenge: it is sent an event
// `subscription.verify` and has to answer {"challenge": …} with what that holds.
//
// Faults: Invalid for an address that may not be called; Unprocessable when it doesn't answer so; Conflict
// when it is subscribed already, or when there are too many.
func (s *Service) AddWebhook(ctx context.Context, c *tenant.Caller, address string, lists uint8) (h Hook, err error) {
	if c.Tenant == 0 {
		return h, fault.New(fault.Forbidden, "subscription.tenants_only", "webhooks are tenants'").WithHint("use a token of the tenant, dtk_…")
	}
	if err := s.client.allowed(address); err != nil {
		return h, err
	}
	return s.addHook(ctx, c.Tenant, c.TenantID, address, lists)
}

// addHook challenges an address and subscribes it; tenant is 0 for a reader's.
func (s *Service) addHook(ctx context.Context, tenant uint32, tenantID, address string, lists uint8) (h Hook, err error) {
	secret, challenge := make([]byte, secretBytes), make([]byte, secretBytes)
	_, _ = rand.Read(secret)
	_, _ = rand.Read(challenge)
	to := contact{URL: address, Secret: secret}
	x := &Subscriber{ID: id.NewSubject(), Channel: Webhook, Tenant: tenant, TenantID: tenantID, Lists: lists, Blind: s.blind(Webhook, tenant, []byte(address))}
	if err := s.challenge(ctx, x, to, base64.RawURLEncoding.EncodeToString(challenge)); err != nil {
		return h, err
	}
	now := s.opt.Now().UTC().Truncate(time.Millisecond)
	x.MadeAt, x.ConfirmedAt, x.AskedAt = now, now, now
	err = s.DB.Do(ctx, func(tx store.Tx) error {
		if err := s.newHook(tx, x); err != nil {
			return err
		}
		if err := s.sealContact(tx, x, to); err != nil {
			return err
		}
		if err := s.Store.PutSubscriber(tx, x); err != nil {
			return err
		}
		entry, err := s.enter(tx, "subscription.confirmed", tenantID, map[string]any{"subscription": subscriptionID(x.ID), "channel": Webhook, "lists": ListNames(lists)})
		if err != nil {
			return err
		}
		h = Hook{ID: subscriptionID(x.ID), URL: address, Lists: lists, MadeAt: now, Entry: entry.String(), Secret: "whsec_" + base64.StdEncoding.EncodeToString(secret)}
		if tenant == 0 {
			h.End = s.endURL(x.ID)
		}
		return store.Effect(ctx, tx)
	})
	s.Ledger.Committed()
	return h, err
}

// newHook refuses a webhook that is there, or one too many of a tenant's.
func (s *Service) newHook(tx store.Tx, x *Subscriber) error {
	there, err := s.Store.SubscriberByBlind(tx, Webhook, x.Tenant, x.Blind)
	if err != nil {
		return err
	}
	if there != nil && x.Tenant == 0 {
		return fault.New(fault.Conflict, "webhook.there", "that address is subscribed already").WithHint("each event that it gets has a link that ends it")
	} else if there != nil {
		return fault.New(fault.Conflict, "webhook.there", "that address is subscribed already").WithHint("end " + subscriptionID(there.ID) + " first")
	}
	if x.Tenant == 0 {
		return nil // roomFor has looked
	}
	all, err := s.Store.Subscribers(tx, x.Tenant)
	if err == nil && len(all) >= maxWebhooks {
		err = fault.New(fault.Conflict, "webhook.too_many", "a tenant has at most %d webhooks", maxWebhooks)
	}
	return err
}

// caller is who calls a subscriber's webhook.
func (s *Service) caller(x *Subscriber) *poster {
	if x.Tenant == 0 {
		return s.readers
	}
	return s.client
}

// challenge asks whether who has an address wants this.
func (s *Service) challenge(ctx context.Context, x *Subscriber, to contact, word string) error {
	data := map[string]any{"challenge": word, "region": s.Region, "lists": ListNames(x.Lists)}
	if x.Tenant == 0 {
		ends, err := s.ends(ctx, x)
		if err != nil {
			return err
		}
		data["unsubscribe"] = ends
	}
	now := s.opt.Now()
	answer, err := s.caller(x).call(ctx, to, "msg_verify_"+id.New("c", 10), now, event{Type: "subscription.verify", Timestamp: now.UTC(), Data: data})
	if err != nil || !repeats(answer, word) {
		f := fault.New(fault.Unprocessable, "webhook.unverified", "the address didn't answer the challenge").WithHint(`answer the event subscription.verify with 200 and {"challenge": data.challenge}`)
		if err != nil {
			f = f.With("code", code(err))
		}
		return f
	}
	return nil
}

// repeats says whether an answer is a JSON object whose challenge is word.
func repeats(answer []byte, word string) bool {
	var said struct {
		Challenge string `json:"challenge"`
	}
	return word != "" && json.Unmarshal(answer, &said) == nil && said.Challenge == word
}

// ends is the link that ends x, or what is there with its address: whoever has the address can end what others began with it.
func (s *Service) ends(ctx context.Context, x *Subscriber) (link string, err error) {
	link = s.endURL(x.ID)
	err = s.DB.View(ctx, func(tx store.Tx) error {
		there, err := s.Store.SubscriberByBlind(tx, Webhook, 0, x.Blind)
		if there != nil {
			link = s.endURL(there.ID)
		}
		return err
	})
	return link, err
}

// Webhooks returns the caller's.
func (s *Service) Webhooks(ctx context.Context, c *tenant.Caller) (out []Hook, err error) {
	if c.Tenant == 0 { // those without a tenant are readers' addresses
		return nil, fault.New(fault.Forbidden, "subscription.tenants_only", "webhooks are tenants'").WithHint("use a token of the tenant, dtk_…")
	}
	var all []Subscriber
	if err := s.DB.View(ctx, func(tx store.Tx) error {
		all, err = s.Store.Subscribers(tx, c.Tenant)
		return err
	}); err != nil {
		return nil, err
	}
	for i := range all {
		to, err := s.openContact(&all[i])
		if err != nil {
			return nil, err
		}
		out = append(out, Hook{ID: subscriptionID(all[i].ID), URL: to.URL, Lists: all[i].Lists, MadeAt: all[i].MadeAt})
	}
	return out, nil
}

// EndWebhook ends one of the caller's; its key is destroyed.
func (s *Service) EndWebhook(ctx context.Context, c *tenant.Caller, which string) error {
	who, err := parseSubscription(which)
	if err != nil {
		return err
	}
	return s.end(ctx, who, func(x *Subscriber) error {
		if x == nil || x.Channel != Webhook || x.Tenant != c.Tenant || c.Tenant == 0 {
			_, err := parseSubscription("")
			return err
		}
		return nil
	})
}
