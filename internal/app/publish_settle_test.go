package app_test

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/app"
	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
)

// toldDigests makes the digests of docs/sub-processors.md from what is listed.
func toldDigests(t *testing.T, told client.NoticeTold) (whom, when string) {
	t.Helper()
	a, b := sha256.New(), sha256.New()
	for _, m := range told.Messages {
		sub, err := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).DecodeString(strings.TrimPrefix(m.Subscription, "sbr_"))
		digest, bad := hex.DecodeString(m.Digest)
		if err != nil || bad != nil || m.DoneAt == nil {
			t.Fatalf("%+v: %v, %v", m, err, bad)
		}
		fmt.Fprintf(a, "%s%s\x00%s", sub, m.State, digest)
		fmt.Fprintf(b, "%s%s\x00%s", sub, m.Channel, binary.BigEndian.AppendUint64(nil, uint64(m.DoneAt.UnixMilli())))
	}
	return hex.EncodeToString(a.Sum(nil)), hex.EncodeToString(b.Sum(nil))
}

// checkSettle has another tenant's objection kept and then lifted by the operator, within the time to object.
func checkSettle(t *testing.T, o *office, p *programme.Programme, other, token string) {
	t.Helper()
	ctx := context.Background()
	if _, err := o.client(token).ObjectTo(ctx, "sp-27", false); err != nil {
		t.Fatal(err)
	}
	all, err := o.client(token).Objections(ctx)
	if err != nil || len(all) != 1 || !strings.HasPrefix(all[0].ID, "obj_") {
		t.Fatalf("%+v, %v", all, err)
	}
	which, op := all[0].ID, o.client(o.n.Operator)
	for _, tt := range []struct {
		who, id, outcome, reason, want string
	}{
		{token, which, "lifted", "tenant_agreed", "operator.needed"},
		{other, which, "kept", "", "operator.needed"},
		{o.n.Operator, which, "lifted", "", "objection.no_reason"},
		{o.n.Operator, which, "kept", "tenant_agreed", "objection.no_reason"},
		{o.n.Operator, which[:len(which)-4] + "0000", "kept", "", "objection.unknown"},
		{o.n.Operator, "sp-27", "kept", "", "objection.unknown"},
	} {
		if _, err := o.client(tt.who).SettleObjection(ctx, tt.id, tt.outcome, tt.reason); fault.ReasonOf(err) != tt.want {
			t.Errorf("%s %q: %v, want %s", tt.outcome, tt.reason, err, tt.want)
		}
	}
	for _, bad := range [][2]string{{"dropped", ""}, {"lifted", "whatever"}} {
		if _, err := op.SettleObjection(ctx, which, bad[0], bad[1]); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	settle := func(outcome, reason string, stands bool) {
		t.Helper()
		x, err := op.SettleObjection(ctx, which, outcome, reason)
		if err != nil || x.State != outcome || x.Stands != stands || x.Reason != reason || x.Ledger == nil || x.SettledAt == nil {
			t.Fatalf("%s: %+v, %v", outcome, x, err)
		}
		var entered map[string]any
		if err := app.LedgerBody(ctx, o.n, x.Ledger.Entry, &entered); err != nil || entered["objection"] != which || entered["outcome"] != outcome || entered["recipient"] != "sp-27" {
			t.Errorf("the ledger has %v, %v", entered, err)
		}
		if _, err := o.client(token).LedgerEntry(ctx, x.Ledger.Entry); err != nil {
			t.Errorf("the tenant's look at its entry: %v", err)
		}
		if d := o.decide(p, "globex"); d.Has("recipient.objected") != stands {
			t.Errorf("%s: %+v", outcome, d.Denials())
		}
	}
	settle("kept", "", true)
	if _, err := op.SettleObjection(ctx, which, "kept", ""); fault.ReasonOf(err) != "objection.settled" {
		t.Errorf("kept again: %v", err)
	}
	settle("lifted", "tenant_agreed", false)
	for _, outcome := range []string{"kept", "lifted"} {
		reason := ""
		if outcome == "lifted" {
			reason = "alternative_found"
		}
		if _, err := op.SettleObjection(ctx, which, outcome, reason); fault.ReasonOf(err) != "objection.over" {
			t.Errorf("%s after it was lifted: %v", outcome, err)
		}
	}
	if _, err := o.client(token).ObjectTo(ctx, "sp-27", true); fault.ReasonOf(err) != "objection.none" {
		t.Errorf("withdrawn after it was lifted: %v", err)
	}
}

var value = regexp.MustCompile(`<code class="long">([^<]+)</code>`)

// subscribeHook subscribes a reader's webhook by the form.
func (o *office) subscribeHook(h *hook, lists ...string) (secret, end string) {
	o.t.Helper()
	status, page := o.post("/privacy/subscriptions/webhooks", url.Values{"url": {h.URL + "/reader"}, "list": lists})
	got := value.FindAllStringSubmatch(page, -1)
	if status != 200 || len(got) != 3 || !strings.HasPrefix(got[1][1], "whsec_") {
		o.t.Fatalf("subscribe a webhook: %d %s", status, page)
	}
	return got[1][1], got[2][1]
}

// checkReader looks at what a reader's webhook got, and that its address can't be subscribed again.
func checkReader(t *testing.T, o *office, h *hook, end string) {
	t.Helper()
	eventually(t, "the reader's webhook", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.events) == 1 })
	h.mu.Lock()
	e := h.events[0]
	h.mu.Unlock()
	link, _ := e["unsubscribe"].(string)
	if e["version"] != "v3" || link == "" || link[strings.LastIndex(link, "/"):] != end[strings.LastIndex(end, "/"):] {
		t.Errorf("event %+v, want it to end by %s", e, end)
	}
	if status, page := o.post("/privacy/subscriptions/webhooks", url.Values{"url": {h.URL + "/reader"}, "list": {"notices"}}); status != 409 || strings.Contains(page, "whsec_") {
		t.Errorf("a second time: %d %s", status, page)
	}
}

