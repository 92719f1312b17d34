package e2e

import (
	"errors"
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

// declaresAll holds that what the published clients send by themselves is declared by the example.
func (w *world) declaresAll(t *testing.T) {
	t.Helper()
	for _, f := range w.drift(t, "ie1") {
		t.Errorf("%s/%s %s: %s", f.Service, f.Kind, f.Path, f.Says)
	}
}
