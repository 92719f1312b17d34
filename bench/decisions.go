package main

import (
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// decisions measures what needs no server: a question whose answer is kept, and a new one among 1,000
// policies of the operator's. Both are of the example, with the register that is assumed beside it.
func (b *bench) decisions() error {
	fsys := examples.Communications()
	p, err := programme.Load(fsys)
	if err != nil {
		return err
	}
	const assumed = "assumed.register.yaml"
	src, err := fs.ReadFile(fsys, assumed)
	if err != nil {
		return err
	}
	reg, err := register.Parse(assumed, src)
	if err != nil {
		return err
	}
	policies, err := decision.LoadPolicies(fstest.MapFS{"many.cedar": {Data: manyPolicies(1000)}})
	if err != nil {
		return err
	}
	e := decision.New(p, law.Builtin(), reg, policies)
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) // the register's day
	q := decision.Question{Flow: "message_screening", Tenant: "acme", Service: "messaging", Kind: "message", Subject: decision.Subject{Known: true}}
	q.Categories = e.CategoriesFor(q.Flow, q.Service, q.Kind)
	if d := e.Decide(&q, at); !d.Allowed || d.Form != decision.Clear {
		return fmt.Errorf("the example's flow is denied: %v", d.Denials())
	}
	tenants := make([]string, 40_000)
	for i := range tenants {
		tenants[i] = fmt.Sprint("tenant-", i)
	}
	kept := quickest(40, 50_000, func(int) { e.Decide(&q, at) })
	cold := quickest(40, 1000, func(i int) { // a new customer is a new question
		q.Tenant = tenants[i]
		e.Decide(&q, at)
	})
	b.add(atMost("decision, kept", "-", kept*1000, "ns", 150), atMost("decision, new, among 1,000 policies", "-", cold, "µs", 10))
	return nil
}

// quickest returns the microseconds that a call takes in the best of some rounds: on a busy machine the
// others measure the neighbours. A round is long enough to have collected its garbage.
func quickest(rounds, calls int, call func(i int)) float64 {
	best := time.Duration(1<<63 - 1)
	for r := range rounds {
		begun := time.Now()
		for i := range calls {
			call(r*calls + i)
		}
		best = min(best, time.Since(begun))
	}
	return float64(best.Nanoseconds()) / 1000 / float64(calls)
}

// manyPolicies are n forbids over flows, recipients, categories and regions; one is about the question.
func manyPolicies(n int) []byte {
	var s strings.Builder
	for i := range n - 1 {
		head := []string{`principal, action == Action::"transfer", resource in Flow::"flow-%d"`, `principal == Recipient::"recipient-%d", action == Action::"transfer", resource`,
			`principal, action == Action::"transfer", resource in Category::"category-%d"`, `principal, action == Action::"transfer", resource in Region::"region-%d"`}[i%4]
		fmt.Fprintf(&s, "forbid ("+head+") when { context.form == \"clear\" };\n", i)
	}
	s.WriteString("forbid (principal, action == Action::\"transfer\", resource in Flow::\"message_screening\") when { context.laws.contains(\"nowhere\") };\n")
	return []byte(s.String())
}
