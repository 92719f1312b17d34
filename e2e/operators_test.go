package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ownPolicies are an operator's: content never goes in the clear, and nothing goes to the support of headquarters.
const ownPolicies = `@id("no-clear-content")
@says("content doesn't leave in the clear")
forbid (principal, action == Action::"transfer", resource in Category::"customer_content") when { context.form == "clear" };

@id("no-support")
forbid (principal, action == Action::"transfer", resource in Flow::"call_troubleshooting");
`

// What an operator forbids in a policy of their own narrows one running flow and halts another.
func TestAnOperatorsPolicyNarrowsAndHalts(t *testing.T) {
	dir := exampleCopy(t)
	w := newWorld(t, "sqlite", withArgs("--programme", dir), toFiles(t))
	for _, f := range []string{"message_screening", "call_troubleshooting"} {
		w.flow(t, "ie1", "start", f)
	}
	w.everyKind(t, "before")
	w.settled(t)
	if got := w.arrived(t, "sp-01"); !strings.Contains(got, `hello`) || !strings.Contains(got, "+353851234567") {
		t.Fatalf("in the clear came %s", got)
	}
	w.stop()
	if err := os.WriteFile(filepath.Join(dir, "own.cedar"), []byte(ownPolicies), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(w.root, "out")); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.everyKind(t, "after")
	w.settled(t)
	for _, f := range w.flows(t) {
		switch f.ID {
		case "message_screening":
			if f.halted() || f.Form != "pseudonymised" || f.Tenants[0].Sent["pseudonymised"] == 0 {
				t.Errorf("content that may not go in the clear: %+v", f)
			}
		case "call_troubleshooting":
			if !f.halted() || f.Form != "none" || len(f.Reasons) == 0 || f.Reasons[0].Code != "policy.forbids" {
				t.Errorf("a flow that a policy forbids: %+v", f)
			}
		}
	}
	if got := w.arrived(t, "sp-01"); got == "" || strings.Contains(got, "hello") || strings.Contains(got, "+353851234567") {
		t.Errorf("under the policy came %q", got)
	}
	if got := w.arrived(t, "sp-26"); got != "" {
		t.Errorf("of a flow that halts came %s", got)
	}
}

// arrived is everything that a recipient has.
func (w *world) arrived(t *testing.T, to string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(w.root, "out", to), func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && e.IsDir() {
			return nil
		} else if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// campaigns is a flow for marketing that has nothing to do with text messages.
const campaigns = `flows:
  - id: campaigns
    name: Events to the tool of campaigns
    from: ie1
    services: [cdp]
    kinds: [track]
    categories: [device_data, online_activity_data]
    purpose: customer_engagement
    legal_basis: consent
    opt_outs: [marketing]
    to: sp-13
    form: pseudonymised
    at_least: pseudonymised
`

// Who sends STOP to one number is out of marketing in every channel, from the next batch on, and in again with START.
func TestAnOptOutInOneChannelHoldsInAll(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		dir := exampleCopy(t)
		if err := os.WriteFile(filepath.Join(dir, "campaigns.yaml"), []byte(campaigns), 0o600); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, kind, withArgs("--programme", dir), toFiles(t))
		ie1 := w.region("ie1")
		phone := newCanaries().phone("From")
		text := texter(t, ie1, phone)
		n := 0
		see := func() {
			n++
			ie1.segment(t, "/v1/track", m{"userId": "buyer", "messageId": fmt.Sprintf("seen-%d", n), "event": "Seen", "context": m{"userAgent": "UA",
				"consent": m{"categoryPreferences": m{"Marketing": true}}}})
		}
		ie1.segment(t, "/v1/identify", m{"userId": "buyer", "messageId": "i", "traits": m{"phone": phone}})
		w.flow(t, "ie1", "start", "campaigns")
		wants := func(what string, sent, out int64) {
			t.Helper()
			w.eventually(what, func() error {
				for _, f := range w.flows(t) {
					if f.ID != "campaigns" {
						continue
					}
					x := f.Tenants[0]
					if x.LagPositions > 0 || x.Sent["pseudonymised"] != sent || x.Denied["subject.opted_out"] != out {
						return fmt.Errorf("%d behind, sent %v, denied %v", x.LagPositions, x.Sent, x.Denied)
					}
				}
				return nil
			})
		}
		see()
		wants("what was agreed to leaves", 1, 0)
		text("STOP")
		see()
		wants("after STOP nothing does", 1, 1)
		see() // which repeats the banner's yes
		wants("whatever the browser repeats", 1, 2)
		text("START")
		see()
		wants("after START it does again", 2, 2)
	})
}

// texter makes a source of Twilio's and returns what sends a text message into it.
func texter(t *testing.T, r *region, phone string) func(body string) {
	t.Helper()
	token, n := digits(32), 0
	var made struct {
		Source struct{ ID, Path string }
	}
	r.api(t, "POST", "/tenants/"+r.Tenant+"/sources", m{"adapter": "twilio", "secret": token}).want(t, 201).into(t, &made)
	return func(body string) {
		t.Helper()
		n++
		form, h := twilioForm(call{body: m{"MessageSid": fmt.Sprintf("SM%s%d", phone[1:], n), "SmsStatus": "received", "NumMedia": "0", "To": "+447700900001",
			"From": phone, "Body": body}}, token, r.URL+made.Source.Path)
		r.send(t, "POST", made.Source.Path, h, form).want(t, 200)
		<-time.After(5 * time.Millisecond) // later by the clock
	}
}
