package e2e

import (
	"fmt"
	"testing"
)

// who is what the API shows of a person.
type who struct {
	Subject     string
	Identifiers []struct{ Type, Value, State string }
	Traits      struct {
		Current map[string]any
		From    map[string]struct{ Source string }
	}
	Counts map[string]int
}

// TestWhoIsWho walks through what is known of a person over several channels: the profile, a number
// that goes to somebody else, webhooks that name nobody. None of it lies in the clear, and all of it
// goes with the person.
func TestWhoIsWho(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		v := &visit{c: newCanaries(), seen: map[string][]byte{}, w: newWorld(t, kind)}
		w, c, ie1 := v.w, v.c, v.w.region("ie1")
		path, token, _ := v.vendor(t, ie1, "twilio")
		webhook := func(body m) {
			t.Helper()
			form, h := twilioForm(call{body: body}, token, ie1.URL+path)
			ie1.send(t, "POST", path, h, form).want(t, 200)
		}
		user, phone, next := c.text("user"), c.phone("phone"), c.phone("next phone")
		callSID, recordingSID, roomSID := "CA"+c.text("CallSid"), "RE"+c.text("RecordingSid"), "CH"+c.text("ConversationSid")
		// The recording comes first, and names nobody; nor does the conversation.
		webhook(m{"CallSid": callSID, "RecordingSid": recordingSID, "RecordingStatus": "completed", "RecordingUrl": "https://" + c.text("RecordingUrl") + ".example"})
		webhook(m{"EventType": "onConversationAdded", "ConversationSid": roomSID, "Attributes": c.text("Attributes"), "DateCreated": "2026-03-01T10:00:00Z"})
		webhook(m{"EventType": "onParticipantAdded", "ConversationSid": roomSID, "ParticipantSid": "MB1", "MessagingBinding.Address": phone, "DateCreated": "2026-03-01T10:00:00Z"})
		webhook(m{"CallSid": callSID, "CallStatus": "completed", "Direction": "inbound", "From": phone, "To": "+447700900001", "SequenceNumber": "3"})
		city := c.text("trait")
		ie1.segment(t, "/v1/identify", m{"userId": user, "messageId": c.text("messageId"), "timestamp": "2026-03-01T10:00:00Z", "traits": m{"phone": phone, "city": city, "plan": "free"}})
		ie1.segment(t, "/v1/identify", m{"userId": user, "messageId": c.text("messageId"), "timestamp": "2026-03-02T10:00:00Z", "traits": m{"plan": "pro"}})
		ie1.segment(t, "/v1/identify", m{"userId": user, "messageId": c.text("messageId"), "timestamp": "2026-03-01T12:00:00Z", "traits": m{"plan": "late"}})

		subject := ie1.find(t, "user_id", user)
		if ie1.find(t, "phone", phone) != subject {
			t.Fatal("the caller is somebody else")
		}
		show := func() (s who) {
			t.Helper()
			ie1.api(t, "GET", "/subjects/"+subject, nil).want(t, 200).into(t, &s)
			return s
		}
		s := show()
		if s.Traits.Current["city"] != city || s.Traits.Current["plan"] != "pro" || s.Traits.From["plan"].Source == "" {
			t.Errorf("traits %+v", s.Traits)
		}
		for kind, want := range map[string]int{"voice/recording": 1, "voice/call.status": 1, "chat/conversation": 1, "cdp/identify": 3} {
			if s.Counts[kind] != want {
				t.Errorf("%d of %s, want %d", s.Counts[kind], kind, want)
			}
		}

		change := func(verb, number string) {
			t.Helper()
			var got struct {
				Changed int
				Ledger  struct{ Entry string }
			}
			ie1.api(t, "POST", "/subjects/"+subject+"/identifiers:"+verb, m{"identifiers": []m{{"type": "phone", "value": number}}}).want(t, 200).into(t, &got)
			if got.Changed != 1 {
				t.Errorf(":%s changed %d", verb, got.Changed)
			}
			w.eventually("the entry of :"+verb, func() error {
				if a := ie1.api(t, "GET", "/ledger/entries/"+got.Ledger.Entry, nil); a.status != 200 {
					return fmt.Errorf("%v", a)
				}
				return nil
			})
		}
		change("retire", phone)
		change("link", next)
		if ie1.lookup(t, "phone", phone).status != 404 || ie1.find(t, "phone", next) != subject {
			t.Error("the numbers are not as the tenant said")
		}
		ie1.native(t, m{"id": c.text("id"), "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": phone, "role": "sender"}}, "data": m{"body": "who is this"}})
		if ie1.find(t, "phone", phone) == subject {
			t.Error("the next holder of the number is the person before")
		}

		h, found := newHaystack(c.list), sightings{}
		search := func() {
			h.inTree(t, found, w.dir)
			if w.pg != nil {
				h.inTree(t, found, w.pg.data)
			}
		}
		search()
		w.kill()
		search()
		w.start()
		ie1 = w.region("ie1")
		states := map[string]string{}
		for _, i := range show().Identifiers {
			states[i.Value] = i.State
		}
		if states[phone] != "retired" || states[next] != "known" {
			t.Errorf("after a restart the numbers are %v", states)
		}
		ie1.erase(t, subject, false)
		for _, id := range []string{recordingSID, callSID, roomSID} {
			if len(ie1.byClientID(t, id)) > 0 {
				t.Error("a webhook of an erased person's call or conversation is read")
			}
		}
		path, token, _ = v.vendor(t, ie1, "twilio")
		before := accepted(t, ie1)
		webhook(m{"CallSid": callSID, "RecordingSid": "RE" + c.text("late RecordingSid"), "RecordingStatus": "completed", "RecordingUrl": "https://late.example"})
		if n := accepted(t, ie1); n != before {
			t.Error("a recording of an erased person's call was kept")
		}
		w.stop()
		if w.pg != nil {
			w.pg.stop(t)
		}
		search()
		found.report(t)
	})
}
