package centre

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"domicile.dev/internal/notice"
)

func TestWhichLanguageAPageIsIn(t *testing.T) {
	c := open(t)
	for _, tt := range []struct{ path, accept, want string }{
		{"/privacy/notice", "", "en"},
		{"/privacy/notice", "de", "de"},
		{"/privacy/notice", "de-CH,fr;q=0.9", "de"},
		{"/privacy/notice", "fr", "en"},
		{"/privacy/notice", "fr,de;q=0.5", "de"},
		{"/privacy/notice", "en-GB,de;q=0.9", "en"},
		{"/privacy/notice?lang=de", "en", "de"},
		{"/privacy/notice?lang=en", "de", "en"},
		{"/privacy/notice?lang=xx", "de", "de"},
		{"/privacy/notice?lang=%00", "", "en"},
		{"/privacy/", "de", "de"},
		{"/privacy/regions", "de", "de"},
		{"/privacy/sub-processors", "de", "de"},
		{"/privacy/sub-processors/v2", "de", "de"},
		{"/privacy/search?q=x", "de", "de"},
		{"/privacy/search?q=x&lang=de", "en", "de"},
		// What was published in one language stays in it.
		{"/privacy/notice/notice-2026-04-09", "de", "de"},
		{"/privacy/notice/notice-2025-08-14", "de", "en"},
		{"/privacy/notice/notice-2025-08-14?lang=de", "de", "en"},
		{"/privacy/notice/diff/notice-2025-08-14/notice-2026-04-09?lang=de", "de", "en"},
		{"/privacy/sub-processors.csv?lang=de", "de", "en"},
	} {
		for _, media := range []string{"text/html", "text/markdown", "application/json"} {
			w := get(c, tt.path, "Accept", media, "Accept-Language", tt.accept)
			if got := w.Header().Get("Content-Language"); w.Code != 200 || got != tt.want || w.Header().Get("Vary") != "Accept, Accept-Language" {
				t.Errorf("%s for %q as %s: %d in %q, want %q; varies by %s", tt.path, tt.accept, media, w.Code, got, tt.want, w.Header().Get("Vary"))
			}
			b := w.Body.String()
			if strings.HasSuffix(strings.Split(tt.path, "?")[0], ".csv") {
				continue
			}
			switch media {
			case "text/html":
				if !strings.Contains(b, `<html lang="`+tt.want+`">`) {
					t.Errorf("%s for %q: another language in its root", tt.path, tt.accept)
				}
			case "application/json":
				var d struct{ Language string }
				if json.Unmarshal([]byte(b), &d) != nil || d.Language != tt.want {
					t.Errorf("%s for %q: JSON in %q", tt.path, tt.accept, d.Language)
				}
			}
		}
	}
}

func TestEachLanguageHasItsOwnTag(t *testing.T) {
	c := open(t)
	en, de := get(c, "/privacy/notice").Header().Get("ETag"), get(c, "/privacy/notice", "Accept-Language", "de").Header().Get("ETag")
	if en == de || en == "" {
		t.Errorf("%s and %s", en, de)
	}
	if w := get(c, "/privacy/notice", "Accept-Language", "de", "If-None-Match", en); w.Code != http.StatusOK {
		t.Errorf("German for who has English: %d", w.Code)
	}
	if w := get(c, "/privacy/notice", "Accept-Language", "de", "If-None-Match", de); w.Code != http.StatusNotModified {
		t.Errorf("German again: %d", w.Code)
	}
}

// A language that was chosen is kept by each link within; without a choice links name none but those of the switch.
func TestAChoiceIsKept(t *testing.T) {
	c := open(t)
	for _, path := range []string{"/privacy/", "/privacy/notice", "/privacy/notice/notice-2025-08-14", "/privacy/search?q=daten"} {
		sign := "?"
		if strings.Contains(path, "?") {
			sign = "&"
		}
		b := get(c, path+sign+"lang=de").Body.String()
		for _, part := range strings.Split(b, `<a href="/`)[1:] {
			to, _, _ := strings.Cut(part, `"`)
			if !strings.Contains(to, "lang=de") && !strings.Contains(to, "lang=en") {
				t.Errorf("%s leads to /%s, which forgets the choice", path, to)
			}
		}
		b = get(c, path, "Accept-Language", "de").Body.String()
		if strings.Contains(b, `<a href="/privacy/regions?lang=`) {
			t.Errorf("%s: a choice that nobody made", path)
		}
	}
	b := get(c, "/privacy/search?q=daten&lang=de").Body.String()
	for _, want := range []string{`<input type="hidden" name="lang" value="de">`, `href="/privacy/search?q=daten&amp;lang=en"`, `#section-categories"`, `lang=de#`} {
		if !strings.Contains(b, want) {
			t.Errorf("the search lacks %s", want)
		}
	}
}

