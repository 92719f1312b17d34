package programme_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"domicile.dev/internal/programme"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the schema file and the vectors' expectations anew; read the difference")

const kit = "../../testkit/programme"

// expectation is what a vector's want.json says: a hash, or faults. Messages are for people and
// no part of it; hints are, where there is one.
type expectation struct {
	Hash   string `json:"hash,omitempty"`
	Faults []want `json:"faults,omitempty"`
}

type want struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Code       string `json:"code"`
	Path       string `json:"path,omitempty"`
	Suggestion string `json:"suggestion,omitempty"`
}

// TestVectors loads each folder under testkit/programme and compares with its want.json.
func TestVectors(t *testing.T) {
	dirs, err := filepath.Glob(kit + "/*/*")
	if err != nil {
		t.Fatal(err)
	}
	valid, faulty := 0, 0
	for _, dir := range dirs {
		group := filepath.Base(filepath.Dir(dir))
		t.Run(group+"/"+filepath.Base(dir), func(t *testing.T) {
			p, err := programme.Load(os.DirFS(dir))
			var got expectation
			var faults programme.Faults
			switch {
			case err == nil:
				got.Hash = p.Hash
				valid++
			case errors.As(err, &faults):
				for _, f := range faults {
					got.Faults = append(got.Faults, want{f.File, f.Line, f.Column, f.Code, f.Path, f.Suggestion})
					if f.Message == "" || strings.HasSuffix(f.Message, ".") {
						t.Errorf("message %q", f.Message)
					}
				}
				faulty++
			default:
				t.Fatal(err)
			}
			if (group == "valid") != (err == nil) {
				t.Errorf("a vector in %s: %v", group, err)
			}
			file := filepath.Join(dir, "want.json")
			if *update {
				b, _ := json.MarshalIndent(got, "", "  ")
				if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var expected expectation
			if err := json.Unmarshal(b, &expected); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, expected); diff != "" {
				t.Errorf("-got +want\n%s", diff)
			}
		})
	}
	if valid < 4 || faulty < 20 {
		t.Errorf("%d valid and %d faulty vectors, want at least 4 and 20", valid, faulty)
	}
}
