package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// sentences is the vendor's API for transcripts: it pages, with tokens, and asks for the account's
// credentials on each page.
type sentences struct {
	*httptest.Server
	account, token string
	pages          [][]string // elements, as they go over the wire
	elsewhere      string     // where it says that the last page is, instead of here

	mu    sync.Mutex
	asked []string
}

func (s *sentences) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path+" "+q.Get("PageSize")+" "+q.Get("Page")+" "+q.Get("PageToken"))
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	if user, password, _ := r.BasicAuth(); user != s.account || password != s.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	n := 0
	if page := q.Get("Page"); page != "" {
		if _, err := fmt.Sscan(page, &n); err != nil || n >= len(s.pages) || q.Get("PageToken") != fmt.Sprintf("PT%d", n) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	at := func(n int) string {
		if n < 0 || n == len(s.pages) {
			return "null"
		}
		base := s.URL
		if s.elsewhere != "" && n == len(s.pages)-1 {
			base = s.elsewhere
		}
		b, _ := json.Marshal(fmt.Sprintf("%s%s?PageSize=1000&Page=%d&PageToken=PT%d", base, r.URL.Path, n, n))
		return string(b)
	}
	fmt.Fprintf(w, `{"meta":{"key":"sentences","page":%d,"page_size":1000,"first_page_url":%s,"previous_page_url":%s,"url":%s,"next_page_url":%s},"sentences":[%s]}`,
		n, at(0), at(n-1), at(n), at(n+1), strings.Join(s.pages[n], ", "))
}

// A transcript's sentences are fetched page by page after the webhook that says they are there, with
// the source's account and token; are read back as lines, each as the vendor wrote it; and go with
// the person. A list that leads to another host is followed nowhere.
func TestSentencesAreFetchedFromTheVendor(t *testing.T) { onBothStores(t, sentencesAreFetched) }

func sentencesAreFetched(t *testing.T, kind string) {
	c := newCanaries()
	api := &sentences{account: "AC" + word(), token: c.text("auth token")}
	api.Server = httptest.NewServer(api)
	defer api.Close()
	want := api.fill(c)
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer stranger.Close()

	store := ""
	if kind == "postgres" {
		store = newDatabase(t)
	}
	w := serve(t, store, filepath.Join(t.TempDir(), "keyring"))
	launch(t, w)
	w.up.Regions[0].operator(t)
	r := addTenant(t, w, w.up.Regions[0], "globex")
	var made struct{ Source struct{ ID, Path string } }
	r.api(t, "POST", "/tenants/globex/sources", m{"adapter": "twilio", "account_sid": api.account, "secret": api.token}).want(t, 201).into(t, &made)
	w.stop()
	file := filepath.Join(w.root, "node.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, "fetch: {sources: [%s], hosts: [api.example.com], transcripts: '%s', private: true}\n", made.Source.ID, api.URL)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	launch(t, w)

	person, sid := c.text("customer key"), "GT"+sha256Hex([]byte(word()))[:32]
	notify := func(sid, event string) {
		t.Helper()
		body := encode(t, m{"account_sid": api.account, "service_sid": "GA" + sid[2:], "transcript_sid": sid, "customer_key": person, "event_type": event})
		path := made.Source.Path + "?bodySHA256=" + sha256Hex(body)
		_, h := twilioForm(call{body: m{}}, api.token, r.URL+path)
		h["Content-Type"] = "application/json"
		r.send(t, "POST", path, h, body).want(t, 200)
	}
	const available = "voice_intelligence_transcript_available"
	notify(sid, "voice_intelligence_transcript_failed")
	notify(sid, available)
	notify(sid, available)
	var rec record
	w.eventually("the sentences", func() error {
		with := 0
		got := r.byClientID(t, sid)
		for _, x := range got {
			if len(x.Media) == 1 {
				rec = x
				with++
			}
		}
		if len(got) != 2 || with != 1 {
			return fmt.Errorf("%d records, of which %d have sentences", len(got), with)
		}
		return nil
	})
	if a := r.getMedia(t, kept{Record: rec.ID, Media: rec.Media[0].ID}).want(t, 200); string(a.body) != want || a.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("the sentences read as %d bytes of %s, want %d", len(a.body), a.header.Get("Content-Type"), len(want))
	}
	api.check(t, sid)

	api.mu.Lock()
	api.elsewhere = stranger.URL
	api.mu.Unlock()
	other := "GT" + sha256Hex([]byte(word()))[:32]
	notify(other, available)
	w.eventually("the refusal to follow", func() error {
		if a := r.api(t, "GET", "/stats", nil).want(t, 200); !strings.Contains(string(a.body), `"outcome":"failed","reason":"fetch.host"`) {
			return fmt.Errorf("stats %s", a.body)
		}
		return nil
	})
	if got := r.byClientID(t, other); len(got) != 1 || len(got[0].Media) != 0 {
		t.Errorf("a list that leads elsewhere was kept: %+v", got)
	}

	r.api(t, "POST", "/subjects/"+r.find(t, "identity", person)+":erase", nil).want(t, 200)
	if a := r.getMedia(t, kept{Record: rec.ID, Media: rec.Media[0].ID}); a.status != 404 && a.status != 410 {
		t.Errorf("after erasure the sentences are answered %d", a.status)
	}
	w.kill()
	h, found := newHaystack(c.list), sightings{}
	h.inTree(t, found, w.root)
	found.report(t)
}

// fill makes three pages and returns the lines that they are read back as.
func (s *sentences) fill(c *canaries) string {
	want := strings.Builder{}
	for p, size := range []int{1000, 1000, 3} {
		s.pages = append(s.pages, nil)
		for i := range size {
			one := fmt.Sprintf(`{"media_channel":%d,"sentence_index":%d,"start_time":%d.10,"end_time":null,"transcript":"Seán said: 1 < 2.","confidence":"0.90","sid":"GX%030d"}`,
				i%2+1, p*1000+i, p*1000+i, p*1000+i)
			if i%400 == 0 {
				one = strings.Replace(one, "1 < 2", c.text("sentence"), 1)
			}
			want.WriteString(one + "\n")
			s.pages[p] = append(s.pages[p], strings.Replace(one, ",", ",\n  ", 1))
		}
	}
	return want.String()
}

// check holds what the API was asked against one complete walk over the pages.
func (s *sentences) check(t *testing.T, sid string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	path := "GET /v2/Transcripts/" + sid + "/Sentences 1000"
	want := []string{path + "  ", path + " 1 PT1", path + " 2 PT2"}
	if got := s.asked; strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("asked %q, want %q", got, want)
	}
}

// launch starts a world and waits until it is ready.
func launch(t *testing.T, w *world) {
	t.Helper()
	w.launch()
	if !w.readyOrGone() {
		t.Fatalf("it ended:\n%s", tail(w.readLog(), 4000))
	}
}

// newDatabase makes a database for one region on a server of its own.
func newDatabase(t *testing.T) string {
	t.Helper()
	pg := newPostgres(t)
	c, err := pgx.Connect(t.Context(), pg.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), "CREATE DATABASE domicile TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(pg.url, "/postgres?", "/domicile?", 1)
}
