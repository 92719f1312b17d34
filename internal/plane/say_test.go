package plane_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
)

// choices are what a programme would make of the categories.
func (w *world) choices(*tenant.Source) []consent.Choice {
	return []consent.Choice{{Category: "Advertising", About: []consent.About{consent.Consent("ads"), consent.OptOut("targeted_advertising")}},
		{Category: "Analytics", About: []consent.About{consent.Consent("analytics")}}}
}

// says is what the person says now, as "consent/ads=given".
func (w *world) says(s id.Subject) string {
	w.t.Helper()
	v, err := w.Subject(context.Background(), w.caller, s)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, x := range v.Says {
		out = append(out, string(x.About)+"="+x.Word)
	}
	return strings.Join(out, " ")
}

func (w *world) wantSays(what string, s id.Subject, want string) {
	w.t.Helper()
	if got := w.says(s); got != want {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (w *world) history(s id.Subject) int {
	w.t.Helper()
	v, err := w.Subject(context.Background(), w.caller, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(v.Said)
}

var messages int

// event is a track event with those ids and consent preferences.
func event(ids, preferences string) string {
	messages++
	return fmt.Sprintf(`{%s,"messageId":"c%d","event":"Viewed","context":{"consent":{"categoryPreferences":%s}}}`, ids, messages, preferences)
}

func chose(ids, preferences string) string {
	return strings.Replace(event(ids, preferences), `"Viewed"`, `"Segment Consent Preference Updated"`, 1)
}

const bothYes, bothNo = `{"Advertising":true,"Analytics":true}`, `{"Advertising":false,"Analytics":false}`

const allGiven = "consent/ads=given consent/analytics=given"

func (w *world) tell(s id.Subject, about consent.About, word string) plane.SayChange {
	w.t.Helper()
	c, err := w.Tell(context.Background(), w.caller, s, plane.Say{About: about, Word: word})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func TestEventsSayWhatTheirPersonAllows(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		u1 := `"userId":"u1"`
		w.send(w.src, "/v1/track", event(u1, `{"Advertising":true}`))
		s := w.find("user_id", "u1")
		w.wantSays("a category that isn't named is refused", s, "consent/ads=given consent/analytics=refused")
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/track", event(u1, bothYes))
		w.wantSays("what is only repeated lifts no no", s, "consent/ads=given consent/analytics=refused")
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/track", chose(u1, bothYes))
		w.wantSays("a choice does", s, "consent/ads=given consent/analytics=given opt_out/targeted_advertising=in")
		n := w.history(s)
		for range 5 {
			w.now = w.now.Add(time.Minute)
			w.send(w.src, "/v1/track", event(u1, bothYes))
		}
		if w.history(s) != n {
			t.Errorf("an unchanged word is kept again: %d, then %d", n, w.history(s))
		}
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/track", event(u1, bothNo))
		w.wantSays("no", s, "consent/ads=withdrawn consent/analytics=withdrawn opt_out/targeted_advertising=out")
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/track", track("u1", "plain", "Viewed"))
		w.send(w.src, "/v1/track", `{"userId":"u1","messageId":"empty","event":"x","context":{"consent":{}}}`)
		w.wantSays("nothing said is no change", s, "consent/ads=withdrawn consent/analytics=withdrawn opt_out/targeted_advertising=out")
		w.restart()
		w.wantSays("after a restart", s, "consent/ads=withdrawn consent/analytics=withdrawn opt_out/targeted_advertising=out")
	})
}

func TestARetrySaysNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		no := event(`"userId":"u1"`, bothNo)
		w.send(w.src, "/v1/track", no)
		s := w.find("user_id", "u1")
		w.tell(s, consent.Consent("ads"), consent.Given)
		w.now = w.now.Add(time.Hour)
		w.send(w.src, "/v1/track", no)
		if got := w.says(s); !strings.HasPrefix(got, "consent/ads=given") {
			t.Errorf("a retry of what was said before took it back: %s", got)
		}
	})
}

