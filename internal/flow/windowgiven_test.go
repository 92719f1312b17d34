package flow_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"domicile.dev/examples"
	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/form"
	"domicile.dev/internal/id"
	"domicile.dev/internal/law"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

const counting = "call_counts"

// small makes windows of which those longer than an hour are too full while it is set.
type small struct {
	plainForms
	full *atomic.Bool
}

func (s small) Window(p *programme.Programme, f *programme.Flow, from, until time.Time) flow.Window {
	w := s.plainForms.Window(p, f, from, until)
	if s.full.Load() && until.Sub(from) > time.Hour {
		return fullWindow{w}
	}
	return w
}

type fullWindow struct{ flow.Window }

func (fullWindow) Add(*form.Record, []id.Subject, *decision.Decision) error {
	return fault.New(fault.TooLarge, "form.window_full", "too many")
}

// change makes the engine anew by a programme in which a text of its flows is another one.
func (r *region) change(old, now string) {
	r.t.Helper()
	own := fstest.MapFS{}
	if err := fs.WalkDir(examples.Communications(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(examples.Communications(), name)
		if name == "flows.yaml" {
			if !strings.Contains(string(text), old) {
				r.t.Fatalf("flows.yaml has no %q", old)
			}
			text = []byte(strings.ReplaceAll(string(text), old, now))
		}
		own[name] = &fstest.MapFile{Data: text}
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	p, err := programme.Load(own)
	if err != nil {
		r.t.Fatal(err)
	}
	reg, err := register.Parse("assumed.register.yaml", example().register)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engine = decision.New(p, law.Builtin(), reg, nil)
}

// count orders the counting flow.
func (n *node) count(verb flow.Verb, from string) flow.StreamView {
	n.t.Helper()
	v, err := n.runner.Do(context.Background(), operator, flow.Order{Flow: counting, Verb: verb, From: from})
	if err != nil {
		n.t.Fatalf("%s: %v", verb, err)
	}
	if len(v.Tenants) != 1 {
		return flow.StreamView{}
	}
	return v.Tenants[0]
}

// counts is where the counting flow stands.
func (n *node) counts() flow.StreamView {
	n.t.Helper()
	v, err := n.runner.Show(context.Background(), operator, counting)
	if err != nil || len(v.Tenants) != 1 {
		return flow.StreamView{}
	}
	return v.Tenants[0]
}

// call brings a call that somebody made.
func (n *node) call(number, from string) {
	n.t.Helper()
	n.bring(fmt.Sprintf(`{"id":%q,"kind":"call","service":"voice","subjects":[{"type":"phone","value":%q,"role":"sender"}],"data":{"from":%q,"status":"completed","call_id":%q}}`, number, from, from, number))
}

// gauge is what a metric of the runner says.
func (n *node) gauge(name, flow, label string) float64 {
	n.t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(n.runner.Collectors()...)
	families, err := reg.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if l := m.GetLabel(); f.GetName() == "domicile_flow_"+name && len(l) == 2 && l[0].GetValue() == flow && l[1].GetValue() == label {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// onADayThatIsTooFull leads to a parked window of the 25th, with a call on it and one on the 26th.
func onADayThatIsTooFull(t *testing.T, r *region) (n *node, full *atomic.Bool) {
	full = new(atomic.Bool)
	full.Store(true)
	n = r.open(nil)
	n.runner.Forms = small{full: full}
	n.run()
	n.count(flow.Start, "0")
	n.call("c0", ann)
	r.leap(24 * time.Hour)
	n.call("c1", bob)
	r.until("the first day is parked", func() bool { return n.counts().Stream.State == flow.Parked })
	x := n.counts()
	if x.Error != "form.window_full" || len(x.Records) != 0 || x.Batch == nil || x.Batch.Attempt != 0 || len(x.Batch.Lines) != 0 || x.Batch.Mend() == "" || x.Stream.Entry == [12]byte{} ||
		time.UnixMilli(x.Batch.WindowFrom).UTC().Format(time.RFC3339) != "2026-11-25T00:00:00Z" || time.UnixMilli(x.Batch.WindowUntil).UTC().Format(time.RFC3339) != "2026-11-26T00:00:00Z" {
		t.Fatalf("parked as %+v, batch %+v", x, x.Batch)
	}
	r.until("it is counted as parked", func() bool { return n.gauge("tenants", counting, "parked") == 1 })
	if got := n.gauge("attempts_ended_total", counting, "uncounted"); got != 1 {
		t.Errorf("%v windows were not counted, want 1: it isn't tried again by itself", got)
	}
	if len(r.to.all()) != 0 {
		t.Errorf("sent %s", r.to.all()[0].Body)
	}
	return n, full
}

func TestAWindowThatIsTooFullIsParked(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n, full := onADayThatIsTooFull(t, r)
		n.count(flow.Retry, "")
		r.until("it is counted anew, and parked again", func() bool { return n.gauge("attempts_ended_total", counting, "uncounted") == 2 })
		full.Store(false)
		n.count(flow.Skip, "")
		r.leap(24 * time.Hour)
		n.call("c2", bob)
		r.until("the next day is there", func() bool { return len(r.to.all()) == 1 })
		if body := string(r.to.all()[0].Body); !strings.Contains(body, "2026-11-26") || !strings.Contains(body, `"records":1}`) {
			t.Errorf("after the skip came %s", body)
		}
		if x := n.counts(); x.Stream.State != flow.Running {
			t.Errorf("it is %s", x.Stream.State)
		}
		n.mustBeEntered()
	})
}

// What is given in smaller windows after all is the whole day, once, however it is mended.
func TestAWindowThatWasTooFullIsGivenInSmallerOnes(t *testing.T) {
	for _, verb := range []flow.Verb{flow.Retry, flow.Replay} {
		t.Run(string(verb), func(t *testing.T) {
			eachStore(t, func(t *testing.T, r *region) {
				n, _ := onADayThatIsTooFull(t, r)
				r.change("window: day", "window: hour")
				if verb == flow.Replay {
					n.count(verb, "2026-11-25")
				} else {
					n.count(verb, "")
				}
				r.leap(2 * time.Hour)
				r.until("both hours are there", func() bool { return len(r.to.all()) == 2 })
				for i, want := range []string{"2026-11-25T12:00:00Z", "2026-11-26T12:00:00Z"} {
					if d := r.to.all()[i]; !strings.Contains(string(d.Body), want) || !strings.Contains(string(d.Body), `"records":1}`) {
						t.Errorf("window %d: %s, want %s", i, d.Body, want)
					}
				}
				n.mustBeEntered()
			})
		})
	}
}

// The first window after its length was changed ends where the new ones begin, and none overlaps another.
func TestWindowsOfAnotherLengthBeginWhereTheLastEnded(t *testing.T) {
	r := newRegion(t, "")
	r.change("window: day", "window: hour")
	n := r.open(nil).run()
	n.count(flow.Start, "0")
	n.call("c0", ann)
	r.leap(65 * time.Minute)
	r.until("an hour is there", func() bool { return len(r.to.all()) == 1 })
	n.call("c1", ann)
	r.change("window: day", "window: day")
	r.leap(11 * time.Hour)
	r.until("the rest of the day is there", func() bool { return len(r.to.all()) == 2 && n.counts().Batch == nil })
	if got := n.counts().Stream.Window; time.UnixMilli(got).UTC().Format(time.RFC3339) != "2026-11-26T00:00:00Z" {
		t.Errorf("the second window ended at %s", time.UnixMilli(got).UTC())
	}
}

// lostAnswers makes the recipient take a window and answer nothing, once.
func lostAnswers(r *region) (taken func() int) {
	var n atomic.Int32
	r.to.answers(func(context.Context, *flow.Delivery) error {
		if n.Add(1) == 1 {
			return &fault.Error{Kind: fault.Unavailable, Reason: "destination.cut_off", Public: "lost", RetryAfterSeconds: 3600}
		}
		return nil
	})
	return func() int { return int(n.Load()) }
}

// A recipient that has a window, though its answer was lost, gets the same one again: the difference of two
// counts would be about the person who was erased between them.
func TestAWindowComesAgainAsItWas(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		taken := lostAnswers(r)
		n.count(flow.Start, "0")
		n.call("c0", ann)
		n.call("c1", bob)
		r.leap(13 * time.Hour)
		r.until("it was taken", func() bool { return taken() == 1 && n.counts().Batch != nil && n.counts().Batch.NextAt > 0 })
		if x := n.counts(); strings.Contains(string(x.Batch.Lines), "records") || len(x.Batch.Lines) == 0 {
			t.Errorf("its lines lie there as %q", x.Batch.Lines)
		}
		if _, err := n.plane.Erase(t.Context(), acme, n.find(ann), plane.EraseRequest{}); err != nil {
			t.Fatal(err)
		}
		r.leap(2 * time.Hour)
		r.until("it came again", func() bool { return taken() == 2 && n.counts().Batch == nil })
		all := r.to.all()
		if string(all[0].Body) != string(all[1].Body) || all[0].ID != all[1].ID || all[0].Count != all[1].Count || !strings.Contains(string(all[1].Body), `"records":2`) {
			t.Errorf("%s %s\nthen %s %s", all[0].ID, all[0].Body, all[1].ID, all[1].Body)
		}
		n.mustBeEntered()
	})
}

