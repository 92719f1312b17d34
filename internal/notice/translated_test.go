package notice

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// filesOf are the files of an example without its translations.
func filesOf(t *testing.T, example fs.FS) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(example, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(path, "translations/") {
			return err
		}
		b, err := fs.ReadFile(example, path)
		files[path] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func loaded(t *testing.T, files fs.FS) *programme.Programme {
	t.Helper()
	p, err := programme.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// strange is an example with a translation in which every text is in brackets, and nothing but that.
func strange(t *testing.T, example fs.FS, lang string) *programme.Programme {
	t.Helper()
	files := filesOf(t, example)
	var b strings.Builder
	fmt.Fprintf(&b, "translations:\n  - language: %s\n    texts:\n", lang)
	for _, x := range Texts(loaded(t, files)) {
		k, _ := json.Marshal(x.Key())
		fmt.Fprintf(&b, "      %s: ⟦%d⟧\n", k, len(x.Text))
	}
	files["translations/strange.yaml"] = &fstest.MapFile{Data: []byte(b.String())}
	return loaded(t, files)
}

func TestTheExampleIsInGerman(t *testing.T) {
	p := loaded(t, examples.Communications())
	for _, x := range []*programme.Programme{p, loaded(t, examples.Demo())} {
		if err := Check(x); err != nil {
			t.Error(err)
		}
		if got := Languages(x); !slices.Equal(got, []string{"en", "de"}) {
			t.Errorf("languages: %v", got)
		}
	}
	d := New(p.In("de"))
	h, err := d.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<html lang="de">`, "<h1>Datenschutzerklärung</h1>", "Zuletzt geändert: 9. April 2026", "Ihre Rechte", "Zum Inhalt springen", `datetime="2026-04-09"`} {
		if !strings.Contains(string(h), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if b, err := d.JSON(); err != nil || !strings.Contains(string(b), `"language": "de"`) || !strings.Contains(string(b), `"id": "contact_data"`) || !strings.Contains(string(b), d.Programme) {
		t.Errorf("JSON: %v", err)
	}
	if len(h) > 100_000 {
		t.Errorf("%d bytes", len(h))
	}
}

// lines are all texts of a document.
func lines(d *Document) (all []string) {
	var facts func([]Fact)
	facts = func(fs []Fact) {
		for _, f := range fs {
			all = append(append(all, f.Label), f.Values...)
		}
	}
	var walk func([]Section)
	walk = func(ss []Section) {
		for _, s := range ss {
			all = append(append(all, s.Title), s.Text...)
			if s.Table != nil {
				all = append(all, s.Table.Head...)
				for _, r := range s.Table.Rows {
					all = append(all, r...)
				}
			}
			facts(s.Facts)
			for _, e := range s.Entries {
				all = append(all, e.Name, e.Text)
				facts(e.Facts)
			}
			walk(s.Sections)
		}
	}
	walk(d.Sections)
	return append(all, d.Title, d.Statement)
}

var letters = regexp.MustCompile(`\pL{2,}`)

// What a page says in another language is made of its phrases, of texts, and of names: no word of English is left that
// isn't a name of the programme's.
func TestNoEnglishIsLeft(t *testing.T) {
	for _, lang := range []string{"de", "fr"} {
		p := strange(t, examples.Communications(), lang)
		q := p.In(lang)
		state := &State{At: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), Rest: AtRest{Epoch: 2, Store: "a database in this node's own folder (SQLite)", Keyring: "a folder of files, apart from the store, one for each key", EpochLength: 24 * time.Hour},
			TLS: &TLS{Accepted: []string{"1.3"}}, Log: LogState{Size: 7, Refusals: 2, Mirrors: []Mirror{{Origin: "domicile/us1"}, {Origin: "domicile/au1", Size: 3}}}}
		look := func(_, e string) Holding {
			return map[string]Holding{"Example Communications Inc.": {Checked: "2026-01-02", Status: "active", Until: "2027-01-01", Last: "2026-12-31", Counts: true}, "Example Communications Ireland Limited": {Checked: "2026-01-02", Status: "withdrawn"}}[e]
		}
		checks := map[string]RegionCheck{"ie1": {Self: true, Region: "ie1", Country: "IE", Programme: p.Hash}, "us1": {URL: "u", Asked: state.At, Fails: true}, "au1": {URL: "u", Asked: state.At, At: state.At, Region: "sg1", Programme: "x"}}
		seen := map[string]Row{"sp-01": {Announced: "2026-01-01", Until: "2026-02-01", Running: true}}
		make := func(p *programme.Programme) (all []string) {
			day := programme.FirstDay("2026-11-25")
			for _, d := range []*Document{New(p), SubProcessorsSeen(p, seen), RegionsSeen(p, checks, "2026-11-25T10:00:00Z"), Safeguards(p, state), Certifications(p, look, day, "2026-11-25T10:00:00Z")} {
				all = append(all, lines(d)...)
			}
			return all
		}
		own, other := make(p), make(q)
		if len(own) != len(other) || len(own) < 1000 {
			t.Fatalf("%s: %d texts, and %d", lang, len(own), len(other))
		}
		names := ownNames(p)
		for i := range own {
			left := other[i]
			if own[i] != left {
				continue // a phrase or a text of its own; the catalogues' test holds that each phrase has one
			}
			if left == phrase.Say(lang, left) && sameInBoth[left] {
				continue
			}
			for _, n := range names {
				left = strings.ReplaceAll(left, n, "")
			}
			if letters.MatchString(left) {
				t.Errorf("%s: %q is the same in both languages: %q is left", lang, own[i], left)
			}
		}
	}
}

// sameInBoth are words that are the same in English and in one of the other languages.
var sameInBoth = map[string]bool{"Data Privacy Framework": true, "Support": true, "Service": true, "Services": true, "Certifications": true, "Note": true, "Source": true, "Agent": true, "Signals": true}

// ownNames are what a programme calls things by that no text translates, the longest first.
func ownNames(p *programme.Programme) (all []string) {
	texts := map[string]bool{}
	for _, x := range Texts(p) {
		texts[x.Text] = true
	}
	q := *p
	q.Translations = nil
	b, _ := json.Marshal(&q)
	var v any
	_ = json.Unmarshal(b, &v)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				if k == strings.ToUpper(k) { // a country
					all = append(all, k)
				}
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		case string:
			if !texts[v] && (len(v) > 3 || v == strings.ToUpper(v) || strings.ContainsAny(v, "0123456789")) {
				all = append(all, v)
			}
		}
	}
	walk(v)
	for i := range p.Services {
		all = append(all, p.Services[i].Name) // also where a list prints it
	}
	for i := range p.Notice.ServiceNotices {
		all = append(all, p.Notice.ServiceNotices[i].Previously)
	}
	all = slices.DeleteFunc(all, func(n string) bool { return n == "" })
	all = append(all, p.Hash, "AES", "GCM", "/ledger/checkpoint")
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// The difference of two versions has no text that the versions' documents don't have, finds what it finds in the
// programmes' own language, and says it in the other.
func TestTheDifferenceInALanguage(t *testing.T) {
	old, new := strange(t, examples.Communications2025(), "de"), strange(t, examples.Communications(), "de")
	own, other := Compare(old, new), Compare(old.In("de"), new.In("de"))
	if len(own.Changes) != len(other.Changes) || len(own.Changes) < 50 {
		t.Fatalf("%d changes, and %d", len(own.Changes), len(other.Changes))
	}
	for i, c := range own.Changes {
		d := other.Changes[i]
		if c.What != d.What || c.How != d.How || c.ID != d.ID || c.Material != d.Material {
			t.Errorf("%+v became %+v", c, d)
		}
		if c.Text == d.Text {
			t.Errorf("%q is the same in both languages", c.Text)
		}
	}
	if !strings.HasPrefix(other.Summary, "Von der Fassung vom 14. August 2025 zu der vom 9. April 2026") || other.Language != "de" {
		t.Errorf("%s: %s", other.Language, other.Summary)
	}
	for _, p := range []*programme.Programme{old, new} {
		asked := map[Text]bool{}
		heard := p.Heard(func(where, text string) { asked[Text{where, text}] = true })
		if p == old {
			Compare(heard.In("de"), new.In("de"))
		} else {
			Compare(old.In("de"), heard.In("de"))
		}
		for x := range asked {
			if !p.HasText(0, x.Where, x.Text) {
				t.Errorf("the difference shows %q, which the documents of %s don't", x.Text, p.Notice.ID)
			}
		}
	}
}

func TestCheckNamesWhatIsMissingAndWhatIsUnused(t *testing.T) {
	whole, err := fs.ReadFile(examples.Communications(), "translations/de.yaml")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) int {
		return 1 + strings.Count(string(whole[:strings.Index(string(whole), text)]), "\n")
	}
	for _, tt := range []struct {
		name, old, now, want string
		line                 int
	}{
		{"nothing", "", "", "", 0},
		{"missing", "      \"Contact Data\": \"Kontaktdaten\"\n", "", `there is no de text for "Contact Data"`, at("language: de")},
		{"unused", "\"Contact Data\":", "\"Old Name\": x\n      \"Contact Data\":", `no document shows "Old Name"`, at(`"Contact Data":`)},
		{"unspoken", "language: de", "language: es", "doesn't speak es", at("language: de")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := filesOf(t, examples.Communications())
			if !strings.Contains(string(whole), tt.old) {
				t.Fatalf("there is no %q", tt.old)
			}
			files["translations/de.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(string(whole), tt.old, tt.now, 1))}
			p := loaded(t, files)
			var faults programme.Faults
			if errors.As(Check(p), &faults) != (tt.want != "") || tt.want != "" && (len(faults) != 1 || !strings.Contains(faults[0].Message, tt.want) || faults[0].Line != tt.line || faults[0].Column == 0 || faults[0].File != "translations/de.yaml") {
				t.Errorf("%+v", faults)
			}
			if got := Languages(p); (len(got) == 2) != (tt.want == "" || tt.name == "unused") {
				t.Errorf("languages: %v", got)
			}
		})
	}
	t.Run("a changed source", func(t *testing.T) { // its translation is missing, and what it was is unused
		files := filesOf(t, examples.Communications())
		files["translations/de.yaml"] = &fstest.MapFile{Data: whole}
		files["notice.yaml"].Data = []byte(strings.Replace(string(files["notice.yaml"].Data), "people who visit sites", "people who look at sites", 1))
		var faults programme.Faults
		if p := loaded(t, files); !errors.As(Check(p), &faults) || len(faults) != 2 || len(Languages(p)) != 1 {
			t.Errorf("%+v", faults)
		}
	})
}

// Outside of say, templates have no word.
func TestTemplatesSayNothingThemselves(t *testing.T) {
	for _, file := range []string{"html.go", "form.go", "index.go", "search.go", "diffpage.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		ast.Inspect(f, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || !strings.HasPrefix(l.Value, "`") || !strings.Contains(l.Value, "<") {
				return true
			}
			found++
			text := regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(l.Value, "")
			for _, a := range regexp.MustCompile(`(aria-label|placeholder|title|alt)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
				if letters.MatchString(a[2]) {
					t.Errorf("%s: %s", file, a[0])
				}
			}
			text = regexp.MustCompile(`(?s)<[^>]*>`).ReplaceAllString(text, " ")
			if w := letters.FindString(text); w != "" {
				t.Errorf("%s says %q itself", file, w)
			}
			return true
		})
		if found == 0 {
			t.Errorf("%s has no template", file)
		}
	}
}
