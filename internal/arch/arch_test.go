package arch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"domicile.dev/internal/arch"
)

const module = "domicile.dev"

// source is one Go file: its package's path below the module and what it imports.
type source struct {
	file, pkg string
	test      bool
	imports   []string // of this module, below it
}

// sources reads every Go file below root, which stands for the module's root.
func sources(t *testing.T, root fs.FS) []source {
	t.Helper()
	var all []source
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() && name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
			base == "testdata" || base == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{file: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go")}
		for _, imp := range f.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			if below, ok := strings.CutPrefix(p, module+"/"); ok {
				s.imports = append(s.imports, below)
			}
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// faults says what breaks the table. Test files may look up and sideways: they are no part of
// what runs.
func faults(all []source, levels map[string]int, testOnly map[string]bool) []string {
	var found []string
	seen := map[string]bool{}
	for _, s := range all {
		level, known := levels[s.pkg]
		if !known && !seen[s.pkg] {
			found = append(found, fmt.Sprintf("%s has no line in internal/arch: decide its level", s.pkg))
		}
		seen[s.pkg] = true
		if !known || s.test {
			continue
		}
		for _, imp := range s.imports {
			of, known := levels[imp]
			switch {
			case !known: // said once, where the package is
			case testOnly[imp] && !testOnly[s.pkg]:
				found = append(found, fmt.Sprintf("%s imports %s, which is for tests only", s.file, imp))
			case of >= level:
				found = append(found, fmt.Sprintf("%s (level %d) imports %s (level %d): only lower levels", s.file, level, imp, of))
			}
		}
	}
	for pkg := range levels {
		if !seen[pkg] {
			found = append(found, fmt.Sprintf("%s has a line in internal/arch, but no such package exists", pkg))
		}
	}
	slices.Sort(found)
	return found
}

func root(t *testing.T) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(wd))
}

func TestPackagesImportOnlyLowerLevels(t *testing.T) {
	for _, f := range faults(sources(t, os.DirFS(root(t))), arch.Levels, arch.TestOnly) {
		t.Error(f)
	}
}

func TestTheRuleCanFail(t *testing.T) {
	levels := map[string]int{"low": 0, "same": 1, "mid": 1, "high": 2, "helper": 0, "stale": 3}
	testOnly := map[string]bool{"helper": true}
	for _, tt := range []struct {
		name string
		src  source
		want string
	}{
		{"upward", source{file: "mid/a.go", pkg: "mid", imports: []string{"high"}}, "mid/a.go (level 1) imports high (level 2): only lower levels"},
		{"same level", source{file: "mid/a.go", pkg: "mid", imports: []string{"same"}}, "mid/a.go (level 1) imports same (level 1): only lower levels"},
		{"test-only in shipped code", source{file: "mid/a.go", pkg: "mid", imports: []string{"helper"}}, "mid/a.go imports helper, which is for tests only"},
		{"unknown package", source{file: "new/a.go", pkg: "new"}, "new has no line in internal/arch: decide its level"},
		{"stale line", source{file: "mid/a.go", pkg: "mid", imports: []string{"low"}}, "stale has a line in internal/arch, but no such package exists"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := faults([]source{tt.src}, levels, testOnly); !slices.Contains(got, tt.want) {
				t.Errorf("faults = %q, want %q among them", got, tt.want)
			}
		})
	}
	for _, f := range faults([]source{{file: "mid/a_test.go", pkg: "mid", test: true, imports: []string{"high", "helper"}}}, levels, testOnly) {
		if strings.HasPrefix(f, "mid/") {
			t.Errorf("a test file may look anywhere, but: %s", f)
		}
	}
}

// Each direct dependency, Go or Node, has a table line of reason in docs/dependencies.md, and
// nothing is listed there that is not used.
func TestEachDependencyHasAReason(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range bytes.Lines(text) {
		cells := strings.Split(string(line), "|")
		if len(cells) < 4 || !strings.Contains(cells[1], "`") {
			continue
		}
		name := strings.Trim(strings.TrimSpace(cells[1]), "`")
		if strings.TrimSpace(cells[2]) == "" {
			t.Errorf("docs/dependencies.md gives no reason for %s", name)
		}
		listed[name] = true
	}
	used := map[string]bool{}
	for _, name := range append(goDependencies(t), nodeDependencies(t)...) {
		used[name] = true
		if !listed[name] {
			t.Errorf("%s is a direct dependency without a line in docs/dependencies.md", name)
		}
	}
	for name := range listed {
		if !used[name] {
			t.Errorf("docs/dependencies.md lists %s, which is no direct dependency", name)
		}
	}
}

func goDependencies(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if !r.Indirect {
			names = append(names, r.Mod.Path)
		}
	}
	return names
}

func nodeDependencies(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "web", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var pkg struct{ Dependencies, DevDependencies map[string]string }
	if err := json.Unmarshal(text, &pkg); err != nil {
		t.Fatal(err)
	}
	for name := range pkg.Dependencies {
		names = append(names, name)
	}
	for name := range pkg.DevDependencies {
		names = append(names, name)
	}
	return names
}

// The lock file must not tie a build to one registry's address.
func TestLockFileNamesNoHost(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "web", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(`"resolved"`)) {
		t.Error("web/package-lock.json holds resolved addresses; .npmrc says omit-lockfile-registry-resolved")
	}
}
