package decision_test

import (
	"os"
	"path/filepath"
	"testing"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// TestVectors asks the cases of every folder under testkit/decision.
func TestVectors(t *testing.T) {
	dirs, err := filepath.Glob("../../testkit/decision/*/programme.yaml")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, d := range dirs {
		dir := filepath.Dir(d)
		name := filepath.Base(dir)
		p, err := programme.Load(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		read := func(file string) []byte {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		reg, err := register.Parse(name, read(name+".register.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := decision.ParseSuite(name, read(name+".test.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		results, err := s.Run(func(without []string) (*decision.Engine, error) {
			book, unknown := law.Builtin().Without(without...)
			if len(unknown) > 0 {
				t.Fatalf("unknown rules %v", unknown)
			}
			return decision.New(p, book, reg, nil), nil
		})
		if err != nil || len(results) < 40 {
			t.Fatalf("%d cases: %v", len(results), err)
		}
		for _, r := range results {
			if r.Wrong != "" {
				t.Errorf("%s %s: %s", r.At, r.Name, r.Wrong)
			}
		}
	}
}
