package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
)

// vendor is a server as Twilio's API: basic authentication, and redirects to a CDN on another host.
func vendor(t *testing.T) (api, cdn *httptest.Server, seen *[]string) {
	seen = new([]string)
	cdn = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*seen = append(*seen, "cdn "+r.URL.Path+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = io.WriteString(w, "picture")
	}))
	t.Cleanup(cdn.Close)
	api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		*seen = append(*seen, "api "+r.URL.Path+" "+user)
		if user != "AC1" || password != "token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var status int
		switch {
		case r.URL.Path == "/sound":
			w.Header().Set("Content-Type", "audio/x-wav")
			_, _ = io.WriteString(w, "sound")
		case r.URL.Path == "/picture":
			http.Redirect(w, r, cdn.URL+"/m/1", http.StatusTemporaryRedirect)
		case r.URL.Path == "/elsewhere":
			http.Redirect(w, r, "http://127.0.0.2:9/", http.StatusFound)
		case r.URL.Path == "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case r.URL.Path == "/stalls":
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case func() bool { n, _ := fmt.Sscanf(r.URL.Path, "/status/%d", &status); return n == 1 }():
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(api.Close)
	return api, cdn, seen
}

func host(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

func TestGet(t *testing.T) {
	api, cdn, seen := vendor(t)
	c := New(Options{Hosts: []string{host(api)}, CDN: []string{host(cdn) + "/m/"}, Private: true, Patience: 200 * time.Millisecond})
	for _, tt := range []struct{ path, want, typ string }{{"/sound", "sound", "audio/x-wav"}, {"/picture", "picture", "image/jpeg"}} {
		got, err := c.Get(t.Context(), api.URL+tt.path, "AC1", "token")
		if err != nil {
			t.Fatalf("%s: %v", tt.path, err)
		}
		b, err := io.ReadAll(got.Body)
		if err != nil || string(b) != tt.want || got.Type != tt.typ || got.Length != int64(len(tt.want)) {
			t.Errorf("%s: %q %+v, %v", tt.path, b, got, err)
		}
		_ = got.Body.Close()
	}
	if last := (*seen)[len(*seen)-1]; last != "cdn /m/1 " {
		t.Errorf("the CDN saw %q, want no credentials", last)
	}
	for _, tt := range []struct {
		address, reason string
		kind            fault.Kind
	}{
		{api.URL + "/elsewhere", "fetch.host", fault.Invalid},
		{api.URL + "/round", "fetch.redirects", fault.Invalid},
		{cdn.URL + "/other", "fetch.host", fault.Invalid},
		{cdn.URL + "/m/../other", "fetch.host", fault.Invalid},
		{"https://api.twilio.com.example.com/", "fetch.host", fault.Invalid},
		{"file:///etc/passwd", "fetch.bad_url", fault.Invalid},
		{"http://user:word@" + host(api) + "/sound", "fetch.bad_url", fault.Invalid},
		{"://", "fetch.bad_url", fault.Invalid},
		{"https://" + strings.Repeat("x", 5000), "fetch.bad_url", fault.Invalid},
		{api.URL + "/status/404", "fetch.status_404", fault.Unavailable},
		{api.URL + "/status/503", "fetch.status_503", fault.Unavailable},
		{api.URL + "/status/429", "fetch.status_429", fault.Unavailable},
		{api.URL + "/status/410", "fetch.status_410", fault.Invalid},
		{api.URL + "/status/204", "fetch.status_204", fault.Invalid},
	} {
		got, err := c.Get(t.Context(), tt.address, "AC1", "token")
		if fault.KindOf(err) != tt.kind || fault.ReasonOf(err) != tt.reason {
			t.Errorf("%s: %v, %v, want %s", tt.address, got, err, tt.reason)
		}
		if err != nil && strings.Contains(err.Error(), "127.0.0") {
			t.Errorf("the error names an address: %v", err)
		}
	}
	if _, err := c.Get(t.Context(), api.URL+"/sound", "AC1", "wrong"); fault.KindOf(err) != fault.Unavailable || fault.ReasonOf(err) != "fetch.status_401" {
		t.Errorf("a wrong token: %v", err)
	}
	got, err := c.Get(t.Context(), api.URL+"/stalls", "AC1", "token")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(got.Body); err == nil {
		t.Errorf("a vendor that stalls sent all: %q", b)
	}
	_ = got.Body.Close()
	api.Close()
	if _, err := c.Get(t.Context(), api.URL+"/sound", "AC1", "token"); fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("a vendor that is away: %v", err)
	}
}

func TestPrivateAddressesAreNotAsked(t *testing.T) {
	api, _, seen := vendor(t)
	c := New(Options{Hosts: []string{host(api), "localhost"}})
	if _, err := c.Get(t.Context(), "https://"+host(api)+"/sound", "AC1", "token"); fault.ReasonOf(err) != "fetch.private" {
		t.Errorf("loopback: %v, want fetch.private", err)
	}
	if _, err := c.Get(context.Background(), "https://localhost/sound", "AC1", "token"); fault.ReasonOf(err) != "fetch.private" {
		t.Errorf("a name of loopback: %v, want fetch.private", err)
	}
	if _, err := c.Get(t.Context(), api.URL+"/sound", "AC1", "token"); fault.ReasonOf(err) != "fetch.bad_url" {
		t.Errorf("http: %v, want fetch.bad_url", err)
	}
	if len(*seen) != 0 {
		t.Errorf("the server saw %v", *seen)
	}
	for _, a := range []string{"10.0.0.1:443", "172.16.0.1:443", "192.168.1.1:443", "169.254.169.254:80", "127.0.0.1:443", "0.0.0.0:443", "100.64.0.1:443",
		"224.0.0.1:443", "255.255.255.255:443", "[::1]:443", "[::]:443", "[fe80::1]:443", "[fd00::1]:443", "[::ffff:10.0.0.1]:443", "[64:ff9b::a00:1]:443", "[2002:a00:1::]:443", "x"} {
		if publicOnly(a) == nil {
			t.Errorf("%s passes for public", a)
		}
	}
	for _, a := range []string{"8.8.8.8:443", "[2600:1f18::1]:443"} {
		if err := publicOnly(a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}
