package centre

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
)

func open(t *testing.T) *Centre {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	old, err := programme.Load(examples.Communications2025())
	if err != nil {
		t.Fatal(err)
	}
	return New(options(old, p))
}

// options are those of two adopted versions.
func options(old, p *programme.Programme) Options {
	of := func(name string, p *programme.Programme) Version {
		return Version{Name: name, Notice: p.Notice.ID, Updated: p.Notice.LastUpdated, Effective: p.Notice.LastUpdated, NewNotice: true, NewList: true,
			Programme: func() (*programme.Programme, error) { return p, nil }}
	}
	feed := Feed{Media: "application/atom+xml", Body: []byte("<feed/>")}
	return Options{Running: p, Versions: []Version{of("v1", old), of("v2", p)}, Current: 1, URL: "https://ie1.example.com", Feeds: map[string]Feed{"/privacy/sub-processors.atom": feed}}
}

func get(c *Centre, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// Every page is there in each form, small, and leads only to pages that are there.
func TestEveryPage(t *testing.T) {
	c := open(t)
	if len(c.pages) != 12 {
		t.Errorf("%d pages, want index, notice, two versions, two differences, sub-processors, two lists, its CSV, a feed and regions", len(c.pages))
	}
	for path := range c.pages {
		w := get(c, path, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		if w.Code != 200 || w.Body.Len() > 100_000 || w.Header().Get("ETag") == "" {
			t.Errorf("%s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
		if again := get(c, path, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.Code)
		}
		for _, part := range strings.Split(w.Body.String(), `href="/`)[1:] {
			to, _, _ := strings.Cut(part, `"`)
			to, _, _ = strings.Cut(to, "#")
			to, _, _ = strings.Cut(to, "?")
			if c.pages["/"+to].forms == nil && "/"+to != searchPath {
				t.Errorf("%s leads to /%s, which is not there", path, to)
			}
		}
		if strings.HasSuffix(path, ".csv") || strings.HasSuffix(path, ".atom") {
			continue
		}
		if strings.Contains(w.Body.String(), "<script") {
			t.Errorf("%s has a script", path)
		}
		_, rest, _ := strings.Cut(w.Body.String(), "<style>")
		style, _, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(style))
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, base64.StdEncoding.EncodeToString(sum[:])) || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy doesn't allow its style: %s", path, csp)
		}
		if j := get(c, path, "Accept", "application/json"); !json.Valid(j.Body.Bytes()) || j.Header().Get("Vary") != "Accept, Accept-Language" {
			t.Errorf("%s is no JSON", path)
		}
		if m := get(c, path, "Accept", "text/markdown, text/html;q=0.5"); !strings.HasPrefix(m.Body.String(), "# ") {
			t.Errorf("%s is no Markdown", path)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	c := open(t)
	for _, path := range []string{"/privacy/safeguards", "/privacy/notice/none", "/privacy/notice/diff/a/b"} {
		if w := get(c, path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest("POST", "/privacy/", nil))
	if w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestNegotiation(t *testing.T) {
	c := open(t)
	for accept, want := range map[string]string{"": "text/html", "*/*": "text/html", "image/png": "text/html", "text/csv": "text/csv",
		"application/json;q=0.9, text/html;q=0.1": "application/json", "text/*;q=0.2, application/json;q=x": "text/html", "text/html;q=0, */*": "text/markdown"} {
		if got := get(c, "/privacy/sub-processors", "Accept", accept).Header().Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("Accept %q: %s, want %s", accept, got, want)
		}
	}
}

func TestSecurityTxt(t *testing.T) {
	c := open(t)
	c.opt.Now = func() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) }
	want := "Contact: mailto:privacy@example.com\r\nExpires: 2026-10-31T00:00:00Z\r\nPreferred-Languages: en\r\nCanonical: https://ie1.example.com/.well-known/security.txt\r\n"
	if got := get(c, "/.well-known/security.txt").Body.String(); got != want {
		t.Errorf("got %q", got)
	}
}
