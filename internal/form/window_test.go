package form_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/form"
	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"pgregory.net/rapid"
)

type countLine struct {
	Service, Kind   string
	By              map[string]any
	Records, People int
}

func readLines(t interface{ Fatalf(string, ...any) }, out []byte) (all []countLine) {
	for line := range bytes.Lines(out) {
		var l countLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, l)
	}
	return all
}

// What is shown, and what can be computed from it, is about enough people; judged from the records alone.
func TestNoCellIsAboutTooFew(t *testing.T) {
	w := open(t)
	f := w.flow(t, "call_counts")
	from, until := form.WindowAt(f, time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	numbers := map[string]string{"IE": "+353861234567", "GB": "+442079460123", "FR": "+33612345678", "DE": "+493012345678", "null": "nobody"}
	names := []string{"IE", "GB", "FR", "DE", "null"}
	rapid.Check(t, func(t *rapid.T) {
		least := rapid.IntRange(2, 6).Draw(t, "least")
		flow := *f
		flow.MinGroup = least
		d := w.allows("call_counts", decision.Aggregated)
		win := form.NewWindow(w.p, &flow, from, until)
		people, records, erased := map[string]map[byte]bool{}, map[string]int{}, map[byte]bool{}
		for i := range rapid.IntRange(0, 4).Draw(t, "erased") {
			erased[byte(i+1)] = true
		}
		for i := range rapid.IntRange(0, 80).Draw(t, "records") {
			c, who := rapid.SampledFrom(names).Draw(t, "country"), byte(rapid.IntRange(1, 25).Draw(t, "who"))
			r := form.Record{ID: id.Record{Ordinal: uint32(i)}, Kind: "call", Service: "voice", ReceivedAt: from.Add(time.Hour),
				Parts: []form.Part{{Category: "electronic_communications_metadata", Subject: id.Subject{who}, JSON: fmt.Appendf(nil, `{"to":%q}`, numbers[c])}}}
			if err := win.Add(&r, []id.Subject{{who}}, d); err != nil {
				t.Fatal(err)
			}
			if erased[who] {
				continue
			}
			if people[c] == nil {
				people[c] = map[byte]bool{}
			}
			people[c][who], people[""] = true, nil
			records[c]++
		}
		delete(people, "")
		out, n, err := win.Lines(nil, func(s id.Subject) (id.Subject, bool) { return s, !erased[s[0]] })
		if err != nil {
			t.Fatal(err)
		}
		lines := readLines(t, out)
		if len(lines) != n {
			t.Fatalf("%d lines, said %d", len(lines), n)
		}
		all, total := map[byte]bool{}, 0
		for c := range people {
			total += records[c]
			for s := range people[c] {
				all[s] = true
			}
		}
		if len(lines) == 0 {
			if len(all) >= least {
				t.Fatalf("nothing of %d people", len(all))
			}
			return
		}
		if sum := lines[0]; sum.By != nil || sum.Records != total || sum.People != len(all) || len(all) < least {
			t.Fatalf("sum %+v, want %d records of %d", sum, total, len(all))
		}
		seen, left := map[string]bool{}, total
		shown := map[byte]bool{}
		for _, l := range lines[1:] {
			c, ok := l.By["country"].(string)
			if !ok {
				c = "null"
			}
			if l.People < least || l.People != len(people[c]) || l.Records != records[c] {
				t.Fatalf("cell %+v, want %d of %d", l, records[c], len(people[c]))
			}
			seen[c], left = true, left-l.Records
			for s := range people[c] {
				shown[s] = true
			}
		}
		rest, cells := map[byte]bool{}, 0
		for c := range people {
			if !seen[c] {
				cells++
				for s := range people[c] {
					rest[s] = true
				}
			}
		}
		if only := len(all) - len(shown); len(seen) > 0 && left > 0 && (cells < 2 || len(rest) < least || only > 0 && only < least) {
			t.Fatalf("%d records of %d people in %d cells can be computed; %d people are in them alone", left, len(rest), cells, only)
		}
	})
}

func TestAWindowGivesItsLinesOnce(t *testing.T) {
	w := open(t)
	f := w.flow(t, "call_counts")
	from, until := form.WindowAt(f, time.Date(2026, 11, 25, 23, 59, 0, 0, time.UTC))
	win := form.NewWindow(w.p, f, from, until)
	d := w.allows("call_counts", decision.Aggregated)
	d.Obligations = []decision.Obligation{{Do: "aggregate", Least: 20}}
	r := form.Record{Kind: "call", Service: "voice", ReceivedAt: until.Add(-1)}
	for i := range 20 {
		if err := win.Add(&r, []id.Subject{{byte(i + 1)}}, d); err != nil {
			t.Fatal(err)
		}
	}
	r.ReceivedAt = until
	if err := win.Add(&r, []id.Subject{{99}}, d); fault.ReasonOf(err) != "form.window_other" {
		t.Errorf("a record of the next window: %v", err)
	}
	out, _, err := win.Lines(nil, nil)
	want := `{"window":{"from":"2026-11-25T00:00:00Z","until":"2026-11-26T00:00:00Z"},"service":"voice","kind":"call","records":20,"people":20}` + "\n" +
		`{"window":{"from":"2026-11-25T00:00:00Z","until":"2026-11-26T00:00:00Z"},"service":"voice","kind":"call","by":{"country":null},"records":20,"people":20}` + "\n"
	if err != nil || string(out) != want {
		t.Errorf("got %s, %v\nwant %s", out, err, want)
	}
	if _, _, err := win.Lines(nil, nil); fault.ReasonOf(err) != "form.window_given" {
		t.Errorf("a second time: %v", err)
	}
}

// Two subjects that were counted and are one person now are one.
func TestPeopleWhoWereMergedAreOne(t *testing.T) {
	w := open(t)
	f := w.flow(t, "call_counts")
	from, until := form.WindowAt(f, time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	win := form.NewWindow(w.p, f, from, until)
	r := form.Record{Kind: "call", Service: "voice", ReceivedAt: from}
	for i := range 20 {
		if err := win.Add(&r, []id.Subject{{byte(i + 1)}}, w.allows("call_counts", decision.Aggregated)); err != nil {
			t.Fatal(err)
		}
	}
	out, n, err := win.Lines(nil, func(s id.Subject) (id.Subject, bool) {
		if s[0] == 2 {
			s[0] = 1
		}
		return s, true
	})
	if err != nil || n != 0 {
		t.Errorf("19 people gave %s, %v", out, err)
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
		if from, until := form.WindowAt(&programme.Flow{Window: window}, at); from != want[0] || until != want[1] {
			t.Errorf("%q: from %v until %v, want %v", window, from, until, want)
		}
	}
}
