package decision

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// rank orders answers: denied, aggregated, pseudonymised, clear.
func rank(d *Decision) int {
	if !d.Allowed {
		return 0
	}
	return forms - int(d.Form)
}

// removals are what takes a permission away: each returns a register with one fact less.
func removals(r *register.Register) (out []*register.Register) {
	drop := func(f func(*register.Register)) {
		c := *r
		f(&c)
		out = append(out, &c)
	}
	for _, e := range someEntities { // all of one kind about one entity, without which hardly anything would be felt
		drop(func(r *register.Register) {
			r.Contracts = slices.DeleteFunc(slices.Clone(r.Contracts), func(c register.Contract) bool { return c.With == e && c.Kind != "data_protection" })
		})
		drop(func(r *register.Register) {
			r.Assessments = slices.DeleteFunc(slices.Clone(r.Assessments), func(a register.Assessment) bool { return a.Entity == e && a.Outcome == "proceed" })
		})
		drop(func(r *register.Register) {
			r.Checks = slices.DeleteFunc(slices.Clone(r.Checks), func(c register.Check) bool {
				return c.Entity == e && (c.Status == "active" || c.Status == "recertifying") && (c.Directory == "cbpr" || len(c.Data) == 2)
			})
		})
	}
	for i, c := range r.Checks {
		// A listing of some data only says no for the rest: taking that back is no removal.
		if (c.Status == "active" || c.Status == "recertifying") && (c.Directory == "cbpr" || len(c.Data) == 2) {
			drop(func(r *register.Register) { r.Checks = slices.Delete(slices.Clone(r.Checks), i, i+1) })
		}
	}
	for i := range r.Contracts {
		drop(func(r *register.Register) { r.Contracts = slices.Delete(slices.Clone(r.Contracts), i, i+1) })
	}
	for i, a := range r.Assessments {
		if a.Outcome == "proceed" {
			drop(func(r *register.Register) { r.Assessments = slices.Delete(slices.Clone(r.Assessments), i, i+1) })
		}
	}
	for i := range r.Attestations {
		drop(func(r *register.Register) { r.Attestations = slices.Delete(slices.Clone(r.Attestations), i, i+1) })
	}
	for i := range r.Enablements {
		drop(func(r *register.Register) { r.Enablements = slices.Delete(slices.Clone(r.Enablements), i, i+1) })
	}
	for i := range r.Cases {
		drop(func(r *register.Register) { r.Cases = slices.Delete(slices.Clone(r.Cases), i, i+1) })
	}
	return out
}

func TestTakingAPermissionAwayNeverAllowsMore(t *testing.T) {
	text, less, total := base(t), 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p, reg := randomProgramme(t, text), randomRegister(t)
		e := New(p, builtin(), reg, nil)
		var fewer []func() *Engine
		for _, r := range removals(reg) {
			fewer = append(fewer, func() *Engine { return New(p, builtin(), r, nil) })
		}
		for i := range p.Mechanisms {
			fewer = append(fewer, func() *Engine { return New(p, builtin(), reg, nil, p.Mechanisms[i].ID) })
		}
		for _, l := range builtin().Profiles() {
			for i := range l.Rules {
				if l.Rules[i].Kind != law.Localisation {
					struck, _ := builtin().Without(l.Rules[i].ID)
					fewer = append(fewer, func() *Engine { return New(p, struck, reg, nil) })
				}
			}
		}
		groups := 3 * len(someEntities)
		fewer = append(fewer[:groups:groups], rapid.Permutation(fewer[groups:]).Draw(t, "removals")...)
		var engines []*Engine
		for _, f := range fewer[:min(len(fewer), groups+8)] {
			engines = append(engines, f())
		}
		for range 6 {
			q := randomQuestion(t, e)
			before := e.Decide(&q, today)
			check := func(what string, after *Decision) {
				total++
				if rank(after) < rank(before) {
					less++
				}
				if rank(after) > rank(before) {
					t.Fatalf("%s: %+v\nbefore %v %s\nafter %v %s %+v", what, q, before.Allowed, before.Form, after.Allowed, after.Form, after.Reasons)
				}
			}
			for i, f := range engines {
				check(fmt.Sprintf("removal %d", i), f.Decide(&q, today))
			}
			for i := range q.Subject.Consents {
				c := q
				c.Subject.Consents = slices.Delete(slices.Clone(q.Subject.Consents), i, i+1)
				check("consent", e.Decide(&c, today))
			}
			unknown := q
			unknown.Subject.Known = false
			check("a failed look-up", e.Decide(&unknown, today))
			against := q
			against.Subject.States |= Restricted
			check("a restriction", e.Decide(&against, today))
		}
	})
	if less == 0 {
		t.Errorf("none of %d removals took anything away", total)
	}
}

