package app_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/app"
	"domicile.dev/internal/client"
	"domicile.dev/internal/config"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/law"
	"domicile.dev/internal/mail/mailtest"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/tenant"
)

// newcomer is what the example becomes when a sub-processor is engaged, with a flow to it.
const newcomer = `recipients:
  - id: sp-27
    name: Newcomer Ireland
    class: third_party_service_providers
    roles: [processor]
    locations: [IE]
    sub_processor: {services: [all], subject_matter: messages, nature: screening in Dublin, region_selectable: none, group_company: false, section: third_party}
flows:
  - {id: newcomer, from: ie1, services: [messaging], kinds: [message], categories: [contact_data], purpose: platform_security_fraud_prevention, legal_basis: legitimate_interest, to: sp-27, form: clear}
`

// withMore is the example with another file; edits replace text in its files.
func withMore(t *testing.T, more string, edits ...string) *programme.Programme {
	t.Helper()
	files := fstest.MapFS{}
	src := examples.Communications()
	err := fs.WalkDir(src, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(src, name)
		for i := 0; i < len(edits); i += 2 {
			b = bytes.ReplaceAll(b, []byte(edits[i]), []byte(edits[i+1]))
		}
		files[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if more != "" {
		files["more.yaml"] = &fstest.MapFile{Data: []byte(more)}
	}
	p, err := programme.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// office is one node with a relay and a clock that can be moved.
type office struct {
	t     *testing.T
	c     *config.Node
	relay *mailtest.Server
	mu    sync.Mutex
	clock time.Time // guarded by mu
	n     *app.Node
	stop  func()
	// strict refuses readers' webhooks at addresses that are not public.
	strict bool
}

func newOffice(t *testing.T, store string) *office {
	o := &office{t: t, relay: mailtest.Start(t), clock: time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)}
	o.c = &config.Node{Region: "ie1", Data: t.TempDir(), Store: store, SharedServer: true, PrivateWebhooks: true,
		Mail: &config.Mail{Host: o.relay.Host, Port: o.relay.Port, TLS: "none", From: "Privacy <privacy@example.com>"}}
	return o
}

func (o *office) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clock
}

func (o *office) move(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clock = o.clock.Add(d)
}

// start opens the node with a programme; an earlier one is stopped before.
func (o *office) start(p *programme.Programme) {
	o.t.Helper()
	if o.stop != nil {
		o.stop()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	o.c.Listen, o.c.URL = l.Addr().String(), ""
	if err := o.c.Check(); err != nil {
		o.t.Fatal(err)
	}
	old, err := programme.Load(examples.Communications2025())
	if err != nil {
		o.t.Fatal(err)
	}
	n, err := app.Open(context.Background(), o.c, app.Options{Programme: p, Notices: []*programme.Programme{old}, Log: quiet, Now: o.now, PrivateReaders: !o.strict})
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	o.n = n
	o.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			o.t.Errorf("Serve: %v", err)
		}
		if err := n.Close(); err != nil {
			o.t.Errorf("Close: %v", err)
		}
	})
	o.t.Cleanup(o.stop)
}

