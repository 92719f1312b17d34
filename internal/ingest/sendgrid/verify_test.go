package sendgrid_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/sendgrid"
)

func sorted(names []string) string {
	slices.Sort(names)
	return strings.Join(names, " ")
}

// set returns k with its parts in a fixed order.
func set(k ingesttest.Kept) ingesttest.Kept {
	k.Parts = slices.Sorted(slices.Values(k.Parts))
	return k
}

// vector is a webhook that the vendor's own library takes.
type vector struct {
	Key       string `json:"public_key"`
	Timestamp string
	Payload   string
	Signature string
}

func read(t testing.TB) (v vector, key *ecdsa.PublicKey, signed time.Time) {
	t.Helper()
	raw, err := os.ReadFile("testdata/event-signature-vector.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if key, err = sendgrid.ParseKey(v.Key); err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(v.Timestamp, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v, key, time.Unix(seconds, 0)
}

func TestVerify(t *testing.T) {
	v, key, signed := read(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, timestamp, signature, body string
		key                              *ecdsa.PublicKey
		after                            time.Duration
		want                             string
	}{
		{"as the vendor signs", v.Timestamp, v.Signature, v.Payload, key, 0, ""},
		{"a day late, as the vendor's last retry", v.Timestamp, v.Signature, v.Payload, key, 24 * time.Hour, ""},
		{"three days late", v.Timestamp, v.Signature, v.Payload, key, 72 * time.Hour, ""},
		{"five minutes early", v.Timestamp, v.Signature, v.Payload, key, -5 * time.Minute, ""},
		{"later", v.Timestamp, v.Signature, v.Payload, key, 72*time.Hour + time.Second, "signature.stale"},
		{"earlier", v.Timestamp, v.Signature, v.Payload, key, -5*time.Minute - time.Second, "signature.stale"},
		{"late and wrong", v.Timestamp, v.Signature, v.Payload + " ", key, time.Hour, "signature.mismatch"},
		{"without the final CRLF", v.Timestamp, v.Signature, strings.TrimSuffix(v.Payload, "\r\n"), key, 0, "signature.mismatch"},
		{"with LF alone", v.Timestamp, v.Signature, strings.TrimSuffix(v.Payload, "\r\n") + "\n", key, 0, "signature.mismatch"},
		{"parsed and written anew", v.Timestamp, v.Signature, strings.ReplaceAll(v.Payload, ":", ": "), key, 0, "signature.mismatch"},
		{"another time", "1767607202", v.Signature, v.Payload, key, 0, "signature.mismatch"},
		{"divided elsewhere", v.Timestamp[:9], v.Signature, v.Timestamp[9:] + v.Payload, key, 0, "signature.stale"},
		{"divided nowhere", "", v.Signature, v.Timestamp + v.Payload, key, 0, "signature.mismatch"},
		{"another's key", v.Timestamp, v.Signature, v.Payload, &other.PublicKey, 0, "signature.mismatch"},
		{"no key", v.Timestamp, v.Signature, v.Payload, nil, 0, "signature.mismatch"},
		{"no signature", v.Timestamp, "", v.Payload, key, 0, "signature.mismatch"},
		{"no base64", v.Timestamp, "?", v.Payload, key, 0, "signature.mismatch"},
		{"no DER", v.Timestamp, base64.StdEncoding.EncodeToString(make([]byte, 64)), v.Payload, key, 0, "signature.mismatch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := sendgrid.Verify(tt.key, tt.timestamp, tt.signature, []byte(tt.body), signed.Add(tt.after))
			if got := fault.ReasonOf(err); got != tt.want || err != nil && fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// A time that is none can be signed well by whoever has the key, and is no time all the same.
func TestVerifyTakesNoOddTime(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1767607201, 0)
	for timestamp, want := range map[string]string{"1767607201": "", "": "signature.mismatch", "x": "signature.mismatch",
		"-1767607201": "signature.mismatch", "99999999999999999999": "signature.mismatch", "253402300800": "signature.mismatch", "0": "signature.stale"} {
		sum := sha256.Sum256([]byte(timestamp + "[]"))
		sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		err = sendgrid.Verify(&key.PublicKey, timestamp, base64.StdEncoding.EncodeToString(sig), []byte("[]"), now)
		if got := fault.ReasonOf(err); got != want {
			t.Errorf("%q: %v, want %q", timestamp, err, want)
		}
	}
}

func TestParseKey(t *testing.T) {
	v, _, _ := read(t)
	if _, err := sendgrid.ParseKey(" " + v.Key + "\r\n"); err != nil {
		t.Errorf("blanks around the key: %v", err)
	}
	marshal := func(public any, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(der)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	for name, key := range map[string]string{"nothing": "", "no base64": "?", "no DER": "AAAA", "half": v.Key[:40],
		"with lines of dashes": "-----BEGIN PUBLIC KEY-----\n" + v.Key + "\n-----END PUBLIC KEY-----",
		"another curve":        marshal(&p384.PublicKey, nil), "another cipher": marshal(&rsaKey.PublicKey, err)} {
		if got, err := sendgrid.ParseKey(key); got != nil || fault.KindOf(err) != fault.Invalid || fault.ReasonOf(err) != "source.bad_key" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
