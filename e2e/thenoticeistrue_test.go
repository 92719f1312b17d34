package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type finding struct {
	Code, Flow, Service, Kind, Path, Category, Recipient, Country, Says string
	Count                                                               int
}

// drift runs `domicile drift`, whose exit code says whether there is any.
func (w *world) drift(t testing.TB, region string, args ...string) (found []finding) {
	t.Helper()
	out, talk, code := w.run("", append([]string{"drift", "--up", w.dir, "--region", region, "--json"}, args...)...)
	var d struct{ Findings []finding }
	answer{status: code, body: []byte(out)}.into(t, &d)
	if want := map[bool]int{true: 3, false: 0}[len(d.Findings) > 0]; code != want {
		t.Errorf("drift exits %d with %d findings: %s", code, len(d.Findings), talk)
	}
	return d.Findings
}

// TheNoticeIsTrue: what is collected and the published notice doesn't declare is found and named.
func TestTheNoticeIsTrue(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1 := w.region("ie1")
		if found := w.drift(t, "ie1"); len(found) != 0 {
			t.Fatalf("a new region has drift: %+v", found)
		}
		person := newCanaries().text("person")
		if _, failures, ok := sdk(t, "segment-node.mjs", ie1.URL, ie1.Sources["segment"].WriteKey, person); !ok {
			t.Fatalf("failures %v", failures)
		}
		if found := w.drift(t, "ie1"); len(found) != 0 {
			t.Errorf("what the SDK sends by itself is not declared: %+v", found)
		}
		t.Run("a new element through a real SDK", func(t *testing.T) {
			secret := newCanaries().text("mood")
			t.Setenv("CONTEXT", `{"mood":"`+secret+`"}`)
			if _, failures, ok := sdk(t, "segment-node.mjs", ie1.URL, ie1.Sources["segment"].WriteKey, person+"2"); !ok {
				t.Fatalf("failures %v", failures)
			}
			found := w.drift(t, "ie1")
			if len(found) != 1 || found[0].Code != "element.undeclared" || found[0].Path != "context.mood" || found[0].Kind != "track" || found[0].Count != 1 {
				t.Errorf("found %+v, want context.mood of one track", found)
			}
			for _, f := range w.drift(t, "ie1", "--operator") {
				if f.Path != "context.*" {
					t.Errorf("the operator is told %q", f.Path)
				}
			}
			if other := w.drift(t, "us1"); len(other) != 0 {
				t.Errorf("us1 got nothing: %+v", other)
			}
			metrics := string(w.get(t, ie1.URL+"/metrics"))
			if strings.Contains(metrics, "mood") || strings.Contains(metrics, secret) {
				t.Error("metrics name the element")
			}
			w.eventually("the metric to count it", func() error {
				if !strings.Contains(string(w.get(t, ie1.URL+"/metrics")), `domicile_drift_findings{code="element.undeclared"} 1`) {
					return errors.New("it doesn't yet")
				}
				return nil
			})
		})
	})
}

// rewrite replaces a text in a file of a programme.
func rewrite(t *testing.T, dir, file, old, now string) {
	t.Helper()
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), old) {
		t.Fatalf("%s doesn't have the text to replace: %v", file, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), old, now, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ahead is a programme that is ahead of its published notice: a recipient, a purpose and a place are new.
func ahead(t *testing.T, dir string) {
	t.Helper()
	rewrite(t, dir, "recipients.yaml", "recipients:\n", "recipients:\n  - {id: newcomer, name: Newcomer, class: third_party_service_providers, roles: [processor], locations: [US], mechanisms: [scc]}\n")
	rewrite(t, dir, "sub-processors.yaml", "    locations: [US]\n", "    locations: [US, IN]\n") // sp-01
	rewrite(t, dir, "purposes.yaml", "  - id: platform_security_fraud_prevention\n",
		"  - {id: resale, name: Resale, statement: sell it, categories: [device_data, online_activity_data], legal_bases: [consent]}\n  - id: platform_security_fraud_prevention\n")
	rewrite(t, dir, "flows.yaml", "flows:\n", `flows:
  - {id: to_newcomer, from: ie1, services: [cdp], kinds: [track], categories: [device_data], purpose: personalization_optimization, legal_basis: consent, to: newcomer, form: pseudonymised}
  - {id: for_resale, from: ie1, services: [cdp], kinds: [track], categories: [device_data], purpose: resale, legal_basis: consent, to: sp-13, form: pseudonymised}
`)
}

// TheNoticeIsTrue for what is disclosed: a recipient, a purpose and a place that the published notice doesn't have are
// found and named, and no flow that would reach or serve them goes on; a purpose without a legal basis isn't loaded.
func TestTheNoticeIsTrueOfWhatLeaves(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		dir := exampleCopy(t)
		w := newWorld(t, kind, withArgs("--programme", dir), toFiles(t))
		for _, f := range []string{"message_screening", "event_analytics"} {
			w.flow(t, "ie1", "start", f)
		}
		w.everyKind(t, "before")
		w.settled(t)
		before := w.arrived(t, "sp-01")
		if before == "" {
			t.Fatal("the flow that is published sends nothing")
		}
		w.stop()
		ahead(t, dir)
		w.start()
		found := map[string]finding{}
		for _, f := range w.drift(t, "ie1") {
			found[f.Code+" "+f.Flow] = f
		}
		for key, holds := range map[string]func(finding) bool{
			"recipient.undeclared to_newcomer":   func(f finding) bool { return f.Recipient == "newcomer" },
			"purpose.undeclared for_resale":      func(f finding) bool { return strings.Contains(f.Says, "resale") },
			"place.undeclared message_screening": func(f finding) bool { return f.Country == "IN" && f.Recipient == "sp-01" },
		} {
			if f, ok := found[key]; !ok || !holds(f) {
				t.Errorf("%s is not found and named: %+v", key, found)
			}
		}
		for _, f := range []string{"to_newcomer", "for_resale"} {
			w.flow(t, "ie1", "start", f)
		}
		w.everyKind(t, "after")
		w.eventually("what isn't published to halt, and what is to go on", func() error {
			for _, f := range w.flows(t) {
				want, ours := map[string]bool{"to_newcomer": true, "for_resale": true, "message_screening": true, "event_analytics": false}[f.ID]
				if ours && f.halted() != want {
					return fmt.Errorf("%s is halted: %v, want %v", f.ID, f.halted(), want)
				}
			}
			return nil
		})
		if after := w.arrived(t, "sp-01"); after != before {
			t.Error("what would reach an unpublished place was sent")
		}
		rewrite(t, dir, "purposes.yaml", "legal_bases: [consent]}", "legal_bases: []}")
		if out, _, code := w.run("", "programme", "check", dir); code != 3 || !strings.Contains(out, "legal_bases") {
			t.Errorf("a purpose without a legal basis: exit %d, %s", code, out)
		}
	})
}

// declaresAll holds that what the published clients send by themselves is declared by the example.
func (w *world) declaresAll(t *testing.T) {
	t.Helper()
	for _, f := range w.drift(t, "ie1") {
		t.Errorf("%s/%s %s: %s", f.Service, f.Kind, f.Path, f.Says)
	}
}
