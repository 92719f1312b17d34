package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/api"
)

// someTokens knows one assertion and one token, of a source that has a write key.
type someTokens struct{}

var app = &tenant.Source{ID: "src_ie1_app", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server, OAuth: true}

func (someTokens) AccessToken(assertion, audience string) (string, error) {
	switch {
	case assertion == "busy":
		return "", fault.New(fault.Unavailable, "source.unchecked", "later")
	case assertion == "elsewhere":
		return "", fault.New(fault.WrongRegion, "residency.wrong_region", "not here").With("url", "https://us1.example.com").With("region", "us1")
	case assertion != "good" || audience != "https://ie1.example.com":
		return "", fault.New(fault.Unauthenticated, "oauth.bad_assertion", "refused")
	}
	return "dat_ie1_app.good", nil
}

func (someTokens) SourceByAccessToken(token string) (*tenant.Source, error) {
	switch token {
	case "dat_ie1_app.good":
		return app, nil
	case "dat_ie1_app.old":
		return nil, fault.New(fault.Unauthenticated, tenant.ReasonTokenEnded, "the access token holds no longer").WithHint("get another")
	}
	return nil, fault.New(fault.Unauthenticated, "credential.unknown", "unknown")
}

func (someTokens) HasKey(src *tenant.Source, key string) bool {
	return src == app && key == "dwk_ie1_app"
}

func TestTheTokenEndpoint(t *testing.T) {
	i := newIntake(api.IngestOptions{URL: "https://ie1.example.com", Tokens: someTokens{}})
	const typ = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	for _, tt := range []struct {
		form   url.Values
		status int
		want   string
	}{
		{url.Values{"client_assertion": {"good"}}, 200, ""},
		{url.Values{"client_assertion": {"good"}, "scope": {""}}, 200, ""},
		{url.Values{"client_assertion": {"bad"}}, 401, "invalid_client"},
		{url.Values{}, 401, "invalid_client"},
		{url.Values{"client_assertion": {"good"}, "client_assertion_type": {"x"}}, 401, "invalid_client"},
		{url.Values{"client_assertion": {"good"}, "grant_type": {"password"}}, 400, "unsupported_grant_type"},
		{url.Values{"client_assertion": {"good"}, "scope": {"public_api:read_write"}}, 400, "invalid_scope"},
		{url.Values{"client_assertion": {strings.Repeat("x", 20<<10)}}, 400, "invalid_request"},
		{url.Values{"client_assertion": {"elsewhere"}}, 401, "invalid_client"},
		{url.Values{"client_assertion": {"busy"}}, 503, "temporarily_unavailable"},
	} {
		form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {typ}, "scope": {"tracking_api:write"}}
		for k, v := range tt.form {
			form[k] = v
		}
		// The SDK leaves colons as they are.
		r := httptest.NewRequest("POST", "/token", strings.NewReader(strings.ReplaceAll(form.Encode(), "%3A", ":")))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		i.in.First(http.NotFoundHandler()).ServeHTTP(w, r)
		var got struct {
			Error, URL string
			Token      string `json:"access_token"`
			Type       string `json:"token_type"`
			Expires    any    `json:"expires_in"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != tt.status || got.Error != tt.want || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%.80v: %d %s", tt.form, w.Code, w.Body)
		}
		if tt.status == 200 && (got.Token != "dat_ie1_app.good" || got.Type != "Bearer" || got.Expires != 3600.0) {
			t.Errorf("%s", w.Body)
		}
		if tt.status == 503 && w.Header().Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		if tt.form.Get("client_assertion") == "elsewhere" && got.URL != "https://us1.example.com" {
			t.Errorf("%s does not say where", w.Body)
		}
	}
	if w := i.ask("GET", "/token", nil); w.Code != 405 {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestIngestByAccessToken(t *testing.T) {
	for _, tt := range []struct {
		name, query, body, token string
		status                   int
		reason                   string
	}{
		{"as the SDK sends it", "", `,"writeKey":"dwk_ie1_app"`, "good", 200, ""},
		{"without a key", "", "", "good", 200, ""},
		{"with the key in the address", "?writeKey=dwk_ie1_app", "", "good", 200, ""},
		{"with another's key", "", `,"writeKey":"` + serverKey + `"`, "good", 401, "source.key_mismatch"},
		{"with another's key in the address", "?writeKey=" + serverKey, "", "good", 401, "source.key_mismatch"},
		{"with an empty key", "", `,"writeKey":""`, "good", 200, ""},
		{"a token that has ended", "", `,"writeKey":"dwk_ie1_app"`, "old", 511, tenant.ReasonTokenEnded},
		{"one that never was", "", "", "x", 401, "credential.unknown"},
	} {
		i := newIntake(api.IngestOptions{Tokens: someTokens{}})
		w := i.post(t, "/v1/batch"+tt.query, aBatch(tt.body), "Authorization", "Bearer dat_ie1_app."+tt.token)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.reason) || (i.took() != nil) != (tt.status == 200) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
}
