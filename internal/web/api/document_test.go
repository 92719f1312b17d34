package api_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is the OpenAPI document, as far as the tests read it.
type document struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Parameters  []struct {
			Name, In string
			Required bool
			Schema   map[string]any
		}
		Tags        []string
		RequestBody *struct {
			Required bool
			Content  map[string]any
		}
		Responses map[string]struct{ Content map[string]any }
	}
}

func readDocument(t *testing.T, w *world) (document, *jsonschema.Compiler) {
	t.Helper()
	r := w.do("GET", "/api/openapi.json", "", "Authorization", "")
	var d document
	if err := json.Unmarshal(r.body, &d); err != nil {
		t.Fatalf("%d: %v", r.status, err)
	}
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///openapi.json", raw); err != nil {
		t.Fatal(err)
	}
	return d, c
}

// pointer escapes a path for a JSON pointer in a URL.
func pointer(s string) string {
	return url.PathEscape(strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1"))
}

// calls are requests that succeed, one or more for every operation of the document.
func calls(w *world, tenantSource string) map[string][][2]string {
	return map[string][][2]string{ // by operation: path and body
		"find-subject":             {{"/api/v1/subjects:find", `{"identifiers":[{"type":"email","value":"a@b.c"}]}`}},
		"resolve-pseudonym":        {{"/api/v1/pseudonyms:resolve", `{"recipient":"sp-13","purpose":"p","pseudonym":"psn_` + strings.Repeat("a", 26) + `","reason":"request"}`}},
		"get-subject":              {{"/api/v1/subjects/" + sub, ""}},
		"erase-subject":            {{"/api/v1/subjects/" + sub + ":erase", ""}, {"/api/v1/subjects/" + sub + ":erase", `{"reason":"r","suppress":true}`}},
		"restrict-subject":         {{"/api/v1/subjects/" + sub + ":restrict", ""}, {"/api/v1/subjects/" + sub + ":restrict", `{"reason":"r"}`}},
		"unrestrict-subject":       {{"/api/v1/subjects/" + sub + ":unrestrict", ""}},
		"hold-subject":             {{"/api/v1/subjects/" + sub + ":hold", ""}, {"/api/v1/subjects/" + sub + ":hold", `{"until":"2027-01-01T00:00:00Z"}`}},
		"release-subject":          {{"/api/v1/subjects/" + sub + ":release", ""}},
		"consent-subject":          {{"/api/v1/subjects/" + sub + ":consent", `{"purpose":"analytics","word":"given","text_version":"privacy-2026-11","at":"2026-01-01T00:00:00Z","how":"form"}`}},
		"object-subject":           {{"/api/v1/subjects/" + sub + ":object", `{"purpose":"analytics"}`}},
		"unobject-subject":         {{"/api/v1/subjects/" + sub + ":unobject", `{"purpose":"analytics"}`}},
		"optout-subject":           {{"/api/v1/subjects/" + sub + ":optout", `{"opt_out":"cpni"}`}},
		"optin-subject":            {{"/api/v1/subjects/" + sub + ":optin", `{"opt_out":"cpni"}`}},
		"retire-identifiers":       {{"/api/v1/subjects/" + sub + "/identifiers:retire", `{"identifiers":[{"type":"phone","value":"+353851234567"}]}`}},
		"link-identifiers":         {{"/api/v1/subjects/" + sub + "/identifiers:link", `{"identifiers":[{"type":"phone","value":"+353851234567"}]}`}},
		"list-records":             {{"/api/v1/subjects/" + sub + "/records", ""}},
		"get-records-by-client-id": {{"/api/v1/records/by-client-id/m1", ""}},
		"get-media":                {{"/api/v1/records/" + aRecord(1).ID.String() + "/media/" + oneMedia.String(), ""}},
		"export-subject":           {{"/api/v1/subjects/" + sub + "/export", ""}, {"/api/v1/subjects/" + sub + "/export?format=zip", ""}},
		"get-ledger-entry":         {{"/api/v1/ledger/entries/led_" + strings.Repeat("a", 20), ""}},
		"get-stats":                {{"/api/v1/stats", ""}, {"/api/v1/stats?since=2026-01-01T00:00:00Z", ""}},
		"list-refusals":            {{"/api/v1/refusals", ""}},
		"list-ask-again":           {{"/api/v1/consents/ask-again?purpose=analytics&limit=5", ""}},
		"list-violations":          {{"/api/v1/violations", ""}},
		"create-tenant":            {{"/api/v1/tenants", `{"id":"another"}`}},
		"list-tenants":             {{"/api/v1/tenants", ""}},
		"disable-tenant":           {{"/api/v1/tenants/another:disable", ""}},
		"enable-tenant":            {{"/api/v1/tenants/another:enable", ""}},
		"open-move":                {{"/api/v1/moves", `{"from":"us1"}`}},
		"get-move":                 {{"/api/v1/moves/mov_us1_a", ""}},
		"get-subject-move":         {{"/api/v1/subjects/" + sub + "/move", ""}},
		"begin-move":               {{"/api/v1/subjects/" + sub + ":move", `{"to":"us1","move":"mov_us1_a","public_key":"YQ=="}`}},
		"get-move-page":            {{"/api/v1/moves/mov_us1_a/page?n=1", ""}},
		"take-move-page":           {{"/api/v1/moves/mov_us1_a:take", `{"n":1,"sealed":"YQ=="}`}},
		"get-move-person":          {{"/api/v1/moves/mov_us1_a/person", ""}},
		"arrive-move":              {{"/api/v1/moves/mov_us1_a:arrive", `{"sealed":"YQ=="}`}},
		"commit-move": {{"/api/v1/moves/mov_us1_a:commit",
			`{"subject":"` + sub + `","records":1,"person":"YQ==","media":"YQ==","entry":"led_` + strings.Repeat("a", 20) + `","mac":"YQ=="}`}},
		"list-move-media":    {{"/api/v1/moves/mov_us1_a/media", ""}},
		"missing-move-media": {{"/api/v1/moves/mov_us1_a:missing", `{"media":[{"record":"` + aMedium.Record.String() + `","n":0,"id":"` + aMedium.Media.String() + `","bytes":1}]}`}},
		"get-move-medium":    {{"/api/v1/moves/mov_us1_a/media/" + aMedium.Record.String(), ""}},
		"take-move-medium":   {{"/api/v1/moves/mov_us1_a/media/" + aMedium.Record.String(), "sealed"}},
		"activate-move":      {{"/api/v1/moves/mov_us1_a:activate", `{"proof":"YQ=="}`}},
		"cancel-move":        {{"/api/v1/moves/mov_us1_a:cancel", ""}, {"/api/v1/moves/mov_us1_a:cancel", `{"proof":"YQ=="}`}},
		"get-settings":       {{"/api/v1/tenants/acme/settings", ""}},
		"set-settings": {{"/api/v1/tenants/acme/settings", `{"placement":[{"by":"residence","countries":{"EEA":"ie1","*":"us1"}},{"by":"source"}]}`},
			{"/api/v1/tenants/acme/settings", `{"pin":true}`}, {"/api/v1/tenants/acme/settings", `{"placement":[]}`}},
		"create-source": {{"/api/v1/tenants/acme/sources", `{"adapter":"segment","service":"cdp","trust":"public"}`},
			{"/api/v1/tenants/acme/sources", `{"adapter":"whatsapp","account_sid":"WABA-1","secret":"` + hookToken + `"}`}},
		"list-sources":       {{"/api/v1/tenants/acme/sources", ""}},
		"rotate-source":      {{"/api/v1/tenants/acme/sources/" + tenantSource + ":rotate", ""}, {"/api/v1/tenants/acme/sources/" + tenantSource + ":rotate", `{"grace_seconds":60}`}},
		"disable-source":     {{"/api/v1/tenants/acme/sources/" + tenantSource + ":disable", ""}},
		"enable-source":      {{"/api/v1/tenants/acme/sources/" + tenantSource + ":enable", ""}},
		"create-token":       {{"/api/v1/tenants/another/tokens", ""}},
		"list-tokens":        {{"/api/v1/tenants/another/tokens", ""}},
		"rotate-token":       {{"/api/v1/tenants/acme/tokens/-:rotate", `{"grace_seconds":60}`}},
		"get-keys":           {{"/api/v1/keys", ""}},
		"rotate-index-key":   {{"/api/v1/keys:rotate-index", ""}},
		"list-facts":         {{"/api/v1/register", ""}, {"/api/v1/register?kind=pauses&history=true&limit=5", ""}},
		"add-facts":          {{"/api/v1/register", `{"facts":[{"kind":"pauses","fact":{"flow":"home","reason":"an incident","from":"2026-01-01"}}]}`}},
		"list-due":           {{"/api/v1/register/due", ""}, {"/api/v1/register/due?within=3", ""}},
		"decide":             {{"/api/v1/decide", `{"flow":"no_such","kind":"track"}`}, {"/api/v1/decide", `{"flow":"no_such","kind":"track","at":"2026-01-01","origins":["DE"],"states":["restricted"]}`}},
		"list-volumes":       {{"/api/v1/volumes?days=7", ""}},
		"strike-fact":        {}, // needs an id, see TestATenantsOwnFacts
		"list-flows":         {{"/api/v1/flows", ""}},
		"get-flow":           {{"/api/v1/flows/counts", ""}},
		"list-notices":       {{"/api/v1/notices", ""}},
		"list-heard-notices": {{"/api/v1/heard-notices", ""}},
		"close-heard-notice": {{"/api/v1/heard-notices/hrd_aaaaaaaaaaaaaaaaaaaaaaaa:close", ""}},
		"start-flow":         {{"/api/v1/flows/counts:start", ""}, {"/api/v1/flows/counts:start", `{"tenant":"acme","from":"2026-11-25"}`}},
		"pause-flow":         {{"/api/v1/flows/counts:pause", ""}},
		"resume-flow":        {{"/api/v1/flows/counts:resume", ""}},
		"replay-flow":        {{"/api/v1/flows/counts:replay", `{"from":"7"}`}},
		"retry-flow":         {{"/api/v1/flows/counts:retry", ""}},
		"skip-flow":          {{"/api/v1/flows/counts:skip", `{"tenant":"acme"}`}},
		"disable-token":      {}, // needs an id, see TestTokensAreTheOperators
		"enable-token":       {},
	}
}

// forOperator says that an operation is the operator's.
var forOperator = regexp.MustCompile(`-(tenants?|tokens?|keys?|facts?|due)$|^(start|pause|resume|replay|retry|skip)-flow$`)

func TestDocumentAndHandlersAreInStep(t *testing.T) {
	w := newWorld(t)
	d, schemas := readDocument(t, w)
	if d.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s, want 3.1.0", d.OpenAPI)
	}
	made := w.do("POST", "/api/v1/tenants/acme/sources", `{"adapter":"native"}`)
	source := made.json(t)["source"].(map[string]any)["id"].(string)
	examples := calls(w, source)
	w.do("POST", "/api/v1/tenants", `{"id":"another"}`, "Authorization", "Bearer "+operatorToken)
	n := 0
	for path, item := range d.Paths {
		for method, op := range item {
			if slices.Contains(op.Tags, "Sending") { // TestHowToSendIsDocumented
				continue
			}
			n++
			all, known := examples[op.OperationID]
			if !known {
				t.Errorf("%s %s (%s) has no example here", method, path, op.OperationID)
			}
			auth := w.token
			if forOperator.MatchString(op.OperationID) {
				auth = operatorToken
			}
			for _, ex := range all {
				if op.OperationID == "create-tenant" {
					ex[1] = `{"id":"third"}`
				}
				r := w.do(strings.ToUpper(method), ex[0], ex[1], "Authorization", "Bearer "+auth)
				want, documented := "", false
				for status, res := range op.Responses {
					if status[0] == '2' {
						want = status
						mediaType, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
						_, documented = res.Content[mediaType]
						documented = documented || mediaType == "" && len(res.Content) == 0
					}
				}
				if got := r.status; !documented || want == "" || got != int(want[0]-'0')*100+int(want[2]-'0') {
					t.Errorf("%s %s: %d %s, of which the document says nothing: %s", method, ex[0], r.status, r.header.Get("Content-Type"), r.body)
					continue
				}
				if r.header.Get("Content-Type") != "application/json" {
					continue
				}
				check(t, schemas, "/paths/"+pointer(path)+"/"+method+"/responses/"+want+"/content/"+pointer("application/json")+"/schema", r.body)
				if ex[1] != "" {
					check(t, schemas, "/paths/"+pointer(path)+"/"+method+"/requestBody/content/"+pointer("application/json")+"/schema", []byte(ex[1]))
				}
			}
			if op.RequestBody != nil && op.RequestBody.Required {
				if r := w.do(strings.ToUpper(method), all[0][0], "", "Authorization", "Bearer "+auth); r.status != 400 {
					t.Errorf("%s: the body is required, and without it the answer is %d", op.OperationID, r.status)
				}
			}
			checkParameters(t, w, op.OperationID, method, all, auth, d)
		}
	}
	if n != len(examples) {
		t.Errorf("the document has %d operations, the examples %d", n, len(examples))
	}
}

