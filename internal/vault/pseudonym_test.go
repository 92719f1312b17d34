package vault_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/vault"
)

// The public vectors are what our own code gives; testkit/form reads them without it.
func TestPseudonymsAreThoseOfTheVectors(t *testing.T) {
	src, err := os.ReadFile("../../testkit/form/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Pseudonyms []struct{ Key, Subject, Record, Person, RecordName, Digest string }
	}
	if err := json.Unmarshal(src, &v); err != nil || len(v.Pseudonyms) == 0 {
		t.Fatal(err)
	}
	for _, x := range v.Pseudonyms {
		key, _ := hex.DecodeString(x.Key)
		sub, _ := hex.DecodeString(x.Subject)
		rec, _ := hex.DecodeString(x.Record)
		p := vault.PseudonymsUnder(key)
		person := p.Subject(id.Subject(sub))
		digest := p.Digest(person)
		if person.String() != x.Person || hex.EncodeToString(digest[:]) != x.Digest || string(p.Record(id.RecordOf([16]byte(rec))).AppendTo(nil)) != x.RecordName {
			t.Errorf("%s %x", person, digest)
		}
		if back, err := id.ParsePseudonym(x.Person); err != nil || back != person {
			t.Errorf("ParsePseudonym: %v", err)
		}
	}
}
