package client_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

// node answers every request with status and body, and notes what it was asked.
func node(t *testing.T, status int, body string) (*client.Client, *[]string) {
	t.Helper()
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = append(asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(b)))
		if r.Header.Get("Authorization") != "Bearer tok" {
			t.Errorf("%s without the token", r.Method)
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	c, err := client.New(s.URL+"/", "tok", s.Client())
	if err != nil {
		t.Fatal(err)
	}
	return c, &asked
}

func TestCallsAreThoseOfTheAPI(t *testing.T) {
	c, asked := node(t, 200, "{}")
	ctx := t.Context()
	errs := []error{}
	note := func(_ any, err error) { errs = append(errs, err) }
	note(c.Find(ctx, client.Identifier{Type: "email", Value: "a@b.c"}))
	note(c.Records(ctx, "sub_a", client.Query{Kind: "track", Limit: 5, After: "c", Purpose: "consent"}))
	note(c.RecordsByClientID(ctx, "a/b:c"))
	note(c.Erase(ctx, "sub_a", "why", true))
	note(c.Hold(ctx, "sub_a", "", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)))
	note(c.Stats(ctx, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	note(c.RotateSource(ctx, "acme", "src_x", "", time.Minute))
	note(c.RotateToken(ctx, "acme", client.OnlyToken, 0))
	note(c.SetTenant(ctx, "acme", "disable"))
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if diff := cmp.Diff(*asked, []string{
		`POST /api/v1/subjects:find {"identifiers":[{"type":"email","value":"a@b.c"}]}`,
		`GET /api/v1/subjects/sub_a/records?after=c&kind=track&limit=5&purpose=consent`,
		`GET /api/v1/records/by-client-id/a%2Fb:c`,
		`POST /api/v1/subjects/sub_a:erase {"reason":"why","suppress":true}`,
		`POST /api/v1/subjects/sub_a:hold {"reason":"","until":"2027-01-01T00:00:00Z"}`,
		`GET /api/v1/stats?since=2026-01-01T00%3A00%3A00Z`,
		`POST /api/v1/tenants/acme/sources/src_x:rotate {"grace_seconds":60}`,
		`POST /api/v1/tenants/acme/tokens/-:rotate {"grace_seconds":0}`,
		`POST /api/v1/tenants/acme:disable`,
	}); diff != "" {
		t.Errorf("calls (-got +want):\n%s", diff)
	}
}

func TestProblemsComeBackAsFaults(t *testing.T) {
	c, _ := node(t, 410, `{"type":"urn:domicile:problem:subject.erased","title":"Gone","status":410,"detail":"erased","reason":"subject.erased","hint":"h","request":"req_x","receipt":"rcp_x"}`)
	_, err := c.Subject(t.Context(), "sub_a")
	f, ok := fault.As(err)
	if !ok {
		t.Fatalf("%v is no fault", err)
	}
	want := &fault.Error{Kind: fault.Gone, Reason: "subject.erased", Public: "erased", Hint: "h", RetryAfterSeconds: 7,
		Extra: map[string]any{"request": "req_x", "receipt": "rcp_x"}}
	if diff := cmp.Diff(f, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestOtherAnswersAreFaultsToo(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		kind   fault.Kind
		reason string
	}{
		{502, "<html>", fault.Internal, "node.answered_502"},
		{503, "", fault.Unavailable, "node.answered_503"},
		{200, "<html>", fault.Unavailable, "node.bad_answer"},
	} {
		c, _ := node(t, tt.status, tt.body)
		_, err := c.Subject(t.Context(), "sub_a")
		if fault.KindOf(err) != tt.kind || fault.ReasonOf(err) != tt.reason {
			t.Errorf("%d %q: %v, want %s", tt.status, tt.body, err, tt.reason)
		}
	}
}

func TestNoNodeNamesNoPath(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c, err := client.New(s.URL, "tok", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.RecordsByClientID(t.Context(), "+353851234567")
	if fault.ReasonOf(err) != "node.unreachable" || strings.Contains(err.Error(), "851234567") {
		t.Errorf("%v", err)
	}
	if _, err := client.New("not an address", "", nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}

func TestUpNamesRegionsAndTheirCredentials(t *testing.T) {
	dir := t.TempDir()
	if _, err := client.ReadUp(dir); fault.ReasonOf(err) != "up.missing" {
		t.Errorf("%v", err)
	}
	var auth string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, "{}")
	}))
	defer s.Close()
	b, _ := json.Marshal(map[string]any{"version": 1, "regions": []map[string]any{
		{"id": "ie1", "url": "http://127.0.0.1:1", "api_token": "dtk_ie1_x"}, {"id": "us1", "url": s.URL, "api_token": "dtk_us1_x"}}})
	write(t, filepath.Join(dir, "up.json"), string(b))
	write(t, filepath.Join(dir, "us1", "operator.token"), "dok_us1_x\n")
	u, err := client.ReadUp(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := u.Region(""); err != nil || r.ID != "ie1" {
		t.Errorf("default region %s, %v, want the first", r.ID, err)
	}
	if _, err := u.Region("xx1"); fault.ReasonOf(err) != "up.no_region" {
		t.Errorf("%v", err)
	}
	r, err := u.Region("us1")
	if err != nil {
		t.Fatal(err)
	}
	for want, open := range map[string]func(client.Region, *http.Client) (*client.Client, error){"Bearer dtk_us1_x": u.Tenant, "Bearer dok_us1_x": u.Operator} {
		c, err := open(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Tenants(t.Context()); err != nil || auth != want {
			t.Errorf("%q, %v, want %q", auth, err, want)
		}
	}
	write(t, filepath.Join(dir, "up.json"), `{"version":9}`)
	if _, err := client.ReadUp(dir); fault.ReasonOf(err) != "up.malformed" {
		t.Errorf("%v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