// checkParameters sends each documented query parameter, and one that isn't.
func checkParameters(t *testing.T, w *world, id, method string, all [][2]string, auth string, d document) {
	t.Helper()
	if method != "get" || len(all) == 0 {
		return
	}
	path, _, _ := strings.Cut(all[0][0], "?")
	samples := map[string]string{"limit": "5", "since": "2026-01-01T00:00:00Z", "purpose": "consent", "format": "zip", "n": "2", "days": "2", "within": "2", "kind": "pauses", "history": "true", "after": "1", "record": aMedium.Record.String()}
	for _, item := range d.Paths {
		op := item["get"]
		if op.OperationID != id {
			continue
		}
		for _, p := range op.Parameters {
			sample := samples[p.Name]
			if sample == "" {
				sample = "x"
			}
			if id == "list-ask-again" && p.Name == "after" {
				sample = sub
			}
			if p.In == "query" {
				if r := w.do("GET", path+"?"+p.Name+"="+sample, "", "Authorization", "Bearer "+auth); r.status != 200 {
					t.Errorf("%s: documented parameter %s is answered %d", id, p.Name, r.status)
				}
			}
		}
	}
	if r := w.do("GET", path+"?undocumented=1", "", "Authorization", "Bearer "+auth); r.status != 400 {
		t.Errorf("%s: an undocumented parameter is answered %d", id, r.status)
	}
}