// TestAStrangerWithABrowsersKey: such a key is public, and says yes for nobody but its own devices.
func TestAStrangerWithABrowsersKey(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/identify", `{"userId":"victim","anonymousId":"device","messageId":"i1","traits":{"email":"v@example.com"}}`)
		s := w.find("user_id", "victim")
		w.send(w.web, "/v1/track", chose(`"anonymousId":"stranger"`, bothYes))
		for _, ids := range []string{`"userId":"victim"`, `"userId":"victim","anonymousId":"stranger"`, `"userId":"victim","anonymousId":"new"`} {
			for range 2 { // met, and known
				w.send(w.web, "/v1/track", chose(ids, bothYes))
				w.send(w.web, "/v1/track", event(ids, bothYes))
			}
			w.wantSays("a stranger's yes: "+ids, s, "")
		}
		w.send(w.web, "/v1/track", event(`"userId":"victim","anonymousId":"device"`, bothYes))
		w.wantSays("their own device's yes", s, allGiven)
		w.now = w.now.Add(time.Minute)
		w.send(w.web, "/v1/track", event(`"userId":"victim"`, bothNo))
		w.wantSays("anybody's no", s, "consent/ads=withdrawn consent/analytics=withdrawn opt_out/targeted_advertising=out")
		n := w.history(s)
		for range 3 {
			w.now = w.now.Add(time.Minute)
			w.send(w.web, "/v1/track", chose(`"userId":"victim"`, bothNo))
			w.send(w.web, "/v1/track", chose(`"userId":"victim"`, bothYes))
		}
		if w.history(s) != n {
			t.Errorf("a stranger fills the history: %d, then %d", n, w.history(s))
		}
		w.send(w.web, "/v1/track", chose(`"anonymousId":"device"`, bothYes))
		if got := w.says(s); !strings.HasPrefix(got, allGiven) {
			t.Errorf("their own device's later choice: %s", got)
		}
	})
}

// TestADeviceSpeaksForWhomAServerSaysItIsOf, also where the two were two people before.
func TestADeviceSpeaksForWhomAServerSaysItIsOf(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.web, "/v1/track", `{"anonymousId":"phone","messageId":"p1","event":"x"}`)
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"p2","traits":{"email":"u@example.com"}}`)
		s := w.find("user_id", "u1")
		both := `"userId":"u1","anonymousId":"phone"`
		w.send(w.web, "/v1/track", chose(both, bothYes))
		w.wantSays("before a server said so", s, "")
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"phone","messageId":"p3"}`)
		w.now = w.now.Add(time.Minute)
		for _, ids := range []string{`"anonymousId":"phone"`, both} {
			w.send(w.web, "/v1/track", chose(ids, bothNo))
			w.now = w.now.Add(time.Minute)
			w.send(w.web, "/v1/track", chose(ids, bothYes))
			if got := w.says(s); !strings.HasPrefix(got, allGiven) {
				t.Errorf("%s: %s", ids, got)
			}
			w.now = w.now.Add(time.Minute)
		}
	})
}

// TestSeveralWordsInOneRequest: what one batch says of one person counts in its order of time, and what it
// says of several is each one's own.
func TestSeveralWordsInOneRequest(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		at := func(body string, ago time.Duration) string {
			return typed("track", strings.Replace(body, "{", `{"timestamp":"`+w.now.Add(-ago).UTC().Format(time.RFC3339Nano)+`",`, 1))
		}
		w.send(w.src, "/v1/batch", `{"batch":[`+at(chose(`"userId":"u1"`, bothYes), time.Minute)+`,`+at(event(`"userId":"u2"`, bothYes), time.Second)+`,`+
			at(chose(`"userId":"u1"`, bothNo), time.Hour)+`,`+at(event(`"userId":"u3"`, bothNo), time.Second)+`]}`)
		w.wantSays("chose no an hour ago and yes a minute ago", w.find("user_id", "u1"), "consent/ads=given consent/analytics=given opt_out/targeted_advertising=in")
		w.wantSays("yes", w.find("user_id", "u2"), allGiven)
		w.wantSays("no", w.find("user_id", "u3"), "consent/ads=refused consent/analytics=refused opt_out/targeted_advertising=out")
	})
}

func TestAMergeTurnsNoNoIntoAYes(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", event(`"anonymousId":"a1"`, bothNo))
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/track", chose(`"userId":"u1"`, bothYes))
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/identify", `{"userId":"u1","anonymousId":"a1","messageId":"join"}`)
		s := w.find("user_id", "u1")
		if w.find("anonymous_id", "a1") != s {
			t.Fatal("they are two")
		}
		w.wantSays("one of them refused", s, "consent/ads=refused consent/analytics=refused opt_out/targeted_advertising=out")
		w.now = w.now.Add(time.Minute)
		w.send(w.src, "/v1/track", chose(`"userId":"u1"`, bothYes))
		w.wantSays("they chose since", s, "consent/ads=given consent/analytics=given opt_out/targeted_advertising=in")
		if d := w.of(s); !consents(d, "ads") || d.OptOuts != 0 {
			t.Errorf("for decisions: %+v", d)
		}
	})
}

