package plane_test

import (
	"context"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// vendorPairs runs fn on two regions of each engine with the kinds of the example programme.
func vendorPairs(t *testing.T, fn func(t *testing.T, r regions)) {
	eachPair(t, func(t *testing.T, r regions) {
		for _, w := range []*world{r.ie, r.us} {
			w.rules = exampleRules(t)
			w.restart()
		}
		fn(t, r)
	})
}

// stays fails t unless a move of s is refused, and what was sent of them before is there.
func (r regions) stays(t *testing.T, s id.Subject, reason string, clients ...string) {
	t.Helper()
	_, err := r.carry(s)
	wantKind(t, "move", err, fault.Conflict, reason)
	if f, _ := fault.As(err); f == nil || f.Hint == "" {
		t.Errorf("no hint in %v", err)
	}
	for _, c := range clients {
		if !r.ie.opens(c) || r.us.opens(c) {
			t.Errorf("%s opens at home: %v, elsewhere: %v", c, r.ie.opens(c), r.us.opens(c))
		}
	}
}

func wantMoved(t *testing.T, what string, res plane.Result) {
	t.Helper()
	if len(res.Refused) != 1 || res.Refused[0] != (ingest.Refusal{Reason: "subject.moved", Region: "us1", URL: "https://us1.example.com"}) || res.Accepted != 0 {
		t.Errorf("%s: %+v, want it refused with the address", what, res)
	}
}

// A page isn't handed out while something of its records is still to be fetched.
func TestWhoseMediaIsStillToBeFetchedStays(t *testing.T) {
	r := newRegions(t, "", "")
	r.us.rules = exampleRules(t)
	r.us.restart()
	v := withVendor(t, r.ie)
	v.src.ID = "src_ie1_twilio"
	v.fail = fault.New(fault.Unavailable, "fetch.status_503", "")
	r.ie.receive(v.src, "SM1", "https://api.twilio.com/m0")
	s := r.ie.find("phone", "+353851234567")
	r.stays(t, s, "move.media_pending", "SM1")
	r.ie.fetchAll()
	if r.ie.left() != 1 {
		t.Error("what was to be fetched is so no more")
	}
	// When the vendor says that there is nothing, the person moves by the same move.
	v.fail = nil
	clear(v.has)
	for range 3 {
		r.ie.now = r.ie.now.Add(7 * time.Hour)
		r.ie.fetchAll()
	}
	if _, err := r.carry(s); err != nil {
		t.Fatal(err)
	}
	if r.ie.opens("SM1") || !r.us.opens("SM1") {
		t.Error("the message did not move")
	}
}

var ieTwilio = &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_ie1_twilio", Adapter: "twilio", Trust: term.Server}

// Of a call that came along the old home stores nothing more, also when a webhook names nobody.
func TestLateWebhooksOfWhoMovedAreSentAfterThem(t *testing.T) {
	vendorPairs(t, func(t *testing.T, r regions) {
		for _, form := range []string{itsWords, aCall} { // the stand-in becomes the caller
			if res := r.ie.from(ieTwilio, form); res.Accepted != 1 {
				t.Fatalf("%s: %+v", form, res)
			}
		}
		s := r.ie.find(term.Phone, "+447700900101")
		if _, err := r.carry(s); err != nil {
			t.Fatal(err)
		}
		for _, sid := range []string{"CA1", "GT1"} {
			if r.ie.opens(sid) || !r.us.opens(sid) {
				t.Errorf("%s opens at the old home: %v, at the new: %v", sid, r.ie.opens(sid), r.us.opens(sid))
			}
		}
		for range 2 {
			wantMoved(t, "a late recording", r.ie.from(ieTwilio, itsRecording))
			wantMoved(t, "a late status", r.ie.from(ieTwilio, "CallSid=CA1 CallStatus=completed Direction=inbound From=+447700900101 To=+447700900001 SequenceNumber=9"))
			r.ie.restart()
		}
		if r.ie.opens("RE1") {
			t.Error("a late recording is kept at the old home")
		}
		// It is theirs at the new home: it goes with them.
		r.us.erase(r.us.find(term.Phone, "+447700900101"))
		if r.us.opens("CA1") || r.us.opens("GT1") {
			t.Error("what came along outlives the person")
		}
	})
}

func (w *world) from(src *tenant.Source, form string) plane.Result {
	w.t.Helper()
	was := twilioSource
	twilioSource = src
	defer func() { twilioSource = was }()
	return w.twilio(form)
}

// What of a conversation names nobody goes with the one person in it. With two, nobody knows whose it is.
func TestAConversationOfSeveralKeepsItsPeople(t *testing.T) {
	vendorPairs(t, func(t *testing.T, r regions) {
		about := func(sid, what string) string { return conversation("onConversationAdded", sid, "Attributes="+what) }
		for _, form := range []string{
			about("CH1", "a"), conversation("onParticipantAdded", "CH1", "ParticipantSid=MB1 MessagingBinding.Address=+447700900101"),
			about("CH2", "b"), conversation("onParticipantAdded", "CH2", "ParticipantSid=MB2 MessagingBinding.Address=+447700900102"),
			conversation("onParticipantAdded", "CH2", "ParticipantSid=MB3 MessagingBinding.Address=+447700900103"),
		} {
			if res := r.ie.from(ieTwilio, form); res.Accepted != 1 {
				t.Fatalf("%s: %+v", form, res)
			}
		}
		alone, one, two := r.ie.find(term.Phone, "+447700900101"), r.ie.find(term.Phone, "+447700900102"), r.ie.find(term.Phone, "+447700900103")
		done, err := r.carry(alone)
		if err != nil {
			t.Fatal(err)
		}
		if done.Records != 2 || r.ie.opens("CH1") || !r.us.opens("CH1") {
			t.Errorf("%d records moved, CH1 opens at the old home: %v, at the new: %v", done.Records, r.ie.opens("CH1"), r.us.opens("CH1"))
		}
		late := conversation("onConversationUpdated", "CH1", "Attributes=c DateUpdated=2026-03-02T10:00:00Z")
		wantMoved(t, "what comes late of the conversation", r.ie.from(ieTwilio, late))
		r.stays(t, one, "move.shares_records", "CH2")
		r.ie.erase(two) // and with them what could be theirs
		if _, err := r.carry(one); err != nil {
			t.Fatal(err)
		}
		if res := r.ie.from(ieTwilio, conversation("onConversationUpdated", "CH2", "Attributes=c DateUpdated=2026-03-02T10:00:00Z")); len(res.Refused) != 1 || res.Refused[0].Reason != "subject.erased" {
			t.Errorf("late, of somebody erased and somebody moved: %+v", res)
		}
	})
}

// Who comes into a conversation, and what comes of it, while its one person leaves.
func TestAConversationGoesOnWhileItsPersonLeaves(t *testing.T) {
	for name, tt := range map[string]struct{ form, reason string }{
		"something without a name": {conversation("onConversationAdded", "CH1", "Attributes=a"), "move.changed"},
		"another person":           {conversation("onParticipantAdded", "CH2", "ParticipantSid=MB2 MessagingBinding.Address=+447700900102"), "move.shares_records"},
		"a record of theirs":       {conversation("onParticipantAdded", "CH3", "ParticipantSid=MB4 MessagingBinding.Address=+447700900101"), "move.behind"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegions(t, "", "")
			for _, w := range []*world{r.ie, r.us} {
				w.rules = exampleRules(t)
				w.restart()
			}
			for _, form := range []string{
				conversation("onParticipantAdded", "CH1", "ParticipantSid=MB1 MessagingBinding.Address=+447700900101"),
				conversation("onParticipantAdded", "CH2", "ParticipantSid=MB3 MessagingBinding.Address=+447700900101"),
				conversation("onConversationAdded", "CH2", "Attributes=a"),
			} {
				if res := r.ie.from(ieTwilio, form); res.Accepted != 1 {
					t.Fatalf("%s: %+v", form, res)
				}
			}
			s := r.ie.find(term.Phone, "+447700900101")
			_, _, ack := r.upToCommit(t, s)
			if res := r.ie.from(ieTwilio, tt.form); res.Accepted != 1 {
				t.Fatalf("%+v", res)
			}
			_, err := r.ie.CommitMove(context.Background(), r.ie.caller, ack)
			wantKind(t, "commit", err, fault.Conflict, tt.reason)
			if !r.ie.opens("MB1") || r.us.opens("MB1") {
				t.Error("the person's records aren't at home alone")
			}
		})
	}
}