func check(t *testing.T, c *jsonschema.Compiler, at string, body []byte) {
	t.Helper()
	s, err := c.Compile("mem:///openapi.json#" + at)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s is not what its schema says: %v", body, err)
	}
}

func TestProblemsAreAsDocumented(t *testing.T) {
	w := newWorld(t)
	_, schemas := readDocument(t, w)
	for _, r := range []reply{w.do("GET", "/api/v1/nothing", ""), w.do("POST", "/api/v1/subjects:find", "{"), w.do("POST", "/api/v1/tenants", `{"x":1}`),
		w.do("GET", "/api/v1/subjects/"+sub, "", "Authorization", "")} {
		check(t, schemas, "/components/schemas/Problem", r.body)
	}
}

func TestTokensAreTheOperators(t *testing.T) {
	w := newWorld(t)
	auth := "Bearer " + operatorToken
	r := w.do("GET", "/api/v1/tenants/acme/tokens", "", "Authorization", auth)
	token := r.json(t)["tokens"].([]any)[0].(map[string]any)["id"].(string)
	for _, verb := range []string{"disable", "enable"} {
		r := w.do("POST", "/api/v1/tenants/acme/tokens/"+token+":"+verb, "", "Authorization", auth)
		if r.status != 200 || r.json(t)["token"].(map[string]any)["state"] != verb+"d" {
			t.Errorf("%s: %d %s", verb, r.status, r.body)
		}
		want := map[string]int{"disable": 403, "enable": 200}[verb]
		if r := w.do("GET", "/api/v1/stats", ""); r.status != want {
			t.Errorf("after %s its holder is answered %d, want %d", verb, r.status, want)
		}
	}
	if r := w.do("GET", "/api/v1/tenants/acme/tokens", ""); r.status != 403 {
		t.Errorf("a tenant that lists its tokens is answered %d, want 403", r.status)
	}
	if r := w.do("GET", "/api/v1/tenants/other/sources", ""); r.status != 404 {
		t.Errorf("a tenant that lists another's sources is answered %d, want 404", r.status)
	}
}

