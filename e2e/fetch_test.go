package e2e

import (
	"bytes"
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

// A picture that lies at the vendor is fetched after its webhook, with the source's account and token,
// over a redirect to the vendor's CDN, which gets no credentials; and again when the node died before.
func TestPicturesAreFetchedFromTheVendor(t *testing.T) {
	c := newCanaries()
	picture := []byte(strings.Repeat(c.text("picture"), 20_000))
	account, token := "AC"+word(), c.text("auth token")
	var mu sync.Mutex
	var asked []string
	seen := func(s string) { mu.Lock(); asked = append(asked, s); mu.Unlock() }
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen("cdn" + r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(picture)
	}))
	defer cdn.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != account || password != token {
			seen("stranger")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		seen("api")
		http.Redirect(w, r, cdn.URL+"/media", http.StatusTemporaryRedirect)
	}))
	defer api.Close()

	keyring := filepath.Join(t.TempDir(), "keyring")
	w := serve(t, "", keyring)
	w.launch()
	if !w.readyOrGone() {
		t.Fatalf("it ended:\n%s", tail(w.readLog(), 4000))
	}
	w.up.Regions[0].operator(t)
	r := addTenant(t, w, w.up.Regions[0], "globex")
	var made struct{ Source struct{ ID, Path string } }
	r.api(t, "POST", "/tenants/globex/sources", m{"adapter": "twilio", "account_sid": account, "secret": token}).want(t, 201).into(t, &made)
	message := func(sid string) {
		t.Helper()
		call := call{body: m{"MessageSid": sid, "SmsStatus": "received", "NumMedia": "1", "To": "+447700900001", "From": "+353851234567",
			"Body": "look", "MediaUrl0": api.URL + "/" + c.text("path of a picture")}}
		body, h := twilioForm(call, token, r.URL+made.Source.Path)
		r.send(t, "POST", made.Source.Path, h, body).want(t, 200)
	}
	message("SMoff") // it is off by default
	w.stop()
	if len(asked) != 0 {
		t.Errorf("without being asked to, the node asked %v", asked)
	}

	file := filepath.Join(w.root, "node.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }
	text = fmt.Appendf(text, "fetch: {sources: [%s], hosts: ['%s'], cdn: ['%s'], private: true}\n", made.Source.ID, plain(api), plain(cdn))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	w.launch()
	if !w.readyOrGone() {
		t.Fatalf("it ended:\n%s", tail(w.readLog(), 4000))
	}
	message("SMon")
	w.kill() // it is in the store already, or done
	w.launch()
	if !w.readyOrGone() {
		t.Fatalf("it ended:\n%s", tail(w.readLog(), 4000))
	}
	message("SMon")
	message("SMlater")
	var rec record
	w.eventually("the picture", func() error {
		got := r.byClientID(t, "SMlater")
		if len(got) != 1 || len(got[0].Media) != 1 {
			return errors.New("the record has none")
		}
		rec = got[0]
		return nil
	})
	if a := r.getMedia(t, kept{Record: rec.ID, Media: rec.Media[0].ID}).want(t, 200); !bytes.Equal(a.body, picture) || a.header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("the picture reads as %d bytes of %s", len(a.body), a.header.Get("Content-Type"))
	}
	if got := r.byClientID(t, "SMoff"); len(got) != 1 || len(got[0].Media) != 0 {
		t.Errorf("a message from before it was switched on: %+v", got)
	}
	mu.Lock()
	for _, a := range asked {
		if a != "api" && a != "cdn" {
			t.Errorf("a server saw %q", a)
		}
	}
	mu.Unlock()
	if a := r.api(t, "GET", "/stats", nil).want(t, 200); !bytes.Contains(a.body, []byte(`"outcome":"fetched"`)) {
		t.Errorf("stats %s", a.body)
	}
	w.kill()
	h, found := newHaystack(c.list), sightings{}
	h.inTree(t, found, w.root)
	found.report(t)
}
