package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMail(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    Mail
		port int
		bad  string
	}{
		{"as little as may be", Mail{Host: "mail.example.com", From: "privacy@example.com"}, 587, ""},
		{"TLS from the first byte", Mail{Host: "mail.example.com", TLS: "tls", From: "Privacy <privacy@example.com>"}, 465, ""},
		{"in clear on this machine", Mail{Host: "127.0.0.1", TLS: "none", From: "privacy@example.com"}, 25, ""},
		{"in clear elsewhere", Mail{Host: "mail.example.com", TLS: "none", From: "privacy@example.com"}, 25, "mail.tls"},
		{"another way", Mail{Host: "mail.example.com", TLS: "ssl", Port: 1, From: "privacy@example.com"}, 1, "mail.tls"},
		{"no host", Mail{From: "privacy@example.com"}, 587, "mail.host"},
		{"a port in the host", Mail{Host: "mail.example.com:25", From: "privacy@example.com"}, 587, "mail.host"},
		{"no sender", Mail{Host: "mail.example.com"}, 587, "mail.from"},
		{"a user without a password", Mail{Host: "mail.example.com", User: "u", From: "privacy@example.com"}, 587, "mail.user"},
		{"a port that is none", Mail{Host: "mail.example.com", Port: 70000, From: "privacy@example.com"}, 70000, "mail.port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var wrong []string
			tt.m.check(func(key, _ string, _ ...any) { wrong = append(wrong, key) })
			if got := strings.Join(wrong, " "); got != tt.bad || tt.m.Port != tt.port {
				t.Errorf("wrong %q, port %d; want %q, %d", got, tt.m.Port, tt.bad, tt.port)
			}
		})
	}
}

func TestPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(" secret \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := Mail{PasswordFile: path}
	if got, err := m.Password(); got != " secret " || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Password(); err == nil {
		t.Error("a password that everybody may read is taken")
	}
}