var (
	fragment  = regexp.MustCompile(`href="#([^"]+)"`)
	idAttr    = regexp.MustCompile(` id="([^"]+)"`)
	elsewhere = regexp.MustCompile(`(?i)<script|<link|<img|<iframe|@import|url\(|src=|href="(?:https?:)?//`)
)

func TestThePageStandsByItself(t *testing.T) {
	w := newWorld(t)
	r := w.do("GET", "/api/docs", "", "Authorization", "")
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", r.status, r.header)
	}
	if m := elsewhere.Find(r.body); m != nil {
		t.Errorf("the page needs %q", m)
	}
	policy := r.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	var ids []string
	for _, m := range idAttr.FindAllSubmatch(r.body, -1) {
		if slices.Contains(ids, string(m[1])) {
			t.Errorf("id %s is there twice", m[1])
		}
		ids = append(ids, string(m[1]))
	}
	for _, m := range fragment.FindAllSubmatch(r.body, -1) {
		if !slices.Contains(ids, string(m[1])) {
			t.Errorf("a link to #%s leads nowhere", m[1])
		}
	}
	d, _ := readDocument(t, w)
	for path, item := range d.Paths {
		for _, op := range item {
			if !slices.Contains(ids, op.OperationID) || !bytes.Contains(r.body, []byte("<code>"+path+"</code>")) {
				t.Errorf("%s is not on the page", op.OperationID)
			}
		}
	}
}
