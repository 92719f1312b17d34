package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The flows of the example that are started, and their recipients.
const (
	screening, screener = "message_screening", "sp-01" // clear
	analytics, analyst  = "event_analytics", "sp-13"   // pseudonymised, on consent
	idleAt              = "sp-26"                      // of flows that nobody starts
)

// NothingLeavesUnasked: recipients keep every byte, and nothing comes that a decision didn't allow, in a
// form that it didn't, or before it was entered in the ledger. What the person, the operator or the law
// takes back narrows or halts the flow at its next batch.
func TestNothingLeavesUnasked(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		rc := newRecipient(t, 0)
		w := newWorld(t, kind, rc.destinations(screener, analyst, idleAt))
		rc.meet(w)
		v := &leaving{t: t, w: w, ie1: w.region("ie1"), rc: rc, c: newCanaries(), allowed: map[string]map[string]bool{screener: {}, analyst: {}}}
		v.shop = v.c.text("before the start")
		v.message(v.c.phone("early"), "early", v.shop)
		v.flow(0, "start", screening)
		v.flow(0, "start", analytics)
		v.people()
		v.fence()
		v.check()
		v.inOrder()
		t.Run("what is taken back holds from the next batch on", func(t *testing.T) {
			v.t = t
			v.withdraws()
			v.isRestricted()
			v.pauses()
			v.strikes()
		})
		v.t = t
		v.fence()
		v.check()
		rc.checkEntries()
		for _, to := range []string{screener, analyst} {
			rc.inSequence(to)
		}
		if n := len(rc.arrivals(idleAt)); n > 0 {
			t.Errorf("%d deliveries of flows that nobody started", n)
		}
	})
}

// leaving is what was sent into a region with running flows, and what of it may come out where.
type leaving struct {
	t       *testing.T
	w       *world
	ie1     *region
	rc      *recipient
	c       *canaries
	shop    string
	n       int
	allowed map[string]map[string]bool // recipient → values
	order   []string                   // words of one person's messages, as they were sent
}

// may says that these values may come to the recipient, and will.
func (v *leaving) may(to string, values ...string) {
	for _, x := range values {
		v.allowed[to][x] = true
	}
}

// flow orders a flow by the command line and returns what it prints.
func (v *leaving) flow(code int, verb, flow string, args ...string) string {
	v.t.Helper()
	out, errs, got := v.w.run("", slices.Concat([]string{"flow", verb, flow, "--up", v.w.dir, "--region", "ie1"}, args)...)
	if got != code {
		v.t.Fatalf("flow %s %s: exit %d: %s%s", verb, flow, got, out, errs)
	}
	return out
}

// shows waits until `flow show` says all of these words.
func (v *leaving) shows(flow string, words ...string) {
	v.t.Helper()
	v.w.eventually("flow show "+flow+" to say "+strings.Join(words, ", "), func() error {
		out := v.flow(0, "show", flow)
		for _, x := range words {
			if !strings.Contains(out, x) {
				return fmt.Errorf("it says %s", out)
			}
		}
		return nil
	})
}

// message sends a native record that somebody wrote, with more in it than the flow asks for.
func (v *leaving) message(phone, where, body string) {
	v.t.Helper()
	v.n++
	v.ie1.native(v.t, m{"id": v.c.text("client id of " + where), "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": phone, "role": "sender"}},
		"data": m{"from": phone, "body": body, "channel": "sms", "ip": v.c.ip("address of " + where), "user_agent": v.c.text("user agent of " + where),
			"mystery": v.c.text("undeclared element of " + where), "deep": m{v.c.text("undeclared name of " + where): 1}}})
}

// track sends an event by Segment's adapter; consent is its consent object, nil for none.
func (v *leaving) track(user, where, event string, consent any, more header) {
	v.t.Helper()
	ctx := m{"ip": "198.51.100.77", "userAgent": v.c.text("user agent of " + where), "os": m{"name": "Plan 9"}, "mystery": v.c.text("undeclared element of " + where),
		"traits": m{"name": v.c.text("trait of " + where)}, "page": m{"url": "https://" + v.c.text("page of "+where) + ".example/", "title": v.c.text("title of " + where)}}
	if consent != nil {
		ctx["consent"] = consent
	}
	h := basic(v.ie1.Sources["segment"].WriteKey)
	for k, x := range more {
		h[k] = x
	}
	v.ie1.send(v.t, "POST", "/v1/track", h, encode(v.t, m{"userId": user, "anonymousId": v.c.text("device of " + where), "messageId": v.c.text("client id of " + where), "event": event,
		"properties": m{v.c.text("property of " + where): v.c.text("property's value of " + where)}, "context": ctx})).want(v.t, 200)
}