// Neither does a replay give a window that was given, or that may have been.
func TestAReplayGivesNoWindowTwice(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		n.count(flow.Start, "0")
		n.call("c0", ann)
		n.call("c1", bob)
		r.leap(13 * time.Hour)
		r.until("the first day is there", func() bool { return len(r.to.all()) == 1 && n.counts().Batch == nil })
		n.count(flow.Replay, "0")
		time.Sleep(100 * time.Millisecond) // in which a window that is over is given ten times
		taken := lostAnswers(r)
		n.call("c2", ann)
		n.call("c3", bob)
		if _, err := n.plane.Erase(t.Context(), acme, n.find(ann), plane.EraseRequest{}); err != nil {
			t.Fatal(err)
		}
		n.call("c4", ann) // somebody new
		r.leap(24 * time.Hour)
		r.until("the second was taken", func() bool { return taken() == 1 && n.counts().Batch != nil && n.counts().Batch.NextAt > 0 })
		if _, err := n.plane.Erase(t.Context(), acme, n.find(ann), plane.EraseRequest{}); err != nil {
			t.Fatal(err)
		}
		n.count(flow.Replay, "0")
		r.until("the second came again", func() bool { return taken() >= 2 && n.counts().Batch == nil })
		n.call("c5", bob)
		r.leap(24 * time.Hour)
		r.until("the third is there", func() bool { return len(r.to.all()) >= 4 && n.counts().Batch == nil })
		var days []string
		bodies := map[string]string{}
		for _, d := range r.to.all() {
			day := string(d.Body)[:len(`{"from":"2026-11-25`)]
			if was, again := bodies[day]; again && was != string(d.Body) {
				t.Errorf("%s\nthen %s", was, d.Body)
			}
			bodies[day] = string(d.Body)
			days = append(days, day[len(day)-2:])
		}
		if !slices.Equal(days, []string{"25", "26", "26", "27"}) {
			t.Errorf("days %v", days)
		}
		n.mustBeEntered()
	})
}

