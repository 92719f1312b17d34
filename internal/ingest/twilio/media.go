package twilio

import (
	"encoding/json"
	"strconv"
)

// mostMedia is how many files a message has at most.
const mostMedia = 10

// MediaURLs returns where the recording or the pictures of a record lie, by their number: of a message
// those of MediaUrl0 and so on, of a recording that is complete its RecordingUrl. data is the record's,
// as the webhook brought it; what isn't there, or is no text, is left out.
func MediaURLs(kind string, data []byte) map[int]string {
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
	var urls map[int]string
	add := func(n int, u string) {
		if u == "" {
			return
		}
		if urls == nil {
			urls = map[int]string{}
		}
		urls[n] = u
	}
	switch kind {
	case "recording":
		if s := text("RecordingStatus"); s == "" || s == "completed" {
			add(0, text("RecordingUrl"))
		}
	case "message":
		for n := range mostMedia {
			add(n, text("MediaUrl"+strconv.Itoa(n)))
		}
	}
	return urls
}
