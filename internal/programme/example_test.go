package programme_test

import (
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
)

// example loads the programme under examples/communications.
func example(t testing.TB) *programme.Programme {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheExampleLoads(t *testing.T) {
	p := example(t)
	if len(p.Hash) != len("sha256:")+64 {
		t.Errorf("Hash = %q, want sha256: and 64 hex digits", p.Hash)
	}
}