func TestTheSwitch(t *testing.T) {
	c := open(t)
	b := get(c, "/privacy/notice?lang=de").Body.String()
	for _, want := range []string{`<link rel="alternate" hreflang="en" href="https://ie1.example.com/privacy/notice?lang=en">`, `<link rel="alternate" hreflang="de" href="https://ie1.example.com/privacy/notice?lang=de">`,
		`<a href="/privacy/notice?lang=de" lang="de" hreflang="de" aria-current="true">Deutsch</a>`, `<a href="/privacy/notice?lang=en" lang="en" hreflang="en">English</a>`} {
		if !strings.Contains(b, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if b := get(c, "/privacy/notice/notice-2025-08-14").Body.String(); strings.Contains(b, "hreflang") {
		t.Error("a page in one language has a switch")
	}
}

func TestTheDeskSpeaks(t *testing.T) {
	d, c := newTestDesk(t, "")
	if w := ask(d, "GET", subscriptions, "", "Accept-Language", "de"); w.Header().Get("Content-Language") != "de" || !strings.Contains(w.Body.String(), `<html lang="de">`) ||
		!strings.Contains(w.Body.String(), `name="language" value="de"`) || strings.Contains(w.Body.String(), "Subscribe") {
		t.Errorf("%s", w.Body)
	}
	german := url.Values{"address": {"ann@example.net"}, "list": {"notices"}, "language": {"de"}}.Encode()
	if w := ask(d, "POST", subscriptions+"?lang=de", german); w.Code != 303 || w.Header().Get("Location") != subscriptions+"/asked?lang=de" || c.language != "de" {
		t.Errorf("%d %s, in %q", w.Code, w.Header().Get("Location"), c.language)
	}
	for sent, want := range map[string]string{"": "en", "xx": "en", "en": "en"} {
		ask(d, "POST", subscriptions, url.Values{"address": {"ann@example.net"}, "list": {"notices"}, "language": {sent}}.Encode())
		if c.language != want {
			t.Errorf("a form that says %q: %q", sent, c.language)
		}
	}
	if w := ask(d, "POST", subscriptions, "address=ann@example.net", "Accept-Language", "de"); w.Code != 400 || !strings.Contains(w.Body.String(), "Es wurde keine Liste ausgewählt.") || !strings.Contains(w.Body.String(), "Das hat nicht geklappt") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(d, "GET", subscriptions+"/confirm/good?lang=de", ""); !strings.Contains(w.Body.String(), "Ist das Ihre Adresse?") || !strings.Contains(w.Body.String(), `action="/privacy/subscriptions/confirm/good?lang=de"`) {
		t.Errorf("%s", w.Body)
	}
	if w := ask(d, "POST", subscriptions+"/confirm/good?lang=de", ""); w.Header().Get("Location") != subscriptions+"/confirmed?lang=de" {
		t.Errorf("%s", w.Header().Get("Location"))
	}
}

// A feed is made in the languages of the running programme, when it is asked for.
func TestAFeedInALanguage(t *testing.T) {
	asked := 0
	c := opened(t, func(o *Options) {
		o.FeedIn = func(path, lang string) (Feed, error) {
			asked++
			return Feed{Media: "application/atom+xml", Body: []byte("<feed>" + path + " " + lang + "</feed>")}, nil
		}
	})
	for range 2 {
		if w := get(c, "/privacy/sub-processors.atom?lang=de"); w.Body.String() != "<feed>/privacy/sub-processors.atom de</feed>" || w.Header().Get("Content-Language") != "de" {
			t.Errorf("%s", w.Body)
		}
	}
	if w := get(c, "/privacy/sub-processors.atom"); w.Body.String() != "<feed/>" || asked != 1 {
		t.Errorf("%s, asked %d times", w.Body, asked)
	}
}

// What a version's list changed is said in the language.
func TestAListSaysWhatChangedInTheLanguage(t *testing.T) {
	c := opened(t, func(o *Options) {
		o.Versions[0].Changes = []string{"It is new"}
		o.Versions[0].Retold = func(lang string) ([]string, error) { return []string{"Es ist neu: " + lang}, nil }
	})
	if b := get(c, "/privacy/sub-processors/v2?lang=de").Body.String(); !strings.Contains(b, "Es ist neu: de") || !strings.Contains(b, "Was sich mit dieser Fassung geändert hat") {
		t.Error("the changes aren't in German")
	}
	if b := get(c, "/privacy/sub-processors/v2").Body.String(); !strings.Contains(b, "It is new") {
		t.Error("the changes aren't in English")
	}
}

func TestASearchIsInALanguage(t *testing.T) {
	c := open(t)
	var found notice.Results
	w := get(c, "/privacy/search?q=Rechtsgrundlagen&lang=de", "Accept", "application/json")
	if err := json.Unmarshal(w.Body.Bytes(), &found); err != nil || len(found.Results) == 0 || found.Language != "de" || found.Results[0].Path != "/privacy/notice?lang=de#section-purposes" {
		t.Errorf("%v %s", err, w.Body)
	}
	if w := get(c, "/privacy/search?q=Rechtsgrundlagen", "Accept", "application/json"); json.Unmarshal(w.Body.Bytes(), &found) != nil || len(found.Results) != 0 {
		t.Errorf("German is found in English: %s", w.Body)
	}
}
