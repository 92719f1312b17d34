package form

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
)

// counted is one record as the tests know it.
type counted struct {
	kind, to string
	people   []id.Subject
}

// countries has numbers of each; "" has none.
var countries = map[string]string{"IE": "+353851234567", "US": "+12125550123", "GB": "+442079460958", "FR": "+33612345678", "": "no number"}

func (c *counted) record() *Record {
	r := record("voice", c.kind)
	of := id.Nobody
	if len(c.people) > 0 {
		of = c.people[0]
	}
	r.Parts = []Part{part("electronic_communications_metadata", of, `{"to":"`+countries[c.to]+`"}`)}
	return r
}

// counts is the example's flow of call counts with another minimum.
func counts(t testing.TB, least int) (*programme.Programme, *programme.Flow) {
	p := communications(t)
	f := *flowOf(t, p, "call_counts")
	f.MinGroup = least
	return p, &f
}

func window(t testing.TB, least int) *Window {
	p, f := counts(t, least)
	from, until := WindowAt(f, received)
	return NewWindow(p, f, from, until)
}

type published struct {
	Window        struct{ From, Until time.Time }
	Service, Kind string
	By            map[string]*string
	Records       int
	People        *int
}

func give(t rapid.TB, w *Window, head func(id.Subject) (id.Subject, bool)) (text string, lines []published) {
	t.Helper()
	out, n, err := w.Lines(nil, head)
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(out)) {
		var x published
		if err := json.Unmarshal([]byte(l), &x); err != nil {
			t.Fatalf("%v in %s", err, l)
		}
		lines = append(lines, x)
	}
	if len(lines) != n {
		t.Fatalf("%d lines, not %d", len(lines), n)
	}
	return string(out), lines
}

func TestAWindowCounts(t *testing.T) {
	w, d := window(t, 3), allow(communications(t), "call_counts", decision.Aggregated)
	add := func(kind, to string, people ...byte) {
		t.Helper()
		c := counted{kind: kind, to: to}
		for _, n := range people {
			c.people = append(c.people, subject(n))
		}
		if err := w.Add(c.record(), c.people, d); err != nil {
			t.Fatal(err)
		}
	}
	for n := range byte(3) {
		add("call", "IE", n)
		add("call", "IE", n)
		add("call", "FR", 10+n)
		add("call", "US", 20, 20, 21+n)
		add("call.status", "IE", n)
	}
	add("call", "GB", 1)
	add("call", "", 2)
	add("call.status", "GB", 0)
	got, _ := give(t, w, nil)
	head := `{"window":{"from":"2026-11-22T00:00:00Z","until":"2026-11-23T00:00:00Z"},"service":"voice",`
	// Of call: GB and none are about one each, so FR goes with them. Of call.status: IE would tell of GB.
	want := head + `"kind":"call","records":14}` + "\n" +
		head + `"kind":"call","by":{"country":"IE"},"records":6,"people":3}` + "\n" +
		head + `"kind":"call","by":{"country":"US"},"records":3,"people":4}` + "\n" +
		head + `"kind":"call.status","records":4,"people":3}` + "\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if _, _, err := w.Lines(nil, nil); fault.ReasonOf(err) != "form.window_given" {
		t.Errorf("its lines were given twice: %v", err)
	}
	if err := w.Add(record("voice", "call"), nil, d); fault.ReasonOf(err) != "form.window_given" {
		t.Errorf("it counts on: %v", err)
	}
}

