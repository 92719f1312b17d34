package publish

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"domicile.dev/internal/fault"
)

func TestWhichAddressesAreCalled(t *testing.T) {
	open, strict := newPoster(true, webhookPatience), newPoster(false, readerPatience)
	for address, want := range map[string][2]bool{"https://hooks.example.com/x": {true, true}, "http://hooks.example.com/x": {true, false}, "https://u:p@hooks.example.com": {}, "ftp://example.com": {},
		"https://": {}, "": {}, "https://example.com/#x": {}, "file:///etc/passwd": {}} {
		if got := [2]bool{open.allowed(address) == nil, strict.allowed(address) == nil}; got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
	called := false
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer s.Close()
	err := strict.post(context.Background(), contact{URL: s.URL, Secret: []byte("x")}, "msg_1", time.Now(), event{})
	if fault.ReasonOf(err) != "webhook.private" || called {
		t.Errorf("a loopback address: %v, called %v", err, called)
	}
}

// What a webhook answers is what becomes of a message; a redirect is no way elsewhere.
func TestAWebhooksAnswer(t *testing.T) {
	status := 200
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("a redirect is followed")
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer s.Close()
	for code, kind := range map[int]fault.Kind{200: 0, 204: 0, 302: fault.Unavailable, 400: fault.Unavailable, 410: fault.Unprocessable, 503: fault.Unavailable} {
		status = code
		err := newPoster(true, webhookPatience).post(context.Background(), contact{URL: s.URL, Secret: []byte("x")}, "msg_1", time.Now(), event{})
		if kind == 0 && err != nil || kind != 0 && fault.KindOf(err) != kind {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// The example of the Standard Webhooks specification's libraries.
func TestSignature(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
