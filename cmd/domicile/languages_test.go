package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A text without a translation is a fault of the programme, with its place; so is a translation of nothing.
func TestCheckNamesMissingTranslations(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(exampleProgrammes+"communications")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "translations", "de.yaml")
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const text = `"phone_number":`
	if !strings.Contains(string(src), text) {
		t.Fatalf("%s has no %s", file, text)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(src), text, `"phone_numbr":`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	e, out := programmeEnv(t, true)
	if got := exitCodeOf((&programmeCheckCmd{Dir: dir}).Run(e)); got != exitBad {
		t.Errorf("exit %d, want %d", got, exitBad)
	}
	var a checkAnswer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.OK || len(a.Faults) != 2 {
		t.Fatalf("%v, %+v", err, a)
	}
	for i, want := range []string{`there is no de text for "phone_number"`, `no document shows "phone_numbr"`} {
		if f := a.Faults[i]; !strings.Contains(f.Message, want) || f.File != "translations/de.yaml" || f.Line == 0 || f.Column == 0 {
			t.Errorf("%+v", f)
		}
	}
	e, out = programmeEnv(t, false)
	if got := exitCodeOf((&noticeRenderCmd{Dir: dir, Language: "de"}).Run(e)); got != exitWrong || out.Len() > 0 {
		t.Errorf("rendered in a language that isn't whole: exit %d", got)
	}
}