// A reader's webhook is ended by whoever has its link; one that refuses two versions for good ends itself, and one that is
// away for now is called again.
func TestAReadersWebhookEnds(t *testing.T) {
	onBothStores(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.start(exampleProgramme(t))
		left, gone := newHook(t), newHook(t)
		_, end := o.subscribeHook(left, "sub_processors")
		o.subscribeHook(gone, "sub_processors")
		path := end[strings.Index(end, "/privacy"):]
		if status, page := o.get(path); status != 200 || !strings.Contains(page, "<button") {
			t.Errorf("the link's page: %d", status)
		}
		if status, _ := o.post(path, url.Values{"List-Unsubscribe": {"One-Click"}}); status != 200 {
			t.Errorf("the link: %d", status)
		}
		for n, step := range []struct {
			status, left int
			state        string
		}{{410, 1, "failed webhook.410"}, {503, 1, "queued webhook.503"}, {410, 1, "failed webhook.410"}, {410, 0, "failed webhook.410"}} {
			gone.status.Store(int64(step.status))
			o.start(withMore(t, strings.ReplaceAll(newcomer, "sp-27", fmt.Sprintf("sp-%d", 28+n))))
			v, err := o.client(o.n.Operator).PublishNotice(ctx, "")
			if err != nil || v.Queued.Webhooks != 1 {
				t.Fatalf("%d: %+v, %v", n, v, err)
			}
			state := func() string {
				told, err := o.client(o.n.Operator).NoticeTold(ctx, v.Version)
				if err != nil {
					t.Fatal(err)
				}
				return strings.TrimSpace(told.Messages[0].State + " " + told.Messages[0].Code)
			}
			eventually(t, v.Version+" is "+step.state, func() bool { return state() == step.state })
			if step.status == 503 { // it is back: nothing is counted any more
				gone.status.Store(http.StatusNoContent)
				o.move(3 * time.Minute)
				eventually(t, v.Version+" is sent", func() bool { return state() == "sent" })
			}
			eventually(t, fmt.Sprintf("%d subscriptions after %s", step.left, v.Version), func() bool {
				_, confirmed, err := app.Subscribers(ctx, o.n)
				return err == nil && confirmed == step.left
			})
		}
		left.mu.Lock()
		defer left.mu.Unlock()
		if len(left.events) != 0 {
			t.Errorf("who left was told: %+v", left.events)
		}
	})
}