func TestADecisionsMinimumCounts(t *testing.T) {
	w := window(t, 2)
	for n := range byte(5) {
		c := counted{kind: "call", to: "IE", people: []id.Subject{subject(n)}}
		least := 0
		if n == 1 {
			least = 6
		}
		if err := w.Add(c.record(), c.people, allow(communications(t), "call_counts", decision.Aggregated, decision.Obligation{Do: "aggregate", Least: least})); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := give(t, w, nil); got != "" {
		t.Errorf("five people, and a decision wanted six: %s", got)
	}
}

func TestDroppedCategoriesSplitNothing(t *testing.T) {
	w := window(t, 2)
	d := allow(communications(t), "call_counts", decision.Aggregated, decision.Obligation{Do: "drop", What: []string{"electronic_communications_metadata"}})
	for n := range byte(4) {
		c := counted{kind: "call", to: []string{"IE", "US"}[n%2], people: []id.Subject{subject(n)}}
		if err := w.Add(c.record(), c.people, d); err != nil {
			t.Fatal(err)
		}
	}
	if got, lines := give(t, w, nil); len(lines) != 2 || strings.Contains(got, "IE") || lines[1].By["country"] != nil {
		t.Errorf("got %s", got)
	}
}

func TestAWindowRefuses(t *testing.T) {
	p := communications(t)
	good := allow(p, "call_counts", decision.Aggregated)
	for _, c := range []struct {
		want string
		r    *Record
		d    *decision.Decision
	}{
		{"form.denied", record("voice", "call"), &decision.Decision{Flow: "call_counts", Programme: p.Hash}},
		{"form.other_flow", record("voice", "call"), allow(p, "event_analytics", decision.Aggregated)},
		{"form.window_other", &Record{ReceivedAt: received.Add(24 * time.Hour)}, good},
		{"form.window_other", &Record{ReceivedAt: received.Truncate(24 * time.Hour).Add(-1)}, good},
		{"form.unreadable", record("voice", "call", part("electronic_communications_metadata", id.Nobody, `[`)), good},
	} {
		w := window(t, 2)
		if err := w.Add(c.r, nil, c.d); fault.ReasonOf(err) != c.want {
			t.Errorf("got %v, not %s", err, c.want)
		}
		if got, _ := give(t, w, nil); got != "" {
			t.Errorf("%s, and it was counted: %s", c.want, got)
		}
	}
}

func TestAWindowThatIsFullGivesNothing(t *testing.T) {
	w, d := window(t, 2), allow(communications(t), "call_counts", decision.Aggregated)
	w.most = 40
	var err error
	for n := byte(0); err == nil && n < 100; n++ {
		c := counted{kind: "call", to: "IE", people: []id.Subject{subject(n), subject(n + 1)}}
		err = w.Add(c.record(), c.people, d)
	}
	if fault.ReasonOf(err) != "form.window_full" {
		t.Fatalf("got %v", err)
	}
	if w.groups != nil {
		t.Error("it keeps what it doesn't give")
	}
	if _, _, err := w.Lines(nil, nil); fault.ReasonOf(err) != "form.window_full" {
		t.Errorf("got %v", err)
	}
	if err := w.Add(record("voice", "call"), nil, d); fault.ReasonOf(err) != "form.window_full" {
		t.Errorf("got %v", err)
	}
}

// Also numbers that are about nobody take room.
func TestCellsWithoutPeopleTakeRoom(t *testing.T) {
	w, d := window(t, 2), allow(communications(t), "call_counts", decision.Aggregated)
	w.most = 3
	var errs []string
	for _, to := range []string{"IE", "US", "GB"} {
		c := counted{kind: "call", to: to}
		errs = append(errs, fault.ReasonOf(w.Add(c.record(), nil, d)))
	}
	if !slices.Equal(errs, []string{"", "", "form.window_full"}) {
		t.Errorf("got %q", errs)
	}
}

// TestNoNumberIsAboutTooFew draws records, erasures and merges, and holds what is published against what
// is known of the records: nothing that is published, and nothing that a recipient can subtract from
// something else, is about fewer people than the minimum, and every number is right.
func TestNoNumberIsAboutTooFew(t *testing.T) {
	d := allow(communications(t), "call_counts", decision.Aggregated)
	sent := 0
	rapid.Check(t, func(t *rapid.T) {
		least := rapid.IntRange(2, 5).Draw(t, "least")
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) counted {
			c := counted{kind: rapid.SampledFrom([]string{"call", "call.status"}).Draw(t, "kind"),
				to: rapid.SampledFrom([]string{"IE", "IE", "US", "US", "GB", "FR", ""}).Draw(t, "to")}
			for range rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3}).Draw(t, "how many") {
				c.people = append(c.people, subject(rapid.ByteRange(1, 16).Draw(t, "who")))
			}
			return c
		}), 20, 120).Draw(t, "records")
		gone := rapid.SliceOfN(rapid.ByteRange(1, 16), 0, 4).Draw(t, "gone")
		merged := rapid.SliceOfN(rapid.ByteRange(1, 16), 0, 4).Draw(t, "merged into 1")
		head := func(s id.Subject) (id.Subject, bool) {
			switch {
			case slices.Contains(gone, s[11]):
				return s, false
			case slices.Contains(merged, s[11]):
				return subject(1), !slices.Contains(gone, 1)
			}
			return s, true
		}
		w, again := windowOf(t, least, all, d, 0), windowOf(t, least, all, d, rapid.Uint64().Draw(t, "order"))
		text, lines := give(t, w, head)
		if other, _ := give(t, again, head); other != text {
			t.Fatalf("in another order\n%s\nnot\n%s", other, text)
		}
		sent += len(lines)
		for _, kind := range []string{"call", "call.status"} {
			holdAgainst(t, kind, known(all, kind, head), lines, least)
		}
	})
	if sent < 100 {
		t.Errorf("only %d lines were sent: nothing was tested", sent)
	}
}

