package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/web/api"
)

// ask sends a request without a body through everything that stands before the mux.
func (i *intake) ask(method, target string, headers map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	i.in.First(http.NotFoundHandler()).ServeHTTP(w, r)
	return w
}

// captured is what a browser asked a capture server, with the answer that it was content with.
type captured struct {
	Request struct {
		Method, Path string
		Query        map[string]string
		Headers      map[string]string
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
}

func capturedAt(t *testing.T, file string) (c captured) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

// Every captured preflight is let through for all that it asks, and may be remembered.
func TestIngestAnswersTheCapturedPreflights(t *testing.T) {
	files, _ := filepath.Glob("../../ingest/segment/testdata/*/*preflight.json")
	if len(files) != 3 {
		t.Fatalf("files %v", files)
	}
	for _, file := range files {
		c := capturedAt(t, file)
		w := newIntake(api.IngestOptions{}).ask(c.Request.Method, c.Request.Path, c.Request.Headers)
		allowed := strings.Split(w.Header().Get("Access-Control-Allow-Headers"), ", ")
		for asked := range strings.SplitSeq(strings.ToLower(c.Request.Headers["access-control-request-headers"]), ",") {
			if !strings.Contains(" "+strings.Join(allowed, " ")+" ", " "+asked+" ") {
				t.Errorf("%s: %s is not among %q", file, asked, allowed)
			}
		}
		if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Max-Age") != "7200" ||
			!strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), c.Request.Headers["access-control-request-method"]) {
			t.Errorf("%s: %d %v", file, w.Code, w.Header())
		}
	}
}

const configPath = "/sourceConfig/?p=npm&v=3.34.1&build=modern&lockIntegrationsVersion=true&lockPluginsVersion=true&writeKey="

func TestIngestConfiguresRudderStacksBrowserSDK(t *testing.T) {
	i := newIntake(api.IngestOptions{URL: "https://ie1.example.com"})
	var want, got struct{ Source map[string]any }
	c := capturedAt(t, "../../ingest/segment/testdata/rudderstack/browser-source-config.json")
	if err := json.Unmarshal(c.Response.Body, &want); err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"basic and query": i.ask("GET", configPath+publicKey, map[string]string{"Authorization": basic(publicKey)}),
		"basic":           i.ask("GET", "/sourceConfig", map[string]string{"Authorization": basic(publicKey)}),
		"query":           i.ask("GET", configPath+publicKey, nil),
		"doubled slash":   i.ask("GET", "//sourceConfig/?writeKey="+publicKey, nil),
	} {
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		for member, sample := range want.Source {
			if _, has := got.Source[member]; !has && member != "sourceDefinitionId" && member != "createdBy" {
				t.Errorf("%s: the answer lacks source.%s, such as %v", name, member, sample)
			}
		}
		here := []any{map[string]any{"url": "https://ie1.example.com", "default": true}}
		if diff := cmp.Diff(map[string]any{"EU": here, "US": here}, got.Source["dataplanes"]); diff != "" {
			t.Errorf("%s: dataplanes: %s", name, diff)
		}
		if got.Source["writeKey"] != publicKey || got.Source["enabled"] != true {
			t.Errorf("%s: %v", name, got.Source)
		}
		if diff := cmp.Diff(want.Source["config"], got.Source["config"]); diff != "" {
			t.Errorf("%s: config: %s", name, diff)
		}
	}
}

