package flowtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
)

func inOrder(t *testing.T, c flow.Connector, r Recipient) {
	var want []Line
	for seq := 1; seq <= 12; seq++ { // past 9, where names sort as numbers only when somebody saw to it
		d, lines := Delivery("f", seq, 3)
		if err := c.Deliver(t.Context(), d); err != nil {
			t.Fatalf("delivery %d: %v", seq, err)
		}
		want = append(want, lines...)
	}
	holds(t, r, want)
}

// again: whoever brings a batch again does it under the same id, and no record is there twice.
func again(t *testing.T, c flow.Connector, r Recipient) {
	d, first := Delivery("f", 1, 3)
	e, second := Delivery("f", 2, 2)
	for _, d := range []*flow.Delivery{d, d, e, d, e} {
		if err := c.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		d.Attempt++
	}
	holds(t, r, append(first, second...))
}

func large(t *testing.T, c flow.Connector, r Recipient) {
	var body bytes.Buffer
	var want []Line
	for i := 0; body.Len() < 8<<20-70_000; i++ {
		l := Line{ID: fmt.Sprintf("r_l%d", i), Data: fmt.Sprintf(`{"body":%q}`, noise(60_000))}
		want = append(want, l)
		writeLine(&body, l)
	}
	if err := c.Deliver(t.Context(), delivery("l", 1, len(want), body.Bytes())); err != nil {
		t.Fatal(err)
	}
	holds(t, r, want)
}

