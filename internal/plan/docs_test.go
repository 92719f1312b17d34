package plan_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/plan"
	"domicile.dev/internal/programme"
	"github.com/google/go-cmp/cmp"
)

// TestTheDocumentedPlan: docs/tracking-plans.md shows the plan of the example, and what it says of it
// is so.
func TestTheDocumentedPlan(t *testing.T) {
	page, err := os.ReadFile("../../docs/tracking-plans.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```yaml\n")
	shown, _, _ := strings.Cut(after, "```")
	file, err := fs.ReadFile(examples.Communications(), "plans.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, declared, _ := strings.Cut(string(file), "\n\n"); declared != shown {
		t.Error(cmp.Diff(declared, shown))
	}
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	base := ingesttest.Env(t).Kinds
	set, err := plan.Compile(p, base)
	if err != nil {
		t.Fatal(err)
	}
	if set.Kinds(plan.Source{Tenant: "acme", Name: "segment", Adapter: "segment", Service: "cdp"}).Kind("cdp", "track") != base.Kind("cdp", "track") {
		t.Error("the example's plan is for every source")
	}
	k := set.Kinds(plan.Source{Tenant: "acme", Name: "web-shop", Adapter: "segment", Service: "cdp"})
	got := outcomeOf(t, decode(t, k, "/v1/track", `{"userId":"u1","messageId":"m1","event":"Order Completed","properties":{"order_id":"o1","phone":"+353 1 555 0100"}}`))
	want := outcome{Unclassified: `{"properties":{"phone":"+353 1 555 0100"}}`, Other: `{"event":"Order Completed","properties":{"order_id":"o1"}}`,
		Found: []string{"unplanned_property Order Completed properties.phone unclassified phone_number contact_data/phone_number"}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("-got +want\n%s", diff)
	}
}

// FuzzSurvey: no sample makes it panic, and what it suggests is of a path that it names.
func FuzzSurvey(f *testing.F) {
	for _, seed := range []string{`{"a":{"b":[{"email":"x@example.com"},[1]]},"context":{"lat":1.234}}`, `{"":""}`, `[]`, `{"a":1e9999}`, `{"\ud800":null}`} {
		f.Add([]byte(seed))
	}
	p := load(f, "")
	f.Fuzz(func(t *testing.T, sample []byte) {
		all, err := plan.Survey(p, "cdp", "track", sample)
		if err != nil && all != nil {
			t.Errorf("%v and %v", all, err)
		}
		for _, s := range all {
			if s.Form == "" || s.Suggest.Category != "" && s.Looks == "" {
				t.Errorf("%+v", s)
			}
		}
	})
}
