package twilio_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/term"
)

// cloudEvent is one event of Event Streams. The data below follow the examples of the vendor's schemas.
func cloudEvent(typ, data string) string {
	return `{"specversion":"1.0","type":"` + typ + `","source":"/v1/x","id":"EZ1","datacontenttype":"application/json","time":"2026-01-05T10:00:00.000Z","data":` + data + `}`
}

func TestEventStreams(t *testing.T) {
	e := env(t)
	const from, to = "+447700900101", "+447700900001"
	for _, tt := range []struct {
		typ, data, kind string
		who             []string
		unclassified    bool
	}{
		{"com.twilio.messaging.inbound-message.received", `{"messageSid":"SM1","from":"whatsapp:` + from + `","to":"whatsapp:` + to + `","body":"Hi","numMedia":0,"recipients":[]}`,
			"messaging/message", []string{"sender phone " + from, "own phone " + to}, false},
		{"com.twilio.messaging.message.delivered", `{"messageSid":"SM1","from":"` + to + `","to":"` + from + `","messageStatus":"DELIVERED","apiVersion":"x","tags":{"a":"b"}}`,
			"messaging/message.status", []string{"own phone " + to, "recipient phone " + from}, false},
		{"com.twilio.voice.status-callback.call.completed", `{"sid":"CA1","timestamp":"2026-01-05T10:00:00Z","eventSid":"VW1","request":{"method":"POST","url":"https://h.example","parameters":{"From":"` + from + `","To":"` + to + `","Direction":"inbound","CallStatus":"completed","Digits":"1"}},"response":{"responseCode":200,"responseBody":"PD94"}}`,
			"voice/call.status", []string{"sender phone " + from, "own phone " + to}, false},
		{"com.twilio.voice.status-callback.recording.completed", `{"sid":"CA1","request":{"parameters":{"recording_sid":"RE1","from":"` + to + `","to":"` + from + `"}}}`,
			"voice/recording", []string{"own phone " + to, "recipient phone " + from}, false},
		{"com.twilio.voice.insights.call-summary.complete", `{"call_sid":"CA1","from":{"caller":"` + from + `","carrier":"x"},"to":{"callee":"` + to + `"},"properties":{"direction":"inbound"},"sdk_edge":{}}`,
			"voice/call", []string{"sender phone " + from, "own phone " + to}, false},
		{"com.twilio.accountsecurity.verify.verification.approved", `{"verification_sid":"VE1","to":"` + from + `","verification_status":"APPROVED","send_code_attempts":{"count":1}}`,
			"verify/verification", []string{"recipient phone " + from}, false},
		{"com.twilio.accountsecurity.verify.verification.pending", `{"verification_sid":"VE1","to":"aoife@example.com"}`, "verify/verification", []string{"recipient email aoife@example.com"}, false},
		{"com.twilio.accountsecurity.verify.factor.verified", `{"factor_sid":"YF1","identity":"ff483d1f"}`, "verify/verification", []string{"recipient identity ff483d1f"}, false},
		{"com.twilio.taskrouter.reservation.accepted", `{"sid":"EV1","account_sid":"AC1","level":"INFO","payload":{"eventtype":"reservation.accepted","task_sid":"WT1","task_attributes":"{\"from\":\"` + from + `\"}","worker_name":"eoin@example.com","task_age":3}}`,
			"flex/task", []string{"sender phone " + from}, false},
		{"com.twilio.taskrouter.worker.activity.update", `{"sid":"EV1","payload":{"worker_name":"eoin@example.com","worker_attributes":"{}","worker_sid":"WK1"}}`, "flex/worker", nil, false},
		{"com.twilio.conversations.message.added", `{"AccountSid":"AC1","Author":"user-ie-0001","ConversationSid":"CH1","MessageSid":"IM1","Index":10,"MessageBody":"Ahoy!","Media":[],"DateCreated":"2025-01-01T00:00:00.000Z"}`,
			"chat/conversation.message", []string{"sender identity user-ie-0001"}, false},
		{"com.twilio.conversations.participant.added", `{"ParticipantSid":"MB1","Identity":null,"MessagingBinding":{"ProxyAddress":"whatsapp:` + to + `","Address":"whatsapp:` + from + `","Name":"Aoife"}}`,
			"chat/conversation.participant", []string{"participant phone " + from}, false},
		{"com.twilio.messaging.message.sent", `{"messageSid":"SM1","to":"` + from + `","surprise":1}`, "messaging/message.status", []string{"recipient phone " + from}, true},
		{"com.twilio.studio.flow.execution.started", `{}`, "refused: event.unknown_kind type", nil, false},
		{"com.twilio.messaging.compliance.brand-registration.failed", `{}`, "refused: event.unknown_kind type", nil, false},
		{"com.example.messaging.message.sent", `{}`, "refused: event.unknown_kind type", nil, false},
		{"com.twilio.messaging.message.sent", `[]`, "refused: event.bad_data data", nil, false},
	} {
		t.Run(tt.typ, func(t *testing.T) {
			for _, body := range []string{"[" + cloudEvent(tt.typ, tt.data) + "]", cloudEvent(tt.typ, tt.data)} {
				b := decode(t, e, jsonType, body)
				got := describe(t, b, 0)
				if got.Kind != tt.kind {
					t.Errorf("%s, want %s", got.Kind, tt.kind)
				}
				if diff := cmp.Diff(tt.who, got.People); diff != "" {
					t.Error(diff)
				}
				if b.Events[0].Refused == nil && (got.ID != "EZ1" || got.Qualifier != "/v1/x" || got.At != "2026-01-05T10:00:00") {
					t.Errorf("%+v", got)
				}
				if is := strings.Contains(strings.Join(got.Parts, " "), term.Unclassified); is != tt.unclassified {
					t.Errorf("%q", got.Parts)
				}
				b.Release()
			}
		})
	}
}

