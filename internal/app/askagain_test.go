package app_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/client"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

const personalization = "personalization_optimization"

// callers are a tenant, its source's key, and the people who write to it, by user id.
type callers struct {
	*client.Client
	o      *office
	token  string
	key    string
	people map[string]string // user id → subject
}

func (o *office) callers() *callers {
	ctx := context.Background()
	_, _, token, _, err := o.n.Tenants.CreateTenant(ctx, tenant.Operator, "acme", "")
	if err != nil {
		o.t.Fatal(err)
	}
	_, key, _, err := o.n.Tenants.CreateSource(ctx, tenant.Operator, "acme", tenant.NewSource{Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server})
	if err != nil {
		o.t.Fatal(err)
	}
	return &callers{o.client(token), o, token, key, map[string]string{}}
}

// observe notes what the example's register says.
func (o *office) observe() {
	o.t.Helper()
	names, err := fs.Glob(examples.Communications(), "*"+register.Suffix)
	if err != nil || len(names) == 0 {
		o.t.Fatalf("registers %v, %v", names, err)
	}
	for _, name := range names {
		src, err := fs.ReadFile(examples.Communications(), name)
		if err != nil {
			o.t.Fatal(err)
		}
		r, err := register.Parse(name, src)
		if err != nil {
			o.t.Fatal(err)
		}
		for i := range r.Checks { // good for 30 days
			r.Checks[i].Checked = programme.DayOf(o.now()).Date()
		}
		if _, err := o.n.Register().Stamp(context.Background(), r.Lines()); err != nil {
			o.t.Fatal(err)
		}
	}
}

// track sends an event of somebody's; with banner it repeats that they allow advertising, as an SDK does.
func (c *callers) track(user string, banner bool) {
	c.o.t.Helper()
	about := ""
	if banner {
		about = `,"context":{"consent":{"categoryPreferences":{"Advertising":true,"DataSharing":true}}}`
	}
	body := fmt.Sprintf(`{"type":"track","userId":%q,"event":"Seen","messageId":"%s-%d","timestamp":%q%s}`, user, user, c.o.now().UnixNano(), c.o.now().Format(time.RFC3339), about)
	status, answer := c.o.send("POST", "/v1/track", strings.NewReader(body), "Content-Type", "application/json", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.key+":")))
	if status != 200 {
		c.o.t.Fatalf("track: %d %s", status, answer)
	}
	f, err := c.Find(context.Background(), client.Identifier{Type: "user_id", Value: user})
	if err != nil {
		c.o.t.Fatal(err)
	}
	c.people[user] = f.Subject
}

func (c *callers) consents(user, text string, at time.Time) {
	c.o.t.Helper()
	if _, err := c.Consent(context.Background(), c.people[user], personalization, "given", text, client.Said{At: at}); err != nil {
		c.o.t.Fatal(err)
	}
}

// again returns, by user, which version their consent doesn't meet, with an exclamation mark where it doesn't count any more.
func (c *callers) again() map[string]string {
	c.o.t.Helper()
	out, pages := map[string]string{}, 0
	for after := ""; ; pages++ {
		all, next, err := c.ConsentsToAsk(context.Background(), personalization, after, 2)
		if err != nil || len(all) > 2 || pages > 10 {
			c.o.t.Fatalf("page %d: %+v, %v", pages, all, err)
		}
		for _, x := range all {
			for user, s := range c.people {
				if s == x.Subject {
					if out[user] = x.AskAgain.Version; !x.Counts {
						out[user] += "!"
					}
				}
			}
		}
		if after = next; next == "" {
			return out
		}
	}
}

// decided is the first code that denies the flow that rests on consent, "" where it may run.
func (c *callers) decided(user string) string {
	c.o.t.Helper()
	d, err := c.Decide(context.Background(), client.Question{Ask: decision.Ask{Flow: "event_analytics", Kind: "track"}, Subject: c.people[user], At: c.o.now().Format(time.DateOnly)})
	if err != nil {
		c.o.t.Fatal(err)
	}
	if d.Allowed {
		return ""
	}
	return d.Denials()[0].Code
}