func TestIngestConfiguresNoOneElse(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	for _, tt := range []struct {
		name, query, auth, reason string
		status                    int
	}{
		{"a server's key", serverKey, "", "source.not_public", 403},
		{"a native key", nativeKey, "", "source.wrong_adapter", 403},
		{"another region's", otherKey, "", "residency.wrong_region", 421},
		{"nobody's", "nobody", "", "credential.unknown", 401},
		{"none", "", "", "credential.missing", 401},
		{"two", publicKey, basic(serverKey), "source.key_mismatch", 401},
		{"can't be checked", brokenKey, "", "credential.unchecked", 503},
	} {
		w := i.ask("GET", configPath+tt.query, map[string]string{"Authorization": tt.auth, "Origin": "http://shop.example.test"})
		var p struct{ Reason string }
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != tt.status || p.Reason != tt.reason {
			t.Errorf("%s: %d %s, want %d %s", tt.name, w.Code, w.Body, tt.status, tt.reason)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" {
			t.Errorf("%s: a browser can't read the answer: %v", tt.name, w.Header())
		}
	}
	pre := i.ask("OPTIONS", configPath+publicKey, map[string]string{"Origin": "http://shop.example.test",
		"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"})
	if pre.Code != 204 || !strings.Contains(pre.Header().Get("Access-Control-Allow-Methods"), "GET") {
		t.Errorf("preflight: %d %v", pre.Code, pre.Header())
	}
	if w := i.ask("POST", "/sourceConfig/", nil); w.Code != 405 || w.Header().Get("Allow") != "GET, OPTIONS" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
	if w := i.ask("GET", "/sourceConfigs", nil); w.Code != 404 || w.Header().Get("Content-Type") == "application/problem+json" {
		t.Errorf("/sourceConfigs was taken for it: %d", w.Code)
	}
}

