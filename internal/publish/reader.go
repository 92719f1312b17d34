package publish

import (
	"context"
	"net/url"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
)

// Bounds of readers' webhooks. Anybody may name an address, so they are narrower than tenants'.
const (
	readerPatience = 5 * time.Second
	maxReaderHooks = 2000
	maxOfHost      = 10
	maxAsking      = 16 // challenges at once at this node
)

// readerPorts are those that readers' webhooks may have; "" is 443.
var readerPorts = map[string]bool{"": true, "443": true, "8443": true}

// SubscribeWebhook subscribes a reader's webhook once its address has answered a challenge, as AddWebhook does.
//
// Faults: Invalid for an address that may not be called; Unprocessable when it doesn't answer so; Conflict when it is
// subscribed already; RateLimited when there are too many.
func (s *Service) SubscribeWebhook(ctx context.Context, address string, lists uint8) (h Hook, err error) {
	if err := s.readers.allowed(address); err != nil {
		return h, err
	}
	if lists == 0 {
		_, err := ParseLists(nil)
		return h, err
	}
	if u, err := url.Parse(address); err != nil || !s.readers.private && !readerPorts[u.Port()] {
		return h, fault.New(fault.Invalid, "webhook.bad_port", "give an address at port 443 or 8443")
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	default:
		return h, fault.New(fault.RateLimited, "subscription.busy", "too many addresses are being asked").WithHint("try again in a minute")
	}
	if err := s.roomFor(ctx, address); err != nil {
		return h, err
	}
	return s.addHook(ctx, 0, "", address, lists)
}

// roomFor refuses an address when there are too many, of all or of its host.
func (s *Service) roomFor(ctx context.Context, address string) error {
	var all []Subscriber
	if err := s.DB.View(ctx, func(tx store.Tx) (err error) {
		all, err = s.Store.Subscribers(tx, 0)
		return err
	}); err != nil {
		return err
	}
	same := 0
	for i := range all {
		to, err := s.openContact(&all[i])
		if err != nil {
			return err
		}
		if Host(to.URL) == Host(address) {
			same++
		}
	}
	if len(all) >= maxReaderHooks || same >= maxOfHost {
		return fault.New(fault.RateLimited, "webhook.too_many", "there are too many webhooks already").WithHint("the feeds need no subscription")
	}
	return nil
}

// Host is the host of a webhook's address, "" where it has none.
func Host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// mostFailures is how many versions in a row a reader's webhook may not take at all, for whatever reason, before its
// subscription ends. It is more than mostRefusals: that nobody is reached may be this node's own fault.
const mostFailures = 5

// refusedHook says whether a webhook answered that it doesn't want this: any 4xx but those that ask for another attempt.
func (m *Message) refusedHook() bool {
	return m.State == failed && strings.HasPrefix(m.Code, "webhook.4") && m.Code != "webhook.408" && m.Code != "webhook.425" && m.Code != "webhook.429"
}
