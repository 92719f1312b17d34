package phrase_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/phrase"
)

// pages are the files whose faults are shown as pages.
var pages = map[string]bool{"desk.go": true, "subscribe.go": true, "publish.go": true, "reader.go": true, "webhook.go": true}

// tables are phrases that stand in lists of the code, or that are made of lists which it closes.
var tables = []string{
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	"%d day", "%d days", "%d business day", "%d business days", "%d week", "%d weeks", "%d month", "%d months", "%d year", "%d years", "%d hour", "%d hours",
	"quarter %s of %s", "half %s of %s",
	"consent", "contract", "legal obligation", "vital interests", "public task", "legitimate interest",
	"processor", "independent controller", "joint controller", "conduit", "controller", "highest",
	"available", "pilot", "planned", "clear", "pseudonymised", "aggregated",
	"active", "recertifying", "inactive", "withdrawn", "lapsed", "not listed",
	"dpo email", "privacy email", "support url", "world headquarters", "eea headquarters",
	"category", "purpose", "recipient", "right", "service",
	"document", "scope", "transfer", "security", "cookie", "children", "automated", "contact", "announcement", "the section", "the text itself", "Name",
	"World headquarters", "EEA headquarters", "Published by", "Statement", "Language", "There is no such page",
	"Assurance", "Controls and measures", "Transfers and authorities", "Documents",
	"EU-US", "UK extension", "Swiss-US",
	"Privacy centre", "Notice", "Sub-processors", "Regions", "Safeguards", "Certifications", "Search", "Earlier versions, and what changed", "Files and feeds",
	"Sub-processors as CSV", "Changes of sub-processors as a feed (Atom)", "Changes of sub-processors as a feed (JSON)", "Changes of the notice as a feed (Atom)",
	"Changes of the notice as a feed (JSON)",
	"place", "sub-processor of its own", "tool", "transfer mechanism",
	"subject matter", "nature", "region selectable", "parent company", "ai", "customer enabled",
	"1 change to categories", "%d changes to categories", "1 change to their elements", "%d changes to their elements", "1 change to purposes", "%d changes to purposes",
	"1 change to legal bases", "%d changes to legal bases", "1 change to what a purpose uses", "%d changes to what a purpose uses",
	"1 change to recipients", "%d changes to recipients", "1 change to rights", "%d changes to rights", "1 change to retention", "%d changes to retention",
	"1 change to contacts", "%d changes to contacts",
	"a database in this node's own folder (SQLite)", "a folder of files, apart from the store, one for each key",
	"PostgreSQL, on this machine or over TLS with its certificate verified in full", "PostgreSQL, a server that is shared for trying: its certificate isn't verified",
}

