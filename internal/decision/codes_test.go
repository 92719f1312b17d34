package decision

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeIn  = regexp.MustCompile(`(?:[cC]ode: |\b(?:yes|no)\()"([a-z_.]+)"`)
	factOps = regexp.MustCompile(`yes\("([a-z_.]+)"|op: opFact[^}]*code: "([a-z_.]+)"|code: "(tia)"`)
)

// Codes are a promise: each one in the source is in the documented table.
func TestEveryCodeIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/formats/decision.md")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("*.go")
	seen := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		starred := map[string]bool{}
		for _, m := range factOps.FindAllStringSubmatch(string(src), -1) {
			starred[m[1]+m[2]+m[3]] = true
		}
		for _, m := range codeIn.FindAllStringSubmatch(string(src), -1) {
			seen++
			want := m[1]
			if starred[want] {
				want += ".*"
			}
			if !strings.Contains(string(doc), "`"+want+"`") {
				t.Errorf("%s: %s is not in docs/formats/decision.md", f, want)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d codes found", seen)
	}
}
