package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// spokenWord is one thing that somebody says.
type spokenWord struct {
	Kind, Purpose, Word, How, Source string
	OptOut                           string `json:"opt_out"`
}

func (x spokenWord) text() string { return x.Kind + "." + x.Purpose + x.OptOut + "=" + x.Word }

// says is what the person says now, and said the words of their history.
func (r *region) says(t testing.TB, subject string) (now []string, said []spokenWord) {
	t.Helper()
	var got struct{ Consents, Said []spokenWord }
	r.api(t, "GET", "/subjects/"+subject, nil).want(t, 200).into(t, &got)
	for _, c := range got.Consents {
		now = append(now, c.text())
	}
	return now, got.Said
}

// wantSays wants the person to say all of these, among others.
func (r *region) wantSays(t testing.TB, subject string, want ...string) {
	t.Helper()
	now, _ := r.says(t, subject)
	for _, x := range want {
		if !slices.Contains(now, x) {
			t.Errorf("%s doesn't say %s, but %q", subject, x, now)
		}
	}
}

const (
	adsGiven   = "consent.personalization_optimization=given"
	adsRefused = "consent.personalization_optimization=refused"
)

// What people say by the SDKs that ask them, by their browser, by text message and by mail is kept, and
// is one say of one person.
func TestThePersonsSay(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1 := w.region("ie1")
		person := newCanaries().text("person")
		if kind == "sqlite" {
			t.Run("analytics-consent-tools in Chromium", func(t *testing.T) {
				origin, key := shop(t), ie1.Sources["browser"].WriteKey
				ie1.delivered(t, ie1.open(t, origin, "consent.html", key, person, ""), "authorization")
				s := ie1.find(t, "user_id", "consent-"+person)
				ie1.wantSays(t, s, adsGiven, "consent.research_innovation=given")
				_, said := ie1.says(t, s)
				for i := range said { // the newest first
					if said[i].Purpose == "personalization_optimization" {
						if said[i].Word != "given" || !slices.ContainsFunc(said[i:], func(x spokenWord) bool { return x.text() == adsRefused }) {
							t.Errorf("the history is %+v", said)
						}
						break
					}
				}
				if now, _ := ie1.says(t, s); slices.Contains(now, "opt_out.gpc=out") {
					t.Error("a browser without the signal sent it")
				}
			})
			t.Run("the GPC signal of Chromium", func(t *testing.T) {
				t.Setenv("GPC", "1")
				got := ie1.open(t, shop(t), "segment.html", ie1.Sources["browser"].WriteKey, person, "alone")
				if !slices.ContainsFunc(got.Requests, func(a asked) bool { return a.Method == "POST" && a.header("Sec-GPC") == "1" }) {
					t.Fatal("Chromium sent no Sec-GPC")
				}
				ie1.delivered(t, got, "authorization")
				ie1.wantSays(t, ie1.find(t, "user_id", "alone-"+person), "opt_out.gpc=out")
			})
		}
		t.Run("analytics-node", func(t *testing.T) {
			if sent, failures, ok := sdk(t, "segment-consent.mjs", ie1.URL, ie1.Sources["segment"].WriteKey, person); !ok || len(sent) != 2 {
				t.Fatalf("sent %v, failures %v", sent, failures)
			}
			s := ie1.find(t, "email", person+"@consent.example")
			ie1.wantSays(t, s, adsRefused, "opt_out.targeted_advertising=out", "consent.research_innovation=given", "consent.customer_engagement=given")
			if now, said := ie1.says(t, s); len(said) != len(now) {
				t.Errorf("the second event said nothing new, and the history has %d words of %d", len(said), len(now))
			}
		})
		t.Run("STOP and START to Twilio", func(t *testing.T) { stopAndStart(t, ie1) })
		t.Run("by the command line, exported, erased", func(t *testing.T) { byHand(t, w, ie1, person) })
	})
}

func stopAndStart(t *testing.T, ie1 *region) {
	phone := newCanaries().phone("From")
	ie1.segment(t, "/v1/identify", m{"userId": "sms-" + phone, "messageId": "sms-" + phone, "traits": m{"phone": phone}})
	token := digits(32)
	var made struct {
		Source struct{ ID, Path string }
	}
	ie1.api(t, "POST", "/tenants/"+ie1.Tenant+"/sources", m{"adapter": "twilio", "secret": token}).want(t, 201).into(t, &made)
	text := func(n int, body, optOutType string) {
		b := m{"MessageSid": fmt.Sprintf("SM%s%d", phone[1:], n), "SmsStatus": "received", "NumMedia": "0", "To": "+447700900001", "From": phone, "Body": body}
		if optOutType != "" {
			b["OptOutType"] = optOutType
		}
		form, h := twilioForm(call{body: b}, token, ie1.URL+made.Source.Path)
		ie1.send(t, "POST", made.Source.Path, h, form).want(t, 200)
		<-time.After(5 * time.Millisecond) // later by the clock
	}
	s := ie1.find(t, "phone", phone)
	text(1, "Hello", "")
	if now, _ := ie1.says(t, s); len(now) != 0 {
		t.Errorf("who wrote hello says %q", now)
	}
	text(2, "stop", "")
	ie1.wantSays(t, s, "opt_out.marketing=out")
	text(3, "ALTA", "START")
	ie1.wantSays(t, s, "opt_out.marketing=in")
	text(4, "BAJA", "STOP")
	ie1.api(t, "POST", "/subjects/"+s+":optout", m{"opt_out": "marketing", "how": "call"}).want(t, 200)
	text(5, "START", "")
	ie1.wantSays(t, s, "opt_out.marketing=out") // they also said so on the phone
	ie1.api(t, "POST", "/subjects/"+s+":optin", m{"opt_out": "marketing", "how": "call"}).want(t, 200)
	ie1.wantSays(t, s, "opt_out.marketing=in")
}

