package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The privacy centre is read without signing in, with and without JavaScript, in light and dark, on a
// phone and on a desk; axe-core finds nothing wrong with any page. DOMICILE_SCREENSHOTS names a folder
// for images of them.
func TestThePrivacyCentreIsLegible(t *testing.T) {
	w := newWorld(t, "sqlite")
	ie1 := w.region("ie1")
	pages := []string{"/privacy/", "/privacy/notice", "/privacy/notice/notice-2025-08-14", "/privacy/notice/notice-2026-04-09", "/privacy/notice/diff/notice-2025-08-14/notice-2026-04-09",
		"/privacy/notice/diff/notice-2026-04-09/notice-2025-08-14", "/privacy/sub-processors", "/privacy/sub-processors/v2", "/privacy/regions",
		"/privacy/safeguards", "/privacy/certifications", "/privacy/assurance", "/privacy/controls", "/privacy/transfers", "/privacy/documents", "/privacy/search", "/privacy/search?q=phone+number", "/privacy/search?q=nothingofthat",
		"/privacy/subscriptions", "/privacy/subscriptions/asked", "/privacy/subscriptions/confirmed",
		"/privacy/notice?lang=de", "/privacy/sub-processors?lang=de", "/privacy/regions?lang=de", "/privacy/search?q=daten&lang=de", "/privacy/subscriptions?lang=de"}
	var looks []look
	shots := os.Getenv("DOMICILE_SCREENSHOTS")
	if shots != "" {
		var err error
		if shots, err = filepath.Abs(filepath.Join("..", shots)); err != nil {
			t.Fatal(err)
		}
	}
	node(t, &looks, "privacy.mjs", "URL="+ie1.URL, "PAGES="+string(encode(t, pages)), "SHOTS="+shots)
	legible(t, looks, 6*len(pages))
	for _, l := range looks {
		if german := strings.Contains(l.Path, "lang=de"); german != (l.Lang == "de") || !german && l.Lang != "en" {
			t.Errorf("%s is in %q", l.Path, l.Lang)
		}
	}
	for _, path := range pages {
		a := ie1.send(t, "GET", path, header{"Accept": "text/html"}, nil).want(t, 200)
		if n := len(a.body); n > 100_000 {
			t.Errorf("%s has %d bytes, want at most 100 kB", path, n)
		}
		if strings.HasPrefix(path, "/privacy/subscriptions") {
			continue // a form, no document
		}
		asJSON := ie1.send(t, "GET", path, header{"Accept": "application/json"}, nil).want(t, 200)
		asMarkdown := ie1.send(t, "GET", path, header{"Accept": "text/markdown"}, nil).want(t, 200)
		if !json.Valid(asJSON.body) || !strings.HasPrefix(string(asMarkdown.body), "# ") || asJSON.header.Get("Vary") != "Accept, Accept-Language" {
			t.Errorf("%s isn't JSON and Markdown at the same address: %.80s, %.80s", path, asJSON.body, asMarkdown.body)
		}
	}
}

// look is one that Chromium took at a page.
type look struct {
	Path, ColorScheme, Heading string
	Lang                       string // of the page's root
	Width, Wide, Status        int
	JavaScriptEnabled          bool
	Faults, Elsewhere          []string
}

// legible wants so many looks, with nothing wrong at any.
func legible(t *testing.T, looks []look, want int) {
	t.Helper()
	if len(looks) != want {
		t.Fatalf("%d looks, want %d", len(looks), want)
	}
	for _, l := range looks {
		if l.Status != 200 || l.Heading == "" || len(l.Faults)+len(l.Elsewhere) > 0 || l.JavaScriptEnabled && l.Wide > l.Width {
			t.Errorf("%s, %s, %d px, JavaScript %v: status %d, heading %q, %d px wide, faults %q, loaded from elsewhere %q",
				l.Path, l.ColorScheme, l.Width, l.JavaScriptEnabled, l.Status, l.Heading, l.Wide, l.Faults, l.Elsewhere)
		}
	}
}

// A reader subscribes an address and a webhook in a browser, with and without JavaScript. There is no relay: the letters wait, and the
// operator is told so.
func TestAReaderSubscribes(t *testing.T) {
	onBothStores(t, func(t *testing.T, store string) {
		w := newWorld(t, store)
		ie1 := w.region("ie1")
		var visits []struct {
			JavaScriptEnabled         bool
			Wrong, Heading, At, Error string
			HookHeading               string
			Values, Faults            []string
			Wide                      int
		}
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // says that it wants this
			var e struct{ Data struct{ Challenge string } }
			_ = json.NewDecoder(r.Body).Decode(&e)
			_ = json.NewEncoder(w).Encode(map[string]string{"challenge": e.Data.Challenge})
		}))
		defer hook.Close()
		node(t, &visits, "subscribe.mjs", "URL="+ie1.URL, "HOOK="+hook.URL)
		if len(visits) != 2 {
			t.Fatalf("%d visits", len(visits))
		}
		for _, v := range visits {
			if v.Heading != "One more step" || !strings.HasSuffix(v.At, "/privacy/subscriptions/asked") || v.Wrong != "That didn't work" || len(v.Faults) > 0 ||
				v.HookHeading != "The webhook is subscribed" || len(v.Values) != 3 || !strings.HasPrefix(v.Values[1], "whsec_") || v.Wide > 360 {
				t.Errorf("%+v", v)
			}
		}
	})
}