// randomPolicies draws forbids of many heads; some can't be judged.
func randomPolicies(t *rapid.T) fstest.MapFS {
	var b strings.Builder
	for i := range rapid.IntRange(1, 6).Draw(t, "policies") {
		principal := of(t, "principal", []string{"principal", "principal", `principal == Recipient::"r0"`, `principal in Country::"US"`, `principal in Class::"vendors"`, `principal is Recipient`})
		action := of(t, "action", []string{"action", `action == Action::"transfer"`, `action in [Action::"transfer", Action::"read"]`, `action == Action::"read"`})
		resource := of(t, "resource", []string{"resource", `resource in Flow::"f0"`, `resource in Region::"ie1"`, `resource in Category::"contact_data"`, `resource in Service::"portal"`, `resource in Kind::"portal/visit"`})
		when := of(t, "when", []string{"", `when { context.form == "clear" }`, `when { context.laws.contains("eu") }`, `when { context.subject.states.contains("restricted") }`,
			`unless { resource in Tenant::"acme" }`, `when { context.nothing == 1 }`, `when { context.day > 20000 }`})
		fmt.Fprintf(&b, "@id(\"p%d\")\nforbid (%s, %s, %s) %s;\n", i, principal, action, resource, when)
	}
	return fstest.MapFS{"own.cedar": {Data: []byte(b.String())}}
}

func TestAddingAForbidNeverAllowsMore(t *testing.T) {
	text, less := base(t), 0
	rapid.Check(t, func(t *rapid.T) {
		p, reg := randomProgramme(t, text), randomRegister(t)
		fsys := randomPolicies(t)
		own, err := LoadPolicies(fsys)
		if err != nil {
			t.Fatal(err)
		}
		all, err := cedar.NewPolicySetFromBytes("own.cedar", fsys["own.cedar"].Data)
		if err != nil {
			t.Fatal(err)
		}
		plain, e := New(p, builtin(), reg, nil), New(p, builtin(), reg, own)
		for range 6 {
			q := randomQuestion(t, e)
			before, after := plain.Decide(&q, today), e.Decide(&q, today)
			if rank(after) > rank(before) {
				t.Fatalf("%+v: %s then %s", q, before.Form, after.Form)
			}
			if rank(after) < rank(before) {
				less++
			}
			// The index chooses all that can be about it: without it the same ones forbid.
			if pl := e.plans[q.Flow]; pl != nil {
				f := e.Filled(q)
				s := e.see(programme.DayOf(today))
				w := &world{q: &f, form: f.Most, day: s.Day, facts: s.Facts, laws: lawsOf(p, builtin(), &f)}
				r := ask(p, pl, w, s)
				_, diag := cedar.Authorize(all, &r.entities, r.Request)
				if got, want := len(own.forbids(p, pl, w, s)), forbidding(all, diag); got != want {
					t.Fatalf("%d policies forbid by the index, %d without it: %+v\n%s", got, want, diag, fsys["own.cedar"].Data)
				}
			}
		}
	})
	if less == 0 {
		t.Error("no forbid took anything away")
	}
}

// forbidding counts those that forbid or can't be judged.
func forbidding(_ *cedar.PolicySet, d cedar.Diagnostic) int { return len(d.Reasons) + len(d.Errors) }

