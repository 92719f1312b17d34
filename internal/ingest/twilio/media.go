package twilio

import (
	"encoding/json"
	"maps"
	"strconv"
)

// mostMedia is how many files a message has at most.
const mostMedia = 10

// Media is a recording or picture that lies at Twilio.
type Media struct {
	URL string
	// Call is the CallSid of the call that a recording is of, "" for none: its own webhook names nobody.
	Call string
}

// MediaOf returns the recording or the pictures of a record by their number: of a message those of
// MediaUrl0 and so on, of a recording that is complete its RecordingUrl. data is the record's, as the
// webhook brought it; what isn't there, or is no text, is left out.
func MediaOf(kind string, data []byte) map[int]Media {
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
	media := map[int]Media{}
	switch kind {
	case "recording":
		if s := text("RecordingStatus"); s == "" || s == "completed" {
			media[0] = Media{URL: text("RecordingUrl"), Call: text("CallSid")}
		}
	case "message":
		for n := range mostMedia {
			media[n] = Media{URL: text("MediaUrl" + strconv.Itoa(n))}
		}
	}
	maps.DeleteFunc(media, func(_ int, m Media) bool { return m.URL == "" })
	return media
}
