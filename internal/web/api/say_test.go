package api_test

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/web/api"
)

func TestWordsReachTheDataPathAsTheyWereSaid(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		verb, body string
		about      consent.About
		word       string
	}{
		{"consent", `{"purpose":"analytics","word":"refused","at":"2026-01-02T03:04:05Z","how":"form","text_version":"v1"}`, consent.Consent("analytics"), consent.Refused},
		{"object", `{"purpose":"analytics","at":"2026-01-02T03:04:05Z","how":"form"}`, consent.Objection("analytics"), consent.Objects},
		{"unobject", `{"purpose":"analytics","at":"2026-01-02T03:04:05Z","how":"form"}`, consent.Objection("analytics"), consent.Lifted},
		{"optout", `{"opt_out":"marketing","at":"2026-01-02T03:04:05Z","how":"form"}`, consent.OptOut("marketing"), consent.Out},
		{"optin", `{"opt_out":"marketing","at":"2026-01-02T03:04:05Z","how":"form"}`, consent.OptOut("marketing"), consent.In},
	} {
		w := newWorld(t)
		res := w.do("POST", "/api/v1/subjects/"+sub+":"+tt.verb, tt.body)
		if res.status != 200 {
			t.Fatalf("%s: %d %s", tt.verb, res.status, res.body)
		}
		got := w.plane.said
		if got.About != tt.about || got.Word != tt.word || got.How != "form" || !got.At.Equal(at) || (tt.verb == "consent") != (got.Text == "v1") {
			t.Errorf("%s: %+v", tt.verb, got)
		}
		var body struct{ Consents []map[string]any }
		if err := json.Unmarshal(res.body, &body); err != nil || len(body.Consents) != 1 || body.Consents[0]["word"] != tt.word {
			t.Errorf("%s: %s", tt.verb, res.body)
		}
	}
}

func TestWhatIsToBeAskedAgainIsShown(t *testing.T) {
	w := newWorld(t)
	res := w.do("POST", "/api/v1/subjects/"+sub+":consent", `{"purpose":"analytics","word":"given","text_version":"v1"}`)
	if !strings.Contains(string(res.body), `"ask_again":{"version":"v3","from":"2026-12-25"}`) {
		t.Errorf("%d %s", res.status, res.body)
	}
	res = w.do("POST", "/api/v1/subjects/"+sub+":consent", `{"purpose":"analytics","word":"given"}`)
	if strings.Contains(string(res.body), "ask_again") {
		t.Errorf("nothing is to be asked: %s", res.body)
	}
	res = w.do("GET", "/api/v1/consents/ask-again?purpose=analytics&limit=7&after="+sub, "")
	if want := (api.Query{Kind: "analytics", After: sub, Limit: 7}); res.status != 200 || w.plane.query != want {
		t.Errorf("%d %+v", res.status, w.plane.query)
	}
	if s := string(res.body); !strings.Contains(s, `"counts":true`) || !strings.Contains(s, `"ask_again":{"version":"v3","from":"2026-12-25"}`) || !strings.Contains(s, `"next":"`+sub+`"`) {
		t.Errorf("%s", s)
	}
	for _, q := range []string{"limit=0", "limit=1001", "after=ann@example.com", "purposes=x"} {
		if res := w.do("GET", "/api/v1/consents/ask-again?"+q, ""); res.status != 400 || strings.Contains(string(res.body), "ann@example.com") {
			t.Errorf("%s: %d %s", q, res.status, res.body)
		}
	}
}

func TestWordsThatAreNoneAreRefused(t *testing.T) {
	w := newWorld(t)
	for path, body := range map[string]string{":consent": `{"purpose":"analytics","word":"yes"}`, ":optout": `{"opt_out":"everything"}`,
		":object": `{}`, ":optin": `{"opt_out":"cpni","how":"Ann <ann@example.com>"}`} {
		if res := w.do("POST", "/api/v1/subjects/"+sub+path, body); res.status != 400 || strings.Contains(string(res.body), "ann@example.com") {
			t.Errorf("%s: %d %s", path, res.status, res.body)
		}
	}
}

func TestGPCIsExactlyOneAndOfABrowser(t *testing.T) {
	for _, tt := range []struct {
		key    string
		values []string
		want   bool
	}{
		{publicKey, []string{"1"}, true}, {publicKey, []string{"0", "1"}, true}, {publicKey, nil, false}, {publicKey, []string{"0"}, false},
		{publicKey, []string{"true"}, false}, {publicKey, []string{"1, 1"}, false}, {serverKey, []string{"1"}, false},
	} {
		r := httptest.NewRequest("POST", "/v1/track", nil)
		r.Header.Set("Authorization", basic(tt.key))
		for _, name := range []string{"Sec-Gpc", "Dnt"} { // Do Not Track is taken for the same
			i := newIntake(api.IngestOptions{})
			r := r.Clone(r.Context())
			r.Body = io.NopCloser(strings.NewReader(anEvent))
			r.Header[name] = tt.values
			res := httptest.NewRecorder()
			i.in.First(nil).ServeHTTP(res, r)
			if res.Code != 200 || i.gpc != tt.want {
				t.Errorf("%s %v of %s: %d, signal %v, want %v", name, tt.values, tt.key, res.Code, i.gpc, tt.want)
			}
		}
	}
}
