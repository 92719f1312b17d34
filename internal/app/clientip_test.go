package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// A node behind a proxy keeps a browser's address as the proxy tells it, and only where it is told to.
func TestABrowsersAddressComesFromTheConfiguredHeader(t *testing.T) {
	for _, tt := range []struct{ header, proxy, want string }{{"X-Forwarded-For", "127.0.0.1", `"ip":"203.0.113.7"`}, {"X-Forwarded-For", "10.0.0.0/8", ""}, {"", "", ""}} {
		header, want := tt.header, tt.want
		c := node(t.TempDir())
		if c.ClientIP = header; tt.proxy != "" {
			c.TrustedProxies = []string{tt.proxy}
		}
		n, err := open(t, c)
		if err != nil {
			t.Fatal(err)
		}
		_, _, token, _, err := n.Tenants.CreateTenant(t.Context(), tenant.Operator, "acme", "")
		if err != nil {
			t.Fatal(err)
		}
		_, key, _, err := n.Tenants.CreateSource(t.Context(), tenant.Operator, "acme", tenant.NewSource{Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Public})
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- n.Serve(ctx, l) }()
		ask := func(method, path, auth, body string) string {
			r, err := http.NewRequest(method, "http://"+l.Addr().String()+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+auth)
			r.Header.Set("X-Forwarded-For", "198.51.100.1, 203.0.113.7")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, b, err)
			}
			return string(b)
		}
		ask("POST", "/v1/t", key, `{"userId":"u","event":"Viewed","messageId":"m-1"}`)
		got := ask("GET", "/api/v1/records/by-client-id/m-1", token, "")
		if !strings.Contains(got, want) || want == "" && strings.Contains(got, `"ip"`) {
			t.Errorf("client_ip %q, trusted_proxies %q: read back %s, want %s", header, tt.proxy, got, want)
		}
		if want != "" && !strings.Contains(got, "device_data") {
			t.Errorf("the address has no part of its category: %s", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}