// A consent given before a material change counts until the change holds, and from that day on none does until it is
// given again by an act, here or at another office.
func TestConsentsThatHaveToBeAskedForAgain(t *testing.T) {
	onBothStores(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.start(exampleProgramme(t))
		o.observe()
		c := o.callers()
		for _, user := range []string{"ann", "bob", "cas", "dan", "eve", "fay", "gus", "hal", "ida"} {
			c.track(user, user == "bob")
		}
		long := time.Date(2025, 10, 1, 0, 0, 0, 0, time.UTC)
		for user, at := range map[string]time.Time{"ann": {}, "dan": {}, "eve": {}, "hal": long, "ida": {}} {
			c.consents(user, "", at)
		}
		o.move(time.Hour)
		c.consents("gus", "notice-2026-11", time.Time{}) // a text that is published later
		if _, err := c.Consent(ctx, c.people["ida"], personalization, "withdrawn", "", client.Said{}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(c.again()); got != "map[hal:v2!]" {
			t.Errorf("before anything was published here: %s", got)
		}
		o.move(time.Hour)
		o.start(materially(t, "notice-2026-11"))
		c.Client = o.client(c.token)
		v, err := o.client(o.n.Operator).PublishNotice(ctx, "")
		if err != nil || v.Effective != "2026-12-25" || len(v.AskAgain) != 2 {
			t.Fatalf("%+v, %v", v, err)
		}
		o.move(time.Hour)
		c.consents("eve", "", time.Time{})
		c.consents("fay", "", time.Time{})
		c.track("dan", true)
		if got := fmt.Sprint(c.again()); got != "map[ann:v3 bob:v3 dan:v3 hal:v2!]" {
			t.Errorf("before it holds: %s", got)
		}
		want := map[string]string{"ann": "", "bob": "", "cas": "consent.missing", "dan": "", "eve": "", "fay": "", "gus": "", "hal": "consent.outdated", "ida": "consent.missing"}
		for user, code := range want {
			if got := c.decided(user); got != code {
				t.Errorf("before it holds, %s: %q, want %q", user, got, code)
			}
		}
		o.move(30 * 24 * time.Hour)
		c.track("ann", true) // repeats last year's choice
		for _, user := range []string{"ann", "bob", "dan"} {
			want[user] = "consent.outdated"
		}
		for user, code := range want {
			if got := c.decided(user); got != code {
				t.Errorf("when it holds, %s: %q, want %q", user, got, code)
			}
		}
		if got := fmt.Sprint(c.again()); got != "map[ann:v3! bob:v3! dan:v3! hal:v2!]" {
			t.Errorf("when it holds: %s", got)
		}
		s, err := c.SubjectFor(ctx, c.people["ann"], "")
		if err != nil || len(s.Consents) == 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		for _, x := range s.Consents {
			if asked := x.AskAgain != nil && *x.AskAgain == (client.AskAgain{Version: "v3", From: "2026-12-25"}); asked != (x.Purpose == personalization) {
				t.Errorf("ann is shown %+v", x)
			}
		}
		c.counted(1, map[string]int64{"current": 3, "to_ask": 0, "outdated": 4})
		c.consents("ann", "", time.Time{})
		if got := c.decided("ann"); got != "" {
			t.Errorf("given again: %s", got)
		}
		if _, _, err := c.ConsentsToAsk(ctx, "weather", "", 0); fault.ReasonOf(err) != "purpose.undeclared" {
			t.Errorf("a purpose that nobody declared: %v", err)
		}
	})
}

// counted waits until consents are counted so, in the API and in the metric.
func (c *callers) counted(least int, want map[string]int64) {
	c.o.t.Helper()
	var seen client.Published
	eventually(c.o.t, fmt.Sprintf("consents are counted as %v", want), func() bool {
		p, err := c.Published(context.Background())
		if err != nil || p.ConsentsAt == nil {
			return false
		}
		seen = p
		for _, n := range p.Consents {
			if n.Purpose == personalization {
				return n.Current == want["current"] && n.ToAsk == want["to_ask"] && n.Outdated == want["outdated"]
			}
		}
		return false
	})
	if len(seen.Consents) < least {
		c.o.t.Errorf("%+v", seen.Consents)
	}
	_, metrics := c.o.get("/metrics")
	for state, n := range want {
		if line := fmt.Sprintf(`domicile_consents{purpose=%q,state=%q} %d`, personalization, state, n); !strings.Contains(metrics, line) {
			c.o.t.Errorf("the metric doesn't say %s", line)
		}
	}
}