// An address that doesn't say in its own answer that it wants this is not subscribed, and nothing of it is kept.
func TestAReadersWebhookHasToAnswer(t *testing.T) {
	o := newOffice(t, "")
	o.start(exampleProgramme(t))
	echo := func(w http.ResponseWriter, r *http.Request, status int, change func(string) string) {
		var e struct{ Data struct{ Challenge string } }
		_ = json.NewDecoder(r.Body).Decode(&e)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"challenge": change(e.Data.Challenge)})
	}
	same := func(s string) string { return s }
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	defer s.Close()
	bad := map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"text":    func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) },
		"another": func(w http.ResponseWriter, r *http.Request) { echo(w, r, 200, strings.ToLower) },
		"cut": func(w http.ResponseWriter, r *http.Request) {
			echo(w, r, 200, func(s string) string { return s[:len(s)-1] })
		},
		"error":   func(w http.ResponseWriter, r *http.Request) { echo(w, r, 500, same) },
		"refused": func(w http.ResponseWriter, r *http.Request) { echo(w, r, 403, same) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/good", http.StatusTemporaryRedirect)
		},
		"long": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", 70_000))
			echo(w, r, 200, same)
		},
		"hangup": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, h := range bad {
		mux.HandleFunc("/"+name, h)
	}
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) { echo(w, r, 202, same) })
	ask := func(name string) (int, string) {
		return o.post("/privacy/subscriptions/webhooks", url.Values{"url": {s.URL + "/" + name}, "list": {"notices"}})
	}
	for name := range bad {
		if status, page := ask(name); status != 422 || strings.Contains(page, "whsec_") {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	if waiting, confirmed, err := app.Subscribers(context.Background(), o.n); waiting+confirmed != 0 || err != nil {
		t.Errorf("%d wait, %d are subscribed, %v", waiting, confirmed, err)
	}
	o.start(exampleProgramme(t)) // a host and a client are asked for ten times in a quarter of an hour
	if status, page := ask("good"); status != 200 {
		t.Errorf("one that answers: %d %s", status, page)
	}
}

// Nobody has the node call what only it can reach, whatever tenants' webhooks may.
func TestAReadersWebhookIsPublic(t *testing.T) {
	o := newOffice(t, "")
	o.strict = true
	o.start(exampleProgramme(t))
	called := false
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer inside.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "https://"), ":")
	for address, want := range map[string]int{inside.URL: 400, "http://127.0.0.1/": 400, "https://localhost:" + port: 400, "https://127.0.0.1/": 422, "https://localhost:8443/": 422,
		"https://[::ffff:10.0.0.1]/": 422, "https://169.254.169.254/latest": 422, "https://2130706433/": 422, "https://u:p@hooks.example.com/": 400, "gopher://hooks.example.com/": 400, "": 400} {
		if status, page := o.post("/privacy/subscriptions/webhooks", url.Values{"url": {address}, "list": {"notices"}}); status != want || strings.Contains(page, "whsec_") || address != "" && strings.Contains(page, address) {
			t.Errorf("%s: %d %s", address, status, page)
		}
	}
	if _, confirmed, err := app.Subscribers(context.Background(), o.n); called || confirmed != 0 || err != nil {
		t.Errorf("called %v, %d subscribed, %v", called, confirmed, err)
	}
}
