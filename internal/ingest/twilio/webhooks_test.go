package twilio_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/term"
)

// meta abbreviates the longest category in the tables.
func expand(parts []string) (all []string) {
	for _, p := range parts {
		all = append(all, strings.NewReplacer(" metadata:", " electronic_communications_metadata:", " content:", " customer_content:",
			" contact:", " contact_data:", " device:", " device_data:").Replace(p))
	}
	return all
}

// TestFixtures says what becomes of each of the webhooks in testdata.
func TestFixtures(t *testing.T) {
	tests := map[string]kept{
		"sms-inbound": {"messaging/message", "SMd36c0364e3842955b2c8f86da3bd8ad6", "", "received",
			[]string{"sender phone +447700900101", "own phone +447700900001"},
			[]string{"writer metadata: AccountSid ApiVersion MessageSid NumMedia NumSegments SmsMessageSid SmsSid SmsStatus",
				"writer content: Body MediaContentType0 MediaUrl0", "recipient metadata: To ToCity ToCountry ToState ToZip",
				"sender metadata: From FromCity FromCountry FromState FromZip"}},
		"whatsapp-inbound": {"messaging/message", "SM9923dbfca747779f48461902184c2b9f", "", "received",
			[]string{"sender phone +447700900101", "own phone +447700900001"},
			[]string{"writer metadata: AccountSid ApiVersion MessageSid MessageType NumMedia NumSegments ReferralNumMedia SmsMessageSid SmsSid SmsStatus",
				"writer content: Body", "recipient metadata: To", "sender metadata: From", "sender contact: ProfileName WaId"}},
		"sms-status": {"messaging/message.status", "SMd36c0364e3842955b2c8f86da3bd8ad6", "delivered", "2026-01-05T10:01:00",
			[]string{"own phone +447700900001", "recipient phone +447700900101"},
			[]string{"writer metadata: AccountSid ApiVersion MessageSid MessageStatus RawDlrDoneDate SmsSid SmsStatus", "recipient metadata: To", "sender metadata: From"}},
		"sms-status-failed": {"messaging/message.status", "SMcd3d4f4f9fc6592ad019629556d32ce3", "undelivered", "received",
			[]string{"own phone +447700900001", "recipient phone +447700900101"},
			[]string{"writer metadata: AccountSid ApiVersion ErrorCode MessageSid MessageStatus MessagingServiceSid SmsSid SmsStatus",
				"recipient metadata: To", "sender metadata: From"}},
		"call-status": {"voice/call.status", "CAc93bf9a243a391a65da5b60116ee9a5c", "completed/3", "2026-01-05T10:00:30",
			[]string{"own phone +447700900001", "recipient phone +447700900101"},
			[]string{"writer metadata: AccountSid ApiVersion CallDuration CallSid CallStatus CallbackSource Direction Duration SequenceNumber Timestamp",
				"recipient metadata: Called To ToCountry ToState", "sender metadata: Caller CallerCountry From FromCountry"}},
		"recording-status": {"voice/recording", "REba3a45e6e565daede1152e31db173a7d", "completed", "received", nil,
			[]string{"writer metadata: AccountSid CallSid ErrorCode RecordingChannels RecordingDuration RecordingSid RecordingSource RecordingStartTime RecordingStatus RecordingTrack",
				"writer content: RecordingUrl"}},
		"conversations": {"chat/conversation.message", "IM8d5b7fb7530d3cc5e1cedf42977f6f2e", "onMessageAdded/2026-01-05T10:00:00.000Z", "2026-01-05T10:00:00",
			[]string{"sender phone +447700900101"},
			[]string{"writer metadata: AccountSid ConversationSid DateCreated EventType Index MessageSid ParticipantSid RetryCount Source",
				"writer content: Attributes Body", "sender metadata: Author"}},
		"video-room": {"video/video.participant", "RM0c0c9e1b2e46c701271a25e863fbc583", "participant-connected/1", "2026-01-05T10:00:00",
			[]string{"participant identity user-ie-0001"},
			[]string{"participant metadata: AccountSid ParticipantSid ParticipantStatus RoomSid RoomStatus RoomType SequenceNumber StatusCallbackEvent Timestamp",
				"participant contact: ParticipantIdentity", "participant content: RoomName"}},
		"video-recording": {"video/video.recording", "RM0c0c9e1b2e46c701271a25e863fbc583", "recording-completed/7", "2026-01-05T10:20:00",
			[]string{"participant identity user-ie-0001"},
			[]string{"participant metadata: AccountSid Container Duration OffsetFromTwilioVideoEpoch ParticipantSid ParticipantStatus RecordingSid RecordingUri RoomSid RoomStatus RoomType SequenceNumber Size StatusCallbackEvent Timestamp Type",
				"participant device: Codec TrackName", "participant content: MediaUri RoomName", "participant contact: ParticipantIdentity"}},
		"taskrouter": {"flex/task", "WTbfdd7cb2b4349348018f022234bf8d1e", "task.created/EVb2c07736f033ebbc0b4b79ba53bc2f0f", "2026-01-05T10:00:00",
			[]string{"sender phone +447700900101"},
			[]string{"writer metadata: AccountSid EventDescription EventType ResourceSid ResourceType Sid TaskAge TaskAssignmentStatus TaskChannelUniqueName TaskPriority TaskQueueName TaskQueueSid TaskSid Timestamp TimestampMs WorkflowName WorkflowSid WorkspaceName WorkspaceSid",
				"writer content: TaskAttributes"}},
		"intelligence": {"voice/transcription", "GT3ce637de716ef3d065b8e4aebc0cf835", "voice_intelligence_transcript_available", "received",
			[]string{"subject identity user-ie-0001"},
			[]string{"writer metadata: account_sid event_type service_sid transcript_sid", "writer contact: customer_key"}},
		"event-streams": {"messaging/message", "EZ11111111111111111111111111111111", "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/SMd36c0364e3842955b2c8f86da3bd8ad6.json", "2026-01-05T10:00:00",
			[]string{"sender phone +447700900101", "own phone +447700900001"},
			[]string{"writer metadata: data datacontenttype dataschema id source specversion time type", "writer content: data", "recipient metadata: data", "sender metadata: data"}},
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(tests)+1 {
		t.Fatalf("%d files for %d tests, %v", len(files), len(tests), err)
	}
	e := env(t)
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			contentType, body := fixture(t, name)
			b := decode(t, e, contentType, string(body))
			defer b.Release()
			if len(b.Events) != 1 {
				t.Fatalf("%d events", len(b.Events))
			}
			want.Parts = expand(want.Parts)
			if diff := cmp.Diff(want, describe(t, b, 0)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(sent(t, contentType, body), data(t, &b.Events[0])); diff != "" {
				t.Errorf("what was kept is not what was sent: %s", diff)
			}
		})
	}
}

