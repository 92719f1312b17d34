package api_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/web/api"
)

func TestPathsReachTheirCalls(t *testing.T) {
	for _, tt := range []struct{ name, method, path, body, want string }{
		{"a verb", "POST", "/api/v1/subjects/" + sub + ":erase", "", "erase"},
		{"a verb, its colon encoded", "POST", "/api/v1/subjects/" + sub + "%3Aerase", "", "erase"},
		{"a verb, in lower-case encoding", "POST", "/api/v1/subjects/" + sub + "%3arestrict", "", "restrict"},
		{"a verb of the list", "POST", "/api/v1/subjects:find", `{"identifiers":[{"type":"email","value":"a@b.c"}]}`, "find"},
		{"the same, encoded", "POST", "/api/v1/subjects%3Afind", `{"identifiers":[{"type":"email","value":"a@b.c"}]}`, "find"},
		{"no verb", "GET", "/api/v1/subjects/" + sub, "", "subject"},
		{"a body-less HEAD", "HEAD", "/api/v1/subjects/" + sub, "", "subject"},
		{"below", "GET", "/api/v1/subjects/" + sub + "/records", "", "records"},
		{"an id with a colon", "GET", "/api/v1/records/by-client-id/a:b", "", "by-client-id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if r := w.do(tt.method, tt.path, tt.body); r.status != 200 {
				t.Fatalf("status %d: %s", r.status, r.body)
			}
			if diff := cmp.Diff(w.plane.calls, []string{tt.want}); diff != "" {
				t.Errorf("calls (-got +want):\n%s", diff)
			}
			if w.plane.caller.TenantID != "acme" {
				t.Errorf("caller is %q, want acme", w.plane.caller.TenantID)
			}
		})
	}
}

func TestClientIDsMayHoldAnything(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{"a%2Fb": "a/b", "%2B353851234567": "+353851234567", "x%25y": "x%y", "a%20b": "a b", "14c5d75ce93.dfd.64b469": "14c5d75ce93.dfd.64b469"} {
		if r := w.do("GET", "/api/v1/records/by-client-id/"+path, ""); r.status != 200 || w.plane.client != want {
			t.Errorf("%s: status %d, asked for %q, want %q", path, r.status, w.plane.client, want)
		}
	}
}

func TestWrongPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api/v1/nothing", 404, ""},
		{"GET", "/api/v1/subjects/", 404, ""},
		{"POST", "/api/v1/subjects/" + sub + ":explode", 404, ""},
		{"POST", "/api/v1/subjects/:erase", 404, ""},
		{"GET", "/api/v1/subjects/" + sub + "/records/", 404, ""},
		{"GET", "/api/v1/subjects/" + sub + ":erase", 405, "POST"},
		{"DELETE", "/api/v1/subjects/" + sub, 405, "GET, HEAD"},
		{"PATCH", "/api/v1/tenants", 405, "GET, HEAD, POST"},
		{"GET", "/api/v1/subjects:find", 405, "POST"},
		{"OPTIONS", "/api/v1/subjects:find", 204, "POST"},
	} {
		r := w.do(tt.method, tt.path, "")
		if r.status != tt.status || r.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: status %d, Allow %q, want %d, %q", tt.method, tt.path, r.status, r.header.Get("Allow"), tt.status, tt.allow)
		}
		if r.status >= 400 {
			r.problem(t)
		}
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	elsewhere := strings.Replace(w.token, "_ie1_", "_us1_", 1)
	for _, tt := range []struct {
		name, auth string
		status     int
		reason     string
	}{
		{"none", "", 401, "credential.missing"},
		{"another scheme", "Basic eDp5", 401, "credential.bad_scheme"},
		{"unknown", "Bearer dtk_ie1_" + strings.Repeat("b", 52), 401, "credential.unknown"},
		{"of another region", "Bearer " + elsewhere, 421, "residency.wrong_region"},
		{"the operator's", "Bearer " + operatorToken, 403, "operator.no_data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := w.do("GET", "/api/v1/subjects/"+sub, "", "Authorization", tt.auth)
			if got := r.problem(t); r.status != tt.status || got != tt.reason {
				t.Errorf("%d %s, want %d %s", r.status, got, tt.status, tt.reason)
			}
			if tt.status == 401 && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("a 401 without WWW-Authenticate")
			}
			if tt.status == 421 && r.json(t)["url"] != "https://us1.example.com" {
				t.Error("the right address is missing")
			}
		})
	}
	if n := w.plane.count(); n > 0 {
		t.Errorf("%d calls got through", n)
	}
}

// canary stands in bad requests where a person could. No answer and no log line may repeat it.
const canary = "kanarienvogel"