func advertising(yes any) m {
	return m{"categoryPreferences": m{"Advertising": yes, "DataSharing": true}}
}

// say calls the API about a person.
func (v *leaving) say(typ, value, verb string, body m) {
	v.t.Helper()
	v.ie1.api(v.t, "POST", "/subjects/"+v.ie1.find(v.t, typ, value)+":"+verb, body).want(v.t, 200)
}

// writer is somebody with a number who has written once before, when nothing of it may leave yet.
func (v *leaving) writer(where string) string {
	v.t.Helper()
	phone := v.c.phone(where)
	v.ie1.segment(v.t, "/v1/identify", m{"userId": v.c.text("user of " + where), "messageId": v.c.text("client id of " + where), "traits": m{"phone": phone, "name": v.c.text("name of " + where)}})
	return phone
}

// people are those of whom something may leave, and all the others.
func (v *leaving) people() {
	// The clear flow: everybody but who was erased, is restricted or objects.
	plain := v.writer("a writer")
	for range 3 {
		body := v.c.text("a writer's words")
		v.message(plain, "a writer", body)
		v.may(screener, body)
		v.order = append(v.order, body)
	}
	v.may(screener, plain, plain[1:])
	v.texted()
	stopped := v.writer("a writer who is out of marketing")
	v.say("phone", stopped, "optout", m{"opt_out": "marketing"})
	body := v.c.text("words of a writer who is out of marketing")
	v.message(stopped, "a writer who is out of marketing", body)
	v.may(screener, stopped, stopped[1:], body)
	for where, what := range map[string]func(phone string){
		"a restricted writer":   func(p string) { v.say("phone", p, "restrict", m{"reason": "request"}) },
		"an objecting writer":   func(p string) { v.say("phone", p, "object", m{"purpose": "platform_security_fraud_prevention"}) },
		"a suppressed writer":   func(p string) { v.ie1.erase(v.t, v.ie1.find(v.t, "phone", p), true) },
		"a writer of a mystery": nil,
	} {
		phone := v.writer(where)
		if what == nil { // a kind that nobody declared
			v.ie1.send(v.t, "POST", "/v1/records", bearer(v.ie1.Sources["native"].Token), encode(v.t, []m{{"id": v.c.text("client id of " + where), "kind": "mystery", "service": "messaging",
				"subjects": []m{{"type": "phone", "value": phone, "role": "sender"}}, "data": m{"from": phone, "body": v.c.text("words of " + where)}}}))
			continue
		}
		what(phone)
		v.message(phone, where, v.c.text("words of "+where))
	}
	v.w.region("us1").native(v.t, m{"id": v.c.text("client id in us1"), "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": v.c.phone("us1"), "role": "sender"}},
		"data": m{"body": v.c.text("words in us1")}})

	// The flow on consent.
	event := v.c.text("a consenting person's event")
	v.track(v.c.text("a consenting person"), "a consenting person", event, advertising(true), nil)
	v.may(analyst, event)
	for where, consent := range map[string]any{"who says nothing": nil, "who refuses": advertising(false), "who can't be read": advertising("true"), "who leaves it out": m{"categoryPreferences": m{"Analytics": true}}} {
		v.track(v.c.text(where), where, v.c.text("event of "+where), consent, nil)
	}
	for where, what := range map[string]func(user string){
		"who withdrew": func(u string) {
			v.say("user_id", u, "consent", m{"purpose": "personalization_optimization", "word": "withdrawn"})
		},
		"who is restricted":       func(u string) { v.say("user_id", u, "restrict", m{"reason": "request"}) },
		"who objects":             func(u string) { v.say("user_id", u, "object", m{"purpose": "personalization_optimization"}) },
		"who opted out of sale":   func(u string) { v.say("user_id", u, "optout", m{"opt_out": "sale_or_sharing"}) },
		"who sends the signal":    nil, // of the browser, below
		"who erased and returned": func(u string) { v.ie1.erase(v.t, v.ie1.find(v.t, "user_id", u), false) },
	} {
		user := v.c.text(where)
		var signal header
		if what == nil {
			what, signal = func(string) {}, header{"Sec-GPC": "1", "Authorization": basic(v.ie1.Sources["browser"].WriteKey)["Authorization"]}
		}
		v.ie1.segment(v.t, "/v1/identify", m{"userId": user, "messageId": v.c.text("client id of " + where), "context": m{"consent": advertising(true)}})
		what(user)
		var consent any
		if where != "who erased and returned" { // somebody new, who has said nothing
			consent = advertising(true)
		}
		v.track(user, where, v.c.text("event of "+where), consent, signal)
	}
}