// sent reads a body with the standard library. No fixture repeats a name.
func sent(t testing.TB, contentType string, body []byte) map[string]any {
	t.Helper()
	v := map[string]any{}
	if !strings.HasSuffix(contentType, "json") {
		values, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, list := range values {
			v[name] = list[0]
		}
		return v
	}
	if body[0] == '[' {
		var list []map[string]any
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestForms says what further webhooks become. A digest in a qualifier is written as #.
func TestForms(t *testing.T) {
	e := env(t)
	const from, to = "+447700900101", "+447700900001"
	for _, tt := range []struct {
		name string
		form []string
		want string // kind, client id, qualifier
		who  []string
	}{
		{"a read receipt", []string{"MessageSid", "SM1", "MessageStatus", "read", "EventType", "READ", "From", "whatsapp:" + to, "To", "whatsapp:" + from, "ChannelPrefix", "whatsapp"},
			"messaging/message.status SM1 read/READ", []string{"own phone " + to, "recipient phone " + from}},
		{"a status with the number of its WhatsApp", []string{"MessageSid", "SM1", "MessageStatus", "sent", "To", "whatsapp:" + from, "WaId", "447700900001"},
			"messaging/message.status SM1 sent", []string{"recipient phone " + from}},
		{"a status by its old name", []string{"SmsSid", "SM1", "SmsStatus", "sent", "To", from}, "messaging/message.status SM1 #", []string{"recipient phone " + from}},
		{"from a short code", []string{"MessageSid", "SM1", "SmsStatus", "received", "From", "32665", "To", to}, "messaging/message SM1 ", []string{"own phone " + to}},
		{"from a name", []string{"MessageSid", "SM1", "SmsStatus", "received", "From", "ACMEBANK", "To", to}, "messaging/message SM1 ", []string{"own phone " + to}},
		{"a business-scoped id", []string{"MessageSid", "SM1", "SmsStatus", "received", "From", "whatsapp:GB.13491208655302741918", "WaId", "GB.13491208655302741918", "To", "whatsapp:" + to},
			"messaging/message SM1 ", []string{"sender whatsapp_id GB.13491208655302741918", "own phone " + to}},
		{"a number in WaId only", []string{"MessageSid", "SM1", "SmsStatus", "received", "From", "whatsapp:", "WaId", "447700900101", "To", "whatsapp:" + to},
			"messaging/message SM1 ", []string{"own phone " + to, "sender phone " + from}},
		{"another channel", []string{"MessageSid", "SM1", "SmsStatus", "received", "From", "messenger:1234567890", "To", "messenger:99"},
			"messaging/message SM1 ", []string{"sender identity messenger:1234567890", "own identity messenger:99"}},
		{"an incoming call", []string{"CallSid", "CA1", "CallStatus", "ringing", "Direction", "inbound", "From", from, "To", to, "CallerName", "AOIFE"},
			"voice/call.status CA1 ringing/#", []string{"sender phone " + from, "own phone " + to}},
		{"a withheld number", []string{"CallSid", "CA1", "CallStatus", "ringing", "Direction", "inbound", "From", "+266696687", "To", to},
			"voice/call.status CA1 ringing/#", []string{"own phone " + to}},
		{"a call from an app", []string{"CallSid", "CA1", "CallStatus", "completed", "SequenceNumber", "2", "Direction", "inbound", "From", "client:aoife", "To", to},
			"voice/call.status CA1 completed/2", []string{"sender identity aoife", "own phone " + to}},
		{"a call to a SIP address", []string{"CallSid", "CA1", "CallStatus", "completed", "SequenceNumber", "2", "Direction", "outbound-api", "From", to, "To", "sip:aoife@example.com"},
			"voice/call.status CA1 completed/2", []string{"own phone " + to, "recipient identity sip:aoife@example.com"}},
		{"who answered", []string{"CallSid", "CA1", "AnsweredBy", "human"}, "voice/call.status CA1 #", nil},
		{"a voicemail's text", []string{"TranscriptionSid", "TR1", "TranscriptionStatus", "completed", "TranscriptionText", "Hello", "RecordingSid", "RE1", "CallSid", "CA1",
			"CallStatus", "completed", "Direction", "inbound", "From", from, "To", to}, "voice/transcription TR1 completed", []string{"sender phone " + from, "own phone " + to}},
		{"a live transcript", []string{"TranscriptionSid", "GT1", "TranscriptionEvent", "transcription-content", "SequenceId", "4", "CallSid", "CA1"}, "voice/transcription GT1 transcription-content/4", nil},
		{"a recording with its call", []string{"RecordingSid", "RE1", "RecordingStatus", "completed", "CallSid", "CA1", "CallStatus", "completed", "Direction", "inbound", "From", from},
			"voice/recording RE1 completed", []string{"sender phone " + from}},
		{"an author who is no number", []string{"EventType", "onMessageUpdated", "ConversationSid", "CH1", "MessageSid", "IM1", "Author", "user-ie-0001", "DateUpdated", "2026-01-05T10:00:00Z"},
			"chat/conversation.message IM1 onMessageUpdated/2026-01-05T10:00:00Z", []string{"sender identity user-ie-0001"}},
		{"no author but a client", []string{"EventType", "onMessageRemoved", "ConversationSid", "CH1", "MessageSid", "IM1", "Author", "system", "ClientIdentity", "user-ie-0001"},
			"chat/conversation.message IM1 onMessageRemoved", []string{"sender identity user-ie-0001"}},
		{"an author who withheld a number", []string{"EventType", "onMessageAdded", "ConversationSid", "CH1", "MessageSid", "IM1", "Author", "+266696687"},
			"chat/conversation.message IM1 onMessageAdded", nil},
		{"before a message", []string{"EventType", "onMessageAdd", "ConversationSid", "CH1", "Author", "user-ie-0001", "Body", "Hello"},
			"chat/conversation.message CH1 onMessageAdd/#", []string{"sender identity user-ie-0001"}},
		{"a participant by address", []string{"EventType", "onParticipantAdded", "ConversationSid", "CH1", "ParticipantSid", "MB1", "MessagingBinding.Type", "sms", "MessagingBinding.Address", from, "MessagingBinding.ProxyAddress", to},
			"chat/conversation.participant MB1 onParticipantAdded", []string{"participant phone " + from}},
		{"a participant by identity", []string{"EventType", "onParticipantUpdated", "ConversationSid", "CH1", "ParticipantSid", "MB1", "Identity", "user-ie-0001", "LastReadMessageIndex", "3"},
			"chat/conversation.participant MB1 onParticipantUpdated/#", []string{"participant identity user-ie-0001"}},
		{"a user", []string{"EventType", "onUserUpdated", "ChatServiceSid", "IS1", "UserSid", "US1", "Identity", "user-ie-0001", "DateUpdated", "2026-01-05T10:00:00Z"},
			"chat/conversation.user US1 onUserUpdated/2026-01-05T10:00:00Z", []string{"participant identity user-ie-0001"}},
		{"a conversation", []string{"EventType", "onConversationAdded", "ConversationSid", "CH1", "FriendlyName", "Aoife"}, "chat/conversation CH1 onConversationAdded", nil},
		{"a delivery", []string{"EventType", "onDeliveryUpdated", "ConversationSid", "CH1", "DeliveryReceiptSid", "DY1", "Status", "read", "DateUpdated", "2026-01-05T10:00:00Z"},
			"chat/conversation.delivery DY1 onDeliveryUpdated/2026-01-05T10:00:00Z", nil},
		{"a room", []string{"StatusCallbackEvent", "room-created", "RoomSid", "RM1", "RoomName", "r", "SequenceNumber", "0"}, "video/video.room RM1 room-created/0", nil},
		{"a track", []string{"StatusCallbackEvent", "track-added", "RoomSid", "RM1", "SequenceNumber", "5", "ParticipantIdentity", "user-ie-0001", "TrackName", "camera"},
			"video/video.participant RM1 track-added/5", []string{"participant identity user-ie-0001"}},
		{"a composition", []string{"StatusCallbackEvent", "composition-available", "RoomSid", "RM1", "CompositionSid", "CJ1", "MediaUri", "/m"}, "video/video.recording RM1 composition-available/#", nil},
		{"a reservation", []string{"EventType", "reservation.accepted", "WorkspaceSid", "WS1", "Sid", "EV1", "TaskSid", "WT1", "WorkerName", "eoin@example.com",
			"TaskAttributes", `{"caller":"\u002b447700900101","from":"+447700900101","customerAddress":"whatsapp:+447700900101","customerName":"Aoife"}`},
			"flex/task WT1 reservation.accepted/EV1", []string{"sender phone " + from}},
		{"an outgoing task", []string{"EventType", "task.created", "WorkspaceSid", "WS1", "Sid", "EV1", "TaskSid", "WT1", "TaskAttributes", `{"direction":"outbound","from":"` + to + `","outbound_to":"` + from + `"}`},
			"flex/task WT1 task.created/EV1", []string{"recipient phone " + from}},
		{"attributes that are no JSON", []string{"EventType", "task.created", "WorkspaceSid", "WS1", "Sid", "EV1", "TaskSid", "WT1", "TaskAttributes", `{"from":`}, "flex/task WT1 task.created/EV1", nil},
		{"an assignment", []string{"WorkspaceSid", "WS1", "TaskSid", "WT1", "ReservationSid", "WR1", "TaskAttributes", `{"from":"` + from + `"}`}, "flex/task WT1 WR1", []string{"sender phone " + from}},
		{"a worker", []string{"EventType", "worker.activity.update", "WorkspaceSid", "WS1", "Sid", "EV1", "ResourceSid", "WK1", "WorkerSid", "WK1", "WorkerName", "eoin@example.com"},
			"flex/worker WK1 worker.activity.update/EV1", nil},
		{"nothing that is known", []string{"Surprise", "1"}, "refused: event.unknown_kind", nil},
		{"an event of a room that is not known", []string{"StatusCallbackEvent", "wall-painted", "RoomSid", "RM1"}, "refused: event.unknown_kind", nil},
		{"an event of a conversation that is not known", []string{"EventType", "onThoughtAdded", "ConversationSid", "CH1"}, "refused: event.unknown_kind", nil},
		{"a conference", []string{"ConferenceSid", "CF1", "StatusCallbackEvent", "participant-join", "CallSid", "CA1"}, "refused: event.unknown_kind", nil},
		{"an id that is none", []string{"CallSid", strings.Repeat("A", 257), "CallStatus", "busy"}, "refused: event.bad_id CallSid", nil},
		{"two ids", []string{"CallSid", "CA1", "CallSid", "CA2", "CallStatus", "busy"}, "refused: event.unknown_kind", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := decode(t, e, formType, form(tt.form...))
			defer b.Release()
			got := describe(t, b, 0)
			parts := strings.Split(got.Qualifier, "/")
			if last := &parts[len(parts)-1]; len(*last) == 32 {
				*last = "#"
			}
			summary := got.Kind
			if !strings.HasPrefix(summary, "refused") {
				summary = fmt.Sprintf("%s %s %s", got.Kind, got.ID, strings.Join(parts, "/"))
			}
			if summary != tt.want {
				t.Errorf("%s, want %s", summary, tt.want)
			}
			if diff := cmp.Diff(tt.who, got.People); diff != "" {
				t.Error(diff)
			}
			for _, part := range got.Parts {
				if strings.Contains(part, term.Unclassified) {
					t.Error(part)
				}
			}
		})
	}
}