func concurrent(t *testing.T, c flow.Connector, r Recipient) {
	const flows, each = 8, 5
	want := map[string][]Line{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for f := range flows {
		wg.Go(func() {
			of := fmt.Sprintf("f%d", f)
			for seq := 1; seq <= each; seq++ {
				d, lines := Delivery(of, seq, 2)
				if err := c.Deliver(t.Context(), d); err != nil {
					t.Errorf("flow %d, delivery %d: %v", f, seq, err)
					return
				}
				mu.Lock()
				want[of] = append(want[of], lines...)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got := map[string][]Line{}
	for _, l := range r.Lines(t) {
		of := l.ID[2:4]
		got[of] = append(got[of], l)
	}
	for of, lines := range want {
		if !slices.Equal(got[of], lines) {
			t.Errorf("flow %s: %v, want %v", of, got[of], lines)
		}
	}
}

func untouched(t *testing.T, c flow.Connector, _ Recipient) {
	d, _ := Delivery("f", 1, 3)
	before, body := *d, string(d.Body)
	if err := c.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if string(d.Body) != body || d.ID != before.ID || d.Attempt != before.Attempt || d.Seq != before.Seq {
		t.Error("the delivery was changed")
	}
}

// notice: what a recipient is told of a person is no record, and comes as a record to nobody.
func notice(t *testing.T, c flow.Connector, r Recipient) {
	d, lines := Delivery("f", 1, 3)
	if err := c.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	at := d.DecidedAt
	n := &flow.Delivery{Kind: flow.NoticeErasure, ID: "ntc_aaaaaaaaaaaaaaaaaaaa", Tenant: d.Tenant, Region: d.Region, Recipient: d.Recipient, Entry: d.Entry, Attempt: 1, Count: 1,
		BegunAt: at, DecidedAt: at, MinimumTLS: "1.2", Body: []byte(`{"notice":"erasure","subjects":["psn_aaaa"],"at":"2026-11-24T10:00:02Z"}` + "\n")}
	teller, can := r.(Teller)
	for range 2 {
		err := c.Deliver(t.Context(), n)
		if can && err != nil || !can && fault.ReasonOf(err) != flow.ReasonNoNotices {
			t.Errorf("Deliver of a notice: %v; told of: %v", err, can)
		}
		n.Attempt++
		n.DecidedAt = n.DecidedAt.Add(24 * time.Hour)
	}
	if can {
		if got := teller.Told(t); len(got) != 1 || got[0] != string(n.Body) {
			t.Errorf("the recipient was told %q", got)
		}
	}
	holds(t, r, lines)
}

func cutBefore(t *testing.T, c flow.Connector, r Recipient) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, _ := Delivery("f", 1, 3)
	if err := c.Deliver(ctx, d); !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver: %v, want %v", err, context.Canceled)
	}
	holds(t, r, nil)
}

func closes(t *testing.T, c flow.Connector, r Recipient) {
	d, lines := Delivery("f", 1, 3)
	if err := c.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	d, _ = Delivery("f", 2, 3)
	if err := c.Deliver(t.Context(), d); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Deliver after Close: %v, want unavailable", err)
	}
	holds(t, r, lines)
}

// wants checks an error's kind, and that it holds nothing that it mustn't.
func wants(t *testing.T, err error, kind fault.Kind) *fault.Error {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Kind != kind || f.Reason == "" || f.Public == "" {
		t.Errorf("Deliver: %v, want a fault of kind %s with a reason", err, kind)
		f = &fault.Error{}
	}
	if s := fmt.Sprintf("%v %#v %s", err, f.Extra, f.Hint); strings.Contains(s, Canary) {
		t.Errorf("the error holds what was sent or answered: %s", s)
	}
	return f
}

func answered(t *testing.T, c flow.Connector, r Recipient) {
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }
	for i, tt := range []struct {
		status   int
		after    string
		kind     fault.Kind
		from, to int // seconds of RetryAfter
	}{
		{400, "", fault.Invalid, 0, 0},
		{401, "", fault.Unavailable, 60, 60},
		{403, "", fault.Forbidden, 0, 0},
		{404, "", fault.Unavailable, 60, 60},
		{408, "", fault.Unavailable, 0, 0},
		{409, "", fault.Unavailable, 0, 0},
		{410, "", fault.Unavailable, 3600, 3600},
		{413, "", fault.Invalid, 0, 0},
		{415, "", fault.Invalid, 0, 0},
		{421, "", fault.Unavailable, 60, 60},
		{422, "", fault.Invalid, 0, 0},
		{425, "", fault.Unavailable, 0, 0},
		{429, "", fault.RateLimited, 0, 0},
		{429, "7", fault.RateLimited, 7, 7},
		{429, in(90 * time.Second), fault.RateLimited, 80, 92},
		{429, in(-time.Hour), fault.RateLimited, 0, 0},
		{429, "-5", fault.RateLimited, 0, 0},
		{429, Canary, fault.RateLimited, 0, 0},
		{500, "", fault.Unavailable, 0, 0},
		{501, "", fault.Unavailable, 0, 0},
		{502, "", fault.Unavailable, 0, 0},
		{503, "120", fault.Unavailable, 120, 120},
		{503, "99999999999999999999", fault.Unavailable, 86400, 86400},
		{504, "", fault.Unavailable, 0, 0},
		{304, "", fault.Unavailable, 60, 60},
		{599, "", fault.Unavailable, 0, 0},
	} {
		t.Run(fmt.Sprintf("%d %s", tt.status, tt.after), func(t *testing.T) {
			var header []string
			if tt.after != "" {
				header = []string{"Retry-After", tt.after}
			}
			before := r.Server().Requests()
			r.Server().Do(answers(tt.status, header...))
			d, _ := Delivery("f", i+1, 2)
			f := wants(t, c.Deliver(t.Context(), d), tt.kind)
			if f.RetryAfterSeconds < tt.from || f.RetryAfterSeconds > tt.to {
				t.Errorf("RetryAfterSeconds = %d, want from %d to %d", f.RetryAfterSeconds, tt.from, tt.to)
			}
			if n := r.Server().Requests() - before; n != 1 {
				t.Errorf("%d requests, want one attempt: when to try again is the flow's to say", n)
			}
		})
	}
	holds(t, r, nil)
	r.Server().Do(nil)
	d, lines := Delivery("f", 1, 2)
	if err := c.Deliver(t.Context(), d); err != nil {
		t.Fatalf("after all that: %v", err)
	}
	holds(t, r, lines)
}

// redirects: an address that nobody declared gets nothing.
func redirects(t *testing.T, c flow.Connector, r Recipient) {
	elsewhere := NewServer(t, nil, nil)
	elsewhere.Do(answers(200))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{elsewhere.URL + "/" + Canary, "/other", ""} {
			before := r.Server().Requests()
			header := []string{"Location", to}
			if to == "" {
				header = nil
			}
			r.Server().Do(answers(status, header...))
			d, _ := Delivery("f", 1, 2)
			wants(t, c.Deliver(t.Context(), d), fault.Unavailable)
			if n := r.Server().Requests() - before; n != 1 {
				t.Errorf("%d: %d requests, want 1", status, n)
			}
		}
	}
	if n := elsewhere.Requests(); n > 0 {
		t.Errorf("%d requests went where the recipient sent on to", n)
	}
	holds(t, r, nil)
}