// texted is a message by Twilio's webhook.
func (v *leaving) texted() {
	phone, body, sid := v.c.phone("From"), v.c.text("Body"), "SM"+v.c.text("MessageSid")
	s := v.ie1.Sources["twilio"]
	path := "/twilio/" + s.ID
	form, h := twilioForm(call{body: m{"MessageSid": sid, "From": phone, "To": "+447700900001", "Body": body, "NumMedia": "0", "SmsStatus": "received", "Undeclared": v.c.text("Undeclared")}}, s.AuthToken, v.ie1.URL+path)
	v.ie1.send(v.t, "POST", path, h, form).want(v.t, 200)
	v.may(screener, phone, phone[1:], body, sid[2:])
}

// fence waits until what is sent now has come out of both flows: what comes before it in the log has been decided.
func (v *leaving) fence() {
	v.t.Helper()
	phone, body, event := v.c.phone("fence"), v.c.text("fence"), v.c.text("fence")
	v.may(screener, phone, phone[1:], body)
	v.may(analyst, event)
	v.message(phone, "fence", body)
	v.track(v.c.text("fence"), "fence", event, advertising(true), nil)
	v.w.eventually("what is sent last to come out", func() error {
		if !v.rc.has(screener, body) || !v.rc.has(analyst, event) {
			return fmt.Errorf("it hasn't: %v %v", v.rc.has(screener, body), v.rc.has(analyst, event))
		}
		return nil
	})
}

// check wants what may come to have come, and nothing else, in no encoding and as no digest.
func (v *leaving) check() {
	v.t.Helper()
	for to, allowed := range v.allowed {
		all := v.rc.bytesOf(to)
		var others []canary
		for _, x := range v.c.list {
			if !allowed[x.value] {
				others = append(others, x)
			}
		}
		found := sightings{}
		newHaystack(others).inBytes(found, "what "+to+" got", all)
		found.report(v.t)
		for x := range allowed {
			if !strings.Contains(string(all), x) {
				v.t.Errorf("%s didn't get something that it may have", to)
			}
		}
		if strings.Contains(string(all), v.shop) {
			v.t.Errorf("%s got what was there before its flow was started", to)
		}
	}
	for _, a := range v.rc.arrivals("") {
		form := map[string]string{screener: "clear", analyst: "pseudonymised"}[a.to]
		if a.head.Get("domicile-form") != form || a.head.Get("domicile-tenant") != v.ie1.Tenant || a.head.Get("domicile-region") != "ie1" {
			v.t.Errorf("delivery %s to %s: %v", a.id, a.to, a.head)
		}
		for _, x := range a.lines(v.t) {
			if (form == "clear") != strings.HasPrefix(x.ID, "rec_") || (form == "pseudonymised") != strings.HasPrefix(x.ID, "r_") {
				v.t.Errorf("a record is called %s in the form %s", x.ID, form)
			}
			if form == "pseudonymised" {
				v.pseudonymised(x)
			}
		}
	}
}

// pseudonymised holds that nothing but what the table lets through is there.
func (v *leaving) pseudonymised(x arrived) {
	v.t.Helper()
	var d struct {
		Event   string
		Device  string `json:"anonymousId"`
		Context struct {
			IP string
			OS struct{ Name string }
		}
	}
	if err := json.Unmarshal(x.Data, &d); err != nil {
		v.t.Error(err)
	}
	want := encode(v.t, m{"anonymousId": d.Device, "context": m{"ip": "198.51.100.0/24", "os": m{"name": "Plan 9"}}, "event": d.Event})
	if string(x.Data) != string(want) || !strings.HasPrefix(d.Device, "psn_") {
		v.t.Errorf("%s is %s, want %s", x.ID, x.Data, want)
	}
}

