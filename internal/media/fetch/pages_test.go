package fetch

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
)

// lists is Twilio's API with lists of sentences. It asks for credentials on each page.
func lists(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "AC1" || password != "token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		here := "http://" + r.Host
		_, _ = io.WriteString(w, map[string]string{
			"/two":       `{"sentences":[ {"transcript": "One.\n"} ,{"n":2.50}],"meta":{"next_page_url":"` + here + `/two-b?Page=1"}}`,
			"/two-b":     `{"sentences":[{"n":3}],"meta":{"next_page_url":null}}`,
			"/none":      `{"sentences":[],"meta":{}}`,
			"/page":      `<html>`,
			"/other":     `{"records":[]}`,
			"/round":     `{"sentences":[],"meta":{"next_page_url":"/round"}}`,
			"/elsewhere": `{"sentences":[{"n":1}],"meta":{"next_page_url":"http://127.0.0.2:9/"}}`,
			"/large":     `{"sentences":["` + strings.Repeat("x", maxPageBytes) + `"]}`,
		}[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	return s
}

func TestList(t *testing.T) {
	s := lists(t)
	c := New(Options{Hosts: []string{host(s)}, Private: true})
	for path, want := range map[string]struct{ lines, reason string }{
		"/two":       {"{\"transcript\":\"One.\\n\"}\n{\"n\":2.50}\n{\"n\":3}\n", ""},
		"/none":      {"", ""},
		"/page":      {"", "fetch.bad_page"},
		"/other":     {"", "fetch.bad_page"},
		"/round":     {"", "fetch.bad_page"},
		"/elsewhere": {"{\"n\":1}\n", "fetch.host"},
		"/large":     {"", "fetch.bad_page"},
	} {
		var lines []byte
		got, err := c.List(t.Context(), s.URL+path, "sentences", "AC1", "token")
		if err == nil {
			lines, err = io.ReadAll(got.Body)
			_ = got.Body.Close()
		}
		if string(lines) != want.lines || fault.ReasonOf(err) != want.reason || (err == nil) != (want.reason == "") {
			t.Errorf("%s: %q, %v; want %q, %q", path, lines, err, want.lines, want.reason)
		}
	}
	if _, err := c.List(t.Context(), s.URL+"/two", "sentences", "AC1", "wrong"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("wrong credentials: %v, want it tried again", err)
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"sentences":[{"n":1}],"meta":{"next_page_url":"https://a/b"}}`))
	f.Add([]byte(`{"sentences":[1,"\n",null]}`))
	f.Fuzz(func(t *testing.T, page []byte) {
		l := &list{name: "sentences", next: "https://api.example.com/"}
		if _, err := l.read(page); err != nil {
			return
		}
		for line := range strings.Lines(l.lines.String()) {
			if !strings.HasSuffix(line, "\n") || strings.TrimSpace(line) == "" {
				t.Fatalf("a line of the list is %q", line)
			}
		}
	})
}
