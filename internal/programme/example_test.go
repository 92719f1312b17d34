package programme_test

import (
	"slices"
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

// What the demo declares is the example, and one flow more.
func TestTheDemoLoads(t *testing.T) {
	p, err := programme.Load(examples.Demo())
	if err != nil {
		t.Fatal(err)
	}
	of := example(t)
	added := slices.DeleteFunc(slices.Clone(p.Flows), func(f programme.Flow) bool {
		return slices.ContainsFunc(of.Flows, func(o programme.Flow) bool { return o.ID == f.ID })
	})
	if len(added) != 1 || added[0].Window != "minute" || len(p.Flows) != len(of.Flows)+1 || len(p.Recipients) != len(of.Recipients) {
		t.Errorf("the demo adds %+v", added)
	}
}
