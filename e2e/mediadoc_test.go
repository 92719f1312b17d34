package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands of docs/media.md do what it says.
func TestMediaDoc(t *testing.T) {
	text, err := os.ReadFile("../docs/media.md")
	if err != nil {
		t.Fatal(err)
	}
	_, steps := readSteps(string(text))
	w := newWorld(t, "sqlite")
	dir := t.TempDir()
	if err := os.Symlink(w.dir, filepath.Join(dir, ".domicile")); err != nil {
		t.Fatal(err)
	}
	script := strings.Builder{}
	fmt.Fprintf(&script, "set -euo pipefail\nPATH=%s:$PATH\nunset DOMICILE_URL DOMICILE_TOKEN\n", filepath.Dir(exe))
	checks := 0
	for i, s := range steps {
		checks += len(s.expected)
		fmt.Fprintf(&script, "%s\nprintf '\\n@%d@\\n'\n", s.commands, i)
	}
	out, err := shell(dir, script.String()).CombinedOutput()
	if err != nil || checks < 5 {
		t.Fatalf("%v, with %d checks:\n%s", err, checks, out)
	}
	rest := string(out)
	for i, s := range steps {
		var printed string
		printed, rest, _ = strings.Cut(rest, fmt.Sprintf("\n@%d@\n", i))
		for _, want := range s.expected {
			if !regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(want), "…", "[\\s\\S]*?")).MatchString(printed) {
				t.Errorf("step %d prints no %q:\n$ %s%s", i+1, want, s.commands, printed)
			}
		}
	}
}
