package decision_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
)

// changed is the base programme with a text exchanged in it.
func changed(t *testing.T, old, new string) *programme.Programme {
	t.Helper()
	src, err := os.ReadFile("testdata/base/programme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(src), old) {
		t.Fatalf("the programme doesn't say %s", old)
	}
	p, err := programme.Load(fstest.MapFS{"programme.yaml": {Data: []byte(strings.Replace(string(src), old, new, 1))}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlan(t *testing.T) {
	reg := registered(t, listed, clauses, assessed)
	struck, _ := law.Builtin().Without("eu-us-dpf")
	old := decision.New(load(t), law.Builtin(), reg, nil)
	none, _ := law.Builtin().Without("eu-anonymous")
	for _, tt := range []struct {
		name     string
		old, new *decision.Engine
		flow     string
		want     string
		was, is  string
		part     string // of what is lost or gained
	}{
		{"nothing changes", old, decision.New(load(t), law.Builtin(), reg, nil), "tickets", decision.Unchanged, "clear", "clear", ""},
		{"the fallback carries", old, decision.New(load(t), struck, reg, nil), "tickets", decision.Rests, "clear", "clear", ""},
		{"nothing carries any more", old, decision.New(load(t), none, registered(t), nil), "tickets", decision.Stops, "clear", "denied", "messaging/message"},
		{"a flow is taken out", old, decision.New(changed(t, "  - {id: home, from", "  - {id: moved, from"), law.Builtin(), reg, nil), "home", decision.Stops, "clear", "undeclared", ""},
		{"one is declared", old, decision.New(changed(t, "  - {id: home, from", "  - {id: moved, from"), law.Builtin(), reg, nil), "moved", decision.Starts, "undeclared", "clear", ""},
		{"against nothing all start", nil, old, "home", decision.Starts, "undeclared", "clear", ""},
		{"less form", old, decision.New(changed(t, "to: dublin, form: clear}", "to: dublin, form: pseudonymised}"), law.Builtin(), reg, nil), "home", decision.Narrows, "clear", "pseudonymised", "messaging/message"},
		{"less categories", old, decision.New(changed(t, "categories: [contact_data, device_data], purpose: support, to: helpdesk", "categories: [device_data], purpose: support, to: helpdesk"), law.Builtin(), reg, nil), "tickets", decision.Narrows, "clear", "clear", "contact_data"},
		{"less kinds", old, decision.New(changed(t, "kinds: [message, receipt], categories", "kinds: [message], categories"), law.Builtin(), reg, nil), "tickets", decision.Narrows, "clear", "clear", "messaging/receipt"},
		{"more categories", old, decision.New(changed(t, "categories: [contact_data, device_data], purpose: support, to: helpdesk", "categories: [contact_data, content, device_data], purpose: support, to: helpdesk"), law.Builtin(), reg, nil), "tickets", decision.Widens, "clear", "clear", "content"},
		{"another place", old, decision.New(changed(t, "name: Dublin Hosting, class: vendors, roles: [processor], locations: [IE]", "name: Dublin Hosting, class: vendors, roles: [processor], locations: [IE, SG]"), law.Builtin(), reg, nil), "home", decision.Narrows, "clear", "aggregated", "messaging/message"},
		{"customers' choices are not the flow's", old, decision.New(changed(t, "customer_enabled: true, ", ""), law.Builtin(), reg, nil), "shared", decision.Unchanged, "aggregated", "aggregated", ""},
		{"nor is consent", old, decision.New(load(t), law.Builtin(), reg, nil), "counted", decision.Unchanged, "clear", "clear", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changes := decision.Plan(tt.old, tt.new, now)
			i := slices.IndexFunc(changes, func(c decision.Change) bool { return c.Flow == tt.flow })
			if i < 0 {
				t.Fatalf("no word about %s", tt.flow)
			}
			c := changes[i]
			if c.What != tt.want || c.Was != tt.was || c.Is != tt.is {
				t.Errorf("%s from %s to %s, want %s from %s to %s", c.What, c.Was, c.Is, tt.want, tt.was, tt.is)
			}
			if tt.part != "" && !slices.Contains(append(c.Lost, c.Gained...), tt.part) {
				t.Errorf("lost %v, gained %v, want %s among them", c.Lost, c.Gained, tt.part)
			}
			if (c.What == decision.Stops) && len(c.Reasons) == 0 {
				t.Error("it stops without a reason")
			}
		})
	}
	worst := decision.Plan(old, decision.New(load(t), none, registered(t), nil), now)
	if worst[0].What != decision.Stops || worst[len(worst)-1].What != decision.Unchanged {
		t.Errorf("not the worst first: %s … %s", worst[0].What, worst[len(worst)-1].What)
	}
}

// A plan of the same on another day names what lapses until then.
func TestPlanSinceSaysWhatLapses(t *testing.T) {
	e := decision.New(load(t), law.Builtin(), registered(t, listed), nil)
	for _, tt := range []struct {
		day  string
		want string
	}{{"2026-12-21", decision.Unchanged}, {"2026-12-22", decision.Narrows}} { // a look-up is good for 31 days
		changes := decision.PlanSince(e, now, e, programme.Date(tt.day).Time())
		i := slices.IndexFunc(changes, func(c decision.Change) bool { return c.Flow == "tickets" })
		if i < 0 || changes[i].What != tt.want {
			t.Errorf("%s: %+v, want %s", tt.day, changes, tt.want)
		}
	}
}

func TestFlowsThatNeedMoreThanAggregatesHalt(t *testing.T) {
	p := changed(t, "to: helpdesk, form: clear}", "to: helpdesk, form: clear, at_least: pseudonymised}")
	d := decision.Decide(p, law.Builtin(), registered(t), ask("tickets"), now)
	if d.Allowed || !d.HaltsFlow() {
		t.Errorf("%v %s", d.Allowed, d.Form)
	}
	q := ask("tickets")
	q.Most = decision.Aggregated
	if d = decision.Decide(p, law.Builtin(), registered(t, listed), q, now); d.Allowed || !d.Has("form.of_no_use") {
		t.Errorf("%+v", d)
	}
}

func TestSuite(t *testing.T) {
	src := `format: domicile.cases/v1
at: 2026-11-25
cases:
  - {name: right, ask: {flow: home, kind: message}, want: clear}
  - {name: wrong form, ask: {flow: home, kind: message}, want: denied}
  - {name: wrong mechanism, ask: {flow: tickets, kind: message}, want: clear, mechanism: scc}
  - {name: wrong fallback, ask: {flow: tickets, kind: message}, want: clear, fallback: bcr}
  - {name: wrong code, ask: {flow: home, kind: message}, want: clear, codes: [x]}
  - {name: another day, at: 2024-01-01, ask: {flow: home, kind: message}, want: denied, codes: [contract.missing]}
  - {name: struck, without: [dpf], ask: {flow: tickets, kind: message}, want: clear, mechanism: scc}
  - {name: the EU is its countries, ask: {flow: western, kind: message, origins: [EU]}, want: clear, mechanism: dpf}
  - {name: unknown, ask: {flow: home, kind: message, unknown: true}, want: denied}
`
	s, err := decision.ParseSuite("x.test.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	results, err := s.Run(func(without []string) (*decision.Engine, error) {
		return decision.New(load(t), law.Builtin(), registered(t, listed, clauses, assessed), nil, without...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	for _, r := range results {
		if r.Wrong != "" {
			wrong = append(wrong, r.Name)
		}
	}
	if !slices.Equal(wrong, []string{"wrong form", "wrong mechanism", "wrong fallback", "wrong code"}) {
		t.Errorf("wrong: %v\n%+v", wrong, results)
	}
	if results[1].At != "x.test.yaml:5" {
		t.Errorf("at %s", results[1].At)
	}
	for name, src := range map[string]string{"an unknown answer": "want: maybe", "no answer": "codes: [a]", "an unknown key": "want: clear, colour: red"} {
		if _, err := decision.ParseSuite("x", []byte("format: domicile.cases/v1\nat: 2026-11-25\ncases:\n  - {name: a, ask: {flow: f, kind: k}, "+src+"}\n")); err == nil {
			t.Errorf("%s: no fault", name)
		}
	}
}

// Whatever somebody writes into the files beside a programme: no panic, and nothing from a bad one.
func FuzzBeside(f *testing.F) {
	f.Add([]byte("format: domicile.cases/v1\nat: 2026-11-25\ncases:\n  - {name: a, ask: {flow: home, kind: message}, want: clear}\n"))
	f.Add([]byte(`@id("a") forbid (principal, action == Action::"transfer", resource in Flow::"home") when { context.x has "y" };`))
	f.Add([]byte(`permit (principal, action, resource);`))
	p := load(f)
	reg := registered(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := decision.ParseSuite("f", src)
		if (s == nil) == (err == nil) {
			t.Fatalf("cases: %v and %v", s, err)
		}
		own, err := decision.LoadPolicies(fstest.MapFS{"f.cedar": {Data: src}})
		if err != nil {
			if own != nil {
				t.Fatal("policies from a bad file")
			}
			return
		}
		q := ask("home")
		before, after := decision.Decide(p, law.Builtin(), reg, q, now), decision.New(p, law.Builtin(), reg, own).Decide(&q, now)
		if after.Allowed && after.Form < before.Form {
			t.Fatalf("a policy allowed more:\n%s", src)
		}
	})
}
