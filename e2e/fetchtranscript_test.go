package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// After the webhook of Conversational Intelligence, the sentences of a transcript are fetched from all
// pages of the vendor's list, and are the person's whom customer_key names: readable, sealed at rest,
// gone with them.
func TestTranscriptsAreFetchedFromTheVendor(t *testing.T) {
	c := newCanaries()
	account, token, sid, customer := "AC"+word(), c.text("auth token"), "GT"+strings.Repeat("0123456789abcdef", 2), c.text("customer")
	said := []string{c.text("first sentence"), c.text("second sentence"), c.text("third sentence")}
	var mu sync.Mutex
	var strangers int
	asked := map[string]int{}
	var vendor *httptest.Server
	vendor = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if user, password, _ := r.BasicAuth(); user != account || password != token || r.URL.Path != "/v2/Transcripts/"+sid+"/Sentences" {
			strangers++
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		page := r.URL.Query().Get("Page")
		asked[page]++
		next, from, to := any(vendor.URL+r.URL.Path+"?PageSize=1000&Page=1"), 0, 2
		if page == "1" {
			next, from, to = nil, 2, 3
		}
		var sentences []m
		for i := from; i < to; i++ {
			sentences = append(sentences, m{"media_channel": 1 + i%2, "sentence_index": i, "start_time": float64(i), "end_time": float64(i) + 0.5, "transcript": said[i], "sid": fmt.Sprint("GX", i)})
		}
		body := encode(t, m{"sentences": sentences, "meta": m{"page": page, "page_size": 1000, "next_page_url": next, "key": "sentences"}})
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	defer vendor.Close()

	w := serve(t, "", filepath.Join(t.TempDir(), "keyring"))
	w.launch()
	if !w.readyOrGone() {
		t.Fatalf("it ended:\n%s", tail(w.readLog(), 4000))
	}
	w.up.Regions[0].operator(t)
	r := addTenant(t, w, w.up.Regions[0], "globex")
	var made struct{ Source struct{ ID, Path string } }
	r.api(t, "POST", "/tenants/globex/sources", m{"adapter": "twilio", "account_sid": account, "secret": token}).want(t, 201).into(t, &made)
	w.stop()
	file := filepath.Join(w.root, "node.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, "fetch: {sources: [%s], transcripts: '%s', private: true}\n", made.Source.ID, vendor.URL)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	w.launch()
	if !w.readyOrGone() {
		t.Fatalf("it ended:\n%s", tail(w.readLog(), 4000))
	}
	body := encode(t, m{"account_sid": account, "service_sid": "GA" + sid[2:], "transcript_sid": sid, "customer_key": customer, "event_type": "voice_intelligence_transcript_available"})
	path := made.Source.Path + "?bodySHA256=" + sha256Hex(body)
	_, h := twilioForm(call{body: m{}}, token, r.URL+path)
	h["Content-Type"] = "application/json"
	r.send(t, "POST", path, h, body).want(t, 200)

	var rec record
	w.eventually("the sentences", func() error {
		got := r.byClientID(t, sid)
		if len(got) != 1 || len(got[0].Media) != 1 {
			return errors.New("the record has none")
		}
		rec = got[0]
		return nil
	})
	a := r.getMedia(t, kept{Record: rec.ID, Media: rec.Media[0].ID}).want(t, 200)
	lines := strings.Split(strings.TrimRight(string(a.body), "\n"), "\n")
	if len(lines) != len(said) || a.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d sentences as %s: %s", len(lines), a.header.Get("Content-Type"), a.body)
	}
	for i, line := range lines {
		var s struct {
			Transcript string
			Index      int `json:"sentence_index"`
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Transcript != said[i] || s.Index != i {
			t.Errorf("sentence %d is %s", i, line)
		}
	}
	mu.Lock()
	if strangers != 0 || asked["1"] != 1 {
		t.Errorf("%d requests that were none of ours; pages %v", strangers, asked)
	}
	mu.Unlock()
	subject := r.find(t, "identity", customer)
	r.erase(t, subject, false)
	if a := r.getMedia(t, kept{Record: rec.ID, Media: rec.Media[0].ID}); a.status == 200 {
		t.Error("the sentences are there after the erasure")
	}
	w.kill()
	haystack, found := newHaystack(c.list), sightings{}
	haystack.inTree(t, found, w.root)
	found.report(t)
}
