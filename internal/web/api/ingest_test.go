package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/segment/segmenttest"
	dataplane "domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/api"
)

// The keys of the intake's sources.
const (
	serverKey = "dwk_ie1_server"
	publicKey = "dwk_ie1_public"
	nativeKey = "dwk_ie1_native"
	otherKey  = "dwk_us1_other"
	brokenKey = "dwk_ie1_unchecked"
)

// intake stands for the rooms behind Ingest: it knows the keys, and notes what it is given.
type intake struct {
	gpc bool // of the last batch
	in  *api.Ingest

	mu      sync.Mutex
	content string   // of the event last kept
	events  []string // "source index kind clientid", or "source index refused reason"
	result  dataplane.Result
	fail    error
	wait    chan struct{} // when set, Ingest says so on began and returns after it is closed
	began   chan struct{}
	away    func(clientID string) *ingest.Refusal // when set, says which events are of people at home elsewhere
	ctxErr  error                                 // of the context, after the wait
}

func (i *intake) SourceByKey(key string) (*tenant.Source, error) {
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: key, Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server}
	switch key {
	case serverKey:
	case publicKey:
		src.Trust = term.Public
	case nativeKey:
		src.Adapter, src.Service = term.AdapterNative, ""
	case otherKey:
		return nil, fault.New(fault.WrongRegion, "residency.wrong_region", "this credential belongs to region us1, this is ie1").With("url", "https://us1.example.com")
	case brokenKey:
		return nil, fault.New(fault.Unavailable, "credential.unchecked", "the credential cannot be checked at the moment")
	default:
		return nil, fault.New(fault.Unauthenticated, "credential.unknown", "the credential is not known here")
	}
	return src, nil
}

func (i *intake) Ingest(ctx context.Context, src *tenant.Source, b *ingest.Batch) (dataplane.Result, error) {
	if i.wait != nil {
		i.began <- struct{}{}
		<-i.wait
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ctxErr, i.gpc = ctx.Err(), b.GPC
	if i.fail != nil {
		return dataplane.Result{}, i.fail
	}
	result := i.result
	for n := range b.Events {
		e := &b.Events[n]
		what := "refused"
		if e.Refused != nil {
			result.Refused = append(result.Refused, ingest.Refusal{Index: e.Refused.Index, Reason: e.Refused.Reason, Path: b.Path(e), More: e.Refused.More})
			what += " " + e.Refused.Reason
		} else if r := i.elsewhere(e); r != nil {
			result.Refused = append(result.Refused, *r)
			what += " " + r.Reason
		} else {
			result.Accepted++
			i.content = string(e.Fragments[0].JSON)
			what = e.Kind.Name + " " + string(e.ClientID)
		}
		i.events = append(i.events, src.ID+" "+what)
	}
	return result, nil
}

// Kind knows cdp's calls and a kind of each vendor, without rules.
func (i *intake) Kind(service, name string) *ingest.Kind {
	switch service + "/" + name {
	case "messaging/message", "email/email.event", "custom/cloudevent":
	default:
		if service != "cdp" {
			return nil
		}
	}
	k, err := ingest.Compile(service, name, nil)
	if err != nil {
		panic(err)
	}
	return k
}

func newIntake(opt api.IngestOptions) *intake {
	i := &intake{began: make(chan struct{}, 10)}
	if opt.Now == nil {
		opt.Now = func() time.Time { return now }
	}
	i.in = api.NewIngest(i, i, i, opt)
	return i
}

// took returns the events since the last call.
func (i *intake) took() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	defer func() { i.events = nil }()
	return i.events
}

func basic(key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))
}

// post sends body to path with headers in pairs.
func (i *intake) post(t testing.TB, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	w := httptest.NewRecorder()
	i.in.First(http.NewServeMux()).ServeHTTP(w, r)
	if w.Code/100 == 3 {
		t.Errorf("%s answers a redirect", path)
	}
	return w
}

const anEvent = `{"type":"track","event":"Viewed","userId":"u-1","messageId":"m-1"}`