func (o *office) client(token string) *client.Client {
	c, err := client.New(o.c.URL, token, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

// get and post return status and body; redirects are not followed.
func (o *office) get(path string, header ...string) (int, string) {
	return o.send("GET", path, nil, header...)
}

func (o *office) post(path string, form url.Values, header ...string) (int, string) {
	return o.send("POST", path, strings.NewReader(form.Encode()), append(header, "Content-Type", "application/x-www-form-urlencoded")...)
}

func (o *office) send(method, path string, body io.Reader, header ...string) (int, string) {
	o.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = o.c.URL + path
	}
	req, err := http.NewRequest(method, path, body)
	if err != nil {
		o.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b) + res.Header.Get("Location")
}

// letters waits until the relay has n letters and returns the newest, read.
func (o *office) letters(n int) (*netmail.Message, string, string) {
	o.t.Helper()
	for range 200 {
		if all := o.relay.Letters(); len(all) >= n {
			if len(all) > n {
				o.t.Fatalf("%d letters, want %d", len(all), n)
			}
			m, err := netmail.ReadMessage(strings.NewReader(all[n-1].Raw))
			if err != nil {
				o.t.Fatal(err)
			}
			b, _ := io.ReadAll(quotedprintable.NewReader(m.Body))
			return m, strings.ReplaceAll(string(b), "\r\n", "\n"), all[n-1].To
		}
		time.Sleep(50 * time.Millisecond)
	}
	o.t.Fatalf("%d letters came, want %d", len(o.relay.Letters()), n)
	return nil, "", ""
}

var link = regexp.MustCompile(`http://[^\s>]+/privacy/subscriptions/\S+`)

// subscribe goes the whole way of an address, by the n-th letter.
func (o *office) subscribe(address string, n int) {
	o.t.Helper()
	form := url.Values{"address": {address}, "list": {"sub_processors", "notices"}}
	if status, to := o.post("/privacy/subscriptions", form); status != 303 || !strings.HasSuffix(to, "/asked") {
		o.t.Fatalf("subscribe: %d %s", status, to)
	}
	m, text, to := o.letters(n)
	at := link.FindString(text)
	if to != address || at == "" || m.Header.Get("List-Unsubscribe") != "" {
		o.t.Fatalf("letter to %s: %s", to, text)
	}
	if status, page := o.get(at); status != 200 || !strings.Contains(page, "<button") { // a scanner of links confirms nothing
		o.t.Fatalf("the link's page: %d %s", status, page)
	}
	if status, page := o.post(at, nil, "Sec-Fetch-Site", "cross-site"); status != 403 {
		o.t.Errorf("another site's page confirms: %d %s", status, page)
	}
	if status, to := o.post(at, nil); status != 303 || !strings.HasSuffix(to, "/confirmed") {
		o.t.Fatalf("confirm: %d %s", status, to)
	}
}

// decide asks the engine whether the flow to the newcomer may run for a tenant.
func (o *office) decide(p *programme.Programme, tenantID string) *decision.Decision {
	o.t.Helper()
	facts, err := o.n.Publish.Register(context.Background())
	if err != nil {
		o.t.Fatal(err)
	}
	kept := &register.Register{Version: "sha256:kept", Contracts: []register.Contract{{ID: "c", Kind: "data_protection", With: "Newcomer Ireland", Signed: "2026-01-01"}}}
	return decision.Decide(p, law.Builtin(), kept.With(facts), decision.Question{Flow: "newcomer", Tenant: tenantID, Service: "messaging", Kind: "message",
		Categories: decision.NewSet("contact_data"), Subject: decision.Subject{Known: true}}, o.now())
}

func (o *office) wantDecision(when string, p *programme.Programme, tenantID, code string) {
	o.t.Helper()
	if d := o.decide(p, tenantID); d.Allowed != (code == "") || code != "" && !d.Has(code) {
		o.t.Errorf("%s, %s: allowed %v, want %q: %+v", when, tenantID, d.Allowed, code, d.Denials())
	}
}

// hook is a tenant's webhook: it answers the challenge and keeps what it gets.
type hook struct {
	*httptest.Server
	mu     sync.Mutex // guards what follows
	events []map[string]any
	heads  []http.Header
	bodies [][]byte

	status atomic.Int64 // that events are answered with; 0 is 200
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var e struct {
			Type string
			Data map[string]any
		}
		_ = json.Unmarshal(b, &e)
		h.mu.Lock()
		defer h.mu.Unlock()
		if e.Type == "subscription.verify" {
			_ = json.NewEncoder(w).Encode(map[string]any{"challenge": e.Data["challenge"]})
			return
		}
		if status := h.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		h.events, h.heads, h.bodies = append(h.events, e.Data), append(h.heads, r.Header), append(h.bodies, b)
	}))
	t.Cleanup(h.Close)
	return h
}

// TestASubProcessorsWayIn: announced, subscribed to, objected to by one tenant, and started for the others after the
// period. Mail goes through a real SMTP server, and decisions are the engine's.
func TestASubProcessorsWayIn(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			store := ""
			if engine == "postgres" {
				store = pgtest.URL(t)
			}
			wayIn(t, newOffice(t, store))
		})
	}
}

// deadline is the last day to object to the newcomer.
func deadline(t *testing.T, o *office, token string) string {
	t.Helper()
	all, err := o.client(token).SubProcessors(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.ID == "sp-27" {
			return s.Until
		}
	}
	t.Fatal("the newcomer isn't listed")
	return ""
}

