package form_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

type vectors struct {
	Pseudonyms []struct {
		Nobody, Region, Tenant, Recipient, Purpose string
		Subject, Record                            string // hex
		Person, RecordName, Digest                 string
	} `json:"pseudonyms"`
}

func name(b []byte, s string) []byte { return append(append(b, byte(len(s)>>8), byte(len(s))), s...) }

func TestVectors(t *testing.T) {
	src, err := os.ReadFile("vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(src, &v); err != nil || len(v.Pseudonyms) == 0 {
		t.Fatal(err, len(v.Pseudonyms))
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding)
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, x := range v.Pseudonyms {
		info := []byte("domicile pseudonym 1\x00")
		for _, n := range []string{x.Region, x.Tenant, x.Recipient, x.Purpose} {
			info = name(info, n)
		}
		key, err := hkdf.Expand(sha256.New, unhex(x.Nobody), string(info), 32)
		if err != nil {
			t.Fatal(err)
		}
		mac := func(kind byte, of []byte) []byte {
			m := hmac.New(sha256.New, key)
			m.Write(append([]byte{kind}, of...))
			return m.Sum(nil)[:16]
		}
		person := mac(1, unhex(x.Subject))
		for _, got := range [][2]string{
			{"psn_" + strings.ToLower(text.EncodeToString(person)), x.Person},
			{"r_" + strings.ToLower(text.EncodeToString(mac(2, unhex(x.Record)))), x.RecordName},
			{hex.EncodeToString(mac(3, person)), x.Digest},
		} {
			if got[0] != got[1] {
				t.Errorf("%s, want %s", got[0], got[1])
			}
		}
	}
}