func byHand(t *testing.T, w *world, ie1 *region, person string) {
	email := person + "@hand.example"
	ie1.segment(t, "/v1/identify", m{"userId": "hand-" + person, "messageId": "hand-" + person, "traits": m{"email": email}})
	s := ie1.find(t, "email", email)
	for _, args := range []string{"consent --purpose research_innovation --word given --text privacy-2026-11 --how form", "object --purpose research_innovation",
		"optout --of cpni", "optout --of cpni --end"} {
		if out, stderr, code := w.run("email "+email+"\n", append([]string{"subject"}, append(strings.Fields(args), "--up", w.dir)...)...); code != 0 || !strings.Contains(out, s) {
			t.Fatalf("%s: exit %d: %s %s", args, code, out, stderr)
		}
	}
	ie1.wantSays(t, s, "consent.research_innovation=given", "objection.research_innovation=objects", "opt_out.cpni=in")
	ie1.api(t, "POST", "/subjects/"+s+":consent", m{"purpose": "nothing_declared", "word": "given"}).want(t, 422)
	changed := ie1.api(t, "POST", "/subjects/"+s+":unobject", m{"purpose": "research_innovation"}).want(t, 200)
	var entered struct{ Ledger struct{ Entry string } }
	changed.into(t, &entered)
	entry := ie1.api(t, "GET", "/ledger/entries/"+entered.Ledger.Entry, nil).want(t, 200)
	if !strings.Contains(string(entry.body), "objection/research_innovation") || strings.Contains(string(entry.body), person) {
		t.Errorf("the ledger's entry is %s", entry.body)
	}
	file := ie1.api(t, "GET", "/subjects/"+s+"/export?format=zip", nil).want(t, 200)
	z, err := zip.NewReader(bytes.NewReader(file.body), int64(len(file.body)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("subject.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(f)
	var exported struct{ Consents, Said []spokenWord }
	if err != nil || json.Unmarshal(raw, &exported) != nil || len(exported.Consents) != 3 || len(exported.Said) != 5 {
		t.Errorf("the export says %s (%v)", raw, err)
	}
	ie1.erase(t, s, false)
	if a := ie1.api(t, "GET", "/subjects/"+s, nil); a.status != 410 {
		t.Errorf("after the erasure: %v", a)
	}
	ie1.segment(t, "/v1/track", m{"userId": "hand-" + person, "messageId": "back-" + person, "event": "Back"})
	if now, said := ie1.says(t, ie1.find(t, "user_id", "hand-"+person)); len(now)+len(said) != 0 {
		t.Errorf("somebody new says what an erased person said: %q %v", now, said)
	}
}

// What is said at one node counts at the other at once, also where that one knew better.
func TestTwoNodesHearThePerson(t *testing.T) {
	a, b := twoNodes(t)
	n := 0
	send := func(r *region, ads bool, event string) {
		n++
		r.segment(t, "/v1/track", m{"userId": "said", "messageId": fmt.Sprintf("said-%d", n), "event": event, "timestamp": time.Now().UTC(),
			"context": m{"consent": m{"categoryPreferences": m{"Advertising": ads, "Analytics": true}}}})
		<-time.After(5 * time.Millisecond)
	}
	for range 3 {
		send(a, false, "Seen")
		send(b, false, "Seen")
	}
	s := b.find(t, "user_id", "said")
	b.wantSays(t, s, adsRefused)
	send(b, true, "Segment Consent Preference Updated")
	a.wantSays(t, s, adsGiven)
	send(a, false, "Seen") // which a had heard before
	b.wantSays(t, s, "consent.personalization_optimization=withdrawn")
	a.api(t, "POST", "/subjects/"+s+":consent", m{"purpose": "personalization_optimization", "word": "given"}).want(t, 200)
	send(b, false, "Seen")
	a.wantSays(t, s, "consent.personalization_optimization=withdrawn")
}