func TestIngestRefusesMerge(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	const merge = `{"type":"merge","mergeProperties":[{"type":"email","value":"a@example.com"},{"type":"mobile","value":"+447700900101"}],"userId":"u"}`
	if w := i.post(t, "/v1/merge", merge, "Authorization", basic(serverKey)); w.Code != 400 || !strings.Contains(w.Body.String(), `{"success":false,"code":"call.unsupported"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := i.post(t, "/v1/batch", `{"batch":[`+merge+`,`+anEvent+`]}`, "Authorization", basic(serverKey))
	want := []string{serverKey + " refused event.bad_type", serverKey + " track m-1"}
	if diff := cmp.Diff(want, i.took()); diff != "" || w.Code != 200 {
		t.Errorf("in a batch: %d %s %s", w.Code, w.Body, diff)
	}
}

func TestIngestRefusesAnOversizeEventWithoutItsBatch(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	large := `{"type":"track","userId":"u","event":"e","properties":{"x":"` + strings.Repeat("i", 40<<10) + `"}}`
	for _, path := range []string{"/v1/batch", "/v1/import", "/v1/b", "/beacon/v1/batch"} {
		w := i.post(t, path, `{"batch":[`+anEvent+`,`+large+`,`+anEvent+`]}`, "Authorization", basic(serverKey))
		want := []string{serverKey + " track m-1", serverKey + " refused event.too_large", serverKey + " track m-1"}
		if diff := cmp.Diff(want, i.took()); diff != "" || w.Code != 200 {
			t.Errorf("%s: %d %s %s", path, w.Code, w.Body, diff)
		}
	}
}

func TestIngestKnowsTheClientsAddress(t *testing.T) {
	for _, tt := range []struct {
		name, option, remote string
		header               []string
		want                 string
	}{
		{"the peer's", "", "203.0.113.7:1234", nil, "203.0.113.7"},
		{"the peer's, said", "peer", "[2001:db8::7]:1234", nil, "2001:db8::7"},
		{"mapped", "peer", "[::ffff:203.0.113.7]:1234", nil, "203.0.113.7"},
		{"a proxy's", "", "10.1.2.3:1234", nil, ""},
		{"a proxy's here", "", "127.0.0.1:1234", nil, ""},
		{"link-local", "", "[fe80::1%eth0]:1234", nil, ""},
		{"a header nobody asked for", "", "10.1.2.3:1234", []string{"203.0.113.7"}, ""},
		{"none", "none", "203.0.113.7:1234", []string{"203.0.113.7"}, ""},
		{"the header's", "X-Forwarded-For", "10.1.2.3:1234", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		{"the last header's", "x-forwarded-for", "10.1.2.3:1234", []string{"198.51.100.1", "203.0.113.7:55"}, "203.0.113.7"},
		{"in brackets", "X-Forwarded-For", "10.1.2.3:1234", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"two proxies", "X-Forwarded-For", "10.1.2.3:1234", []string{"198.51.100.1, 203.0.113.7, 192.0.2.8"}, "203.0.113.7"},
		{"two proxies, a header each", "X-Forwarded-For", "10.1.2.3:1234", []string{"198.51.100.1,203.0.113.7", "192.0.2.8", "10.1.0.1:80"}, "203.0.113.7"},
		{"proxies alone", "X-Forwarded-For", "10.1.2.3:1234", []string{"192.0.2.8, 10.1.0.1"}, ""},
		{"a mapped proxy", "X-Forwarded-For", "[::ffff:10.1.2.3]:1234", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"a proxy in IPv6", "X-Forwarded-For", "[2001:db8:1::2]:1234", []string{"203.0.113.7"}, "203.0.113.7"},
		{"the header of anybody", "X-Forwarded-For", "203.0.113.9:1234", []string{"198.51.100.1"}, "203.0.113.9"},
		{"the header of a neighbour", "X-Forwarded-For", "10.2.0.1:1234", []string{"198.51.100.1"}, ""},
		{"no address", "X-Forwarded-For", "10.1.2.3:1234", []string{`x","a":"b`}, ""},
		{"no address, behind one", "X-Forwarded-For", "10.1.2.3:1234", []string{"198.51.100.1, unknown, 192.0.2.8"}, ""},
		{"an empty one", "X-Forwarded-For", "10.1.2.3:1234", []string{"198.51.100.1,"}, ""},
		{"no header", "X-Forwarded-For", "10.1.2.3:1234", nil, ""},
	} {
		i := newIntake(api.IngestOptions{ClientIP: tt.option, TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.0.2.8/32"), netip.MustParsePrefix("2001:db8:1::/48")}})
		r := httptest.NewRequest("POST", "/v1/t", strings.NewReader(anEvent))
		r.RemoteAddr = tt.remote
		r.Header["X-Forwarded-For"] = tt.header
		r.Header.Set("Authorization", basic(publicKey))
		w := httptest.NewRecorder()
		i.in.ServeHTTP(w, r)
		want := ""
		if tt.want != "" {
			want = `"ip":"` + tt.want + `"`
		}
		if got := i.content; w.Code != 200 || want == "" && strings.Contains(got, `"ip"`) || !strings.Contains(got, want) {
			t.Errorf("%s: %d, kept %s, want %s", tt.name, w.Code, got, want)
		}
	}
}

// An SDK that is set up for OAuth is told that there is none.
func TestIngestHasNoOAuth(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	c := capturedAt(t, "../../ingest/segment/testdata/segment/node-oauth-token.json")
	r := httptest.NewRequest(c.Request.Method, c.Request.Path, strings.NewReader("grant_type=client_credentials"))
	w := httptest.NewRecorder()
	i.in.First(http.NotFoundHandler()).ServeHTTP(w, r)
	var answer struct{ Error string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 400 || answer.Error != "unsupported_grant_type" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	batch := capturedAt(t, "../../ingest/segment/testdata/segment/node-oauth-batch.json")
	if w := i.post(t, batch.Request.Path, aBatch(`,"writeKey":"`+serverKey+`"`), "Authorization", batch.Request.Headers["authorization"]); w.Code != 401 {
		t.Errorf("a foreign token: %d %s", w.Code, w.Body)
	}
	if got := i.took(); got != nil {
		t.Errorf("took %v", got)
	}
}

// The settings have all that the SDK was content with, but for consent categories.
func TestIngestAnswersTheCapturedQuestionForSettings(t *testing.T) {
	c := capturedAt(t, "../../ingest/segment/testdata/segment/browser-settings.json")
	asked := strings.Replace(c.Request.Path, "wkSyntheticEu0000000000000000001", publicKey, 1)
	w := newIntake(api.IngestOptions{}).ask(c.Request.Method, asked, map[string]string{"Origin": c.Request.Headers["origin"]})
	var want, got map[string]any
	if err := json.Unmarshal(c.Response.Body, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
	}
	delete(want, "consentSettings")
	lacks(t, "", want, got)
}

// lacks reports the members of want's objects that got's have not.
func lacks(t *testing.T, path string, want, got map[string]any) {
	t.Helper()
	for name, value := range want {
		had, has := got[name]
		if !has {
			t.Errorf("the answer lacks %s%s", path, name)
			continue
		}
		if inside, object := value.(map[string]any); object {
			mine, _ := had.(map[string]any)
			lacks(t, path+name+".", inside, mine)
		}
	}
}
