package region_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/flowtest"
	"domicile.dev/internal/flow/region"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/native"
)

const token = "dwk_us1_aaaaaaaaaaaaaaaa"

// node is another region, as far as its protocol goes: bodies are read by the adapter that reads them
// there, and records are told apart by their ids.
type node struct {
	t      testing.TB
	env    ingest.Env
	server *flowtest.Server

	mu    sync.Mutex // guards all below
	seen  map[string]bool
	lines []flowtest.Line
	sizes []int // of requests
	told  []string
	heard map[string]bool
}

// hear takes a notice.
func (n *node) hear(w http.ResponseWriter, body []byte) {
	var b struct {
		ID       string   `json:"id"`
		Notice   string   `json:"notice"`
		Subjects []string `json:"subjects"`
		At       string   `json:"at"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil || len(b.Subjects) > 1000 {
		n.t.Errorf("a notice of %d names: %v", len(b.Subjects), err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if key := b.ID + b.Subjects[0]; !n.heard[key] {
		if n.heard == nil {
			n.heard = map[string]bool{}
		}
		n.heard[key] = true
		n.told = append(n.told, fmt.Sprintf(`{"notice":%q,"subjects":["%s"],"at":%q}`+"\n", b.Notice, strings.Join(b.Subjects, `","`), b.At))
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": b.ID})
}

// Told implements flowtest.Teller.
func (n *node) Told(testing.TB) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told
}

type kinds map[string]*ingest.Kind

func (k kinds) Kind(service, name string) *ingest.Kind { return k[service+"/"+name] }

func newNode(t testing.TB, config *tls.Config) *node {
	kind, err := ingest.Compile("messaging", "message", []ingest.Rule{{Path: "body", Category: "customer-content"}})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, env: ingest.Env{ReceivedAt: time.Now(), Service: "messaging", Kinds: kinds{"messaging/message": kind}}, seen: map[string]bool{}}
	n.server = flowtest.NewServer(t, n, config)
	return n
}

type refused struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"`
	More   int    `json:"more,omitempty"`
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.URL.Path == "/v1/notices" && r.Header.Get("Authorization") == "Bearer "+token {
		n.hear(w, body)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/v1/records" || r.Header.Get("Authorization") != "Bearer "+token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	b, err := native.Decode(r.Header.Get("Content-Type"), body, n.env)
	if err != nil {
		n.t.Error(err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	defer b.Release()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sizes = append(n.sizes, len(b.Events))
	accepted, duplicate, no := 0, 0, []refused{}
	for i, l := range flowtest.ReadLines(n.t, body) {
		e := &b.Events[i]
		switch {
		case e.Refused != nil:
			no = append(no, refused{Index: i, Reason: e.Refused.Reason})
		case n.seen[l.ID]:
			duplicate++
		default:
			if e.Identifiers[0].Type != region.TypePseudonym && e.Identifiers[0].Type != region.TypeSubject {
				n.t.Errorf("a person is known by %s", e.Identifiers[0].Type)
			}
			n.seen[l.ID] = true
			_, id, _ := strings.Cut(l.ID, ":")
			n.lines = append(n.lines, flowtest.Line{ID: id, Data: l.Data})
			accepted++
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"accepted": accepted, "duplicate": duplicate, "refused": no})
}

func (n *node) Lines(testing.TB) []flowtest.Line {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines
}

func (n *node) Server() *flowtest.Server { return n.server }
func (n *node) ReadsAnswers() bool       { return true }

func open(t testing.TB, url string, opt region.Options) *region.Connector {
	c, err := region.Open(t.Context(), "domicile+"+url, map[string]string{"acme": token}, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestConform(t *testing.T) {
	for name, config := range map[string]*tls.Config{"https": {}, "this machine": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flowtest.Conform(t, func(t testing.TB) (flow.Connector, flowtest.Recipient) {
				n := newNode(t, config)
				return open(t, n.server.URL, region.Options{Roots: n.server.Roots, Timeout: 3 * time.Second}), n
			})
		})
	}
}

func TestTLS(t *testing.T) {
	flowtest.ConformTLS(t, func() http.Handler { n := newNode(t, nil); return n }, func(t testing.TB, url string, roots *x509.CertPool) flow.Connector {
		return open(t, url, region.Options{Roots: roots})
	})
}

// What is more than the other region takes at once goes as several requests.
func TestManyRecordsAreSeveralRequests(t *testing.T) {
	n := newNode(t, nil)
	c := open(t, n.server.URL, region.Options{})
	d, lines := flowtest.Delivery("f", 1, 25_000)
	for range 2 {
		if err := c.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Lines(t); len(got) != len(lines) || got[24_999] != lines[24_999] {
		t.Errorf("%d records have arrived, want %d", len(got), len(lines))
	}
	if got := fmt.Sprint(n.sizes); got != "[10000 10000 5000 10000 10000 5000]" {
		t.Errorf("requests of %s records", got)
	}
}

// Two flows may bring other parts of one record: neither passes for a repeat of the other.
func TestTheSameRecordByTwoFlows(t *testing.T) {
	n := newNode(t, nil)
	c := open(t, n.server.URL, region.Options{})
	d, _ := flowtest.Delivery("f", 1, 2)
	e := *d
	e.Flow, e.Form = "g", "clear"
	for _, d := range []*flow.Delivery{d, &e} {
		if err := c.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(n.Lines(t)); got != 4 {
		t.Errorf("%d records, want 4", got)
	}
}

// What is refused for good is told by the ids that the lines had; the rest has arrived.
func TestRecordsThatAreRefused(t *testing.T) {
	n := newNode(t, nil)
	c := open(t, n.server.URL, region.Options{})
	d, _ := flowtest.Delivery("f", 1, 4)
	lines := bytes.SplitAfter(d.Body, []byte("\n"))
	lines[1] = bytes.Replace(lines[1], []byte(`"message"`), []byte(`"letter"`), 1)
	lines[3] = bytes.Replace(lines[3], []byte(`["psn_aaaa"]`), []byte(`[]`), 1)
	d.Body = bytes.Join(lines, nil)
	err := c.Deliver(t.Context(), d)
	got, ok := flow.RefusedIn(err)
	if !ok || fault.KindOf(err) != fault.Invalid || fmt.Sprint(got) != "{[r_f1-1 r_f1-3] map[record.no_subject:1 record.unknown_kind:1]}" {
		t.Errorf("Deliver: %v, %v", err, got)
	}
	if len(n.Lines(t)) != 2 {
		t.Errorf("%d records have arrived, want the other 2", len(n.Lines(t)))
	}
}

func TestAnswersThatDoNotAddUp(t *testing.T) {
	n := newNode(t, nil)
	c := open(t, n.server.URL, region.Options{})
	for body, want := range map[string]string{
		`{"accepted":2,"duplicate":0,"refused":[]}`:  "",
		`{"accepted":0,"duplicate":2}`:               "",
		`{"accepted":1,"duplicate":0,"refused":[]}`:  "destination.bad_answer",
		`{"accepted":3,"duplicate":-1,"refused":[]}`: "destination.bad_answer",
		`{"accepted":3,"duplicate":0,"refused":[]}`:  "destination.bad_answer",
		`{"refused":[]}`: "destination.bad_answer",
		`{}`:             "destination.bad_answer",
		`<html>`:         "destination.bad_answer",
		`{"accepted":1,"duplicate":0,"refused":[{"index":2,"reason":"record.bad_id"}]}`:                                        "destination.bad_answer",
		`{"accepted":1,"duplicate":0,"refused":[{"index":-1,"reason":"record.bad_id"}]}`:                                       "destination.bad_answer",
		`{"accepted":1,"duplicate":0,"refused":[{"index":1,"more":1,"reason":"record.bad_id"}]}`:                               "destination.bad_answer",
		`{"accepted":0,"duplicate":0,"refused":[{"index":1,"reason":"a.b"},{"index":1,"reason":"a.b"}]}`:                       "destination.bad_answer",
		`{"accepted":1,"duplicate":0,"refused":[{"index":1,"reason":"batch.too_many_records"}]}`:                               "destination.in_part",
		`{"accepted":1,"duplicate":0,"refused":[{"index":1,"reason":"` + flowtest.Canary + `.` + flowtest.Canary + `"}]}`:      flow.ReasonRecordsRefused,
		`{"accepted":0,"duplicate":0,"refused":[{"index":0,"more":1,"reason":"subject.suppressed","path":"kanarienvogel.x"}]}`: flow.ReasonRecordsRefused,
	} {
		n.server.Do(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, body)
		})
		d, _ := flowtest.Delivery("f", 1, 2)
		err := c.Deliver(t.Context(), d)
		f, _ := fault.As(err)
		if fault.ReasonOf(err) != want || err != nil && strings.Contains(fmt.Sprintf("%v %v %s", err, f.Extra, f.Hint), flowtest.Canary) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestWhatIsNotSent(t *testing.T) {
	n := newNode(t, nil)
	c := open(t, n.server.URL, region.Options{})
	for name, tt := range map[string]struct {
		change func(*flow.Delivery)
		kind   fault.Kind
		reason string
	}{
		"another tenant": {func(d *flow.Delivery) { d.Tenant = "other" }, fault.Unavailable, "destination.no_token"},
		"aggregates":     {func(d *flow.Delivery) { d.Form = "aggregated" }, fault.Invalid, "destination.form"},
		"no record":      {func(d *flow.Delivery) { d.Body = append(d.Body, []byte(`{"window":{}}`+"\n")...) }, fault.Invalid, "destination.bad_line"},
		"no JSON":        {func(d *flow.Delivery) { d.Body = []byte(flowtest.Canary + "\n") }, fault.Invalid, "destination.bad_line"},
	} {
		d, _ := flowtest.Delivery("f", 1, 2)
		tt.change(d)
		err := c.Deliver(t.Context(), d)
		if fault.KindOf(err) != tt.kind || fault.ReasonOf(err) != tt.reason || strings.Contains(err.Error(), flowtest.Canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n.server.Requests() != 0 {
		t.Errorf("%d requests were made", n.server.Requests())
	}
}

func TestWhatIsNoDestination(t *testing.T) {
	for target, good := range map[string]bool{"domicile+https://us1.example.com": true, "domicile+https://us1.example.com:8443/": true, "domicile+http://127.0.0.1:8081": true,
		"https://us1.example.com": false, "domicile+http://us1.example.com": false, "domicile+https://us1.example.com/v1": false, "domicile+https://us1.example.com?a=b": false,
		"domicile+https://k@us1.example.com": false, "": false} {
		if _, err := region.Open(t.Context(), target, nil, region.Options{}); (err == nil) != good || !good && fault.ReasonOf(err) != "destination.bad_url" {
			t.Errorf("Open(%q): %v", target, err)
		}
	}
	for _, bad := range []string{"", "short", "a token with spaces", "dwk_\r\nX: 1234567"} {
		if _, err := region.Open(t.Context(), "domicile+https://us1.example.com", map[string]string{"acme": bad}, region.Options{}); fault.ReasonOf(err) != "destination.bad_token" {
			t.Errorf("token %q: %v", bad, err)
		}
	}
}

func TestANoticeOfManyNamesIsSeveralRequests(t *testing.T) {
	n := newNode(t, nil)
	c := open(t, n.server.URL, region.Options{})
	names := make([]string, 2500)
	for i := range names {
		names[i] = fmt.Sprintf("sub_%020d", i)
	}
	body, _ := json.Marshal(map[string]any{"notice": "erasure", "subjects": names, "at": "2026-11-24T10:00:02Z"})
	d := &flow.Delivery{Kind: flow.NoticeErasure, ID: "ntc_aaaaaaaaaaaaaaaaaaaa", Tenant: "acme", Region: "ie1", Body: append(body, '\n')}
	if err := c.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(n.Told(t), "")
	if len(n.Told(t)) != 3 || !strings.Contains(all, names[0]) || !strings.Contains(all, names[2499]) {
		t.Errorf("%d requests", len(n.Told(t)))
	}
	for what, d := range map[string]*flow.Delivery{"no token": {Kind: "erasure", Tenant: "other", Body: body}, "another kind": {Kind: "restriction", ID: d.ID, Tenant: "acme", Body: body}} {
		if err := c.Deliver(t.Context(), d); err == nil {
			t.Errorf("%s: it was delivered", what)
		}
	}
}
