package centre

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"domicile.dev/internal/notice"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// A person at an address that isn't there gets a page that leads on; a program gets a problem document.
func TestAnAddressThatIsNotThere(t *testing.T) {
	c := open(t)
	for _, path := range []string{"/privacy/nope", "/privacy/notice/notice-1999", "/privacy/notice/diff/notice-2026-04-09/nope", "/privacy/notice/<b>x", "/privacy/" + strings.Repeat("a", 9000)} {
		w := get(c, path, "Accept", browser)
		body := w.Body.String()
		if w.Code != http.StatusNotFound || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || w.Header().Get("Content-Security-Policy") != c.csp {
			t.Errorf("%.40s: %d %v", path, w.Code, w.Header())
		}
		for _, part := range []string{"<h1>There is no such page</h1>", `href="/privacy/notice/notice-2025-08-14"`, `role="search"`} {
			if !strings.Contains(body, part) {
				t.Errorf("%.40s: the page has no %s", path, part)
			}
		}
		if strings.Contains(body, "<b>x") || len(body) > 20_000 {
			t.Errorf("%.40s: the page repeats the address", path)
		}
		for _, accept := range []string{"", "*/*", "application/json", "text/markdown", "text/html;q=0.1, */*"} {
			if w := get(c, path, "Accept", accept); w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%.40s with %q: %d %s", path, accept, w.Code, w.Header().Get("Content-Type"))
			}
		}
	}
	for _, path := range []string{"/privacy/notice/", "/privacy/notice/notice-2025-08-14/", "/privacy/search/"} {
		if w := get(c, path); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != strings.TrimSuffix(path, "/") {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Location"))
		}
	}
	if w := get(c, "/privacy//evil.example/"); w.Code != http.StatusNotFound || w.Header().Get("Location") != "" {
		t.Errorf("somewhere else: %d %s", w.Code, w.Header().Get("Location"))
	}
}

// What can't be shown is a page, too, and says nothing of why.
func TestWhatCannotBeShown(t *testing.T) {
	o := open(t).opt
	o.Live = map[string]Live{"/privacy/safeguards": func(context.Context, string) (*notice.Document, error) { return nil, errors.New("dial tcp 10.1.2.3") }}
	c := New(o)
	w := get(c, "/privacy/safeguards", "Accept", browser)
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "<h1>Not at the moment</h1>") || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(c, "/privacy/safeguards"); w.Header().Get("Content-Type") != "application/problem+json" {
		t.Error(w.Header())
	}
	if w := get(c, "/privacy/search?q=%zz", "Accept", browser); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "can&#39;t be read") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Other methods at the desk are refused as such, and not as an address that isn't there.
func TestTheDesksMethods(t *testing.T) {
	d, c := newTestDesk(t, "")
	for _, method := range []string{"PUT", "DELETE", "OPTIONS", "PATCH"} {
		if w := ask(d, method, subscriptions, ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
	if w := ask(d, "GET", subscriptions+"/nope", "", "Accept", browser); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), unknownTitle) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if c.subscribed+c.confirmed+c.ended != 0 {
		t.Error("something was done")
	}
}
