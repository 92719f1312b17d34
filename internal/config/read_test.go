package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"domicile.dev/internal/config"
)

func load(t *testing.T, text string) (*config.Node, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := config.Load(file)
	if err != nil {
		return nil, err.Error()
	}
	return n, ""
}

// A file's faults are told together: unknown keys, values of the wrong type, and what is wrong with
// those that could be read.
func TestAllFaultsAreTold(t *testing.T) {
	_, told := load(t, "region: IE 1\nlistn: 127.0.0.1:1\nlisten: [1]\nepoch_length: soon\nblobs: {size: 1}\nlog_level: loud\ncolour: red\n")
	for _, want := range []string{"[2:1]", "listn", "[3:", "[4:", "size", "colour", "region: give", "log_level: give", "data: give"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not told in:\n%s", want, told)
		}
	}
	for _, not := range []string{"listen: give", "epoch_length: give"} {
		if strings.Contains(told, not) {
			t.Errorf("%q is told of what could not be read:\n%s", not, told)
		}
	}
}

func TestFilesThatAreRead(t *testing.T) {
	const rest = "listen: 127.0.0.1:1\ndata: /d\n"
	for _, tt := range []struct{ name, text, wrong string }{
		{"whole", "region: ie1\n" + rest + "peers:\n  us1: {url: 'https://us1.example.com'}\n  au1: {url: 'https://au1.example.com'}\ntrusted_proxies: [10.0.0.1]\nclient_ip: X-Real-IP\nepoch_length: 168h\ncorrect_after: 1m\n", ""},
		{"at once", "region: ie1\n" + rest + "correct_after: 1ms\n", "correct_after: give"},
		{"alone", "region: ie1", "listen: give"},
		{"with a reference", "region: &r ie1\n" + rest + "log_level: info\nclient_ip: peer\nnotices: [*r, *r]\n", ""},
		{"with a reference and an unknown key", "region: &r ie1\n" + rest + "colour: *r\n", "colour"},
		{"twice the same key", "region: ie1\nregion: us1\n" + rest, "region"},
		{"no mapping", "- region\n", "mapping"},
		{"broken", "region: [ie1\n", "["},
		{"empty", "", "region: give"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, told := load(t, tt.text)
			if !strings.Contains(told, tt.wrong) || (told == "") != (tt.wrong == "") {
				t.Fatalf("%q, want %q", told, tt.wrong)
			}
			if n != nil && (n.Region != "ie1" || n.Listen != "127.0.0.1:1" || n.Data != "/d" || n.URL != "http://127.0.0.1:1") {
				t.Errorf("%+v", n)
			}
			if tt.name == "whole" && (len(n.Peers) != 2 || n.ClientIP != "X-Real-IP" || n.EpochLength.Hours() != 168) {
				t.Errorf("%+v", n)
			}
		})
	}
}
