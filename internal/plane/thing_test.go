package plane_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// vendorWorlds runs fn on a world of each engine with the kinds of the example programme.
func vendorWorlds(t *testing.T, fn func(t *testing.T, w *world)) {
	eachStore(t, func(t *testing.T, w *world) {
		w.rules = exampleRules(t)
		w.restart()
		fn(t, w)
	})
}

var twilioSource = &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_twilio", Adapter: "twilio", Trust: term.Server}

// twilio brings a webhook, "Name=value Name=value", and returns what became of it. A + stands for itself.
func (w *world) twilio(form string) plane.Result {
	w.t.Helper()
	r, err := w.tryTwilio(form)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) tryTwilio(form string) (plane.Result, error) {
	w.t.Helper()
	v := url.Values{}
	for _, pair := range strings.Fields(form) {
		name, value, _ := strings.Cut(pair, "=")
		v.Set(name, value)
	}
	b, err := twilio.Decode("application/x-www-form-urlencoded", []byte(v.Encode()), ingest.Env{ReceivedAt: w.now, Kinds: w.rules})
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Release()
	return w.Ingest(context.Background(), twilioSource, b)
}

// twilios brings webhooks that must be kept, all of them.
func (w *world) twilios(forms ...string) {
	w.t.Helper()
	for _, form := range forms {
		if r := w.twilio(form); r.Accepted != 1 {
			w.t.Errorf("%s: %+v, want it kept", form, r)
		}
	}
}

// opens says whether anything of what a client named so can be read.
func (w *world) opens(clientID string) bool {
	w.t.Helper()
	by, err := w.RecordsByClientID(context.Background(), w.caller, clientID, "")
	if err != nil && fault.KindOf(err) != fault.NotFound && fault.ReasonOf(err) != "subject.moved" {
		w.t.Fatal(err)
	}
	return len(by) > 0
}

func (w *world) kinds(typ, value string) map[string]int64 {
	w.t.Helper()
	v, err := w.Subject(context.Background(), w.caller, w.find(typ, value))
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Counts
}

const (
	aCall        = "CallSid=CA1 CallStatus=completed Direction=inbound From=+447700900101 To=+447700900001 SequenceNumber=3"
	itsRecording = "CallSid=CA1 RecordingSid=RE1 RecordingStatus=completed RecordingUrl=https://api.example.com/RE1"
	itsWords     = "CallSid=CA1 TranscriptionSid=GT1 TranscriptionEvent=transcription-content SequenceId=2 TranscriptionData=hello"
)

// TestWebhooksThatNameNobodyGoWithWhomTheirCallIsAbout, whichever came first.
func TestWebhooksThatNameNobodyGoWithWhomTheirCallIsAbout(t *testing.T) {
	for name, order := range map[string][]string{"the call first": {aCall, itsRecording, itsWords}, "the call last": {itsRecording, itsWords, aCall},
		"between": {itsWords, aCall, itsRecording}} {
		t.Run(name, func(t *testing.T) {
			vendorWorlds(t, func(t *testing.T, w *world) {
				w.twilios("MessageSid=SM1 SmsStatus=received From=+447700900101 To=+447700900001 Body=hi",
					"CallSid=CA2 CallStatus=completed Direction=inbound From=+447700900102 To=+447700900001 SequenceNumber=1",
					"CallSid=CA2 RecordingSid=RE2 RecordingStatus=completed RecordingUrl=https://api.example.com/RE2")
				w.twilios(order...)
				s := w.find(term.Phone, "+447700900101")
				got := w.kinds(term.Phone, "+447700900101")
				for kind, want := range map[string]int64{"voice/call.status": 1, "voice/recording": 1, "voice/transcription": 1, "messaging/message": 1} {
					if got[kind] != want {
						t.Errorf("%d of %s, want %d", got[kind], kind, want)
					}
				}
				var exported int
				if _, err := w.Export(context.Background(), w.caller, s, "", func(plane.RecordView) error { exported++; return nil }); err != nil || exported != 4 {
					t.Errorf("%d records exported, %v", exported, err)
				}
				w.restart()
				if r := w.erase(s); r.Records != 4 {
					t.Errorf("%d records erased, want 4", r.Records)
				}
				for _, gone := range []string{"CA1", "RE1", "GT1"} {
					if w.opens(gone) {
						t.Errorf("%s opens after the caller's erasure", gone)
					}
				}
				if !w.opens("RE2") {
					t.Error("another's recording went with the caller")
				}
				if r := w.twilio(itsRecording); r.Duplicate != 1 {
					t.Errorf("a retry: %+v", r)
				}
				if r := w.twilio(strings.Replace(itsRecording, "completed", "absent", 1)); len(r.Refused) != 1 || r.Refused[0].Reason != "subject.erased" {
					t.Errorf("what comes late of an erased person's call: %+v, want it refused", r)
				}
			})
		})
	}
}

