package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Contradictions are said, on stderr or in the answer, and don't make a programme faulty.
func TestProgrammeCheckWarns(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(exampleProgrammes+"communications")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "translations")); err != nil { // what is added below has none
		t.Fatal(err)
	}
	more := "recipients:\n  - {id: backups, name: Backups, class: third_party_service_providers, roles: [processor], locations: [IE, {country: US, role: backup}]}\n" +
		"flows:\n  - {id: backups, from: ie1, services: [messaging], kinds: [message], categories: [contact_data], purpose: platform_security_fraud_prevention, legal_basis: legitimate_interest, to: backups, form: clear}\n"
	pin := "format: domicile.register/v1\npins:\n  - {tenant: acme, places: [EU], from: 2026-01-01}\n"
	if err := os.WriteFile(filepath.Join(dir, "more.yaml"), []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "assumed.register.yaml"), []byte(pin), 0o600); err != nil {
		t.Fatal(err)
	}
	e, out := programmeEnv(t, true)
	if err := (&programmeCheckCmd{Dir: dir}).Run(e); err != nil {
		t.Fatal(err)
	}
	var answer checkAnswer
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil || !answer.OK || len(answer.Faults) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	codes := map[string]int{}
	for _, w := range answer.Warnings {
		codes[w.Code]++
	}
	if codes["group.outside"] != 3 || codes["backup.pinned_out"] != 1 || len(codes) != 2 {
		t.Errorf("warnings: %v", codes)
	}
	e, out = programmeEnv(t, false)
	var said bytes.Buffer
	e.err = &said
	if err := (&programmeCheckCmd{Dir: dir}).Run(e); err != nil || strings.Contains(out.String(), "warning") || strings.Count(said.String(), "warning: ") != 4 {
		t.Errorf("%v: stdout %q, stderr %q", err, out, said.String())
	}
}