func aBatch(more string) string { return `{"batch":[` + anEvent + `]` + more + `}` }

func TestIngestTakesEveryPathAndEveryWayToNameTheKey(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	for _, path := range strings.Fields("batch import b track identify page screen group alias t i p s g a") {
		body := anEvent
		if path == "batch" || path == "import" || path == "b" {
			body = aBatch("")
		}
		inside := strings.TrimSuffix(body, "}") + `,"writeKey":"` + serverKey + `"}`
		for name, w := range map[string]*httptest.ResponseRecorder{
			"basic":          i.post(t, "/v1/"+path, body, "Authorization", basic(serverKey)),
			"bearer":         i.post(t, "/v1/"+path, body, "Authorization", "Bearer "+serverKey),
			"query":          i.post(t, "/v1/"+path+"?writeKey="+serverKey, body),
			"body":           i.post(t, "/v1/"+path, inside),
			"body and basic": i.post(t, "/v1/"+path, inside, "Authorization", basic(serverKey), "Content-Type", "text/plain"),
			"beacon":         i.post(t, "/beacon/v1/"+path+"?writeKey="+serverKey, body),
			"doubled slash":  i.post(t, "//v1/"+path, body, "Authorization", basic(serverKey)),
			"slash at end":   i.post(t, "/v1/"+path+"/", body, "Authorization", basic(serverKey)),
		} {
			if w.Code != 200 || w.Body.String() != `{"success":true}` || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s, %s: %d %s", path, name, w.Code, w.Body)
			}
		}
		if got := i.took(); len(got) != 8 || !strings.HasSuffix(got[0], " m-1") {
			t.Errorf("%s: took %v", path, got)
		}
	}
}

func TestIngestJudgesTheKeyBeforeTheBody(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	for _, tt := range []struct {
		name, path, body, auth string
		status                 int
		code                   string
	}{
		{"none", "/v1/batch", aBatch(""), "", 401, "credential.missing"},
		{"unknown, body is no JSON", "/v1/batch", "no JSON", basic("dwk_ie1_nobody"), 401, "credential.unknown"},
		{"not ours", "/v1/batch", aBatch(""), "Bearer some-oauth-token", 401, "credential.unknown"},
		{"scheme", "/v1/batch", aBatch(""), "Digest x", 401, "credential.bad_scheme"},
		{"header and body disagree", "/v1/batch", aBatch(`,"writeKey":"` + publicKey + `"`), basic(serverKey), 401, "source.key_mismatch"},
		{"header and event disagree", "/v1/t", `{"userId":"u","writeKey":"x"}`, basic(serverKey), 401, "source.key_mismatch"},
		{"header and query disagree", "/v1/t?writeKey=" + publicKey, anEvent, basic(serverKey), 401, "source.key_mismatch"},
		{"another adapter's", "/v1/batch", aBatch(""), basic(nativeKey), 403, "source.wrong_adapter"},
		{"another adapter's", "/v1/records", anEvent, basic(serverKey), 403, "source.wrong_adapter"},
		{"native without", "/v1/records", anEvent, "", 401, "credential.missing"},
		{"can't be checked", "/v1/batch", "no JSON", basic(brokenKey), 503, "credential.unchecked"},
		{"in the body, unknown", "/v1/batch", `{"writeKey":"dwk_ie1_nobody","batch":[ not read`, "", 401, "credential.unknown"},
		{"in the body of no JSON", "/v1/batch", `{"batch":[ not read`, "", 400, "body.not_json"},
	} {
		w := i.post(t, tt.path, tt.body, "Authorization", tt.auth)
		var answer struct{ Code, Reason string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != tt.status || answer.Code+answer.Reason != tt.code {
			t.Errorf("%s: %d %s, want %d %s", tt.name, w.Code, w.Body, tt.status, tt.code)
		}
	}
	if got := i.took(); got != nil {
		t.Errorf("took %v", got)
	}
}

func TestIngestSendsTheWrongRegionsKeyToTheRightOne(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	for name, w := range map[string]*httptest.ResponseRecorder{
		"header": i.post(t, "/v1/batch", "not read", "Authorization", basic(otherKey), "Origin", "http://shop.example.test"),
		"query":  i.post(t, "/v1/batch?writeKey="+otherKey, "not read", "Origin", "http://shop.example.test"),
		"body":   i.post(t, "/v1/batch", `{"writeKey":"`+otherKey+`","batch":[ not read`, "Origin", "http://shop.example.test"),
		"native": i.post(t, "/v1/records", "not read", "Authorization", "Bearer "+otherKey, "Origin", "http://shop.example.test"),
	} {
		var problem struct {
			Status      int
			Reason, URL string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != 421 || w.Header().Get("Content-Type") != "application/problem+json" ||
			problem.URL != "https://us1.example.com" || problem.Reason != "residency.wrong_region" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if name != "native" && !strings.Contains(w.Body.String(), `"success":false`) {
			t.Errorf("%s: %s", name, w.Body)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: a browser can't read the answer", name)
		}
	}
	if got := i.took(); got != nil {
		t.Errorf("took %v", got)
	}
}

func TestIngestKeepsTheConnectionWhateverTheAnswer(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	srv := httptest.NewServer(i.in.First(http.NotFoundHandler()))
	defer srv.Close()
	reused := 0
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if c.Reused {
			reused++
		}
	}}
	big := aBatch(`,"x":"` + strings.Repeat("y", 400<<10) + `"`)
	for n, tt := range []struct {
		path, body, key string
		status          int
	}{{"batch", big, serverKey, 200}, {"batch", big, "nobody", 401}, {"batch", big, otherKey, 421}, {"nothing", big, serverKey, 404}, {"batch", big[1:], serverKey, 400}, {"batch", big, serverKey, 200}} {
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "POST", srv.URL+"/v1/"+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(tt.key, "")
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status || reused != n {
			t.Errorf("%s of %s: %d, want %d; %d of %d requests reused a connection", tt.path, tt.key, resp.StatusCode, tt.status, reused, n)
		}
	}
}

func zipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestIngestUnpacksWhateverTheHeadersSay(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	good, bomb := zipped(t, aBatch("")), zipped(t, strings.Repeat(" ", 8<<20))
	for _, tt := range []struct {
		name, body, encoding, typ, code string
	}{
		{"as a form", good, "gzip", "application/x-www-form-urlencoded", ""},
		{"unsaid", good, "", "application/json", ""},
		{"said of plain JSON", aBatch(""), "gzip", "application/json", ""},
		{"x-gzip", good, "X-GZIP", "", ""},
		{"cut", good[:len(good)-9], "gzip", "", "body.bad_gzip"},
		{"altered", good[:len(good)-6] + "!" + good[len(good)-5:], "gzip", "", "body.bad_gzip"},
		{"with more behind", good + "x", "gzip", "", "body.bad_gzip"},
		{"twice", zipped(t, good), "gzip", "", "body.not_json"},
		{"a bomb", bomb, "gzip", "", "body.too_large"},
		{"another packing", "\x28\xb5\x2f\xfd", "zstd", "", "body.bad_encoding"},
	} {
		w := i.post(t, "/v1/batch", tt.body, "Authorization", basic(serverKey), "Content-Encoding", tt.encoding, "Content-Type", tt.typ)
		if want := 200; tt.code == "" && w.Code != want {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		} else if tt.code != "" && (w.Code != 400 || !strings.Contains(w.Body.String(), `"code":"`+tt.code+`"`)) {
			t.Errorf("%s: %d %s, want %s", tt.name, w.Code, w.Body, tt.code)
		}
	}
	if got := i.took(); len(got) != 4 {
		t.Errorf("took %v", got)
	}
}

