package form

import (
	"io/fs"
	"syscall"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
	"domicile.dev/internal/law"
	"domicile.dev/internal/register"
)

// benchDay is one on which the example's assumed register allows something.
var benchDay = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// benchEngine decides on the example programme with its assumed register, under the built-in laws.
func benchEngine(tb testing.TB) *decision.Engine {
	tb.Helper()
	src, err := fs.ReadFile(examples.Communications(), "assumed.register.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	reg, err := register.Parse("assumed.register.yaml", src)
	if err != nil {
		tb.Fatal(err)
	}
	return decision.New(communications(tb), law.Builtin(), reg, nil)
}

// aPass decides on each record, shapes it, and returns how many bytes would leave.
func aPass(tb testing.TB, e *decision.Engine, s *Shaper, q *decision.Question, records []*Record, buf []byte) int {
	buf = buf[:0]
	for _, r := range records {
		d := e.Decide(q, benchDay)
		var err error
		if buf, err = s.Shape(buf, r, d); err != nil {
			tb.Fatal(err)
		}
	}
	return len(buf)
}

func benchShape(b *testing.B, flow string, keep []string, q decision.Question, want decision.Form) {
	records, e := benchRecords(b, 1000), benchEngine(b)
	for _, r := range records {
		parts := r.Parts[:0]
		for _, p := range r.Parts {
			for _, c := range keep {
				if p.Category == c {
					parts = append(parts, p)
				}
			}
		}
		r.Parts = parts
	}
	p := communications(b)
	f := *flowOf(b, p, flow)
	f.Form = want.String()
	s, err := New(p, &f, testKeys)
	if err != nil {
		b.Fatal(err)
	}
	if d := e.Decide(&q, benchDay); !d.Allowed {
		b.Fatalf("%+v", d.Denials())
	}
	if want == decision.Clear { // the example has no clear flow of events: what shaping costs, on one decision
		d := allow(p, flow, decision.Clear)
		buf := make([]byte, 0, 1<<20)
		report(b, len(records), func() {
			buf = buf[:0]
			for _, r := range records {
				if buf, err = s.Shape(buf, r, d); err != nil {
					b.Fatal(err)
				}
			}
		})
		return
	}
	buf := make([]byte, 0, 1<<20)
	report(b, len(records), func() { aPass(b, e, s, &q, records, buf) })
}

// report gives records a second of processor time, which other work on the machine changes less than the
// time on the clock.
func report(b *testing.B, records int, pass func()) {
	spent := func() int64 {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for a bad argument only
		return u.Utime.Nano() + u.Stime.Nano()
	}
	b.ReportAllocs()
	n, begun := 0, spent()
	for b.Loop() {
		pass()
		n += records
	}
	cpu := float64(spent()-begun) / float64(n)
	b.ReportMetric(cpu, "cpu-ns/record")
	b.ReportMetric(1e9/cpu, "records/cpu-s")
}

var analytics = decision.Question{Flow: "event_analytics", Tenant: "acme", Service: "cdp", Kind: "track", Categories: decision.NewSet("device_data", "online_activity_data"),
	Subject: decision.Subject{Known: true, Consents: decision.Consented("personalization_optimization")}}

// Decide, pseudonymise and encode events of 592 bytes: at most 10 µs a record, which is 100,000 a second.
func BenchmarkPseudonymised(b *testing.B) {
	benchShape(b, "event_analytics", []string{"device_data", "online_activity_data"}, analytics, decision.Pseudonymised)
}

func BenchmarkClear(b *testing.B) {
	benchShape(b, "event_analytics", []string{"device_data", "online_activity_data"}, analytics, decision.Clear)
}

// Counting a call by country.
func BenchmarkWindow(b *testing.B) {
	d := allow(communications(b), "call_counts", decision.Aggregated)
	var records []*Record
	var people [][]id.Subject
	for n := range 1000 {
		s := id.Subject{0: byte(n), 1: byte(n >> 8)}
		c := counted{kind: "call", to: []string{"IE", "US", "GB", "FR"}[n%4], people: []id.Subject{s}}
		records, people = append(records, c.record()), append(people, c.people)
	}
	report(b, len(records), func() {
		w := window(b, 20)
		for i, r := range records {
			if err := w.Add(r, people[i], d); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestShapingHardlyAllocates(t *testing.T) {
	records, e := benchRecords(t, 50), benchEngine(t)
	s, buf := shaper(t, communications(t), "event_analytics"), make([]byte, 0, 1<<20)
	if n := testing.AllocsPerRun(20, func() { aPass(t, e, s, &analytics, records, buf) }) / 50; n > 6 {
		t.Errorf("%.1f allocations a record", n)
	}
}