func wayIn(t *testing.T, o *office) {
	ctx := context.Background()
	o.start(exampleProgramme(t))
	tokens := map[string]string{}
	for _, id := range []string{"acme", "globex"} {
		_, _, token, _, err := o.n.Tenants.CreateTenant(ctx, tenant.Operator, id, id)
		if err != nil {
			t.Fatal(err)
		}
		tokens[id] = token
	}
	// What the programmes name is adopted, and its rows have no period left.
	versions, err := o.client(o.n.Operator).NoticeVersions(ctx)
	if err != nil || len(versions) != 2 || versions[0].Notice != "notice-2025-08-14" || versions[1].Notice != "notice-2026-04-09" || !versions[1].Adopted || !versions[1].Material || len(versions[1].AskAgain) == 0 {
		t.Fatalf("adopted: %+v, %v", versions, err)
	}
	for _, path := range []string{"/privacy/notice/notice-2025-08-14", "/privacy/notice/notice-2026-04-09", "/privacy/notice/diff/notice-2025-08-14/notice-2026-04-09", "/privacy/sub-processors/v2"} {
		if status, _ := o.get(path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}

	// Subscriptions: an address that is known is answered as one that isn't, and is told so by mail, not at once.
	o.subscribe("ann@example.net", 1)
	o.subscribe("bob@example.net", 2)
	if status, to := o.post("/privacy/subscriptions", url.Values{"address": {"ann@example.net"}, "list": {"notices"}}); status != 303 || !strings.HasSuffix(to, "/asked") {
		t.Errorf("a known address: %d %s", status, to)
	}
	for _, bad := range []string{"", "nobody", "a@b\r\nBcc: c@example.net", "<a@example.net>"} {
		if status, page := o.post("/privacy/subscriptions", url.Values{"address": {bad}, "list": {"notices"}}); status != 400 || strings.Contains(page, "Bcc") {
			t.Errorf("%q: %d", bad, status)
		}
	}
	if status, _ := o.post("/privacy/subscriptions", url.Values{"address": {"eve@example.net"}, "list": {"notices"}}, "Origin", "https://elsewhere.example"); status != 403 {
		t.Errorf("another site's form: %d", status)
	}
	h := newHook(t)
	status, body := o.send("POST", "/api/v1/subscriptions", strings.NewReader(fmt.Sprintf(`{"url":%q,"lists":["sub_processors"]}`, h.URL)), "Authorization", "Bearer "+tokens["globex"])
	var made struct{ ID, Secret string }
	if json.Unmarshal([]byte(body), &made) != nil || status != 201 || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("webhook: %d %s", status, body)
	}
	reader, end := newHook(t), ""
	_, end = o.subscribeHook(reader, "sub_processors")
	dumb := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer dumb.Close()
	if status, body := o.send("POST", "/api/v1/subscriptions", strings.NewReader(fmt.Sprintf(`{"url":%q,"lists":["notices"]}`, dumb.URL)), "Authorization", "Bearer "+tokens["acme"]); status != 422 || !strings.Contains(body, "webhook.unverified") {
		t.Errorf("an address that answers no challenge: %d %s", status, body)
	}

	// A newcomer that no list has gets nothing, whatever runs.
	p := withMore(t, newcomer)
	o.start(p)
	o.wantDecision("before it is published", p, "globex", "recipient.unpublished")
	if _, err := o.client(tokens["acme"]).ObjectTo(ctx, "sp-27", false); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an objection to what nobody announced: %v", err)
	}
	if _, err := o.client(tokens["acme"]).PublishNotice(ctx, ""); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a tenant publishes: %v", err)
	}
	v, err := o.client(o.n.Operator).PublishNotice(ctx, "")
	if err != nil || v.Version != "v3" || v.NewNotice || !v.NewList || len(v.List) != 1 || v.Queued == nil || v.Queued.Mail != 2 || v.Queued.Webhooks != 2 {
		t.Fatalf("published: %+v, %v", v, err)
	}
	if _, err := o.client(o.n.Operator).PublishNotice(ctx, ""); fault.ReasonOf(err) != "notice.unchanged" {
		t.Errorf("once more: %v", err)
	}
	o.wantDecision("on the day", p, "globex", "notice.running")

	// Both addresses and the webhook are told.
	news, text, _ := o.letters(4)
	if !strings.Contains(text, "Newcomer Ireland is new on the list") || !strings.Contains(text, "object until 2026-12-24") || news.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
		t.Errorf("the news: %s", text)
	}
	checkHook(t, h, made.Secret)
	checkReader(t, o, reader, end)
	checkTold(t, o, "v3", 4)
	if _, page := o.get("/privacy/sub-processors/v3"); !strings.Contains(page, "What changed with this version") || !strings.Contains(page, "Newcomer Ireland is new on the list") {
		t.Error("the version's page doesn't say what changed")
	}

	// One tenant objects in time; the page says until when one may.
	list, err := o.client(tokens["acme"]).SubProcessors(ctx)
	if last := list[len(list)-1]; err != nil || len(list) != 27 || last.ID != "sp-27" || last.State != "announced" || last.Until != "2026-12-24" {
		t.Fatalf("the list: %+v, %v", list, err)
	}
	eventually(t, "the page of sub-processors", func() bool {
		_, page := o.get("/privacy/sub-processors")
		return strings.Contains(page, "Newcomer Ireland") && strings.Contains(page, "2026-12-24") && strings.Contains(page, `name="address"`)
	})
	if _, err := o.client(tokens["acme"]).ObjectTo(ctx, "sp-27", false); err != nil {
		t.Fatal(err)
	}
	objections := func(when, token, want string) {
		t.Helper()
		all, err := o.client(token).Objections(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, x := range all {
			got += fmt.Sprintf("%s %s %s %s %v %s;", x.Tenant, x.SubProcessor, x.Version, x.Until, x.Stands, x.State)
		}
		if got != want {
			t.Errorf("objections %s: %q, want %q", when, got, want)
		}
	}
	objections("of one that made it", tokens["acme"], "acme sp-27 v3 "+deadline(t, o, tokens["acme"])+" true open;")
	objections("to the operator", o.n.Operator, "acme sp-27 v3 "+deadline(t, o, tokens["acme"])+" true open;")
	objections("of one that made none", tokens["globex"], "")
	checkSettle(t, o, p, tokens["acme"], tokens["globex"])
	if _, err := o.client(tokens["acme"]).ObjectTo(ctx, "sp-27", false); fault.ReasonOf(err) != "objection.stands" {
		t.Errorf("twice: %v", err)
	}
	o.move(29 * 24 * time.Hour)
	o.wantDecision("on the last day", p, "globex", "notice.running")
	o.move(24 * time.Hour)
	o.wantDecision("after the period", p, "globex", "")
	o.wantDecision("after the period", p, "acme", "recipient.objected")
	if _, err := o.client(tokens["globex"]).ObjectTo(ctx, "sp-27", false); fault.ReasonOf(err) != "objection.too_late" {
		t.Errorf("too late: %v", err)
	}
	objections("after the period", o.n.Operator, "acme sp-27 v3 "+deadline(t, o, tokens["acme"])+" true overdue;globex sp-27 v3 "+deadline(t, o, tokens["acme"])+" false lifted;")
	if _, err := o.client(tokens["acme"]).ObjectTo(ctx, "sp-27", true); err != nil {
		t.Fatal(err)
	}
	objections("after it was withdrawn", tokens["acme"], "acme sp-27 v3 "+deadline(t, o, tokens["acme"])+" false withdrawn;")
	o.wantDecision("after it was withdrawn", p, "acme", "")

	checkUnsubscribe(t, o, news, tokens["globex"], made.ID)
	checkStore(t, o)

	// It leaves the list: nothing flows to it, and who is still there is told.
	before := len(o.relay.Letters())
	gone := withMore(t, regexp.MustCompile(`    sub_processor: .*\n`).ReplaceAllString(newcomer, ""))
	o.start(gone)
	if v, err := o.client(o.n.Operator).PublishNotice(ctx, ""); err != nil || v.Queued.Mail != 1 || v.Queued.Webhooks != 1 || v.List[0].Notice {
		t.Fatalf("published: %+v, %v", v, err)
	}
	o.letters(before + 1)
	o.wantDecision("after it left", p, "globex", "recipient.unpublished")
	checkTold(t, o, "v4", 2)
}

