package app_test

import (
	"context"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/url"
	"strings"
	"testing"

	"domicile.dev/internal/store/storetest/pgtest"
)

// newcomerInGerman is what the newcomer adds to the German texts.
const newcomerInGerman = `"Privacy Notice": "Datenschutzerklärung"
      "messages": "Nachrichten"
      "screening in Dublin": "Prüfung in Dublin"
      "newcomer": "an den neuen Anbieter"`

const titleInGerman = `"Privacy Notice": "Datenschutzerklärung"`

// Somebody subscribes in German and is written to in German, where a version has it; each version keeps the languages
// that it was published in; a better translation alone is published without telling anybody.
func TestAReaderOfGerman(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			store := ""
			if engine == "postgres" {
				store = pgtest.URL(t)
			}
			readerOfGerman(t, newOffice(t, store))
		})
	}
}

func readerOfGerman(t *testing.T, o *office) {
	ctx := context.Background()
	o.start(exampleProgramme(t))
	subject := func(raw string) string {
		s, err := new(mime.WordDecoder).DecodeHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	// The way in is German from the form to the last page.
	if _, page := o.get("/privacy/subscriptions?lang=de"); !strings.Contains(page, `name="language" value="de"`) || !strings.Contains(page, `action="/privacy/subscriptions?lang=de"`) {
		t.Fatalf("the form: %s", page)
	}
	form := url.Values{"address": {"ann@example.net"}, "list": {"sub_processors", "notices"}, "language": {"de"}}
	if status, to := o.post("/privacy/subscriptions?lang=de", form); status != 303 || !strings.HasSuffix(to, "/asked?lang=de") {
		t.Fatalf("subscribe: %d %s", status, to)
	}
	m, text, _ := o.letters(1)
	if s := subject(m.Header.Get("Subject")); !strings.HasPrefix(s, "Bitte bestätigen: Example Communications, die Liste der Unterauftragsverarbeiter und die Datenschutzerklärung") || m.Header.Get("Content-Language") != "de" ||
		!strings.Contains(text, "Zum Bestätigen öffnen Sie diese Seite") || strings.Contains(text, "confirm, open") {
		t.Errorf("%q, %s", s, text)
	}
	at := link.FindString(text)
	if _, page := o.get(at); !strings.HasSuffix(at, "?lang=de") || !strings.Contains(page, "Ist das Ihre Adresse?") {
		t.Errorf("%s", at)
	}
	if status, to := o.post(at, nil); status != 303 || !strings.HasSuffix(to, "/confirmed?lang=de") {
		t.Fatalf("confirm: %d %s", status, to)
	}
	o.subscribe("bob@example.net", 2) // in English

	// A version that has German texts is told of in German, to who asked for that.
	o.start(withMore(t, newcomer, titleInGerman, newcomerInGerman))
	v, err := o.client(o.n.Operator).PublishNotice(ctx, "")
	if err != nil || v.Version != "v3" || v.Queued.Mail != 2 {
		t.Fatalf("published: %+v, %v", v, err)
	}
	o.letters(4)
	texts := o.byAddress(t, 2)
	if s := texts["ann@example.net"]; !strings.Contains(s, "Newcomer Ireland steht neu auf der Liste: Prüfung in Dublin") || !strings.Contains(s, "widersprechen") || !strings.Contains(s, "24. Dezember 2026") ||
		!strings.Contains(s, "/privacy/sub-processors?lang=de") || strings.Contains(s, "is new") || strings.Contains(s, "unsubscribe,") {
		t.Errorf("the German letter: %s", s)
	}
	if s := texts["bob@example.net"]; !strings.Contains(s, "Newcomer Ireland is new on the list: screening in Dublin") || strings.Contains(s, "lang=") {
		t.Errorf("the English letter: %s", s)
	}
	eventually(t, "the list in German", func() bool {
		_, page := o.get("/privacy/sub-processors/v3?lang=de")
		return strings.Contains(page, "Prüfung in Dublin") && strings.Contains(page, "steht neu auf der Liste")
	})
	if _, feed := o.get("/privacy/sub-processors.atom?lang=de"); !strings.Contains(feed, "steht neu auf der Liste") || !strings.Contains(feed, "sub-processors/v3?lang=de") {
		t.Errorf("the feed: %s", feed)
	}
	if _, feed := o.get("/privacy/sub-processors.feed.json"); !strings.Contains(feed, "is new on the list") {
		t.Errorf("the feed: %s", feed)
	}

	// One whose German isn't whole is told of in its own language, and the older ones keep theirs.
	o.start(withMore(t, strings.ReplaceAll(newcomer, "screening in Dublin", "screening in Cork"), titleInGerman, newcomerInGerman))
	if v, err := o.client(o.n.Operator).PublishNotice(ctx, ""); err != nil || v.Version != "v4" || v.NewNotice || !v.NewList {
		t.Fatalf("published: %+v, %v", v, err)
	}
	o.letters(6)
	if s := o.byAddress(t, 4)["ann@example.net"]; !strings.Contains(s, "screening in Cork") || !strings.Contains(s, "To unsubscribe, open this page") {
		t.Errorf("a letter about what isn't in German: %s", s)
	}
	for path, want := range map[string]string{"/privacy/sub-processors/v3?lang=de": "de", "/privacy/sub-processors/v4?lang=de": "en", "/privacy/sub-processors?lang=de": "en", "/privacy/notice/notice-2025-08-14?lang=de": "en"} {
		eventually(t, path, func() bool {
			_, page := o.get(path)
			return strings.Contains(page, `<html lang="`+want+`">`)
		})
	}

	// A translation alone is a version: nobody is told, nothing is material, and the notice has it at its address.
	o.start(withMore(t, strings.ReplaceAll(newcomer, "screening in Dublin", "screening in Cork"), titleInGerman,
		strings.ReplaceAll(strings.ReplaceAll(newcomerInGerman, "in Dublin", "in Cork"), `: "Datenschutzerklärung"`, `: "Erklärung zum Datenschutz"`)))
	v, err = o.client(o.n.Operator).PublishNotice(ctx, "")
	if err != nil || v.Version != "v5" || v.NewNotice || v.NewList || v.Material || len(v.Changes) > 0 || v.Queued != nil && v.Queued.Mail > 0 || !strings.Contains(v.Summary, "translations changed: de") {
		t.Fatalf("published: %+v, %v", v, err)
	}
	for _, path := range []string{"/privacy/notice?lang=de", "/privacy/notice/notice-2026-04-09?lang=de"} {
		eventually(t, path, func() bool {
			_, page := o.get(path)
			return strings.Contains(page, "<h1>Erklärung zum Datenschutz</h1>")
		})
	}
	if _, err := o.client(o.n.Operator).PublishNotice(ctx, ""); err == nil {
		t.Error("the same is published twice")
	}
	checkTold(t, o, "v5", 0)
}

// byAddress are the letters after the first n, by whom they went to.
func (o *office) byAddress(t *testing.T, n int) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, l := range o.relay.Letters()[n:] {
		out[l.To] = decoded(t, l.Raw)
	}
	return out
}

func decoded(t *testing.T, raw string) string {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