// An identifier that the person gave up goes along as what it is: it finds them in neither region, and
// what occurred while it was theirs stays theirs.
func TestRetiredIdentifiersMoveAsWhatTheyAre(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		r.ie.send(r.ie.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"phone":"`+oldNumber+`","email":"a@example.com"}}`)
		s := r.ie.find("user_id", "u1")
		r.ie.mustRetire(s, phones(oldNumber)...)
		if _, err := r.ie.Link(context.Background(), r.ie.caller, s, phones(newNumber)); err != nil {
			t.Fatal(err)
		}
		r.us.send(r.us.nat, "", text("x0", oldNumber, -1)) // somebody over there has the number since
		next := r.us.find("phone", oldNumber)
		done, err := r.carry(s)
		if err != nil {
			t.Fatal(err)
		}
		if done.Subject == next || r.us.find("phone", oldNumber) != next || r.us.find("phone", newNumber) != done.Subject {
			t.Error("a number that was given up made two people one, or was taken from its holder")
		}
		known := r.us.known(done.Subject)
		if v, had := known["phone "+oldNumber+" retired"]; !had || v.RetiredAt.UnixMilli() != r.ie.now.UnixMilli() {
			t.Errorf("the person is known by %+v", known)
		}
		for range 2 { // the second time from the cache, if it were there
			r.us.send(r.us.nat, "", text("late"+id.New("x", 5), oldNumber, 9))
			r.us.send(r.us.nat, "", text("new"+id.New("x", 5), oldNumber, -1))
		}
		if mine, theirs := len(r.us.records(done.Subject)), len(r.us.records(next)); mine != 3 || theirs != 3 {
			t.Errorf("%d records of who moved, %d of the next holder, want 3 and 3", mine, theirs)
		}
		// At the old home the number is free, but for what occurred before.
		r.ie.mustBeNobody(phones(oldNumber)...)
		wantMoved(t, "what occurred before", r.ie.send(r.ie.nat, "", text("late", oldNumber, 9)))
		if res := r.ie.send(r.ie.nat, "", text("new", oldNumber, -1)); res.Accepted != 1 {
			t.Errorf("the next holder at the old home: %+v", res)
		}
		wantMoved(t, "by the number that they have", r.ie.send(r.ie.nat, "", text("newer", newNumber, -1)))
	})
}

// The address of an identifier's last holder isn't replaced by that of one who gave it up before.
func TestAnAddressIsTheLastHolders(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		r.ie.send(r.ie.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"phone":"`+oldNumber+`"}}`)
		r.ie.mustRetire(r.ie.find("user_id", "u1"), phones(oldNumber)...)
		r.ie.send(r.ie.nat, "", text("x0", oldNumber, -1))
		for _, s := range []id.Subject{r.ie.find("phone", oldNumber), r.ie.find("user_id", "u1")} {
			if _, err := r.carry(s); err != nil {
				t.Fatal(err)
			}
		}
		wantMoved(t, "what occurs now", r.ie.send(r.ie.nat, "", text("x1", oldNumber, -1)))
		_, err := r.ie.Find(context.Background(), r.ie.caller, phones(oldNumber))
		wantKind(t, "find", err, fault.WrongRegion, "subject.moved")
	})
}