// of asks as a flow does, in a snapshot of its own.
func (w *world) of(s id.Subject) decision.Subject {
	w.t.Helper()
	v, err := w.Subject(context.Background(), w.caller, s)
	members := []id.Subject{s}
	if err == nil {
		members = v.Members
	}
	var out []decision.Subject
	err = w.db.View(context.Background(), func(tx store.Tx) error {
		say := consent.New(sqlstore.Consents{})
		say.Numbers = w.Numbers
		out, err = say.Of(tx, 1, [][]id.Subject{members, {id.NewSubject()}, members})
		return err
	})
	if err != nil || len(out) != 3 || out[1].States != decision.Erased {
		w.t.Fatalf("%+v, %v", out, err)
	}
	return out[0]
}

func TestTheNextBatchGoesByTheNewWord(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", track("u1", "m1", "x"))
		s := w.find("user_id", "u1")
		if d := w.of(s); !d.Known || len(d.Consents) != 0 || d.States != 0 {
			t.Errorf("nothing said: %+v", d)
		}
		for _, step := range []struct {
			about consent.About
			word  string
			want  decision.Subject
		}{
			{consent.Consent("ads"), consent.Given, decision.Subject{Consents: []decision.Consent{{Purpose: "ads"}}}},
			{consent.OptOut("cpni"), consent.Out, decision.Subject{Consents: []decision.Consent{{Purpose: "ads"}}, OptOuts: decision.CPNI}},
			{consent.OptOut("gpc"), consent.Out, decision.Subject{Consents: []decision.Consent{{Purpose: "ads"}}, OptOuts: decision.CPNI | decision.GPC}},
			{consent.OptOut("cpni"), consent.In, decision.Subject{Consents: []decision.Consent{{Purpose: "ads"}}, OptOuts: decision.GPC}},
			{consent.Objection("ads"), consent.Objects, decision.Subject{Consents: []decision.Consent{{Purpose: "ads"}}, Objects: []string{"ads"}, OptOuts: decision.GPC}},
			{consent.Consent("ads"), consent.Withdrawn, decision.Subject{Objects: []string{"ads"}, OptOuts: decision.GPC}},
			{consent.Objection("ads"), consent.Lifted, decision.Subject{OptOuts: decision.GPC}},
		} {
			w.tell(s, step.about, step.word) // at one and the same time: said later counts as later
			step.want.Known = true
			got := w.of(s)
			for i := range got.Consents {
				got.Consents[i].At = 0 // when is tested where consents are
			}
			if fmt.Sprint(got) != fmt.Sprint(step.want) {
				t.Errorf("%s %s: %+v, want %+v", step.about, step.word, got, step.want)
			}
		}
		if n := w.history(s); n != 7 {
			t.Errorf("the history has %d words, want 7", n)
		}
		if _, err := w.Restrict(context.Background(), w.caller, s, ""); err != nil {
			t.Fatal(err)
		}
		if d := w.of(s); d.States != decision.Restricted {
			t.Errorf("restricted: %+v", d)
		}
		w.erase(s)
		if d := w.of(s); d.States != decision.Erased || d.OptOuts != 0 {
			t.Errorf("erased: %+v", d)
		}
		w.nothingSaid(s)
	})
}

func consents(d decision.Subject, purpose string) bool {
	return slices.ContainsFunc(d.Consents, func(c decision.Consent) bool { return c.Purpose == purpose })
}

