package plane_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/term"
)

// A rotation of the index key, and what a tenant did to identifiers by hand, what was refused, and
// things.

// handled are identifiers that were retired, given on, linked, shared and claimed, and of whom took
// part in a thing.
var handled = append(phones(oldNumber, newNumber, "+447700900101", "+447700900102"), []plane.Identifier{{Type: term.UserID, Value: "h1"},
	{Type: term.UserID, Value: "h2"}, {Type: term.UserID, Value: "h3"}, {Type: term.UserID, Value: "h4"}, {Type: term.Email, Value: "h1@example.com"},
	{Type: term.Email, Value: "family@example.com"}, {Type: term.Email, Value: "once@example.com"}, {Type: term.AnonymousID, Value: "hn"},
	{Type: term.Identity, Value: "agent-7"}, {Type: term.Email, Value: "guess@example.com"}}...)

const itsStatus = "CallSid=CA2 CallStatus=completed Direction=inbound From=+447700900102 To=+447700900001 SequenceNumber=1"

// handle brings them, to a world with the kinds of the example programme.
func (w *world) handle() {
	w.t.Helper()
	w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"h1","messageId":"h1","traits":{"phone":%q,"email":"h1@example.com"}}`, oldNumber))
	w.send(w.nat, "", text("h2", oldNumber, 9))
	h1 := w.find(term.UserID, "h1")
	w.mustRetire(h1, phones(oldNumber)...)
	w.send(w.nat, "", text("h3", oldNumber, -1)) // the next holder's
	if _, err := w.Link(context.Background(), w.caller, h1, phones(newNumber)); err != nil {
		w.t.Fatal(err)
	}
	for _, u := range []string{"h2", "h3", "h4"} { // one address; the fourth gave it up
		w.send(w.src, "/v1/identify", `{"userId":"`+u+`","messageId":"i`+u+`","traits":{"email":"family@example.com"}}`)
	}
	w.mustRetire(w.find(term.UserID, "h4"), plane.Identifier{Type: term.Email, Value: "family@example.com"})
	w.send(w.src, "/v1/identify", `{"userId":"h4","messageId":"jh4","traits":{"email":"once@example.com"}}`)
	w.mustRetire(w.find(term.UserID, "h4"), plane.Identifier{Type: term.Email, Value: "once@example.com"}) // nobody's since
	w.send(w.src, "/v1/alias", `{"userId":"h2","previousId":"h3","messageId":"ah2"}`)
	w.send(w.web, "/v1/identify", `{"anonymousId":"hn","messageId":"ch","traits":{"email":"guess@example.com"}}`)
	w.twilios(itsRecording, aCall, // adopted
		strings.ReplaceAll(itsRecording, "1", "3"), // whose, nobody knows yet
		itsStatus, // its recording comes late
		conversation("onConversationAdded", "CH1", "Attributes=a"), conversation("onParticipantAdded", "CH1", "ParticipantSid=MB1 Identity=agent-7"),
		conversation("onParticipantAdded", "CH1", "ParticipantSid=MB2 MessagingBinding.Address=+447700900101"))
}

// portrait is what handled is answered with, and what is shown of everybody found and of the holders of
// what is shared.
func (w *world) portrait() (all []string) {
	w.t.Helper()
	for _, i := range handled {
		r, err := w.Find(context.Background(), w.caller, []plane.Identifier{i})
		line := fmt.Sprintf("%s %s: %v %v %s", i.Type, i.Value, r.Subject, r.Claimed, fault.ReasonOf(err))
		if f, ok := fault.As(err); ok {
			all = append(all, line+fmt.Sprint(f.Extra))
			continue
		}
		v, err := w.Subject(context.Background(), w.caller, r.Subject)
		if err != nil {
			w.t.Fatal(err)
		}
		var idents []string
		for _, x := range v.Identifiers {
			idents = append(idents, fmt.Sprint(x))
		}
		slices.Sort(idents)
		all = append(all, line+fmt.Sprint(v.Members, idents, v.Refused))
	}
	return all
}

func (w *world) sameFaces(t testing.TB, when string, want []string) {
	t.Helper()
	for i, got := range w.portrait() {
		if got != want[i] {
			t.Errorf("%s: got %s\nwant %s", when, got, want[i])
		}
	}
}

// TestHandsAndThingsHoldWhileTheIndexKeyIsRotated: after each page and before, numbers change hands,
// calls and conversations come in, links are refused, and people go.
func TestHandsAndThingsHoldWhileTheIndexKeyIsRotated(t *testing.T) {
	vendorWorlds(t, func(t *testing.T, w *world) {
		w.handle()
		w.send(w.src, "/v1/identify", `{"userId":"r1","messageId":"ir1","traits":{"email":"two@example.com"}}`)
		w.send(w.src, "/v1/identify", `{"userId":"r2","messageId":"ir2","traits":{"email":"two@example.com"}}`)
		w.close()
		w.page = 3
		var b *between
		w.open(func(db store.DB) store.DB { b = &between{DB: db}; return b })
		want := w.portrait()
		m := mover{w: w, t: t}
		m.step() // before anything moves
		b.do = m.step
		old := w.vault.IndexKeys().Blinder("acme")
		for from := range uint32(2) {
			if err := w.rotate(); err != nil {
				t.Fatal(err)
			}
			w.mustHaveRotated(t, from+1, old)
			w.sameFaces(t, "at the end", want)
			old = w.vault.IndexKeys().Blinder("acme")
		}
		if m.n < 12 {
			t.Errorf("%d writes were seen", m.n)
		}
		b.do = nil
		m.step()
		w.restart()
		w.sameFaces(t, "after a restart", want)
		m.look()
		// Things of before are known after: late webhooks are whose they are, and go with them.
		w.twilios(strings.ReplaceAll(itsRecording, "1", "2"), strings.ReplaceAll(aCall, "1", "3"))
		if w.kinds(term.Phone, "+447700900102")["voice/recording"] != 1 || w.find(term.Phone, "+447700900303").IsNobody() {
			t.Error("a call of before is a new one")
		}
		w.erase(w.find(term.Phone, "+447700900101"))
		for _, gone := range []string{"CA1", "RE1", "CH1", "MB2"} {
			if w.opens(gone) {
				t.Errorf("%s opens", gone)
			}
		}
		for _, late := range []string{strings.Replace(itsRecording, "completed", "absent", 1), conversation("onConversationUpdated", "CH1", "Attributes=b DateUpdated=2026-03-02T10:00:00Z")} {
			if r := w.twilio(late); len(r.Refused) != 1 || r.Refused[0].Reason != "subject.erased" {
				t.Errorf("what comes late of an erased person: %+v", r)
			}
		}
	})
}

// mover does at each step what people do, to people of that step and of those before.
type mover struct {
	w *world
	t *testing.T
	n int
}

func number(n int) string { return fmt.Sprintf("+35385200%04d", n) }

func (m *mover) step() {
	m.n++
	w, n, ctx := m.w, m.n, context.Background()
	w.send(w.src, "/v1/identify", fmt.Sprintf(`{"userId":"m%d","messageId":"m%d","traits":{"phone":%q}}`, n, n, number(n)))
	w.twilios(fmt.Sprintf("CallSid=CB%d RecordingSid=RB%d RecordingStatus=completed", n, n)) // nobody's yet
	if n > 1 {                                                                               // under either version by now
		p := w.find(term.UserID, fmt.Sprint("m", n-1))
		w.twilios(fmt.Sprintf("CallSid=CB%d CallStatus=completed Direction=inbound From=%s To=+447700900001 SequenceNumber=1", n-1, number(n-1)))
		w.mustRetire(p, phones(number(n-1))...)
		w.mustBeNobody(phones(number(n - 1))...)
		w.send(w.nat, "", text(fmt.Sprint("late", n), number(n-1), 9)) // occurred when it was theirs
		if got := w.kindsOf(p); got["voice/recording"] != 1 || got["voice/call.status"] != 1 || got["messaging/message"] != 1 {
			m.t.Errorf("step %d: what was the person's before is %v", n, got)
		}
	}
	if n > 2 {
		p := w.find(term.UserID, fmt.Sprint("m", n-2))
		for round := range 2 { // given back, and up again: one row is left
			if v, err := w.Link(ctx, w.caller, p, phones(number(n-2))); err != nil || v.Changed != 1 || w.find(term.Phone, number(n-2)) != p {
				m.t.Errorf("step %d: Link = %+v, %v", n, v, err)
			}
			if v := w.mustRetire(p, phones(number(n-2))...); v.Changed != 1 {
				m.t.Errorf("step %d, round %d: %+v", n, round, v)
			}
		}
		if v, _ := w.Subject(ctx, w.caller, p); len(v.Identifiers) != 2 {
			m.t.Errorf("step %d: known by %+v", n, v.Identifiers)
		}
	}
	if n > 3 && n%2 == 0 {
		p := w.find(term.UserID, fmt.Sprint("m", n-3))
		w.erase(p)
		if w.opens(fmt.Sprint("RB", n-3)) {
			m.t.Errorf("step %d: a recording outlives the person", n)
		}
		if r := w.twilio(fmt.Sprintf("CallSid=CB%d RecordingSid=RB%d RecordingStatus=absent", n-3, n-3)); len(r.Refused) != 1 {
			m.t.Errorf("step %d: what comes late: %+v", n, r)
		}
	}
	w.send(w.src, "/v1/alias", fmt.Sprintf(`{"userId":"r1","previousId":"r2","messageId":"ar%d"}`, n))
	m.look()
}

// look checks what all steps left.
func (m *mover) look() {
	w := m.w
	var refused int64
	v, err := w.Subject(context.Background(), w.caller, w.find(term.UserID, "r1"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, r := range v.Refused {
		refused += r.Count
	}
	if refused != int64(m.n+1) { // their address, and each alias
		m.t.Errorf("step %d: %d refused links", m.n, refused)
	}
	for i := 1; i < m.n; i++ {
		_, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: term.UserID, Value: fmt.Sprint("m", i)}})
		if erased := i%2 == 1 && i+3 <= m.n; erased != (err != nil) {
			m.t.Errorf("step %d: person %d, erased %v: %v", m.n, i, erased, err)
		}
		w.mustBeNobody(phones(number(i))...)
	}
}

func (w *world) kindsOf(s id.Subject) map[string]int64 {
	w.t.Helper()
	v, err := w.Subject(context.Background(), w.caller, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Counts
}
