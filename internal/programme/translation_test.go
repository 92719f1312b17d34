package programme_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
)

func TestATranslationSaysTextsAndChangesNothingElse(t *testing.T) {
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	de := p.In("de")
	if de.Language() != "de" || p.Language() != "en" || de.Hash != p.Hash || !de.Translated() || de.In("en").Translated() || de.In("fr") != de {
		t.Fatalf("%s and %s", de.Language(), p.Language())
	}
	for _, tt := range []struct{ where, text, want string }{{"", "phone_number", "Telefonnummer"}, {"rights", "access", "Auskunft"}, {"", "access", "Abrufen"}, {"elsewhere", "access", "Abrufen"},
		{"", "nothing says this", "nothing says this"}, {"", "", ""}, {"", "  Privacy\n Notice ", "Datenschutzerklärung"}} {
		if got := de.Say(tt.where, tt.text); got != tt.want {
			t.Errorf("%s|%s: %q, want %q", tt.where, tt.text, got, tt.want)
		}
	}
	if got := p.Say("", "phone_number"); got != "phone_number" {
		t.Errorf("in its own language: %q", got)
	}
	// A published version is kept as its JSON, with its translations.
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := programme.FromJSON(b)
	if err != nil || again.Hash != p.Hash || again.In("de").Say("", "phone_number") != "Telefonnummer" {
		t.Errorf("read back: %v", err)
	}
}

func TestTranslationsThatAreNone(t *testing.T) {
	base := "translations:\n  - language: de\n    texts: {a: b}\n"
	for _, tt := range []struct {
		name, yaml, want string
		line             int
	}{
		{"twice", base + "  - language: de\n    texts: {c: d}\n", "language of the programme, or of another", 4},
		{"into its own", "translations:\n  - language: en\n    texts: {a: b}\n", "language of the programme", 2},
		{"no language", "translations:\n  - language: German\n    texts: {a: b}\n", "is not a language code", 2},
		{"no text", "translations:\n  - language: de\n    texts:\n      a: ''\n", "is empty", 4},
		{"another key", "translations:\n  - language: de\n    words: {a: b}\n", "not a key", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := programme.Load(exampleFiles(t, "translations/x.yaml", tt.yaml))
			var faults programme.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("%v", err)
			}
			for _, f := range faults {
				if f.File == "translations/x.yaml" && f.Line == tt.line && f.Column > 0 && strings.Contains(f.Message, tt.want) {
					return
				}
			}
			t.Errorf("%v", faults)
		})
	}
}

// exampleFiles is the example without its own translations, and with another file.
func exampleFiles(t *testing.T, name, src string) fs.FS {
	t.Helper()
	files := fstest.MapFS{name: &fstest.MapFile{Data: []byte(src)}}
	example := examples.Communications()
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
