package centre

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

func opened(t *testing.T, change func(*Options)) *Centre {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	opt := options(p, p)
	opt.Versions = opt.Versions[1:]
	opt.Current = 0
	change(&opt)
	return New(opt)
}

// A live page is made once for many who ask, is searched like the others, and isn't shown when it can't be made.
func TestALivePage(t *testing.T) {
	made := 0
	c := opened(t, func(o *Options) {
		o.Live = map[string]Live{"/privacy/safeguards": func(context.Context, string) (*notice.Document, error) {
			made++
			return &notice.Document{Title: "Safeguards", AsOf: "2026-11-25T10:00:00Z", Sections: []notice.Section{{ID: "x", Title: "Zanzibar", Text: []string{"A word of its own."}}}}, nil
		}}
	})
	for range 5 {
		if w := get(c, "/privacy/safeguards"); w.Code != 200 || !strings.Contains(w.Body.String(), "As of") || w.Header().Get("Vary") != "Accept, Accept-Language" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := get(c, "/privacy/search?q=zanzibar"); !strings.Contains(w.Body.String(), `href="/privacy/safeguards#section-x"`) {
		t.Errorf("not found: %s", w.Body)
	}
	if made != 1 {
		t.Errorf("made %d times, want once", made)
	}
	if w := get(c, "/privacy/"); !strings.Contains(w.Body.String(), `href="/privacy/safeguards"`) || strings.Contains(w.Body.String(), `href="/privacy/certifications"`) {
		t.Error("the index doesn't lead to the pages that there are, and to no others")
	}

	c = opened(t, func(o *Options) {
		o.Live = map[string]Live{"/privacy/safeguards": func(context.Context, string) (*notice.Document, error) { return nil, errors.New("the store is gone") }}
	})
	if w := get(c, "/privacy/safeguards"); w.Code != 500 || strings.Contains(w.Body.String(), "store is gone") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(c, "/privacy/search?q=rights"); w.Code != 200 || !strings.Contains(w.Body.String(), "/privacy/notice#") {
		t.Errorf("the other pages aren't found: %d", w.Code)
	}
}

func TestSearch(t *testing.T) {
	c := opened(t, func(*Options) {})
	find := func(q, accept string) *httptest.ResponseRecorder {
		return get(c, "/privacy/search?q="+url.QueryEscape(q), "Accept", accept)
	}
	w := find("Legal BASES", "application/json")
	var got notice.Results
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Results) == 0 || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Vary") != "Accept, Accept-Language" {
		t.Fatalf("%v, %s", err, w.Body)
	}
	if got.Results[0].Path != "/privacy/notice#section-purposes" {
		t.Errorf("what has the words in its title isn't first: %+v", got.Results[0])
	}
	for _, r := range got.Results { // each leads to where it is
		path, id, _ := strings.Cut(r.Path, "#")
		if !strings.Contains(get(c, path).Body.String(), `id="`+id+`"`) {
			t.Errorf("%s isn't there", r.Path)
		}
	}
	if w := find(`<script>"`, "text/html"); strings.Contains(w.Body.String(), "<script") || !strings.Contains(w.Body.String(), "Nothing was found") {
		t.Errorf("%s", w.Body)
	}
	if w := find("legal", "text/markdown"); !strings.HasPrefix(w.Body.String(), "# Search") {
		t.Errorf("%s", w.Body)
	}
	if w := find(strings.Repeat("é ", 300), "application/json"); json.Unmarshal(w.Body.Bytes(), &got) != nil || len(got.Query) > notice.MostQuery {
		t.Errorf("a long query: %d bytes", len(got.Query))
	}
	if w := find("a", "text/html"); w.Body.Len() > 100_000 || !strings.Contains(w.Body.String(), "are shown") {
		t.Errorf("a letter finds %d bytes", w.Body.Len())
	}
	if w := get(c, "/privacy/search?q="+strings.Repeat("x", mostRaw)); w.Code != 400 {
		t.Errorf("a query of 4 kB: %d", w.Code)
	}
	if w := get(c, "/privacy/search?q=%zz"); w.Code != 400 {
		t.Errorf("a broken query: %d", w.Code)
	}
	if w := get(c, "/privacy/search"); w.Code != 200 || !strings.Contains(w.Body.String(), `name="q"`) {
		t.Errorf("no query: %d", w.Code)
	}
}

func TestGPCIsSupported(t *testing.T) {
	c := opened(t, func(*Options) {})
	w := get(c, "/.well-known/gpc.json")
	if w.Header().Get("Content-Type") != "application/json" || w.Body.String() != `{"gpc":true,"lastUpdate":"2026-04-09"}` {
		t.Errorf("%s %s", w.Header(), w.Body)
	}
}
