package app

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// A bad body is no word and no panic; a good one is read as it was written.
func FuzzWord(f *testing.F) {
	const word = `{"tenant":"acme","word":"wrd_aaaaaaaaaaaaaaaaaaaaaaaa","kind":"erasure","receipt":"rcp_aaaaaaaaaaaaaaaaaaaaaaaa","mac":"AAAA"}`
	for _, s := range []string{word, word + word, word[:40], `{"mac":"AAAA"}`, `{"mac":""}`, `{"mac":null}`, `{"subject":"sub_a","mac":"AAAA"}`, "null", "[]", "", strings.Repeat(" ", maxProofBytes) + word} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := readWord(bytes.NewReader(body))
		if err != nil {
			if w.MAC != nil || w.Word != "" || w.Tenant != "" {
				t.Fatalf("%q is no word, and there is one: %+v", body, w)
			}
			return
		}
		if len(w.MAC) == 0 || len(body) > maxProofBytes || !json.Valid(body) {
			t.Fatalf("%q is read as %+v", body, w)
		}
		again, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) <= maxProofBytes {
			if b, err := readWord(bytes.NewReader(again)); err != nil || b.Tenant != w.Tenant || b.Word != w.Word || b.Kind != w.Kind || b.Receipt != w.Receipt || !bytes.Equal(b.MAC, w.MAC) {
				t.Fatalf("%+v is %+v when it is read again, %v", w, b, err)
			}
		}
	})
}
