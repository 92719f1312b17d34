package decision

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"domicile.dev/internal/programme"
)

// policySet parses what Compile prints, by the ids in it.
func policySet(t interface{ Fatalf(string, ...any) }, p *programme.Programme) *cedar.PolicySet {
	text := Compile(p, builtin())
	list, err := cedar.NewPolicyListFromBytes("compiled.cedar", []byte(text))
	if err != nil {
		t.Fatalf("what is compiled is no Cedar: %v\n%s", err, text)
	}
	set := cedar.NewPolicySet()
	for _, x := range list {
		if id := cedar.PolicyID(x.Annotations()["id"]); id == "" || !set.Add(id, x) {
			t.Fatalf("the id %q is empty or given twice", id)
		}
	}
	return set
}

// byCedar climbs down the ladder with Cedar alone. denied are the policies that forbid in the first form.
func byCedar(t interface{ Fatalf(string, ...any) }, e *Engine, set *cedar.PolicySet, asked Question) (allowed bool, form Form, denied []string) {
	q, pl := asked, e.plans[asked.Flow]
	if pl != nil {
		fill(&q, pl)
	}
	s := e.see(programme.DayOf(today))
	s.forCedar()
	w := &world{q: &q, day: s.Day, facts: s.Facts, laws: lawsOf(e.p, e.book, &q)}
	if pl != nil {
		w.consents, w.unmet = pl.consent(&q.Subject)
	}
	for f := q.Most; f < forms; f++ {
		w.form = f
		r := ask(e.p, pl, w, s)
		answer, diag := cedar.Authorize(set, &r.entities, r.Request)
		if len(diag.Errors) > 0 {
			t.Fatalf("a compiled policy can't be judged: %+v", diag.Errors)
		}
		if answer == cedar.Allow {
			return true, f, denied
		}
		if f == q.Most {
			for _, x := range diag.Reasons {
				denied = append(denied, string(x.PolicyID))
			}
		}
	}
	return false, None, denied
}

// The Go path and the compiled Cedar say the same: whether, in which form, and which policies deny.
func TestGoAndCedarAgree(t *testing.T) {
	text := base(t)
	outcomes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := randomProgramme(t, text)
		e := New(p, builtin(), randomRegister(t), nil)
		set := policySet(t, p)
		for range 8 {
			q := randomQuestion(t, e)
			d := e.Decide(&q, today)
			allowed, form, denied := byCedar(t, e, set, q)
			if d.Allowed != allowed || d.Form != form && e.plans[q.Flow] != nil {
				t.Fatalf("%+v\nGo: %v %s\nCedar: %v %s %v\n%+v", q, d.Allowed, d.Form, allowed, form, denied, d.Reasons)
			}
			if d.Allowed {
				outcomes[d.Form.String()]++
			} else {
				outcomes["denied"]++
			}
			if e.plans[q.Flow] == nil {
				continue
			}
			first := e.Filled(q).Most.String()
			found := map[string]bool{}
			for _, r := range d.Denials() {
				if r.Form == "" || r.Form == first {
					found[r.Policy] = true
				}
			}
			goDenied := slices.Sorted(maps.Keys(found))
			if basic := slices.ContainsFunc(d.Denials(), func(r Reason) bool { return r.Form == "" }); basic {
				// What holds in every form denied: Go doesn't climb, and Cedar says what else would have.
				denied = slices.DeleteFunc(denied, func(id string) bool { return !found[id] })
			}
			slices.Sort(denied)
			if diff := cmp.Diff(goDenied, denied); diff != "" && len(goDenied)+len(denied) > 0 {
				t.Fatalf("%+v\npolicies that deny in %s, -Go +Cedar:\n%s", q, first, diff)
			}
		}
	})
	for _, o := range []string{"clear", "pseudonymised", "aggregated", "denied"} {
		if outcomes[o] == 0 {
			t.Errorf("no question came out %s: %v", o, outcomes)
		}
	}
}

// The base programme agrees, too, and its policies read as they are documented.
func TestTheCompiledPoliciesRead(t *testing.T) {
	p, err := programme.Load(os.DirFS("testdata/base"))
	if err != nil {
		t.Fatal(err)
	}
	policySet(t, p)
	text := Compile(p, builtin(), "tickets")
	for _, want := range []string{
		`permit (principal == Recipient::"helpdesk", action == Action::"transfer", resource in Flow::"tickets");`,
		`@code("category.unclassified")`, `!context.categories.contains("unclassified")`, "// dpf: eu-us-dpf, mark S",
		`context.facts has "dpf/eu-us/non_hr/Helpdesk Inc"`, "context.day - ", `when { context.laws.contains("gb") }`, `@at("programme.yaml:59")`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the policies don't say %s\n%s", want, text[:2000])
		}
	}
	if strings.Contains(text, `Flow::"visits"`) {
		t.Error("asked for one flow, printed another")
	}
}