// nothingSaid fails when the store holds words of s.
func (w *world) nothingSaid(s id.Subject) {
	w.t.Helper()
	if err := w.db.View(context.Background(), func(tx store.Tx) error {
		keys := []consent.Key{{Tenant: 1, Subject: s}}
		n := 0
		err := sqlstore.Consents{}.Standings(tx, keys, func(int, consent.Standing) { n++ })
		if err == nil {
			err = sqlstore.Consents{}.Words(tx, keys, 10, func(int, consent.Word) { n++ })
		}
		if n > 0 {
			w.t.Errorf("%d words are left of %s", n, s)
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
}

func TestTheGPCSignalIsAnOptOut(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.gpc = true
		w.send(w.web, "/v1/track", `{"anonymousId":"n1","messageId":"g1","event":"x"}`)
		w.send(w.src, "/v1/track", track("u1", "g2", "x")) // a server has no browser
		s := w.find("anonymous_id", "n1")
		w.wantSays("of a browser", s, "opt_out/gpc=out")
		w.wantSays("of a server", w.find("user_id", "u1"), "")
		w.gpc = false
		w.now = w.now.Add(time.Minute)
		w.send(w.web, "/v1/track", `{"anonymousId":"n1","messageId":"g3","event":"x"}`)
		w.wantSays("no signal is no word", s, "opt_out/gpc=out")
		w.tell(s, consent.GPC, consent.In)
		w.wantSays("lifted", s, "opt_out/gpc=in")
		w.gpc, w.now = true, w.now.Add(time.Minute)
		w.send(w.web, "/v1/track", `{"anonymousId":"n1","messageId":"g4","event":"x"}`)
		w.wantSays("sent again", s, "opt_out/gpc=out")
	})
}

func TestAClockInTheFutureSaysNow(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		w.send(w.src, "/v1/track", track("u1", "m1", "x"))
		s := w.find("user_id", "u1")
		if _, err := w.Tell(context.Background(), w.caller, s, plane.Say{About: consent.Consent("ads"), Word: consent.Given, At: w.now.Add(24 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Minute)
		w.tell(s, consent.Consent("ads"), consent.Withdrawn)
		w.wantSays("withdrawn a minute later", s, "consent/ads=withdrawn")
		c, err := w.Tell(context.Background(), w.caller, s, plane.Say{About: consent.Consent("ads"), Word: consent.Given, At: w.now.Add(-time.Hour)})
		if err != nil || len(c.Says) != 1 || c.Says[0].Word != consent.Withdrawn {
			t.Errorf("an older yes: %+v, %v", c, err)
		}
	})
}

func TestTellRefusesWhatItCannotKeep(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.src, "/v1/track", track("u1", "m1", "x"))
	s := w.find("user_id", "u1")
	for reason, say := range map[string]plane.Say{"say.bad_how": {How: "Ann <ann@example.com>"}, "say.bad_text_version": {Text: "ann@example.com"}} {
		say.About, say.Word = consent.Consent("ads"), consent.Given
		_, err := w.Tell(context.Background(), w.caller, s, say)
		wantKind(t, reason, err, fault.Invalid, reason)
	}
	_, err := w.Tell(context.Background(), w.caller, id.NewSubject(), plane.Say{About: consent.Consent("ads"), Word: consent.Given})
	wantKind(t, "nobody", err, fault.NotFound, "subject.unknown")
}

func TestAWordIsWholeWhateverWriteFails(t *testing.T) {
	journey(t, func(w *world) { w.send(w.src, "/v1/track", track("u1", "m0", "x")) },
		func(w *world) error {
			_, err := w.trySend(w.src, "/v1/track", `{"userId":"u1","messageId":"m1","event":"Segment Consent Preference Updated","context":{"consent":{"categoryPreferences":{"Advertising":false,"Analytics":true}}}}`)
			return err
		},
		func(t *testing.T, w *world) {
			s := w.find("user_id", "u1")
			w.wantSays("after the retry", s, "consent/ads=refused consent/analytics=given opt_out/targeted_advertising=out")
			if n := w.history(s); n != 3 {
				t.Errorf("%d words in the history, want 3", n)
			}
			if n := len(w.records(s)); n != 2 {
				t.Errorf("%d records", n)
			}
		})
}

func TestAnOptOutByTheTenantIsWholeWhateverWriteFails(t *testing.T) {
	var s id.Subject
	journey(t, func(w *world) {
		w.send(w.src, "/v1/track", track("u1", "m0", "x"))
		s = w.find("user_id", "u1")
	},
		func(w *world) error {
			_, err := w.Tell(context.Background(), w.caller, s, plane.Say{About: consent.OptOut("marketing"), Word: consent.Out})
			return err
		},
		func(t *testing.T, w *world) { w.wantSays("after the second try", s, "opt_out/marketing=out") })
}
