package bulk_test

import (
	"os"
	"path/filepath"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/bulk"
)

// Two imports with one state would each replace what the other noted, and cut off its bad lines.
func TestAnImportHasItsStateAndItsListToItself(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "in.ndjson")
	if err := os.WriteFile(path, []byte("{\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(state, bad, to string) (*bulk.Journal, error) {
		t.Helper()
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return bulk.OpenJournal(filepath.Join(dir, state), filepath.Join(dir, bad), f, []byte(to))
	}
	first, err := open("s", "b", "node")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range [][2]string{{"s", "b"}, {"s", "b2"}, {"s2", "b"}} {
		if _, err := open(other[0], other[1], "node"); fault.KindOf(err) != fault.Conflict || fault.ReasonOf(err) != "import.running" {
			t.Errorf("state %s, list %s: %v, want import.running", other[0], other[1], err)
		}
	}
	apart, err := open("s2", "b2", "node") // what failed keeps nothing
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range []*bulk.Journal{first, apart} {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a state that is no good locks nobody out
		if _, err := open("s", "b", "node"); fault.ReasonOf(err) != "import.other_state" {
			t.Errorf("a bad state: %v, want import.other_state", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.lock"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Somebody's file that was named by mistake is not a list of bad lines, and stays as it is.
func TestWhatIsNoListIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	path, bad := filepath.Join(dir, "in.ndjson"), filepath.Join(dir, "notes.txt")
	for file, text := range map[string]string{path: "{\n", bad: "remember the milk\n"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := bulk.OpenJournal(filepath.Join(dir, "s"), bad, f, []byte("node")); fault.ReasonOf(err) != "import.no_list" {
		t.Errorf("a file: %v, want import.no_list", err)
	}
	r, err := bulk.Open(f, nil, bulk.Position{})
	if err != nil {
		t.Fatal(err)
	}
	if err := bulk.Run(t.Context(), r, nil, bulk.NewJournal(bad), bulk.Options{}); fault.ReasonOf(err) != "import.no_list" {
		t.Errorf("stdin: %v, want import.no_list", err)
	}
	if text, err := os.ReadFile(bad); err != nil || string(text) != "remember the milk\n" {
		t.Errorf("it holds %q, %v", text, err)
	}
}