func TestBadRequestsAreClearAndRepeatNothing(t *testing.T) {
	w := newWorld(t)
	find, rec, hold := "/api/v1/subjects:find", "/api/v1/subjects/"+sub+"/records", "/api/v1/subjects/"+sub+":hold"
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		reason                   string
	}{
		{"no body", "POST", find, "", 400, "request.no_body"},
		{"no JSON", "POST", find, canary, 400, "request.bad_json"},
		{"cut short", "POST", find, `{"identifiers":[{"type":"` + canary, 400, "request.bad_json"},
		{"more than one", "POST", find, `{"identifiers":[{"type":"email","value":"x"}]} {"` + canary + `":1}`, 400, "request.bad_json"},
		{"unknown member", "POST", find, `{"` + canary + `":1}`, 400, "request.unknown_member"},
		{"wrong type", "POST", find, `{"identifiers":"` + canary + `"}`, 400, "request.wrong_type"},
		{"not UTF-8", "POST", find, "{\"identifiers\":[{\"type\":\"email\",\"value\":\"" + canary + "\xff\"}]}", 400, "request.bad_json"},
		{"nobody", "POST", find, `{"identifiers":[]}`, 400, "identifiers.count"},
		{"bad type", "POST", find, `{"identifiers":[{"type":"E-Mail ` + canary + `","value":"x"}]}`, 400, "identifier.bad_type"},
		{"no value", "POST", find, `{"identifiers":[{"type":"email","value":""}]}`, 400, "identifier.bad_value"},
		{"over-size", "POST", find, `{"identifiers":[{"type":"email","value":"` + strings.Repeat("a", 70<<10) + `"}]}`, 413, "request.too_large"},
		{"bad subject", "GET", "/api/v1/subjects/" + canary, "", 400, "subject.bad_id"},
		{"bad subject to erase", "POST", "/api/v1/subjects/" + canary + ":erase", "", 400, "subject.bad_id"},
		{"bad entry", "GET", "/api/v1/ledger/entries/" + canary, "", 400, "ledger.bad_id"},
		{"limit of none", "GET", rec + "?limit=0", "", 400, "request.bad_limit"},
		{"limit over the most", "GET", rec + "?limit=1001", "", 400, "request.bad_limit"},
		{"limit in words", "GET", rec + "?limit=" + canary, "", 400, "request.bad_limit"},
		{"unknown parameter", "GET", rec + "?" + canary + "=1", "", 400, "request.unknown_parameter"},
		{"repeated parameter", "GET", rec + "?kind=a&kind=" + canary, "", 400, "request.repeated_parameter"},
		{"malformed query", "GET", rec + "?kind=%zz" + canary, "", 400, "request.bad_query"},
		{"unknown purpose", "GET", rec + "?purpose=" + canary, "", 400, "request.bad_purpose"},
		{"unknown format", "GET", "/api/v1/subjects/" + sub + "/export?format=" + canary, "", 400, "request.bad_format"},
		{"erase, unknown member", "POST", "/api/v1/subjects/" + sub + ":erase", `{"` + canary + `":1}`, 400, "request.unknown_member"},
		{"erase, endless reason", "POST", "/api/v1/subjects/" + sub + ":erase", `{"reason":"` + strings.Repeat("a", 501) + `"}`, 400, "reason.too_long"},
		{"hold, no JSON", "POST", hold, canary, 400, "request.bad_json"},
		{"hold, unknown member", "POST", hold, `{"` + canary + `":"` + canary + `"}`, 400, "request.invalid"},
		{"hold, no time", "POST", hold, `{"until":"` + canary + `"}`, 400, "request.invalid"},
		{"hold, wrong type", "POST", hold, `{"reason":["` + canary + `"]}`, 400, "request.invalid"},
		{"hold, in the past", "POST", hold, `{"until":"2026-01-01T00:00:00Z"}`, 400, "hold.past"},
		{"hold, over-size", "POST", hold, `{"reason":"` + strings.Repeat("a", 70<<10) + `"}`, 413, "request.too_large"},
		{"stats, no time", "GET", "/api/v1/stats?since=" + canary, "", 400, "request.bad_time"},
		{"stats, unknown parameter", "GET", "/api/v1/stats?" + canary + "=1", "", 400, "request.invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := w.do(tt.method, tt.path, tt.body)
			if got := r.problem(t); r.status != tt.status || got != tt.reason {
				t.Errorf("%d %s, want %d %s: %s", r.status, got, tt.status, tt.reason, r.body)
			}
			if bytes.Contains(r.body, []byte(canary)) || bytes.Contains(r.body, []byte("aaaaaaaa")) {
				t.Errorf("the answer repeats what was sent: %s", r.body)
			}
		})
	}
	if n := w.plane.count(); n > 0 {
		t.Errorf("%d calls got through", n)
	}
	if strings.Contains(w.log.String(), canary) {
		t.Error("the log repeats what was sent")
	}
	if !strings.Contains(w.log.String(), "subjects/{subject}") || strings.Contains(w.log.String(), sub) {
		t.Error("the log names routes, and nobody's id")
	}
}

