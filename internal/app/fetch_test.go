package app

import (
	"testing"

	"domicile.dev/internal/config"
	"domicile.dev/internal/term"
)

// A transcript's sentences, which no webhook names, lie at the API that is configured.
func TestWantedAddressesOfTranscripts(t *testing.T) {
	f := newFetcher(config.Fetch{Sources: []string{"src_ie1_a"}, Transcripts: "https://intelligence.example.com"}, nil)
	const sid = "GT3ce637de716ef3d065b8e4aebc0cf835"
	data := []byte(`{"transcript_sid":"` + sid + `","event_type":"voice_intelligence_transcript_available","MediaUrl0":"https://a/0"}`)
	want := "https://intelligence.example.com/v2/Transcripts/" + sid + "/Sentences?PageSize=1000"
	if got := f.Wanted(term.AdapterTwilio, "transcription", data); len(got) != 1 || got[0] != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if got := f.Wanted(term.AdapterTwilio, "message", data); len(got) != 1 || got[0] != "https://a/0" {
		t.Errorf("a message's: %v", got)
	}
	if got := f.Wanted(term.AdapterNative, "transcription", data); len(got) != 0 {
		t.Errorf("another adapter's: %v", got)
	}
}