func TestOperatorsPolicies(t *testing.T) {
	for name, tt := range map[string]struct{ src, reason string }{
		"a permit":                {`permit (principal, action, resource);`, "policy.permits"},
		"no Cedar":                {`forbid (principal, action`, "policy.faulty"},
		"a flow is no resource":   {`forbid (principal, action, resource == Flow::"home");`, "policy.never"},
		"a recipient mistyped":    {`forbid (principal == Recipent::"dublin", action, resource);`, "policy.never"},
		"a person is no one here": {`forbid (principal is Person, action, resource);`, "policy.never"},
		"a country of data":       {`forbid (principal, action, resource in Country::"US");`, "policy.never"},
		"an action mistyped":      {`forbid (principal, action == Action::"trasnfer", resource);`, "policy.never"},
		"one of two actions":      {`forbid (principal, action in [Action::"transfer", Action::"x"], resource);`, "policy.never"},
		"data in a flow by type":  {`forbid (principal, action, resource is Flow in Flow::"home");`, "policy.never"},
		"an id twice":             {"@id(\"a\")\nforbid (principal, action, resource);\n@id(\"a\")\nforbid (principal, action, resource);", "policy.twice"},
	} {
		_, err := LoadPolicies(fstest.MapFS{"x.cedar": {Data: []byte(tt.src)}})
		if err == nil || !strings.Contains(fmt.Sprintf("%#v", err), tt.reason) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := LoadPolicies(fstest.MapFS{"p.yaml": {Data: []byte("x")}}); p != nil || err != nil {
		t.Errorf("no policies: %v %v", p, err)
	}
	own, err := LoadPolicies(fstest.MapFS{"sub/own.cedar": {Data: []byte("\n@says(\"content stays\")\nforbid (principal, action == Action::\"transfer\", resource in Category::\"device_data\") when { context.form != \"aggregated\" };")}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: []byte(base(t))}})
	if err != nil {
		t.Fatal(err)
	}
	reg := &register.Register{Contracts: []register.Contract{{Kind: "data_protection", With: "Dublin Hosting", Signed: "2025-01-01"}}}
	q := Question{Flow: "home", Service: "messaging", Kind: "message", Categories: "device_data", Subject: Subject{Known: true}}
	d := New(p, builtin(), reg, own).Decide(&q, today)
	if !d.Allowed || d.Form != Aggregated || !strings.Contains(d.Rules, own.Version) {
		t.Errorf("%+v", d)
	}
	if r := d.Denials()[0]; r.Says != "content stays" || r.At != "sub/own.cedar:2" || r.Code != "policy.forbids" || r.Form != "clear" {
		t.Errorf("%+v", r)
	}
}

// Kept answers are the answers.
func TestTheCacheChangesNothing(t *testing.T) {
	text := base(t)
	rapid.Check(t, func(t *rapid.T) {
		p, reg := randomProgramme(t, text), randomRegister(t)
		e, fresh := New(p, builtin(), reg, nil), New(p, builtin(), reg, nil)
		var asked []Question
		for range 12 {
			asked = append(asked, randomQuestion(t, e))
		}
		for _, q := range asked {
			e.Decide(&q, today)
		}
		for _, days := range []int{0, 40, 0} {
			at := today.AddDate(0, 0, days)
			for _, q := range asked {
				if diff := cmp.Diff(e.Decide(&q, at), fresh.judge(fresh.plans[q.Flow], &q, fresh.see(programme.DayOf(at)))); diff != "" {
					t.Fatalf("%+v on %s: -kept +fresh\n%s", q, at, diff)
				}
			}
		}
	})
}

// What somebody makes up is answered and not kept.
func TestQuestionsThatAreMadeUpAreNotKept(t *testing.T) {
	p, err := programme.Load(fstest.MapFS{"p.yaml": {Data: []byte(base(t))}})
	if err != nil {
		t.Fatal(err)
	}
	e := New(p, builtin(), &register.Register{}, nil)
	usual := Question{Flow: "home", Service: "messaging", Kind: "message", Categories: "device_data", Subject: Subject{Known: true}}
	for name, change := range map[string]func(*Question){
		"a recipient": func(q *Question) { q.Recipient = strings.Repeat("x", 10) },
		"a case":      func(q *Question) { q.Case = "c" },
		"a long kind": func(q *Question) { q.Kind = strings.Repeat("x", mostKept) },
	} {
		q := usual
		change(&q)
		if d := e.Decide(&q, today); d == nil || len(e.cached) != 0 {
			t.Errorf("%s: %d answers are kept", name, len(e.cached))
		}
	}
	if e.Decide(&usual, today); len(e.cached) != 1 {
		t.Errorf("of a usual question %d answers are kept", len(e.cached))
	}
}
