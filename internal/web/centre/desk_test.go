package centre

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/plain"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
)

// counter is a Subscriptions that counts what is done.
type counter struct {
	subscribed, confirmed, ended, hooked int
	fail                                 error
	language                             string
}

func (c *counter) Subscribe(_ context.Context, _ plain.Bytes, _ uint8, language string) error {
	c.subscribed++
	c.language = language
	return c.fail
}
func (c *counter) Confirm(context.Context, string) error { c.confirmed++; return c.fail }
func (c *counter) End(context.Context, string) error     { c.ended++; return c.fail }
func (c *counter) Known(token string) bool               { return token == "good" }
func (c *counter) SubscribeWebhook(context.Context, string, uint8) (publish.Hook, error) {
	c.hooked++
	return publish.Hook{ID: "sbr_x", Secret: "whsec_x", End: "https://ie1.example.com/privacy/subscriptions/end/x"}, c.fail
}

func newTestDesk(t *testing.T, peer string) (*Desk, *counter) {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{}
	return NewDesk(c, p, func(*http.Request) string { return peer }), c
}

func ask(d *Desk, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

var filled = url.Values{"address": {"ann@example.net"}, "list": {"notices"}}.Encode()

var hooked = url.Values{"url": {"https://Hooks.example.net/x?token=ann"}, "list": {"notices"}}.Encode()

// A webhook's secret is on the one page that nobody keeps; a host is knocked at not too often, whoever asks.
func TestAWebhookIsSubscribed(t *testing.T) {
	d, c := newTestDesk(t, "")
	w := ask(d, "POST", webhooks, hooked)
	if b := w.Body.String(); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(b, "whsec_x") || !strings.Contains(b, "/end/x") || strings.Contains(b, "<form method=\"post\"") {
		t.Errorf("%d %v %s", w.Code, w.Header(), b)
	}
	for n := 1; n < ofOne+3; n++ {
		w = ask(d, "POST", webhooks, strings.ReplaceAll(hooked, "token", fmt.Sprintf("token%d", n)))
	}
	if w.Code != 429 || c.hooked != ofOne || strings.Contains(w.Body.String(), "token") {
		t.Errorf("%d, %d subscribed", w.Code, c.hooked)
	}
	if w := ask(d, "POST", webhooks, strings.ReplaceAll(hooked, "Hooks", "others")); w.Code != 200 {
		t.Errorf("another host: %d", w.Code)
	}
	for _, body := range []string{"", "list=notices", "url=%zz&list=notices"} {
		c.fail = fault.New(fault.Invalid, "webhook.bad_url", "give an https address without a user")
		if w := ask(d, "POST", webhooks, body); w.Code != 400 || !strings.Contains(w.Body.String(), `name="url"`) {
			t.Errorf("%q: %d", body, w.Code)
		}
	}
	if w := ask(d, "GET", webhooks, ""); w.Code != 303 || w.Header().Get("Location") != subscriptions {
		t.Errorf("GET: %d", w.Code)
	}
	if b := ask(d, "GET", subscriptions, "").Body.String(); strings.Count(b, "<form method=\"post\"") != 2 {
		t.Errorf("forms: %s", b)
	}
}

func TestOneClientSubscribesNotTooOften(t *testing.T) {
	d, c := newTestDesk(t, "192.0.2.7")
	now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	d.limit.now = func() time.Time { return now }
	for n := range ofOne + 2 {
		want := 303
		if n >= ofOne {
			want = 429
		}
		if w := ask(d, "POST", subscriptions, filled); w.Code != want || strings.Contains(w.Body.String(), "ann@") {
			t.Errorf("%d: %d", n, w.Code)
		}
	}
	now = now.Add(window)
	if w := ask(d, "POST", subscriptions, filled); w.Code != 303 || c.subscribed != ofOne+1 {
		t.Errorf("later: %d, %d subscribed", w.Code, c.subscribed)
	}
	l := newLimiter()
	for range ofAll {
		l.allow("")
	}
	if l.allow("") || l.allow("192.0.2.8") {
		t.Error("a node takes any number")
	}
}

// What looks at links does nothing, and neither does another site's page.
func TestOnlyAPostActs(t *testing.T) {
	d, c := newTestDesk(t, "")
	for _, path := range []string{"/confirm/good", "/end/good", "/confirm/bad", "/end/bad", "", "/asked", "/confirmed", "/elsewhere"} {
		for _, method := range []string{"GET", "HEAD", "PUT"} {
			ask(d, method, subscriptions+path, "List-Unsubscribe=One-Click")
		}
	}
	ask(d, "POST", subscriptions, filled, "Sec-Fetch-Site", "cross-site")
	ask(d, "POST", subscriptions+"/confirm/good", "", "Sec-Fetch-Site", "same-site")
	ask(d, "POST", subscriptions+"/end/good", "")
	ask(d, "POST", subscriptions, filled+strings.Repeat("&x=y", maxFormBytes))
	ask(d, "POST", subscriptions, "address=ann@example.net&list=other")
	ask(d, "POST", webhooks, hooked, "Sec-Fetch-Site", "cross-site")
	ask(d, "GET", webhooks+"?"+hooked, "")
	ask(d, "PUT", webhooks, hooked)
	ask(d, "POST", webhooks, "url=https://hooks.example.net/&list=other")
	if c.subscribed+c.confirmed+c.ended+c.hooked != 0 {
		t.Errorf("%+v", *c)
	}
	if w := ask(d, "POST", subscriptions+"/end/good", "List-Unsubscribe=One-Click"); w.Code != 200 || c.ended != 1 || w.Header().Get("Location") != "" || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("one click: %d, %+v", w.Code, *c)
	}
	if w := ask(d, "GET", subscriptions+"/end/bad", ""); w.Code != 404 {
		t.Errorf("a link that isn't ours: %d", w.Code)
	}
}

// Trouble is a page that says nothing of what was sent or what went wrong.
func TestTroubleIsAPage(t *testing.T) {
	d, c := newTestDesk(t, "")
	for _, tt := range []struct {
		err  error
		code int
	}{{fault.New(fault.Invalid, "subscription.bad_address", "that is no e-mail address"), 400}, {context.DeadlineExceeded, 503}, {fault.New(fault.Unavailable, "store.away", "the store is away"), 503}} {
		c.fail = tt.err
		w := ask(d, "POST", subscriptions, filled)
		if b := w.Body.String(); w.Code != tt.code || !strings.Contains(b, "<h1>") || strings.Contains(b, "ann@") || strings.Contains(b, "deadline") {
			t.Errorf("%v: %d %s", tt.err, w.Code, b)
		}
	}
}