// inOrder wants one person's messages in the order in which they were sent.
func (v *leaving) inOrder() {
	v.t.Helper()
	all, at := string(v.rc.bytesOf(screener)), -1
	for _, body := range v.order {
		i := strings.Index(all, body)
		if i <= at {
			v.t.Errorf("a person's messages came in another order")
		}
		at = i
	}
}

func (v *leaving) withdraws() {
	user, event := v.c.text("who withdraws later"), v.c.text("event before the withdrawal")
	v.track(user, "who withdraws later", event, advertising(true), nil)
	v.may(analyst, event)
	v.w.eventually("the event before", func() error {
		if !v.rc.has(analyst, event) {
			return fmt.Errorf("it isn't there")
		}
		return nil
	})
	v.say("user_id", user, "consent", m{"purpose": "personalization_optimization", "word": "withdrawn"})
	v.track(user, "who withdraws later", v.c.text("event after the withdrawal"), nil, nil)
	v.fence()
	v.check()
	v.shows(analytics, "consent.missing")
}

func (v *leaving) isRestricted() {
	phone, body := v.writer("who is restricted later"), v.c.text("words before the restriction")
	v.message(phone, "who is restricted later", body)
	v.may(screener, phone, phone[1:], body)
	v.fence()
	v.say("phone", phone, "restrict", m{"reason": "request"})
	v.message(phone, "who is restricted later", v.c.text("words after the restriction"))
	v.fence()
	v.check()
	v.shows(screening, "subject.restricted", "subject.objects")
}

// pauses: the operator pauses a flow. What comes meanwhile comes after.
func (v *leaving) pauses() {
	v.flow(0, "pause", screening)
	v.flow(1, "pause", screening)
	phone, body := v.c.phone("while it is paused"), v.c.text("words while it is paused")
	v.message(phone, "while it is paused", body)
	v.shows(screening, "paused")
	pause(time.Second) // five times the time in which a running flow looks
	if v.rc.has(screener, body) {
		v.t.Error("a paused flow sends")
	}
	v.may(screener, phone, phone[1:], body)
	v.flow(0, "resume", screening)
	v.fence()
}

// strikes: without the listing and the clauses nothing carries the clear flow. It halts where it stands,
// and goes on when there is a mechanism again.
func (v *leaving) strikes() {
	var list struct {
		Facts []struct {
			ID, Kind string
			Fact     struct{ Row, Kind string }
		}
	}
	register := func(args ...string) string {
		v.t.Helper()
		out, errs, code := v.w.run("", append([]string{"register"}, append(args, "--up", v.w.dir, "--region", "ie1")...)...)
		if code != 0 {
			v.t.Fatalf("register %v: exit %d: %s%s", args, code, out, errs)
		}
		return out
	}
	if err := json.Unmarshal([]byte(register("list", "--about", "Adaptive Mobile", "--json")), &list); err != nil {
		v.t.Fatal(err)
	}
	strike := func(row, contract string) (n int) {
		for _, f := range list.Facts {
			if row != "" && f.Fact.Row == row || contract != "" && f.Fact.Kind == contract {
				register("strike", f.ID)
				n++
			}
		}
		return n
	}
	if strike("eu-us", "") != 1 {
		v.t.Fatalf("no listing in %+v", list)
	}
	v.fence()
	v.shows(screening, "scc")
	if strike("", "scc") != 1 {
		v.t.Fatalf("no clauses in %+v", list)
	}
	v.shows(screening, "halted", "mechanism.none")
	phone, body := v.c.phone("while it is halted"), v.c.text("words while it is halted")
	v.message(phone, "while it is halted", body)
	pause(time.Second)
	if v.rc.has(screener, body) {
		v.t.Error("a halted flow sends")
	}
	v.shows(screening, "halted", "mechanism.none")
	v.may(screener, phone, phone[1:], body)
	register("add", "checks", "directory=dpf", "entity=Adaptive Mobile", "row=eu-us", "status=active", "data=non_hr", "checked="+time.Now().UTC().Format(time.DateOnly))
	v.fence()
	v.shows(screening, "running", "dpf")
}
