package twilio

import (
	"bytes"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/term"
)

// keyword is what a message's keyword is called in a programme's consents.
const keyword = "keyword"

// stopWords are those on which Twilio itself stops sending, and startWords those on which it starts again, by
// its defaults. "YES" starts it, too, but says yes to whatever was asked, so it is no word here.
var (
	stopWords  = []string{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"}
	startWords = []string{"START", "UNSTOP"}
)

// optOut reads whether the person who wrote a message opted out by it, or in again. What Twilio made of it
// is in OptOutType; without that it is the whole message, one word in any case.
func (w *webhook) optOut() {
	word := w.p.text("OptOutType")
	if word == nil {
		word = w.p.text("Body")
	}
	word = bytes.TrimSpace(word)
	for i, words := range [2][]string{stopWords, startWords} {
		for _, known := range words {
			if len(word) == len(known) && bytes.EqualFold(word, []byte(known)) {
				w.e.Choices = &ingest.Choices{Role: term.RoleSender, Act: true, How: "keyword",
					Of: []ingest.Choice{{Category: []byte(keyword), Yes: i == 1}}}
				return
			}
		}
	}
}