// TestAStandInIsAdoptedOnce: a call that is passed on makes no one person of two.
func TestAStandInIsAdoptedOnce(t *testing.T) {
	vendorWorlds(t, func(t *testing.T, w *world) {
		w.twilios(itsRecording, aCall, "CallSid=CA1 CallStatus=completed Direction=inbound From=+447700900105 To=+447700900001 SequenceNumber=4")
		a, b := w.find(term.Phone, "+447700900101"), w.find(term.Phone, "+447700900105")
		if a == b {
			t.Fatal("two callers became one person")
		}
		w.twilios("CallSid=CA1 RecordingSid=RE9 RecordingStatus=completed RecordingUrl=https://api.example.com/RE9") // of either
		if w.kinds(term.Phone, "+447700900101")["voice/recording"] != 2 || w.kinds(term.Phone, "+447700900105")["voice/recording"] != 1 {
			t.Error("the recordings are not whose they can be")
		}
		w.restart()
		w.erase(b)
		if !w.opens("RE1") || w.opens("RE9") {
			t.Error("what can be of either is not gone with the one, or what was the other's before is")
		}
		w.erase(a)
		if w.opens("RE1") {
			t.Error("the recording opens")
		}
	})
}

// TestAWithheldCallersWebhooksAreNotUnderNobodysKey: once they are named, all of the call is theirs.
func TestAWithheldCallersWebhooksAreNotUnderNobodysKey(t *testing.T) {
	vendorWorlds(t, func(t *testing.T, w *world) {
		w.twilios("CallSid=CA1 CallStatus=ringing Direction=inbound From=+266696687 To=+447700900001 SequenceNumber=1", itsRecording)
		if !w.opens("RE1") {
			t.Fatal("the recording can't be read")
		}
		w.twilios(aCall)
		w.erase(w.find(term.Phone, "+447700900101"))
		if w.opens("RE1") || w.opens("CA1") {
			t.Error("what was kept before the caller was named opens after their erasure")
		}
	})
}

func conversation(event, sid, rest string) string {
	return fmt.Sprintf("EventType=%s ConversationSid=%s DateCreated=2026-03-01T10:00:00Z %s", event, sid, rest)
}

// TestConversationsGoWithTheFirstOfTheirPeople: a conversation's own webhooks are not the agent's to keep.
func TestConversationsGoWithTheFirstOfTheirPeople(t *testing.T) {
	for name, late := range map[string]bool{"people first": false, "people last": true} {
		t.Run(name, func(t *testing.T) {
			vendorWorlds(t, func(t *testing.T, w *world) {
				about := []string{conversation("onConversationAdded", "CH1", "Attributes=about-aoife")}
				people := []string{
					conversation("onParticipantAdded", "CH1", "ParticipantSid=MB1 Identity=agent-7"),
					conversation("onParticipantAdded", "CH1", "ParticipantSid=MB2 MessagingBinding.Address=+447700900101"),
					conversation("onMessageAdded", "CH1", "MessageSid=IM1 ParticipantSid=MB1 Author=agent-7 Body=hello"),
					conversation("onDeliveryUpdated", "CH1", "MessageSid=IM1 ParticipantSid=MB2 DeliveryReceiptSid=DY1 Status=delivered")}
				if late {
					w.twilios(append(about, people...)...)
				} else {
					w.twilios(append(people, about...)...)
				}
				w.twilios(conversation("onConversationAdded", "CH2", "Attributes=another"), conversation("onParticipantAdded", "CH2", "ParticipantSid=MB3 Identity=agent-7"))
				got := w.kinds(term.Phone, "+447700900101")
				for kind, want := range map[string]int64{"chat/conversation": 1, "chat/conversation.participant": 1, "chat/conversation.delivery": 1, "chat/conversation.message": 0} {
					if got[kind] != want {
						t.Errorf("%d of %s, want %d", got[kind], kind, want)
					}
				}
				w.restart()
				w.erase(w.find(term.Phone, "+447700900101"))
				for _, gone := range []string{"CH1", "MB2", "DY1"} {
					if w.opens(gone) {
						t.Errorf("%s opens after the erasure of whom it is about", gone)
					}
				}
				for _, stays := range []string{"IM1", "CH2"} { // the agent's own words, and another conversation
					if !w.opens(stays) {
						t.Errorf("%s went too", stays)
					}
				}
				if r := w.twilio(conversation("onConversationUpdated", "CH1", "Attributes=still-about-aoife DateUpdated=2026-03-02T10:00:00Z")); len(r.Refused) != 1 || r.Refused[0].Reason != "subject.erased" {
					t.Errorf("what comes late of the conversation: %+v", r)
				}
				w.erase(w.find(term.Identity, "agent-7"))
				if w.opens("CH2") || w.opens("IM1") {
					t.Error("the agent's own conversation is still there")
				}
			})
		})
	}
}