func TestFaultsBecomeProblems(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		member string
	}{
		{fault.New(fault.Gone, "subject.erased", "erased").With("receipt", "rcp_x"), 410, "receipt"},
		{fault.New(fault.NotFound, "subject.not_found", "nobody"), 404, ""},
		{fault.New(fault.Conflict, "hold.in_force", "held"), 409, ""},
		{fault.New(fault.Forbidden, "subject.restricted", "restricted"), 403, ""},
		{fault.New(fault.Unavailable, "store.busy", "busy"), 503, ""},
		{fmt.Errorf("open %s: no such thing", canary), 500, ""},
		{fault.New(fault.Internal, "store.broken", canary), 500, ""},
	} {
		for _, call := range []string{"GET /api/v1/subjects/" + sub, "GET /api/v1/subjects/" + sub + "/records", "POST /api/v1/subjects/" + sub + ":restrict",
			"GET /api/v1/subjects/" + sub + "/export", "GET /api/v1/subjects/" + sub + "/export?format=zip", "GET /api/v1/stats"} {
			w := newWorld(t)
			w.plane.fail = tt.err
			method, path, _ := strings.Cut(call, " ")
			r := w.do(method, path, "")
			reason := r.problem(t)
			if r.status != tt.status || tt.status == 500 && reason != "internal" || tt.status != 500 && reason != fault.ReasonOf(tt.err) {
				t.Errorf("%s: %d %s, want %d %v", call, r.status, reason, tt.status, tt.err)
			}
			if tt.member != "" && r.json(t)[tt.member] == nil {
				t.Errorf("%s: %s is missing", call, tt.member)
			}
			if tt.status == 503 && r.header.Get("Retry-After") == "" {
				t.Errorf("%s: a 503 without Retry-After", call)
			}
			if strings.Contains(string(r.body), canary) {
				t.Errorf("%s: the answer tells what is inside", call)
			}
		}
	}
}

func TestArgumentsArriveAsTheyWereSent(t *testing.T) {
	w := newWorld(t)
	w.do("GET", "/api/v1/subjects/"+sub+"/records?kind=track&after=cur_1&limit=7&purpose=legal-claims", "")
	if diff := cmp.Diff(w.plane.query, api.Query{Kind: "track", After: "cur_1", Limit: 7, Purpose: "legal-claims"}); diff != "" {
		t.Errorf("records (-got +want):\n%s", diff)
	}
	w.do("GET", "/api/v1/subjects/"+sub+"/records", "")
	if w.plane.query.Limit != 100 {
		t.Errorf("limit %d where none was asked for, want 100", w.plane.query.Limit)
	}
	w.do("POST", "/api/v1/subjects/"+sub+":erase", `{"reason":"art. 17","suppress":true}`)
	if diff := cmp.Diff(w.plane.erase, api.EraseRequest{Reason: "art. 17", Suppress: true}); diff != "" {
		t.Errorf("erase (-got +want):\n%s", diff)
	}
	w.do("POST", "/api/v1/subjects:find", `{"identifiers":[{"type":"email","value":"a@b.c"},{"type":"vin","value":"W0L"}]}`)
	if diff := cmp.Diff(w.plane.ids, []api.Identifier{{Type: "email", Value: "a@b.c"}, {Type: "vin", Value: "W0L"}}); diff != "" {
		t.Errorf("find (-got +want):\n%s", diff)
	}
	// curl calls all it sends a form.
	r := w.do("POST", "/api/v1/subjects/"+sub+":hold", `{"reason":"suit","until":"2026-04-01T00:00:00+02:00"}`, "Content-Type", "application/x-www-form-urlencoded")
	if want := time.Date(2026, 3, 31, 22, 0, 0, 0, time.UTC); r.status != 200 || !w.plane.until.Equal(want) || w.plane.reason != "suit" {
		t.Errorf("hold: status %d, until %v, reason %q", r.status, w.plane.until, w.plane.reason)
	}
	w.do("POST", "/api/v1/subjects/"+sub+":release", "")
	if w.plane.reason != "" {
		t.Errorf("release without a body has the reason %q", w.plane.reason)
	}
	w.do("GET", "/api/v1/stats?since=2026-01-01T00:00:00Z", "")
	if want := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); !w.plane.since.Equal(want) {
		t.Errorf("since %v, want %v", w.plane.since, want)
	}
}

func TestAnswersAreNotCachedAndNotSniffed(t *testing.T) {
	w := newWorld(t)
	r := w.do("GET", "/api/v1/subjects/"+sub, "")
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Type": "application/json"} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