// used are the phrases that the sources ask for.
func used(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, x := range tables {
		all[x] = true
	}
	template := regexp.MustCompile(`\{\{-?say \S+ "((?:[^"\\]|\\.)*)"`)
	for _, dir := range []string{"../phrase", "../notice", "../subprocessor", "../publish", "../web/centre", "../app"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			src, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range template.FindAllStringSubmatch(string(src), -1) {
				all[m[1]] = true
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, src, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if c, ok := n.(*ast.CallExpr); ok {
					for _, s := range phrases(c, pages[filepath.Base(path)]) {
						all[s] = true
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// phrases are what a call asks for, where it is written out.
func phrases(c *ast.CallExpr, shown bool) (out []string) {
	name, on := "", ""
	switch f := c.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
		if x, ok := f.X.(*ast.Ident); ok {
			on = x.Name
		}
	}
	text := func(i int) {
		if i < len(c.Args) {
			if l, ok := c.Args[i].(*ast.BasicLit); ok && l.Kind == token.STRING {
				if s, err := strconv.Unquote(l.Value); err == nil && s != "" {
					out = append(out, s)
				}
			}
		}
	}
	switch {
	case name == "ph" || name == "Say" && on != "p" && on != "after" || name == "inWords":
		text(1)
	case name == "say" && on == "f":
		text(1)
		text(2)
	case name == "say" || name == "add" && on == "f":
		text(0)
	case name == "add" && on == "c":
		text(6)
	case name == "add" && on == "" && len(c.Args) > 2: // subprocessor's
		text(2)
	case name == "plainly" || name == "named":
		text(1)
		text(2)
	case shown && name == "New" && on == "fault":
		text(2)
	case shown && name == "WithHint":
		text(0)
	}
	return out
}

func catalogue(t *testing.T, lang string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]string
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

var verb = regexp.MustCompile(`%[a-z%]`)

// Every catalogue has every phrase of the sources, with the same arguments, and no other.
func TestTheCataloguesAreWhole(t *testing.T) {
	want := used(t)
	if len(want) < 200 {
		t.Fatalf("only %d phrases are found in the sources", len(want))
	}
	for _, lang := range phrase.Languages()[1:] {
		c := catalogue(t, lang)
		for _, k := range slices.Sorted(maps.Keys(want)) {
			if c[k] == "" {
				t.Errorf("%s.json has no %q", lang, k)
			} else if a, b := len(verb.FindAllString(k, -1)), len(verb.FindAllString(c[k], -1)); a != b {
				t.Errorf("%s.json: %q has %d arguments, and its translation %d", lang, k, a, b)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(c)) {
			if !want[k] {
				t.Errorf("%s.json has %q, which nothing says", lang, k)
			}
		}
	}
}

func TestDatesAndPeriods(t *testing.T) {
	for _, tt := range []struct{ lang, in, want string }{
		{"en", "2026-04-09", "2026-04-09"}, {"de", "2026-04-09", "9. April 2026"}, {"fr", "2026-03-01", "1er mars 2026"}, {"de", "2022-09", "September 2022"},
		{"de", "2021-Q3", "3. Quartal 2021"}, {"fr", "2022-H1", "semestre 1 de 2022"}, {"de", "2022", "2022"}, {"de", "as needed", "as needed"}, {"xx", "2026-04-09", "2026-04-09"},
	} {
		if got := phrase.Date(tt.lang, tt.in); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.lang, tt.in, got, tt.want)
		}
	}
	for _, tt := range []struct{ lang, in, want string }{{"en", "30 days", "30 days"}, {"de", "30 days", "30 Tage"}, {"de", "1 year", "1 Jahr"}, {"fr", "10 business days", "10 jours ouvrables"},
		{"de", "unlimited", "unbegrenzt"}, {"de", "soon", "soon"}} {
		if got := phrase.Period(tt.lang, tt.in); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.lang, tt.in, got, tt.want)
		}
	}
	at := time.Date(2026, 4, 9, 10, 0, 1, 0, time.UTC)
	if got := phrase.Instant("de", at); got != "9. April 2026, 10:00:01 UTC" {
		t.Errorf("%q", got)
	}
	if phrase.Instant("de", time.Time{}) != "" {
		t.Error("no time is a time")
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		accept string
		have   []string
		want   string
	}{
		{"de", []string{"en", "de"}, "de"},
		{"de-AT,de;q=0.9,en;q=0.8", []string{"en", "de"}, "de"},
		{"fr,en;q=0.5", []string{"en", "de"}, "en"},
		{"fr,de;q=0.5", []string{"en", "de"}, "de"},
		{"en;q=0.1,de;q=0.9", []string{"en", "de"}, "de"},
		{"de;q=0,en", []string{"en", "de"}, "en"},
		{"", []string{"en", "de"}, "en"},
		{"*", []string{"de", "en"}, "de"},
		{"da", []string{"en", "de"}, "en"},
		{";;;q=", []string{"en", "de"}, "en"},
		{"fr-CA", []string{"en", "fr"}, "fr"},
		{strings.Repeat("de,", 500), []string{"en"}, "en"},
	} {
		if got := phrase.Match([]string{tt.accept}, tt.have); got != tt.want {
			t.Errorf("%.40q of %v: %s, want %s", tt.accept, tt.have, got, tt.want)
		}
	}
}

// Whatever a reader sends, it gets one of the languages that there are.
func FuzzMatch(f *testing.F) {
	for _, seed := range []string{"", "de", "de-AT,de;q=0.9,en;q=0.8", "*;q=0.1", "zh-Hant-TW, x-private", ";q=", strings.Repeat("a-", 2000), "i-klingon,de-x-y"} {
		f.Add(seed)
	}
	have := []string{"en", "de", "pt-BR"}
	f.Fuzz(func(t *testing.T, accept string) {
		if got := phrase.Match([]string{accept}, have); !slices.Contains(have, got) {
			t.Errorf("%q gets %q", accept, got)
		}
	})
}
