package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"domicile.dev/examples"
	"domicile.dev/internal/app"
	"domicile.dev/internal/config"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store/storetest/pgtest"
	"domicile.dev/internal/tenant"
)

// day is a day as far from today, as facts have it.
func day(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }

// served is a node that answers.
type served struct {
	*app.Node
	t   *testing.T
	url string
}

// serve opens a node of the example with what lies beside it, on a PostgreSQL database unless url is "".
func serve(t *testing.T, dir, url string) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Node{Region: "ie1", Listen: l.Addr().String(), Data: dir, Store: url, SharedServer: true}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	n, err := app.Open(t.Context(), c, app.Options{Programme: exampleProgramme(t), Folder: examples.Communications(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		<-done
		_ = n.Close()
	})
	return &served{n, t, "http://" + l.Addr().String()}
}

// call calls the API and returns the status and the answer.
func (s *served) call(token, method, path string, body any) (int, map[string]any) {
	s.t.Helper()
	b, _ := json.Marshal(body)
	req, _ := http.NewRequest(method, s.url+"/api/v1"+path, bytes.NewReader(b))
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, _ := io.ReadAll(resp.Body)
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, raw)
	}
	return resp.StatusCode, m
}

// add adds one fact and returns its id.
func (s *served) add(kind string, fact map[string]any) string {
	s.t.Helper()
	status, m := s.call(s.Operator, "POST", "/register", map[string]any{"facts": []any{map[string]any{"kind": kind, "fact": fact}}})
	if status != 200 {
		s.t.Fatalf("add to %s: %d %v", kind, status, m)
	}
	return m["facts"].([]any)[0].(map[string]any)["id"].(string)
}

// ask asks about messages for screening, and returns the form and the codes of the reasons.
func (s *served) ask(more map[string]any) (form string, codes []string) {
	s.t.Helper()
	q := map[string]any{"flow": "message_screening", "kind": "message", "tenant": "acme"}
	for k, v := range more {
		q[k] = v
	}
	status, m := s.call(s.Operator, "POST", "/decide", q)
	if status != 200 {
		s.t.Fatalf("decide: %d %v", status, m)
	}
	for _, r := range m["reasons"].([]any) {
		codes = append(codes, r.(map[string]any)["code"].(string))
	}
	return m["form"].(string), codes
}

func (s *served) wants(what, form, code string, more map[string]any) {
	s.t.Helper()
	got, codes := s.ask(more)
	if got != form {
		s.t.Errorf("%s: %s, want %s (%v)", what, got, form, codes)
	}
	if code == "" {
		return
	}
	for _, c := range codes {
		if c == code {
			return
		}
	}
	s.t.Errorf("%s: no reason has the code %s: %v", what, code, codes)
}

func listing(status string, checked int) map[string]any {
	m := map[string]any{"directory": "dpf", "entity": "Adaptive Mobile", "row": "eu-us", "status": status, "checked": day(checked)}
	if status == "active" {
		m["data"] = []string{"non_hr"}
	}
	return m
}

func bothStores(t *testing.T, run func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { run(t, "") })
	t.Run("postgres", func(t *testing.T) { run(t, pgtest.URL(t)) })
}

func TestANodeDecidesByItsRegister(t *testing.T) {
	bothStores(t, func(t *testing.T, url string) {
		dir := t.TempDir()
		n := serve(t, dir, url)
		n.wants("nothing was observed", "none", "contract.missing", nil)
		contract := n.add("contracts", map[string]any{"id": "dpa", "kind": "data_protection", "with": "Adaptive Mobile", "signed": day(-100)})
		n.wants("no look-up", "none", "mechanism.none", nil)
		old := n.add("checks", listing("active", -60))
		n.wants("a look-up that nobody repeated", "none", "dpf.listing.expired", nil)
		listed := n.add("checks", listing("active", 0))
		n.wants("listed today", "clear", "mechanism.holds", nil)
		n.wants("a year on", "none", "dpf.listing.expired", map[string]any{"at": day(365)})
		n.wants("struck down", "none", "", map[string]any{"without": []string{"eu-us-dpf"}})
		failed := n.add("checks", listing("failed", 0))
		n.wants("a look-up that failed", "none", "dpf.listing.negative", nil)
		n.strike(failed)
		n.wants("the failed one struck", "clear", "", nil)

		pause := n.add("pauses", map[string]any{"flow": "message_screening", "reason": "an incident", "from": day(0)})
		n.wants("paused", "none", "flow.paused", nil)
		n.strike(pause)
		n.wants("resumed", "clear", "", nil)

		n.strike(listed)
		n.strike(old)
		n.wants("no look-up stands", "none", "mechanism.none", nil)
		if status, m := n.call(n.Operator, "POST", "/register/"+contract+":strike", nil); status != 200 || m["facts"].([]any)[0].(map[string]any)["entry"] == "" {
			t.Errorf("strike: %d %v", status, m)
		}
		n.wants("the contract struck", "none", "contract.missing", nil)
	})
}