// TestBothPeopleOfAConversationAreErasedAtOnce: what stands in for both goes once.
func TestBothPeopleOfAConversationAreErasedAtOnce(t *testing.T) {
	vendorWorlds(t, func(t *testing.T, w *world) {
		w.twilios(conversation("onConversationAdded", "CH1", "Attributes=a"), conversation("onParticipantAdded", "CH1", "ParticipantSid=MB1 Identity=a"),
			conversation("onParticipantAdded", "CH1", "ParticipantSid=MB2 Identity=b"))
		a, b := w.find(term.Identity, "a"), w.find(term.Identity, "b")
		errs := make(chan error, 2)
		for _, s := range []any{a, b} {
			go func() {
				var err error
				if s == any(a) {
					_, err = w.Erase(context.Background(), w.caller, a, plane.EraseRequest{})
				} else {
					_, err = w.Erase(context.Background(), w.caller, b, plane.EraseRequest{})
				}
				errs <- err
			}()
		}
		for range 2 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if w.opens("CH1") {
			t.Error("the conversation opens")
		}
	})
}

// TestLinksOfCallsAreForgotten, but nobody's erasure is.
func TestLinksOfCallsAreForgotten(t *testing.T) {
	vendorWorlds(t, func(t *testing.T, w *world) {
		w.twilios(aCall, conversation("onParticipantAdded", "CH1", "ParticipantSid=MB1 Identity=a"), conversation("onConversationAdded", "CH1", "Attributes=a"))
		w.now = w.now.Add(91 * 24 * time.Hour)
		if err := w.SweepOnce(context.Background(), w.now); err != nil {
			t.Fatal(err)
		}
		w.twilios(itsRecording)
		if got := w.kinds(term.Phone, "+447700900101"); got["voice/recording"] != 0 {
			t.Error("a link of 91 days ago is known")
		}
		w.erase(w.find(term.Identity, "a"))
		if w.opens("CH1") {
			t.Error("the conversation's record opens")
		}
	})
}

// TestTwoTenantsNeverShareACallOrAnIdentifier: same SIDs, same numbers, and nothing in common.
func TestTwoTenantsNeverShareACallOrAnIdentifier(t *testing.T) {
	vendorWorlds(t, func(t *testing.T, w *world) {
		if err := w.db.Do(context.Background(), func(tx store.Tx) error {
			return sqlstore.Tenants{}.PutTenant(tx, tenant.Tenant{No: 2, ID: "globex", Name: "Globex", CreatedAt: w.now})
		}); err != nil {
			t.Fatal(err)
		}
		w.twilios(aCall, itsRecording)
		w.send(w.src, "/v1/identify", `{"userId":"u1","messageId":"i1","traits":{"phone":"+447700900101","email":"family@example.com"}}`)
		w.send(w.src, "/v1/identify", `{"userId":"u2","messageId":"i2","traits":{"email":"family@example.com"}}`)
		mine := w.find(term.Phone, "+447700900101")

		other := *w
		other.caller = &tenant.Caller{Tenant: 2, TenantID: "globex", Token: "tok_2"}
		other.src = &tenant.Source{Tenant: 2, TenantID: "globex", ID: "src_globex", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server}
		b, err := twilio.Decode("application/x-www-form-urlencoded", []byte("CallSid=CA1&RecordingSid=RE1&RecordingStatus=completed"), ingest.Env{ReceivedAt: w.now, Kinds: w.rules})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release()
		src := *twilioSource
		src.Tenant, src.TenantID = 2, "globex"
		if r, err := w.Ingest(context.Background(), &src, b); err != nil || r.Accepted != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		other.send(other.src, "/v1/identify", `{"userId":"u3","messageId":"i1","traits":{"email":"family@example.com"}}`)
		theirs := other.find(term.UserID, "u3")
		v, err := other.Subject(context.Background(), other.caller, theirs)
		if err != nil || len(v.Refused) > 0 || v.Identifiers[0].Shared || v.Identifiers[1].Shared {
			t.Errorf("the other tenant sees %+v, %v", v, err)
		}
		if got := w.kinds(term.Phone, "+447700900101"); got["voice/recording"] != 1 {
			t.Errorf("%d recordings, want the tenant's own", got["voice/recording"])
		}
		w.mustRetire(mine, phones("+447700900101")...)
		w.erase(mine)
		if w.opens("RE1") || !other.opens("RE1") || other.find(term.Email, "family@example.com") != theirs {
			t.Error("one tenant's erasure reached into another's")
		}
	})
}