func checkHook(t *testing.T, h *hook, secret string) {
	t.Helper()
	eventually(t, "the webhook", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.events) == 1 })
	h.mu.Lock()
	defer h.mu.Unlock()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	head := h.heads[0]
	m := hmac.New(sha256.New, key) // as standardwebhooks.com has it
	_, _ = m.Write([]byte(head.Get("webhook-id") + "." + head.Get("webhook-timestamp") + "." + string(h.bodies[0])))
	if want := "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)); head.Get("webhook-signature") != want {
		t.Errorf("signature %q, want %q", head.Get("webhook-signature"), want)
	}
	if e := h.events[0]; e["version"] != "v3" || e["object_until"] != "2026-12-24" || e["new_list"] != true {
		t.Errorf("event: %+v", e)
	}
}

// checkTold waits until the ledger has who was told.
func checkTold(t *testing.T, o *office, version string, n int) {
	t.Helper()
	var told client.NoticeTold
	eventually(t, "all are told", func() bool {
		var err error
		if told, err = o.client(o.n.Operator).NoticeTold(context.Background(), version); err != nil {
			t.Fatal(err)
		}
		return told.Complete
	})
	if len(told.Messages) != n || told.Ledger == nil {
		t.Fatalf("told: %+v", told)
	}
	var entered struct {
		Version        int
		Mail, Webhooks struct{ Sent, Failed, Dropped int }
		Digest, Times  string
	}
	if err := app.LedgerBody(context.Background(), o.n, told.Ledger.Entry, &entered); err != nil {
		t.Fatal(err)
	}
	channels := map[string]int{}
	for _, m := range told.Messages {
		channels[m.Channel]++
	}
	whom, when := toldDigests(t, told)
	if fmt.Sprintf("v%d", entered.Version) != version || entered.Mail.Sent != channels["mail"] || entered.Webhooks.Sent != channels["webhook"] || entered.Digest != whom || entered.Times != when || told.Digest != whom || told.Times != when {
		t.Errorf("the ledger has %+v, counted %v, %s, %s, told %+v", entered, channels, whom, when, told)
	}
	for _, m := range told.Messages {
		if m.State != "sent" || m.Attempts != 1 || m.DoneAt == nil || len(m.Digest) != 32 {
			t.Errorf("%+v", m)
		}
	}
}

