package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
)

func TestDestinations(t *testing.T) {
	t.Setenv("DOMICILE_TEST_SECRET", "whsec_env")
	for _, tt := range []struct{ name, text, wrong, kind, secret string }{
		{"a webhook", "{url: https://p.example.com/hook, secret: whsec_a}", "", "webhook", "whsec_a"},
		{"a secret in a file", "{url: https://p.example.com/hook, secret_file: secret}", "", "webhook", "whsec_file"},
		{"a secret in a file, said the other way", "{url: https://p.example.com/hook, secret: 'file:secret'}", "", "webhook", "whsec_file"},
		{"a secret in the environment", "{url: https://p.example.com/hook, secret: 'env:DOMICILE_TEST_SECRET', headers: {X: 'env:DOMICILE_TEST_SECRET', Y: 'file:secret'}, gzip: true}", "", "webhook", "whsec_env"},
		{"this machine", "{url: 'http://127.0.0.1:9/', secret: whsec_a}", "", "webhook", "whsec_a"},
		{"a folder", "{url: 'file:///srv/out', gzip: true}", "", "objects", ""},
		{"a bucket", "{url: 's3://b?region=eu-west-1'}", "", "objects", ""},
		{"another region", "{url: 'domicile+https://us1.example.com', tokens: {acme: 'file:secret'}}", "", "region", ""},
		{"no url", "{secret: whsec_a}", "destinations.partner.url", "", ""},
		{"another scheme", "{url: ftp://p.example.com}", "destinations.partner.url", "", ""},
		{"plain HTTP", "{url: http://p.example.com/hook, secret: whsec_a}", "destinations.partner.url", "", ""},
		{"credentials", "{url: 'https://u:p@p.example.com/hook', secret: whsec_a}", "destinations.partner.url", "", ""},
		{"no secret", "{url: https://p.example.com/hook}", "destinations.partner.secret", "", ""},
		{"two secrets", "{url: https://p.example.com/hook, secret: a, secret_file: secret}", "destinations.partner.secret", "", ""},
		{"no such file", "{url: https://p.example.com/hook, secret_file: nowhere}", "destinations.partner.secret_file", "", ""},
		{"a file for all to read", "{url: https://p.example.com/hook, secret_file: open}", "chmod 600", "", ""},
		{"an empty file", "{url: https://p.example.com/hook, secret_file: empty}", "destinations.partner.secret_file", "", ""},
		{"no such variable", "{url: https://p.example.com/hook, secret: 'env:DOMICILE_TEST_NONE'}", "destinations.partner.secret", "", ""},
		{"a header without value", "{url: https://p.example.com/hook, secret: a, headers: {X: ''}}", "destinations.partner.headers.X", "", ""},
		{"a folder with a secret", "{url: 'file:///srv/out', secret: a}", "destinations.partner.secret", "", ""},
		{"a bucket with headers", "{url: 's3://b', headers: {A: b}}", "destinations.partner.headers", "", ""},
		{"a region without tokens", "{url: 'domicile+https://us1.example.com'}", "destinations.partner.tokens", "", ""},
		{"a region, compressed", "{url: 'domicile+https://us1.example.com', tokens: {acme: x}, gzip: true}", "destinations.partner.gzip", "", ""},
		{"a webhook with tokens", "{url: https://p.example.com/hook, secret: a, tokens: {acme: x}}", "destinations.partner.tokens", "", ""},
		{"no such authority", "{url: https://p.example.com/hook, secret: a, ca: nowhere.pem}", "destinations.partner.ca", "", ""},
		{"an unknown key", "{url: https://p.example.com/hook, secrets: a}", "secrets", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "node.yaml")
			for name, text := range map[string]string{"node.yaml": "region: ie1\nlisten: 127.0.0.1:8080\ndata: data\ndestinations:\n  partner: " + tt.text + "\n",
				"secret": "whsec_file\n", "empty": "\n", "open": "whsec_open\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(filepath.Join(dir, "open"), 0o640); err != nil {
				t.Fatal(err)
			}
			n, err := config.Load(file)
			if tt.wrong != "" {
				if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || !strings.Contains(f.Public, tt.wrong) || f.Hint == "" || strings.Contains(strings.ReplaceAll(err.Error(), "whsec_…", ""), "whsec_") {
					t.Errorf("Load: %v, want a fault about %s, without a secret", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d := n.Destinations["partner"]
			if d.Kind() != tt.kind || d.Secret != tt.secret {
				t.Errorf("%s with %q, want %s with %q", d.Kind(), d.Secret, tt.kind, tt.secret)
			}
			for _, v := range []string{d.Headers["X"], d.Headers["Y"], d.Tokens["acme"]} {
				if v != "" && v != "whsec_env" && v != "whsec_file" {
					t.Errorf("%q wasn't read from where it lies", v)
				}
			}
			if err := n.Check(); err != nil {
				t.Errorf("checked again: %v", err)
			}
		})
	}
}