// Links that were refused are told of whom they are about where they are: nothing of them is left behind.
func TestRefusedLinksEndWithTheHomeTheyWereMadeIn(t *testing.T) {
	eachPair(t, func(t *testing.T, r regions) {
		r.ie.send(r.ie.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"email":"family@example.com"}}`)
		r.ie.send(r.ie.src, "/v1/identify", `{"userId":"u2","messageId":"i2","traits":{"email":"family@example.com"}}`)
		u1, u2 := r.ie.find("user_id", "u1"), r.ie.find("user_id", "u2")
		done, err := r.carry(u1)
		if err != nil {
			t.Fatal(err)
		}
		for w, s := range map[*world]id.Subject{r.ie: u2, r.us: done.Subject} {
			if v, err := w.Subject(context.Background(), w.caller, s); err != nil || len(v.Refused) != 0 {
				t.Errorf("%s: %+v, %v", w.region, v.Refused, err)
			}
		}
		var left int64
		if err := r.ie.db.View(context.Background(), func(tx store.Tx) error {
			return tx.(sqlstore.Conn).Query(`SELECT count(*) FROM refused_link WHERE subject = $1`, func(row sqlstore.Row) error { left = row.Int(0); return nil }, u1[:])
		}); err != nil || left != 0 {
			t.Errorf("%d refused links of who moved are left, %v", left, err)
		}
		// There they meet again, and it is told there.
		done2, err := r.carry(u2)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []id.Subject{done.Subject, done2.Subject} {
			if v, err := r.us.Subject(context.Background(), r.us.caller, s); err != nil || len(v.Refused) != 1 || v.Refused[0].Reason != "identity.two_user_ids" {
				t.Errorf("%+v, %v, want the refused link", v.Refused, err)
			}
		}
	})
}