func (s *served) strike(fact string) {
	s.t.Helper()
	if status, m := s.call(s.Operator, "POST", "/register/"+fact+":strike", nil); status != 200 {
		s.t.Fatalf("strike: %d %v", status, m)
	}
}

// What one node notes the other decides by within a second, and one that can't read denies.
func TestNodesSeeEachOthersFacts(t *testing.T) {
	url, dir := pgtest.URL(t), t.TempDir()
	a := serve(t, dir, url)
	a.add("contracts", map[string]any{"id": "dpa", "kind": "data_protection", "with": "Adaptive Mobile", "signed": day(-100)})
	a.add("checks", listing("active", 0))
	b := serve(t, dir, url)
	b.wants("what was noted before it began", "clear", "", nil)
	pause := a.add("pauses", map[string]any{"flow": "message_screening", "reason": "an incident", "from": day(0)})
	b.within("a pause", "none", time.Now())
	a.strike(pause)
	b.within("its end", "clear", time.Now())

	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	bad := `INSERT INTO register_fact (cell, seq, id, kind, tenant, body, ends, assumed, by, at, entry) VALUES (1, 1000, 'fct_x', 'checks', '', '{"entity":1}', 0, 0, 'x', 0, '')`
	if _, err := c.Exec(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*served{a, b} {
		n.within("a register that can't be read", "none", time.Now())
		n.wants("a register that can't be read", "none", "register.unread", nil)
	}
	if _, err := c.Exec(t.Context(), `DELETE FROM register_fact WHERE seq = 1000`); err != nil {
		t.Fatal(err)
	}
	b.within("one that can be read again", "clear", time.Now())
}

// within waits until the answer is form. A second is the promise; a busy machine gets another.
func (s *served) within(what, form string, since time.Time) {
	s.t.Helper()
	for {
		got, codes := s.ask(nil)
		took := time.Since(since)
		if got == form {
			if took > 2*time.Second {
				s.t.Errorf("%s: seen after %v", what, took)
			}
			return
		}
		if took > 10*time.Second {
			s.t.Fatalf("%s: %s after %v, want %s (%v)", what, got, took, form, codes)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A tenant's pin is obeyed by decisions, whatever the register says, from the next question on.
func TestATenantsPinKeepsClearDataHere(t *testing.T) {
	n := serve(t, t.TempDir(), "")
	if _, _, _, _, err := n.Tenants.CreateTenant(t.Context(), tenant.Operator, "acme", ""); err != nil {
		t.Fatal(err)
	}
	n.add("contracts", map[string]any{"id": "dpa", "kind": "data_protection", "with": "Adaptive Mobile", "signed": day(-100)})
	n.add("checks", listing("active", 0))
	n.add("pins", map[string]any{"tenant": "acme", "places": []string{"EEA", "US"}, "from": day(0)})
	n.wants("a wide pin in the register", "clear", "", nil)
	set := func(pin bool) {
		if _, _, err := n.Tenants.SetSettings(t.Context(), tenant.Operator, "acme", tenant.SettingsChange{Pin: &pin}); err != nil {
			t.Fatal(err)
		}
	}
	set(true)
	n.wants("pinned", "pseudonymised", "", nil)
	n.wants("another customer", "clear", "", map[string]any{"tenant": "other"})
	set(false)
	n.wants("unpinned", "clear", "", nil)
}

// A question about a person counts what the region knows of that person; a tenant asks about itself.
func TestDecidingAboutAPerson(t *testing.T) {
	bothStores(t, func(t *testing.T, url string) {
		n := serve(t, t.TempDir(), url)
		_, _, token, _, err := n.Tenants.CreateTenant(t.Context(), tenant.Operator, "acme", "")
		if err != nil {
			t.Fatal(err)
		}
		n.add("contracts", map[string]any{"id": "dpa", "kind": "data_protection", "with": "Adaptive Mobile", "signed": day(-100)})
		n.add("checks", listing("active", 0))
		_, key, _, err := n.Tenants.CreateSource(t.Context(), tenant.Operator, "acme", tenant.NewSource{Adapter: "segment", Service: "cdp"})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest("POST", n.url+"/v1/identify", bytes.NewReader([]byte(`{"userId":"ann","messageId":"m1"}`)))
		req.SetBasicAuth(key, "")
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("identify: %v %v", resp, err)
		}
		_ = resp.Body.Close()
		_, found := n.call(token, "POST", "/subjects:find", map[string]any{"identifiers": []any{map[string]any{"type": "user_id", "value": "ann"}}})
		sub, _ := found["subject"].(string)
		ask := func() (int, map[string]any) {
			return n.call(token, "POST", "/decide", map[string]any{"flow": "message_screening", "kind": "message", "subject": sub})
		}
		if status, m := ask(); status != 200 || m["form"] != "clear" {
			t.Errorf("about a person: %d %v", status, m)
		}
		if status, m := n.call(token, "POST", "/subjects/"+sub+":restrict", map[string]any{"reason": "r"}); status != 200 {
			t.Fatalf("restrict: %d %v", status, m)
		}
		if status, m := ask(); status != 200 || m["form"] != "none" || m["scope"] != "subject" {
			t.Errorf("about a person who is restricted: %d %v", status, m)
		}
		if status, m := n.call(token, "POST", "/subjects/"+sub+":erase", map[string]any{"reason": "r"}); status != 200 {
			t.Fatalf("erase: %d %v", status, m)
		}
		if status, m := ask(); status != 200 || m["form"] != "none" || m["scope"] != "subject" {
			t.Errorf("about a person who was erased: %d %v", status, m)
		}
		for what, x := range map[string]struct {
			token  string
			q      map[string]any
			status int
		}{
			"the operator about a person": {n.Operator, map[string]any{"subject": sub}, 403},
			"a tenant about another":      {token, map[string]any{"tenant": "other"}, 403},
			"nobody":                      {token, map[string]any{"subject": id.NewSubject().String()}, 404},
			"two people":                  {token, map[string]any{"subject": sub, "states": []string{"restricted"}}, 400},
			"a mechanism of nobody":       {token, map[string]any{"without": []string{"nothing"}}, 400},
		} {
			x.q["flow"], x.q["kind"] = "message_screening", "message"
			if status, m := n.call(x.token, "POST", "/decide", x.q); status != x.status {
				t.Errorf("%s: %d %v, want %d", what, status, m, x.status)
			}
		}
	})
}

func TestUpNotesWhatIsAssumedOnce(t *testing.T) {
	dir := t.TempDir()
	start := func() (*app.Up, func()) {
		up, err := app.StartUp(t.Context(), app.UpOptions{Dir: dir, Listen: "127.0.0.1:0", Programme: exampleProgramme(t), Folder: examples.Communications(), Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- up.Serve(ctx) }()
		return up, func() { cancel(); <-done }
	}
	up, stop := start()
	s := &served{up.Nodes[0], t, up.File.Regions[0].URL}
	_, m := s.call(s.Operator, "GET", "/register?limit=1000", nil)
	facts := m["facts"].([]any)
	if len(facts) < 15 || up.Assumed["ie1"] != len(facts) || up.Assumed["us1"] != len(facts) {
		t.Fatalf("%d facts, %v were said", len(facts), up.Assumed)
	}
	for _, f := range facts {
		if f.(map[string]any)["assumed"] != true {
			t.Errorf("not marked: %v", f)
		}
	}
	s.strike(facts[0].(map[string]any)["id"].(string))
	stop()
	up, stop = start()
	defer stop()
	s = &served{up.Nodes[0], t, up.File.Regions[0].URL}
	_, m = s.call(s.Operator, "GET", "/register?limit=1000", nil)
	if got := len(m["facts"].([]any)); got != len(facts)-1 || up.Assumed["ie1"] != 0 {
		t.Errorf("%d facts after a second start, %v were said; want %d and none", got, up.Assumed, len(facts)-1)
	}
}
