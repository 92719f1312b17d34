package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/app"
	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
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

// Words that the other region doesn't know of, or that are for a region that is no peer, or is away, stay and are put off; those behind them are told.
func TestAWordThatIsNotTakenStaysAndIsPutOff(t *testing.T) {
	p := exampleProgramme(t)
	ie1 := serveOf(t, "ie1", p, nil)
	var taken atomic.Int32
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/moves/mov_us1_au1/tell" {
			taken.Add(1)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer good.Close()
	turns := httptest.NewServer(http.RedirectHandler(good.URL, http.StatusFound))
	defer turns.Close()
	us1 := serveOf(t, "us1", p, map[string]config.Peer{"ie1": {URL: ie1.url}, "au1": {URL: good.URL}, "jp1": {URL: "http://127.0.0.1:1"}, "br1": {URL: turns.URL}})
	for _, n := range []*served{ie1, us1} {
		if _, _, _, _, err := n.Tenants.CreateTenant(t.Context(), tenant.Operator, "acme", "Acme"); err != nil && fault.KindOf(err) != fault.Conflict {
			t.Fatal(err)
		}
	}
	acme, err := us1.Tenants.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i, peer := range []string{"ie1", "sg1", "jp1", "br1", "au1"} {
		if err := app.PutWord(t.Context(), us1.Node, &plane.Word{Tenant: acme.No, Move: "mov_us1_" + peer, ID: "wrd_aaaaaaaaaaaaaaaaaaaaaaaa", Peer: peer, Kind: "erasure", Receipt: "rcp_aaaaaaaaaaaaaaaaaaaaaaaa", MAC: []byte{1}, At: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	told := app.TellWords(t.Context(), us1.Node) // the node's own loop may have been first
	left, err := app.WordsLeft(t.Context(), us1.Node)
	if err != nil {
		t.Fatal(err)
	}
	if told != nil {
		for _, want := range []string{"region ie1 answers 404", "sg1 is no peer", "tell region jp1"} {
			if !strings.Contains(told.Error(), want) {
				t.Errorf("%v doesn't say %q", told, want)
			}
		}
	}
	if _, is := left["mov_us1_au1"]; is || taken.Load() == 0 || len(left) != 4 {
		t.Errorf("left %v; au1 took %d", left, taken.Load())
	}
	for move, at := range left {
		if at < began.UnixMilli() {
			t.Errorf("the word on %s wasn't put off: %d", move, at)
		}
	}
}
