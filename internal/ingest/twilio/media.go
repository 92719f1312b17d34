package twilio

import (
	"encoding/json"
	"maps"
	"regexp"
	"strconv"
)

// mostMedia is how many files a message has at most.
const mostMedia = 10

// Sentences is what an address ends in that MediaOf returns for a transcript: it is relative to the
// API of Conversational Intelligence, and a list in pages of that name lies there.
const Sentences = "/Sentences?PageSize=1000"

// transcriptSID is what the vendor's webhooks name a transcript.
var transcriptSID = regexp.MustCompile(`^GT[0-9a-f]{32}$`)

// MediaOf returns where the recording or the pictures of a record lie, by their number: of a message those of
// MediaUrl0 and so on, of a recording that is complete its RecordingUrl, of a transcript that is complete the path
// of its sentences, which the webhook doesn't name. data is the record's, as the
// webhook brought it; what isn't there, or is no text, is left out.
func MediaOf(kind string, data []byte) map[int]string {
	var params map[string]json.RawMessage
	if json.Unmarshal(data, &params) != nil {
		return nil
	}
	text := func(name string) (s string) {
		if json.Unmarshal(params[name], &s) != nil {
			return ""
		}
		return s
	}
	media := map[int]string{}
	switch kind {
	case "recording":
		if s := text("RecordingStatus"); s == "" || s == "completed" {
			media[0] = text("RecordingUrl")
		}
	case "transcription":
		if sid := text("transcript_sid"); text("event_type") == "voice_intelligence_transcript_available" && transcriptSID.MatchString(sid) {
			media[0] = "/v2/Transcripts/" + sid + Sentences
		}
	case "message":
		for n := range mostMedia {
			media[n] = text("MediaUrl" + strconv.Itoa(n))
		}
	}
	maps.DeleteFunc(media, func(_ int, address string) bool { return address == "" })
	return media
}
