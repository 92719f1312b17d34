package whatsapp_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/whatsapp"
)

const secret = "synthetic-app-secret"

func TestVerify(t *testing.T) {
	raw, err := os.ReadFile("testdata/signature-vector.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Secret string `json:"app_secret"`
		Body   string
		Header string `json:"X-Hub-Signature-256"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, secret, header, body string
		good                       bool
	}{
		{"as the vendor signs", v.Secret, v.Header, v.Body, true},
		{"another body", v.Secret, v.Header, v.Body + "\n", false},
		{"another secret", v.Secret + "x", v.Header, v.Body, false},
		{"no header", v.Secret, "", v.Body, false},
		{"no digest", v.Secret, "sha256=", v.Body, false},
		{"half a digest", v.Secret, v.Header[:len(v.Header)-2], v.Body, false},
		{"more than a digest", v.Secret, v.Header + "00", v.Body, false},
		{"the digest alone", v.Secret, strings.TrimPrefix(v.Header, "sha256="), v.Body, false},
		{"the older header's hash", v.Secret, strings.Replace(v.Header, "sha256", "sha1", 1), v.Body, false},
		{"no hex", v.Secret, "sha256=" + strings.Repeat("x", 64), v.Body, false},
		{"no secret, well signed", "", "sha256=704eb71c28bbe7c091ca5b8f9446c2bceec023435f33ff17e7fb9634d46333bc", v.Body, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := whatsapp.Verify(tt.secret, tt.header, []byte(tt.body))
			if (err == nil) != tt.good || err != nil && (fault.KindOf(err) != fault.Unauthenticated || fault.ReasonOf(err) != "signature.mismatch") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestEveryCapturedWebhookIsSigned: each fixture's body is what was on the wire.
func TestEveryCapturedWebhookIsSigned(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	signed := 0
	for _, file := range files {
		x := ingesttest.Read(t, file)
		header := x.Headers["x-hub-signature-256"]
		if header == "" {
			continue
		}
		signed++
		if err := whatsapp.Verify(secret, header, x.Body); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if signed != 7 {
		t.Errorf("%d signed webhooks, want 7", signed)
	}
}
