package app_test

import (
	"net/http"
	"strings"
	"testing"
)

// A word is taken only from who can make one, and what is none changes nothing.
func TestWhatIsNoWordOfARegionIsRefused(t *testing.T) {
	s := serveOf(t, "ie1", exampleProgramme(t), nil)
	const word = `{"tenant":"acme","word":"wrd_aaaaaaaaaaaaaaaaaaaaaaaa","kind":"erasure","receipt":"rcp_aaaaaaaaaaaaaaaaaaaaaaaa","mac":"AAAA"}`
	for what, tt := range map[string]struct {
		body   string
		status int
	}{"no JSON": {"x", 400}, "no mac": {`{"tenant":"acme"}`, 400}, "more than a word": {strings.Replace(word, `{`, `{"subject":"sub_a",`, 1), 400}, "a large one": {`{"word":"` + strings.Repeat("a", 8000) + `"}`, 400},
		"of nobody": {word, 404}} {
		res, err := http.Post(s.url+"/moves/mov_us1_aaaaaaaaaaaaaaaaaaaaaaaa/tell", "application/json", strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", what, res.StatusCode, tt.status)
		}
	}
}