func TestABadEventCostsOnlyItself(t *testing.T) {
	e := env(t)
	good := cloudEvent("com.twilio.messaging.message.sent", `{"to":"+447700900101"}`)
	for _, tt := range []struct{ bad, want string }{
		{"{\"id\":\"\xff\"}", "1 event.bad_utf8  0"},
		{`7`, "1 event.not_object  0"},
		{`{}`, "1 event.unknown_kind type 0"},
		{`{"type":7}`, "1 event.unknown_kind type 0"},
		{strings.Replace(good, `"EZ1"`, `""`, 1), "1 event.bad_id id 0"},
		{strings.Replace(good, `"EZ1"`, `"`+strings.Repeat("x", 257)+`"`, 1), "1 event.bad_id id 0"},
		{strings.Replace(good, `"EZ1"`, `"\ud800"`, 1), "1 event.bad_id id 0"},
		{strings.Replace(good, `"/v1/x"`, `null`, 1), "1 event.bad_source source 0"},
		{strings.Replace(good, `"/v1/x"`, `"`+strings.Repeat("x", 1025)+`"`, 1), "1 event.bad_source source 0"},
		{strings.Replace(good, `"data":{`, `"date":{`, 1), "1 event.bad_data data 0"},
		{strings.Replace(good, `"to":`, `"aoife":1,"aoife":`, 1), "1 event.duplicate_member data.* 0"},
		{strings.Replace(good, `"to":`, `"a":`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+`,"to":`, 1), "1 event.too_deep data.* 0"},
	} {
		b := decode(t, e, jsonType, "["+good+","+tt.bad+","+good+"]")
		if diff := cmp.Diff([]string{tt.want}, refusals(b)); diff != "" || len(b.Events) != 3 {
			t.Errorf("%.80s: %d events, %s", tt.bad, len(b.Events), diff)
		}
		b.Release()
	}
	b := decode(t, e, jsonType, "["+strings.Repeat("7,", twilio.MaxEvents+4)+"7]")
	defer b.Release()
	if all := refusals(b); len(all) != twilio.MaxEvents+1 || all[twilio.MaxEvents] != "1000 batch.too_many_events  4" {
		t.Errorf("%d refusals, the last %q", len(all), all[len(all)-1])
	}
}
