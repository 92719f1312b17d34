package plane_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/ingest/sendgrid"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/ingest/whatsapp"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// channels decode a body as the source of that name would.
var channels = map[string]func(body string, env ingest.Env) (*ingest.Batch, error){
	"twilio": func(body string, env ingest.Env) (*ingest.Batch, error) {
		v := url.Values{}
		for pair := range strings.SplitSeq(body, "&") {
			name, value, _ := strings.Cut(pair, "=")
			v.Set(name, value)
		}
		return twilio.Decode("application/x-www-form-urlencoded", []byte(v.Encode()), env)
	},
	"whatsapp": func(body string, env ingest.Env) (*ingest.Batch, error) {
		return whatsapp.Decode([]byte(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{
			"metadata":{"display_phone_number":"447700900001","phone_number_id":"1"},`+body+`}}]}]}`), env)
	},
	"sendgrid": func(body string, env ingest.Env) (*ingest.Batch, error) { return sendgrid.Decode([]byte(body), env) },
	"segment": func(body string, env ingest.Env) (*ingest.Batch, error) {
		env.Service = "cdp"
		return segment.Decode("/v1/batch", []byte(`{"batch":[`+body+`]}`), env)
	},
	"native": func(body string, env ingest.Env) (*ingest.Batch, error) { return native.Decode("", []byte(body), env) },
}

// TestOnePersonOverAllChannels: whoever is the same by the rules is one person, and who is nobody stays so.
func TestOnePersonOverAllChannels(t *testing.T) {
	const (
		aoife  = "aoife"
		nobody = ""
	)
	rows := []struct{ name, channel, body, who string }{
		{"a text from her", "twilio", "MessageSid=SM1&SmsStatus=received&From=+447700900101&To=+447700900001&Body=hi", aoife},
		{"a text to her", "twilio", "MessageSid=SM2&MessageStatus=sent&From=+447700900001&To=+447700900101", aoife},
		{"a call from her", "twilio", "CallSid=CA1&CallStatus=ringing&Direction=inbound&From=+447700900101&To=+447700900001", aoife},
		{"a call to her", "twilio", "CallSid=CA2&CallStatus=ringing&Direction=outbound-api&From=+447700900001&To=+447700900101", aoife},
		{"its recording", "twilio", "CallSid=CA2&RecordingSid=RE2&RecordingStatus=completed", aoife},
		{"WhatsApp through Twilio", "twilio", "MessageSid=SM3&SmsStatus=received&From=whatsapp:+447700900101&WaId=447700900101&To=whatsapp:+447700900001&Body=hi", aoife},
		{"WhatsApp", "whatsapp", `"messages":[{"from":"447700900101","id":"wamid.1","timestamp":"1767607200","type":"text","text":{"body":"hi"}}]`, aoife},
		{"a status of WhatsApp's", "whatsapp", `"statuses":[{"recipient_id":"447700900101","id":"wamid.2","status":"read","timestamp":"1767607200"}]`, aoife},
		{"a conversation by number", "twilio", "EventType=onMessageAdded&ConversationSid=CH1&MessageSid=IM1&Author=+447700900101&Body=hi&DateCreated=2026-03-01T10:00:00Z", aoife},
		{"a participant by number", "twilio", "EventType=onParticipantAdded&ConversationSid=CH1&ParticipantSid=MB1&MessagingBinding.Address=whatsapp:+447700900101&DateCreated=2026-03-01T10:00:00Z", aoife},
		{"a verification", "native", `{"id":"v1","kind":"message","service":"messaging","subjects":[{"type":"phone","value":"+44 7700 900101","role":"recipient"}],"data":{}}`, aoife},
		{"traits, with blanks", "segment", `{"type":"identify","userId":"u1","messageId":"s1","traits":{"phone":"+44 7700 900101"}}`, aoife},
		{"traits, with the zero in brackets", "segment", `{"type":"identify","anonymousId":"n1","messageId":"s2","traits":{"phone":"+44 (0)7700 900-101"}}`, aoife},
		{"traits, with the zero", "segment", `{"type":"identify","anonymousId":"n2","messageId":"s3","traits":{"phone":"+4407700900101"}}`, aoife},
		{"an e-mail event", "sendgrid", `[{"email":"aoife@example.com","timestamp":1767607200,"event":"delivered","sg_event_id":"e1","sg_message_id":"m1"}]`, aoife},
		{"in another case", "sendgrid", `[{"email":"Aoife@EXAMPLE.com","timestamp":1767607200,"event":"open","sg_event_id":"e2","sg_message_id":"m1"}]`, aoife},
		{"traits, an address", "segment", `{"type":"identify","anonymousId":"n3","messageId":"s4","traits":{"email":" AOIFE@example.com "}}`, aoife},
		{"an event by user id", "segment", `{"type":"track","userId":"u1","messageId":"s5","event":"Paid"}`, aoife},
		{"an event by a joined anonymous id", "segment", `{"type":"track","anonymousId":"n2","messageId":"s6","event":"Seen"}`, aoife},

		{"a number in a track is content", "segment", `{"type":"track","anonymousId":"stranger","messageId":"s7","event":"Called","properties":{"phone":"+447700900101"}}`, "anonymous_id stranger"},
		{"a number without its country names nobody", "segment", `{"type":"identify","anonymousId":"n4","messageId":"s8","traits":{"phone":"07700 900101"}}`, "anonymous_id n4"},
		{"another's address", "sendgrid", `[{"email":"aoife+news@example.com","timestamp":1767607200,"event":"open","sg_event_id":"e3","sg_message_id":"m1"}]`, "email aoife+news@example.com"},
		{"a digit less", "twilio", "MessageSid=SM4&SmsStatus=received&From=+44770090010&To=+447700900001&Body=hi", "phone +44770090010"},
		{"an identity", "twilio", "EventType=onMessageAdded&ConversationSid=CH2&MessageSid=IM2&Author=agent-7&Body=hi&DateCreated=2026-03-01T10:00:00Z", "identity agent-7"},
		{"the same on a call", "twilio", "CallSid=CA3&CallStatus=ringing&Direction=inbound&From=client:agent-7&To=+447700900001", "identity agent-7"},
		{"the same in a room", "twilio", "StatusCallbackEvent=participant-connected&RoomSid=RM1&ParticipantSid=PA1&ParticipantIdentity=agent-7&SequenceNumber=1", "identity agent-7"},
		{"a SIP address is an identity as written", "twilio", "CallSid=CA4&CallStatus=ringing&Direction=inbound&From=sip:+447700900101@pbx.example.com&To=+447700900001", "identity sip:+447700900101@pbx.example.com"},
		{"a hidden number on WhatsApp", "twilio", "MessageSid=SM5&SmsStatus=received&From=whatsapp:GB.1313&To=whatsapp:+447700900001&Body=hi", "whatsapp_id GB.1313"},

		{"a short code", "twilio", "MessageSid=SM6&SmsStatus=received&From=12345&To=+447700900001&Body=hi", nobody},
		{"a sender's name", "twilio", "MessageSid=SM7&SmsStatus=received&From=ACME&To=+447700900001&Body=hi", nobody},
		{"a withheld number", "twilio", "CallSid=CA5&CallStatus=ringing&Direction=inbound&From=+266696687&To=+447700900001", nobody},
	}
	vendorWorlds(t, func(t *testing.T, w *world) {
		w.bring("segment", `{"type":"identify","userId":"u1","messageId":"s0","traits":{"email":"aoife@example.com","phone":"+447700900101"}}`)
		s := w.find(term.UserID, "u1")
		for _, tt := range rows {
			t.Run(tt.name, func(t *testing.T) {
				typ, value, other := strings.Cut(tt.who, " ")
				hers, theirs := len(w.records(s)), 0
				if other {
					theirs = w.count(typ, value)
				}
				w.bring(tt.channel, tt.body)
				if got, want := len(w.records(s))-hers, map[bool]int{true: 1}[tt.who == aoife]; got != want {
					t.Errorf("it is %d of Aoife's records, want %d", got, want)
				}
				for _, i := range []plane.Identifier{{Type: term.Phone, Value: "+447700900101"}, {Type: term.Email, Value: "aoife@example.com"}} {
					if w.find(i.Type, i.Value) != s {
						t.Errorf("her %s names somebody else", i.Type)
					}
				}
				if other && (w.count(typ, value) != theirs+1 || w.find(typ, value) == s) {
					t.Errorf("it isn't a record of %s", tt.who)
				}
				for _, own := range []string{"+447700900001", "+266696687"} {
					if _, err := w.Find(context.Background(), w.caller, phones(own)); fault.KindOf(err) != fault.NotFound {
						t.Errorf("%s is somebody: %v", own, err)
					}
				}
			})
		}
	})
}

// count is how many records somebody has, 0 for nobody.
func (w *world) count(typ, value string) int {
	w.t.Helper()
	f, err := w.Find(context.Background(), w.caller, []plane.Identifier{{Type: typ, Value: value}})
	if fault.KindOf(err) == fault.NotFound {
		return 0
	} else if err != nil {
		w.t.Fatal(err)
	}
	return len(w.records(f.Subject))
}

// bring takes in one event of a channel, which must be kept.
func (w *world) bring(channel, body string) {
	w.t.Helper()
	b, err := channels[channel](body, ingest.Env{ReceivedAt: w.now, Kinds: w.rules})
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Release()
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_" + channel, Adapter: channel, Service: "cdp", Trust: term.Server}
	if r, err := w.Ingest(context.Background(), src, b); err != nil || r.Accepted != 1 {
		w.t.Fatalf("%s: %+v, %v", body, r, err)
	}
}