func TestIngestBoundsBodies(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	long := aBatch(`,"x":"` + strings.Repeat("y", 4<<20) + `"`)
	if w := i.post(t, "/v1/batch", long, "Authorization", basic(serverKey)); w.Code != 400 || !strings.Contains(w.Body.String(), "body.too_large") {
		t.Errorf("announced: %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("POST", "/v1/batch", io.MultiReader(strings.NewReader(long))) // of unknown length
	r.Header.Set("Authorization", basic(serverKey))
	w := httptest.NewRecorder()
	if i.in.ServeHTTP(w, r); w.Code != 400 || !strings.Contains(w.Body.String(), "body.too_large") {
		t.Errorf("not announced: %d %s", w.Code, w.Body)
	}
	if w := i.post(t, "/v1/records", strings.Repeat("x", 9<<20), "Authorization", basic(nativeKey)); w.Code != 413 {
		t.Errorf("native: %d %s", w.Code, w.Body)
	}
}

func TestIngestAnswersTroubleSoThatSDKsTryAgain(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		retry  string
	}{
		{&fault.Error{Kind: fault.RateLimited, Reason: "plane.busy", RetryAfterSeconds: 3}, 429, "3"},
		{fault.New(fault.Unavailable, "store.unavailable", "the store does not answer"), 503, "1"},
		{context.DeadlineExceeded, 503, "1"},
		{errors.New("disk full of aoife@example.com"), 500, ""},
	} {
		for path, key := range map[string]string{"/v1/batch": serverKey, "/v1/records": nativeKey} {
			i := newIntake(api.IngestOptions{})
			i.fail = tt.err
			w := i.post(t, path, aBatch(""), "Authorization", basic(key))
			if w.Code != tt.status || w.Header().Get("Retry-After") != tt.retry || strings.Contains(w.Body.String(), "aoife") {
				t.Errorf("%s, %v: %d, Retry-After %q, %s", path, tt.err, w.Code, w.Header().Get("Retry-After"), w.Body)
			}
		}
	}
}

func TestIngestRefusesEventsByThemselves(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	w := i.post(t, "/v1/batch", `{"batch":[`+anEvent+`,{"type":"track"},`+anEvent+`]}`, "Authorization", basic(serverKey))
	want := []string{serverKey + " track m-1", serverKey + " refused event.no_subject", serverKey + " track m-1"}
	if diff := cmp.Diff(want, i.took()); diff != "" || w.Code != 200 || w.Body.String() != `{"success":true}` {
		t.Errorf("%d %s: %s", w.Code, w.Body, diff)
	}
	large := `{"userId":"u","properties":{"x":"` + strings.Repeat("i", 40<<10) + `"}}`
	if w := i.post(t, "/v1/track", large, "Authorization", basic(serverKey)); w.Code != 400 || !strings.Contains(w.Body.String(), `{"success":false,"code":"event.too_large"`) {
		t.Errorf("a lone event: %d %s", w.Code, w.Body)
	}
	if got := i.took(); len(got) != 1 { // so that it is counted
		t.Errorf("took %v", got)
	}
}

// A lone event that the plane refuses is no more kept than one that its adapter does; only of whom
// no more is to be kept, nothing is said.
func TestIngestAcknowledgesNoLoneEventThatThePlaneRefuses(t *testing.T) {
	for reason, status := range map[string]int{"event.bad_identifier": 400, "subject.suppressed": 200} {
		i := newIntake(api.IngestOptions{})
		i.result.Refused = []ingest.Refusal{{Reason: reason, Path: "userId"}}
		w := i.post(t, "/v1/track", anEvent, "Authorization", basic(serverKey))
		if w.Code != status || status == 400 && !strings.Contains(w.Body.String(), "because of userId; an id is a text") {
			t.Errorf("%s: %d %s, want %d and what to mend", reason, w.Code, w.Body, status)
		}
		if w := i.post(t, "/v1/batch", `{"batch":[`+anEvent+`]}`, "Authorization", basic(serverKey)); w.Code != 200 {
			t.Errorf("%s in a batch: %d %s", reason, w.Code, w.Body)
		}
	}
}

func TestIngestTakesNativeRecords(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	const good = `{"id":"r-1","kind":"message","service":"messaging","subjects":[{"type":"email","value":"a@example.com"}],"data":{"x":1}}`
	for _, auth := range []string{"Bearer " + nativeKey, basic(nativeKey)} {
		w := i.post(t, "/v1/records", good+"\nnot JSON\n"+strings.Replace(good, `"data"`, `"aoife"`, 1), "Authorization", auth)
		const want = `{"accepted":1,"duplicate":0,"refused":[{"index":1,"reason":"record.bad_json"},{"index":2,"reason":"record.unknown_member","path":"*"}]}`
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%d %s, want %s", w.Code, w.Body, want)
		}
	}
	if w := i.post(t, "/v1/records", "["+good+"]", "Authorization", basic(nativeKey)); w.Body.String() != `{"accepted":1,"duplicate":0,"refused":[]}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := i.post(t, "/v1/records", "["+good, "Authorization", basic(nativeKey))
	if w.Code != 400 || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), `"reason":"body.truncated"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestIngestHoldsOnlySoMuch(t *testing.T) {
	i := newIntake(api.IngestOptions{InFlightBytes: 64 << 10})
	i.wait = make(chan struct{})
	body := aBatch(`,"x":"` + strings.Repeat("y", 40<<10) + `"`)
	first := make(chan int)
	go func() { first <- i.post(t, "/v1/batch", body, "Authorization", basic(serverKey)).Code }()
	<-i.began
	for name, w := range map[string]*httptest.ResponseRecorder{
		"known":   i.post(t, "/v1/batch", body, "Authorization", basic(serverKey)),
		"unknown": i.post(t, "/v1/batch", aBatch(`,"writeKey":"`+serverKey+`","x":"`+strings.Repeat("y", 20<<10)+`"`)),
	} {
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || w.Header().Get("X-RateLimit-Reset") != "1" || !strings.Contains(w.Body.String(), "ingest.busy") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	close(i.wait)
	if got := <-first; got != 200 {
		t.Errorf("the one that was held: %d", got)
	}
	for range 3 { // all of it was given back
		if w := i.post(t, "/v1/batch", body, "Authorization", basic(serverKey)); w.Code != 200 {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	}
}

func TestIngestFinishesWhatAClientNoLongerWaitsFor(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	i.wait = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "POST", "/v1/batch", strings.NewReader(aBatch("")))
	r.Header.Set("Authorization", basic(serverKey))
	done := make(chan struct{})
	go func() { i.in.ServeHTTP(httptest.NewRecorder(), r); close(done) }()
	<-i.began
	cancel()
	close(i.wait)
	<-done
	if got := i.took(); len(got) != 1 || i.ctxErr != nil {
		t.Errorf("took %v, context %v", got, i.ctxErr)
	}
}

// cut is a body that ends in an error.
type cut struct {
	io.Reader
	err error
}

func (c cut) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if err == io.EOF { //nolint:errorlint // as strings.Reader has it
		err = c.err
	}
	return n, err
}

func TestIngestTakesNothingOfABodyThatIsCutShort(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	for _, err := range []error{io.ErrUnexpectedEOF, os.ErrDeadlineExceeded} {
		r := httptest.NewRequest("POST", "/v1/batch", cut{strings.NewReader(aBatch("")), err})
		r.Header.Set("Authorization", basic(serverKey))
		w := httptest.NewRecorder()
		if i.in.ServeHTTP(w, r); w.Code != 503 || w.Header().Get("Connection") != "close" {
			t.Errorf("%v: %d %s", err, w.Code, w.Body)
		}
	}
	if got := i.took(); got != nil {
		t.Errorf("took %v", got)
	}
}

func TestIngestAnswersPreflights(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	for _, path := range []string{"/v1/i", "/v1/batch", "/v1/records", "//v1/b", "/v1/m", "/v1/merge", "/v1/nothing"} {
		r := httptest.NewRequest("OPTIONS", path, nil)
		r.Header.Set("Origin", "http://shop.example.test")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "anonymousid,authorization,content-type,sentat,x-retry-count")
		w := httptest.NewRecorder()
		i.in.First(http.NotFoundHandler()).ServeHTTP(w, r)
		named := strings.Split(w.Header().Get("Access-Control-Allow-Headers"), ", ")
		for _, asked := range strings.Split(r.Header.Get("Access-Control-Request-Headers"), ",") {
			if !strings.Contains(strings.Join(named, " ")+" ", asked+" ") {
				t.Errorf("%s: %s is not named in %q", path, asked, named)
			}
		}
		if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "POST") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	w := i.post(t, "/v1/i", anEvent, "Authorization", basic(publicKey), "Origin", "http://shop.example.test")
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Expose-Headers") != "Retry-After" {
		t.Errorf("%v", w.Header())
	}
}

