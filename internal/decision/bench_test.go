package decision

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// manyPolicies are n forbids over flows, regions, categories and recipients; none is about device data
// of the flow that the benchmarks ask about, except one.
func manyPolicies(tb testing.TB, n int) *Policies {
	tb.Helper()
	var b strings.Builder
	for i := range n {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "forbid (principal, action == Action::\"transfer\", resource in Flow::\"flow-%d\") when { context.form == \"clear\" };\n", i)
		case 1:
			fmt.Fprintf(&b, "forbid (principal == Recipient::\"recipient-%d\", action == Action::\"transfer\", resource);\n", i)
		case 2:
			fmt.Fprintf(&b, "forbid (principal, action == Action::\"transfer\", resource in Category::\"category-%d\") unless { context.laws.contains(\"eu\") };\n", i)
		case 3:
			fmt.Fprintf(&b, "forbid (principal, action == Action::\"transfer\", resource in Region::\"region-%d\");\n", i)
		}
	}
	b.WriteString("forbid (principal, action == Action::\"transfer\", resource in Flow::\"tickets\") when { resource in Tenant::\"nobody\" && context.form == \"clear\" };\n")
	p, err := LoadPolicies(fstest.MapFS{"many.cedar": {Data: []byte(b.String())}})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func benchEngine(tb testing.TB, policies *Policies) (*Engine, Question) {
	tb.Helper()
	p, err := programme.Load(os.DirFS("testdata/base"))
	if err != nil {
		tb.Fatal(err)
	}
	src, err := os.ReadFile("testdata/base/base.register.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	src = append(src, "checks: [{directory: dpf, entity: Helpdesk Inc, row: eu-us, status: active, data: [non_hr], checked: 2026-11-20}]\n"...)
	reg, err := register.Parse("r.register.yaml", src)
	if err != nil {
		tb.Fatal(err)
	}
	q := Question{Flow: "tickets", Tenant: "acme", Service: "messaging", Kind: "message", Categories: NewSet("contact_data", "device_data"), Subject: Subject{Known: true, Consents: Consented("a", "b")}}
	e := New(p, builtin(), reg, policies)
	if d := e.Decide(&q, today); !d.Allowed || d.Form != Clear {
		tb.Fatalf("%+v", d)
	}
	return e, q
}

// cpu reports the processor time of an operation, which other work on the machine changes less than
// the time on the clock.
func cpu(b *testing.B, f func()) {
	spent := func() int64 {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for a bad argument only
		return u.Utime.Nano() + u.Stime.Nano()
	}
	b.ReportAllocs()
	n, begun := 0, spent()
	for b.Loop() {
		f()
		n++
	}
	b.ReportMetric(float64(spent()-begun)/float64(n), "cpu-ns/op")
}

// A kept answer: at most 150 ns, no allocation.
func BenchmarkCached(b *testing.B) {
	e, q := benchEngine(b, manyPolicies(b, 1000))
	cpu(b, func() { e.Decide(&q, today) })
}

// A new question with 1,000 policies of the operator's: at most 10 µs.
func BenchmarkCold(b *testing.B) {
	e, q := benchEngine(b, manyPolicies(b, 1000))
	s, pl := e.see(programme.DayOf(today)), e.plans["tickets"]
	cpu(b, func() { e.judge(pl, &q, s) })
}

func TestAKeptAnswerDoesNotAllocate(t *testing.T) {
	e, q := benchEngine(t, manyPolicies(t, 100))
	for _, brings := range []Set{"", "DE=residence,US=phone_country"} {
		q.Subject.Origins = brings
		if n := testing.AllocsPerRun(100, func() { e.Decide(&q, today) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// The same without policies: what the Go path alone costs.
func BenchmarkColdWithoutPolicies(b *testing.B) {
	e, q := benchEngine(b, nil)
	s, pl := e.see(programme.DayOf(today)), e.plans["tickets"]
	cpu(b, func() { e.judge(pl, &q, s) })
}
