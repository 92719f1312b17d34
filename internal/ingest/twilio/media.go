package twilio

import (
	"encoding/json"
	"maps"
	"strconv"
)

// mostMedia is how many files a message has at most.
const mostMedia = 10

// MediaOf returns where the recording or the pictures of a record lie, by their number: of a message those of
// MediaUrl0 and so on, of a recording that is complete its RecordingUrl. data is the record's, as the
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
	case "message":
		for n := range mostMedia {
			media[n] = text("MediaUrl" + strconv.Itoa(n))
		}
	}
	maps.DeleteFunc(media, func(_ int, address string) bool { return address == "" })
	return media
}
