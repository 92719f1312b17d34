package twilio_test

import (
	"net/url"
	"strings"
	"testing"

	"domicile.dev/internal/ingest/twilio"
)

// TestWhatWebhooksAreAbout: by it those that name nobody are known to be about somebody.
func TestWhatWebhooksAreAbout(t *testing.T) {
	for _, tt := range []struct{ name, form, want string }{
		{"a call", "CallSid=CA1 CallStatus=ringing Direction=inbound From=+447700900101 To=+447700900001", "call CA1"},
		{"its recording", "CallSid=CA1 RecordingSid=RE1 RecordingStatus=completed", "call CA1"},
		{"a piece of its transcript", "CallSid=CA1 TranscriptionSid=GT1 TranscriptionEvent=transcription-content", "call CA1"},
		{"a recording of a conference", "ConferenceSid=CF1 RecordingSid=RE1 RecordingStatus=completed", ""},
		{"a message", "MessageSid=SM1 SmsStatus=received From=+447700900101 To=+447700900001", ""},
		{"a conversation", "EventType=onConversationAdded ConversationSid=CH1", "conversation CH1 many"},
		{"a participant", "EventType=onParticipantAdded ConversationSid=CH1 ParticipantSid=MB1 Identity=a", "participant MB1, conversation CH1 many"},
		{"a delivery", "EventType=onDeliveryUpdated ConversationSid=CH1 ParticipantSid=MB1 MessageSid=IM1", "participant MB1, conversation CH1 many"},
		{"a delivery that names the author", "EventType=onDeliveryUpdated ConversationSid=CH1 ParticipantSid=MB1 MessageSid=IM1 Author=b", "conversation CH1 many"},
		{"a room", "StatusCallbackEvent=room-created RoomSid=RM1", "room RM1 many"},
		{"somebody in it", "StatusCallbackEvent=participant-connected RoomSid=RM1 ParticipantSid=PA1 ParticipantIdentity=a", "participant PA1, room RM1 many"},
		{"a task", "WorkspaceSid=WS1 TaskSid=WT1 EventType=task.created TaskAttributes={}", "task WT1"},
		{"an id that is none", "CallSid=" + strings.Repeat("x", twilio.MaxIDChars+1) + " RecordingSid=RE1 RecordingStatus=completed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := url.Values{}
			for _, pair := range strings.Fields(tt.form) {
				name, value, _ := strings.Cut(pair, "=")
				v.Set(name, value)
			}
			b, err := twilio.Decode("application/x-www-form-urlencoded", []byte(v.Encode()), env(t))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Release()
			var got []string
			for _, thing := range b.Events[0].Things {
				s := thing.Type + " " + string(thing.ID)
				if thing.Many {
					s += " many"
				}
				got = append(got, s)
			}
			if s := strings.Join(got, ", "); s != tt.want || b.Events[0].Refused != nil {
				t.Errorf("it is about %q, want %q (refused: %+v)", s, tt.want, b.Events[0].Refused)
			}
		})
	}
}
