package webhook_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/flowtest"
	"domicile.dev/internal/flow/webhook"
)

// endpoint keeps deliveries, each once by its id, when secret verifies them.
type endpoint struct {
	t      testing.TB
	secret string
	server *flowtest.Server

	mu    sync.Mutex // guards all below
	seen  map[string]string
	lines []flowtest.Line
	told  []string
	last  http.Header
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was cut
	}
	if err := verify(e.secret, r.Header, raw, time.Now()); err != nil {
		e.t.Error(err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	body := raw
	if r.Header.Get("Content-Encoding") == "gzip" {
		body = unpack(e.t, raw)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = r.Header
	id := r.Header.Get("Webhook-Id")
	before, again := e.seen[id]
	switch {
	case !again:
		e.seen[id] = string(body)
		if r.Header.Get("Domicile-Notice") == "erasure" {
			e.told = append(e.told, string(body))
		} else {
			e.lines = append(e.lines, flowtest.ReadLines(e.t, body)...)
		}
	case before != string(body):
		e.t.Errorf("%s came again with another body", id)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (e *endpoint) Lines(testing.TB) []flowtest.Line {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lines
}

func (e *endpoint) Told(testing.TB) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.told
}

func (e *endpoint) Server() *flowtest.Server { return e.server }
func (e *endpoint) ReadsAnswers() bool       { return false }

func newEndpoint(t testing.TB, config *tls.Config) *endpoint {
	e := &endpoint{t: t, secret: webhook.NewSecret(), seen: map[string]string{}}
	e.server = flowtest.NewServer(t, e, config)
	return e
}

func TestConform(t *testing.T) {
	for name, tt := range map[string]struct {
		config *tls.Config
		gzip   bool
	}{"https": {config: &tls.Config{}}, "https, gzip": {config: &tls.Config{}, gzip: true}, "this machine": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flowtest.Conform(t, func(t testing.TB) (flow.Connector, flowtest.Recipient) {
				e := newEndpoint(t, tt.config)
				c, err := webhook.Open(t.Context(), e.server.URL+"/hook/"+flowtest.Canary, e.secret,
					webhook.Options{Gzip: tt.gzip, Roots: e.server.Roots, Timeout: 3 * time.Second, Headers: map[string]string{"Authorization": flowtest.Canary}})
				if err != nil {
					t.Fatal(err)
				}
				return c, e
			})
		})
	}
}

func TestTLS(t *testing.T) {
	takes := func() http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	}
	flowtest.ConformTLS(t, takes, func(t testing.TB, url string, roots *x509.CertPool) flow.Connector {
		c, err := webhook.Open(t.Context(), url, webhook.NewSecret(), webhook.Options{Roots: roots})
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

func TestHeaders(t *testing.T) {
	e := newEndpoint(t, nil)
	c, err := webhook.Open(t.Context(), e.server.URL+"/hook?a=b", e.secret, webhook.Options{Headers: map[string]string{"authorization": "Bearer x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	d, _ := flowtest.Delivery("f", 7, 2)
	d.Attempt = 3
	if err := c.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Content-Type": "application/x-ndjson", "Webhook-Id": "dlv_f7", "Domicile-Flow": "f", "Domicile-Tenant": "acme",
		"Domicile-Region": "ie1", "Domicile-Purpose": "analytics", "Domicile-Form": "pseudonymised", "Domicile-Entry": "led_aaaaaaaaaaaaaaaaaaaa",
		"Domicile-Programme": "sha256:aa", "Domicile-Sequence": "7", "Domicile-Attempt": "3", "Domicile-Records": "2",
		"Domicile-Decided-At": "2026-11-24T10:00:02Z", "Authorization": "Bearer x", "Content-Encoding": "", "User-Agent": "domicile"} {
		if got := e.last.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	d.Flow = "f\r\nX-Own: 1"
	if err := c.Deliver(t.Context(), d); fault.KindOf(err) != fault.Invalid || fault.ReasonOf(err) != "destination.bad_request" {
		t.Errorf("a line's end in a header: %v", err)
	}
}

func TestWhatIsNoDestination(t *testing.T) {
	good := webhook.NewSecret()
	for _, tt := range []struct {
		target, secret string
		header         string
		reason         string
	}{
		{"https://example.com/hook", good, "Authorization", ""},
		{"https://example.com/hook", good + "\n" + webhook.NewSecret() + "\n", "X-Key", ""},
		{"http://127.0.0.1:8080/", good, "X-Key", ""},
		{"http://localhost:8080/", good, "X-Key", ""},
		{"http://[::1]/", good, "X-Key", ""},
		{"http://example.com/hook", good, "X-Key", "destination.bad_url"},
		{"http://10.0.0.1/hook", good, "X-Key", "destination.bad_url"},
		{"ftp://example.com/hook", good, "X-Key", "destination.bad_url"},
		{"https:///hook", good, "X-Key", "destination.bad_url"},
		{"https://u:p@example.com/", good, "X-Key", "destination.bad_url"},
		{"https://example.com/%zz", good, "X-Key", "destination.bad_url"},
		{"https://example.com/#x", good, "X-Key", "destination.bad_url"},
		{"", good, "X-Key", "destination.bad_url"},
		{"https://example.com/", "", "X-Key", "destination.bad_secret"},
		{"https://example.com/", "secret", "X-Key", "destination.bad_secret"},
		{"https://example.com/", "whsec_c2hvcnQ=", "X-Key", "destination.bad_secret"},
		{"https://example.com/", "whsec_***", "X-Key", "destination.bad_secret"},
		{"https://example.com/", good + " " + good + " " + good, "X-Key", "destination.bad_secret"},
		{"https://example.com/", good, "Host", "destination.bad_header"},
		{"https://example.com/", good, "content-length", "destination.bad_header"},
		{"https://example.com/", good, "Webhook-Id", "destination.bad_header"},
		{"https://example.com/", good, "domicile-flow", "destination.bad_header"},
		{"https://example.com/", good, "Idempotency-Key", "destination.bad_header"},
		{"https://example.com/", good, "X Key", "destination.bad_header"},
		{"https://example.com/", good, "", "destination.bad_header"},
	} {
		_, err := webhook.Open(t.Context(), tt.target, tt.secret, webhook.Options{Headers: map[string]string{tt.header: "v"}})
		if fault.ReasonOf(err) != tt.reason {
			t.Errorf("Open(%q, %q): %v, want %q", tt.target, tt.header, err, tt.reason)
		}
	}
	if _, err := webhook.Open(t.Context(), "https://example.com/", good, webhook.Options{Headers: map[string]string{"X": "a\nb"}}); err == nil {
		t.Error("a header with a line's end was taken")
	}
}

func unpack(t testing.TB, b []byte) []byte {
	z, err := gzip.NewReader(bytesReader(b))
	if err != nil {
		t.Error(err)
		return nil
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Error(err)
	}
	return out
}