func TestIngestTakesOneMethodAPath(t *testing.T) {
	i := newIntake(api.IngestOptions{})
	for path, allow := range map[string]string{"/v1/batch": "POST, OPTIONS", "/v1/records": "POST, OPTIONS", "/v1/m": "POST, OPTIONS", "/v1/projects/k/settings": "GET, OPTIONS"} {
		r := httptest.NewRequest("PATCH", path, nil)
		w := httptest.NewRecorder()
		if i.in.ServeHTTP(w, r); w.Code != 405 || w.Header().Get("Allow") != allow {
			t.Errorf("%s: %d, Allow %q", path, w.Code, w.Header().Get("Allow"))
		}
	}
	if w := i.post(t, "/v1/m", "anything"); w.Code != 200 {
		t.Errorf("/v1/m: %d", w.Code)
	}
	if w := i.post(t, "/v1/nothing", "anything"); w.Code != 404 {
		t.Errorf("/v1/nothing: %d", w.Code)
	}
}

func TestIngestTellsBrowsersWhereToSend(t *testing.T) {
	get := func(i *intake, key string) (int, string) {
		r := httptest.NewRequest("GET", "http://ie1.example.com/v1/projects/"+key+"/settings", nil)
		w := httptest.NewRecorder()
		i.in.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	i := newIntake(api.IngestOptions{})
	var s struct {
		Integrations map[string]struct{ APIKey, APIHost, Protocol string }
	}
	if code, body := get(i, publicKey); code != 200 || json.Unmarshal([]byte(body), &s) != nil || s.Integrations["Segment.io"].APIHost != "ie1.example.com/v1" ||
		s.Integrations["Segment.io"].APIKey != publicKey || s.Integrations["Segment.io"].Protocol != "http" {
		t.Errorf("%d %s", code, body)
	}
	if code, body := get(newIntake(api.IngestOptions{URL: "https://data.example.com/"}), publicKey); !strings.Contains(body, `"apiHost":"data.example.com/v1"`) || !strings.Contains(body, `"protocol":"https"`) {
		t.Errorf("%d %s", code, body)
	}
	for key, want := range map[string]int{serverKey: 403, "nobody": 401, otherKey: 421} {
		if code, body := get(i, key); code != want {
			t.Errorf("%s: %d %s", key, code, body)
		}
	}
}

// BenchmarkIngest takes a batch of 100 events of 592 bytes through the handler, to a sink that
// keeps nothing.
func BenchmarkIngest(b *testing.B) {
	i := newIntake(api.IngestOptions{})
	kinds := map[string]*ingest.Kind{"track": i.Kind("cdp", "track")}
	in := api.NewIngest(i, keepsNothing{}, kindsOf(kinds), api.IngestOptions{})
	batch := segmenttest.New(1, 100).AppendBatch(nil, 100, serverKey)
	auth := basic(serverKey)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/v1/batch", bytes.NewReader(batch))
		r.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		if in.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
}

type keepsNothing struct{}

func (keepsNothing) Ingest(context.Context, *tenant.Source, *ingest.Batch) (dataplane.Result, error) {
	return dataplane.Result{}, nil
}

type kindsOf map[string]*ingest.Kind

func (k kindsOf) Kind(_, name string) *ingest.Kind { return k[name] }
