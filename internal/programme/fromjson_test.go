package programme_test

import (
	"encoding/json"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
)

func TestAProgrammeIsReadBackFromItsJSON(t *testing.T) {
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := programme.FromJSON(b)
	if err != nil || again.Hash != p.Hash {
		t.Errorf("read back: %v", err)
	}
	for _, bad := range []string{"", "[]", "{}", `{"format":1}`, `{"colour":"red"}`} {
		if p, err := programme.FromJSON([]byte(bad)); err == nil || p != nil {
			t.Errorf("%q is read", bad)
		}
	}
}
