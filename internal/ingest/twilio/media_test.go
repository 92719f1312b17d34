package twilio_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/ingest/twilio"
)

func TestMediaOf(t *testing.T) {
	for _, tt := range []struct {
		kind, data string
		want       map[int]string
	}{
		{"message", `{"MediaUrl0":"https://a/0","MediaUrl2":"https://a/2","MediaUrl1":["x"],"MediaUrl10":"no","NumMedia":"3"}`,
			map[int]string{0: "https://a/0", 2: "https://a/2"}},
		{"message", `{"RecordingUrl":"https://a/r"}`, nil},
		{"message", `{}`, nil},
		{"message", `[]`, nil},
		{"message", `{"MediaUrl0":`, nil},
		{"recording", `{"RecordingUrl":"https://a/r","RecordingStatus":"completed","CallSid":"CA1"}`, map[int]string{0: "https://a/r"}},
		{"recording", `{"RecordingUrl":"https://a/r"}`, map[int]string{0: "https://a/r"}},
		{"recording", `{"RecordingUrl":"https://a/r","RecordingStatus":"in-progress"}`, nil},
		{"recording", `{"RecordingUrl":7}`, nil},
		{"transcription", `{"transcript_sid":"GT3ce637de716ef3d065b8e4aebc0cf835","event_type":"voice_intelligence_transcript_available"}`,
			map[int]string{0: "/v2/Transcripts/GT3ce637de716ef3d065b8e4aebc0cf835/Sentences?PageSize=1000"}},
		{"transcription", `{"transcript_sid":"GT3ce637de716ef3d065b8e4aebc0cf835","event_type":"voice_intelligence_transcript_failed"}`, nil},
		{"transcription", `{"transcript_sid":"GT/../../x","event_type":"voice_intelligence_transcript_available"}`, nil},
		{"transcription", `{"TranscriptionSid":"TR1","TranscriptionStatus":"completed"}`, nil},
		{"call.status", `{"RecordingUrl":"https://a/r","MediaUrl0":"https://a/0"}`, nil},
	} {
		got := twilio.MediaOf(tt.kind, []byte(tt.data))
		if len(got)+len(tt.want) > 0 && !cmp.Equal(got, tt.want) {
			t.Errorf("MediaOf(%s, %s): %v, want %v", tt.kind, tt.data, got, tt.want)
		}
	}
}

func FuzzMediaOf(f *testing.F) {
	f.Add("message", []byte(`{"MediaUrl0":"https://a/0"}`))
	f.Add("recording", []byte(`{"RecordingUrl":"https://a/r","CallSid":"CA1"}`))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		for n, m := range twilio.MediaOf(kind, data) {
			if n < 0 || n > 9 || m == "" {
				t.Errorf("number %d, %q", n, m)
			}
		}
	})
}
