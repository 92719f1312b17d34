package flow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/flow"
)

func TestAWindowIsCountedOnceWhenItIsOver(t *testing.T) {
	eachStore(t, func(t *testing.T, r *region) {
		n := r.open(nil).run()
		if _, err := n.runner.Do(t.Context(), operator, flow.Order{Flow: "call_counts", Verb: flow.Start, From: "0"}); err != nil {
			t.Fatal(err)
		}
		call := func(id string) {
			n.bring(fmt.Sprintf(`{"id":%q,"kind":"call","service":"voice","subjects":[{"type":"phone","value":%q,"role":"sender"}],"data":{"from":%q,"status":"completed","call_id":%q}}`, id, ann, ann, id))
		}
		for i := range 5 {
			call(fmt.Sprint("c", i))
		}
		time.Sleep(50 * time.Millisecond)
		if got := r.to.all(); len(got) != 0 {
			t.Fatalf("a window left before it was over: %s", got[0].Body)
		}
		r.leap(12*time.Hour + time.Minute) // over, and still counting
		call("c5")
		time.Sleep(50 * time.Millisecond)
		if got := r.to.all(); len(got) != 0 {
			t.Fatalf("a window left in its grace: %s", got[0].Body)
		}
		r.leap(2 * time.Minute)
		r.until("the first day is there", func() bool { return len(r.to.all()) == 1 })
		r.leap(24 * time.Hour)
		call("c6")
		r.until("the second day is there", func() bool { return len(r.to.all()) == 2 })
		for i, want := range []string{`"from":"2026-11-25T00:00:00Z","kind":"call","records":5}`, `"from":"2026-11-26T00:00:00Z","kind":"call","records":1}`} {
			if d := r.to.all()[i]; d.Form != "aggregated" || !strings.Contains(string(d.Body), want) || strings.Contains(string(d.Body), "sub_") {
				t.Errorf("window %d as %s: %s, want %s", i, d.Form, d.Body, want)
			}
		}
		n.mustBeEntered()
	})
}