// checkUnsubscribe takes the one click of RFC 8058.
func checkUnsubscribe(t *testing.T, o *office, news *netmail.Message, token, webhook string) {
	t.Helper()
	address := strings.Trim(news.Header.Get("List-Unsubscribe"), "<>")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	path := u.Path // the node has another port since
	if status, page := o.get(path); status != 200 || !strings.Contains(page, "<button") {
		t.Errorf("GET: %d %s", status, page)
	}
	if status, _ := o.post(path, url.Values{"x": {"y"}}); status != 400 {
		t.Errorf("a POST that doesn't say so: %d", status)
	}
	if status, _ := o.post(path[:len(path)-3]+"AAA", url.Values{"List-Unsubscribe": {"One-Click"}}); status != 404 {
		t.Errorf("somebody else's link: %d", status)
	}
	var b strings.Builder
	b.WriteString("--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n")
	for range 2 { // again: the same answer
		if status, body := o.send("POST", path, strings.NewReader(b.String()), "Content-Type", "multipart/form-data; boundary=x"); status != 200 {
			t.Errorf("one click: %d %s", status, body)
		}
	}
	if status, _ := o.send("POST", "/api/v1/subscriptions/"+webhook+":end", nil, "Authorization", "Bearer "+token); status != 200 {
		t.Errorf("end of the webhook: %d", status)
	}
	if status, _ := o.send("POST", "/api/v1/subscriptions/"+webhook+":end", nil, "Authorization", "Bearer "+token); status != 404 {
		t.Errorf("end of a webhook that is gone: %d", status)
	}
}

// checkStore looks for addresses in every file of the node.
func checkStore(t *testing.T, o *office) {
	t.Helper()
	err := filepath.WalkDir(o.c.Data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("example.net")) {
			t.Errorf("%s has an address", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: it didn't come to be", what)
}