// Where what is to be counted has changed, the window isn't given in another way either.
func TestAWindowThatWouldBeCountedOtherwiseIsParked(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		taken := lostAnswers(r)
		n.count(flow.Start, "0")
		n.call("c0", ann)
		r.leap(13 * time.Hour)
		r.until("it was taken", func() bool { return taken() == 1 && n.counts().Batch != nil && n.counts().Batch.NextAt > 0 })
		r.change("min_group: 20", "min_group: 30")
		r.leap(2 * time.Hour)
		r.until("it is parked", func() bool { return n.counts().Stream.State == flow.Parked })
		if x := n.counts(); x.Error != "form.window_changed" || x.Batch.Mend() == "" || len(r.to.all()) != 1 {
			t.Errorf("%s, %d deliveries", x.Error, len(r.to.all()))
		}
		n.count(flow.Skip, "")
		n.call("c1", ann)
		r.leap(24 * time.Hour)
		r.until("the next one is there", func() bool { return len(r.to.all()) == 2 })
		n.mustBeEntered()
	})
}

// heads is a window that notes who was counted.
type heads struct {
	plainForms
	people chan []id.Subject
}

func (h heads) Window(p *programme.Programme, f *programme.Flow, from, until time.Time) flow.Window {
	return headsWindow{h.plainForms.Window(p, f, from, until), h.people}
}

type headsWindow struct {
	flow.Window
	people chan []id.Subject
}

func (w headsWindow) Add(r *form.Record, people []id.Subject, d *decision.Decision) error {
	w.people <- slices.Clone(people)
	return w.Window.Add(r, people, d)
}

// Who stands in for others is no person: a number about twenty calls of one person isn't about twenty people.
func TestWhoStandsInIsNotCountedAsAPerson(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		h := heads{people: make(chan []id.Subject, 10)}
		n := r.open(nil)
		n.runner.Forms = h
		n.call("c0", ann)
		n.call("c1", bob)
		n.standIn(n.find(bob), n.find(ann)) // of a call of hers
		n.call("c2", "+353861110003")
		n.standInOf(2, n.find("+353861110003")) // of one of whom nobody is known
		n.run()
		n.count(flow.Start, "0")
		r.leap(13 * time.Hour)
		r.until("it is counted", func() bool { return len(h.people) == 3 })
		for i, want := range [][]id.Subject{{n.find(ann)}, {n.find(ann)}, {}} {
			if got := <-h.people; !slices.Equal(got, want) {
				t.Errorf("call %d is about %v, want %v", i, got, want)
			}
		}
	})
}