func windowOf(t rapid.TB, least int, all []counted, d *decision.Decision, seed uint64) *Window {
	p := loaded
	f := p.Flows[slices.IndexFunc(p.Flows, func(f programme.Flow) bool { return f.ID == "call_counts" })]
	f.MinGroup = least
	from, until := WindowAt(&f, received)
	w := NewWindow(p, &f, from, until)
	order := rand.New(rand.NewPCG(seed, 1)).Perm(len(all))
	for i := range all {
		if seed != 0 {
			i = order[i]
		}
		if err := w.Add(all[i].record(), all[i].people, d); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// fact is a record after erasures and merges.
type fact struct {
	to     string
	people map[id.Subject]bool
}

func known(all []counted, kind string, head func(id.Subject) (id.Subject, bool)) (out []fact) {
	for _, c := range all {
		if c.kind != kind {
			continue
		}
		x := fact{c.to, map[id.Subject]bool{}}
		for _, s := range c.people {
			if h, ok := head(s); ok {
				x.people[h] = true
			}
		}
		if len(c.people) == 0 || len(x.people) > 0 {
			out = append(out, x)
		}
	}
	return out
}

// about counts the records that are in, and the people they are about.
func about(facts []fact, in func(to string) bool) (records, people int) {
	all := map[id.Subject]bool{}
	for _, x := range facts {
		if in(x.to) {
			records++
			maps.Copy(all, x.people)
		}
	}
	return records, len(all)
}

func holdAgainst(t *rapid.T, kind string, facts []fact, lines []published, least int) {
	var sum *published
	var shown []string
	for i := range lines {
		l := &lines[i]
		if l.Kind != kind {
			continue
		}
		in := func(string) bool { return true }
		if l.By == nil {
			sum = l
		} else {
			name := ""
			if v := l.By["country"]; v != nil {
				name = *v
			}
			shown = append(shown, name)
			in = func(to string) bool { return to == name }
		}
		records, people := about(facts, in)
		if people < least || l.Records != records || l.People != nil && *l.People != people {
			t.Fatalf("%s %v says %d records and %v people; it is %d and %d, and %d is the minimum", kind, shown, l.Records, l.People, records, people, least)
		}
	}
	if sum == nil {
		if _, people := about(facts, func(string) bool { return true }); people >= least || len(shown) > 0 {
			t.Fatalf("%s has no sum, %d people and cells %q", kind, people, shown)
		}
		return
	}
	if (sum.People == nil) != (len(shown) > 0) {
		t.Fatalf("%s: cells %q beside a sum of people %v", kind, shown, sum.People)
	}
	for subset := range 1 << len(shown) { // the sum less these cells
		out := map[string]bool{}
		for i, to := range shown {
			out[to] = subset>>i&1 == 1
		}
		if records, people := about(facts, func(to string) bool { return !out[to] }); records > 0 && people < least {
			t.Fatalf("%s: the sum less %v is %d records about %d people; %d is the minimum", kind, out, records, people, least)
		}
	}
	enough := true
	for to := range countries {
		records, people := about(facts, func(x string) bool { return x == to })
		enough = enough && (records == 0 || people >= least)
	}
	if enough && len(shown) != cellsOf(facts) {
		t.Fatalf("%s: cells %q only, though none is about too few", kind, shown)
	}
}

func cellsOf(facts []fact) int {
	all := map[string]bool{}
	for _, x := range facts {
		all[x.to] = true
	}
	return len(all)
}

func TestWindowsLieSideBySide(t *testing.T) {
	_, f := counts(t, 2)
	for _, c := range []struct{ window, at, from, until string }{
		{"", "2026-11-22T23:59:59.999Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"day", "2026-11-23T00:30:00+01:00", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"hour", "2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z", "2026-11-22T07:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		f.Window = c.window
		from, until := WindowAt(f, at)
		if got := fmt.Sprint(from.Format(time.RFC3339), until.Format(time.RFC3339)); got != fmt.Sprint(c.from, c.until) {
			t.Errorf("%s in %q: %s", c.at, c.window, got)
		}
	}
}

// A window is the whole minute, hour or day of UTC in which a time lies.
func TestAWindowIsAWholeSpan(t *testing.T) {
	at := time.Date(2026, 11, 25, 23, 59, 30, 5, time.FixedZone("", -3600)) // 00:59:30 on the next day
	day := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for window, want := range map[string][2]time.Time{
		"minute": {day.Add(59 * time.Minute), day.Add(time.Hour)},
		"hour":   {day, day.Add(time.Hour)},
		"day":    {day, day.Add(24 * time.Hour)},
		"":       {day, day.Add(24 * time.Hour)},
	} {
		if from, until := WindowAt(&programme.Flow{Window: window}, at); from != want[0] || until != want[1] {
			t.Errorf("%q: from %v until %v, want %v", window, from, until, want)
		}
	}
}
