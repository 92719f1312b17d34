package flowtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
)

func broken(t *testing.T, c flow.Connector, r Recipient) {
	var wrote atomic.Int64
	var want []Line
	for i, tt := range []struct {
		name  string
		how   Behaviour
		taken bool // the recipient has it
		good  bool // and has said so
	}{
		{"reset", reset, false, false},
		{"lost", lost, true, false},
		{"half", half, true, false},
		{"empty", empty(200), true, !r.ReadsAnswers()},
		{"204", empty(204), true, !r.ReadsAnswers()},
		{"huge", huge(&wrote), true, !r.ReadsAnswers()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.Server().Do(tt.how)
			d, lines := Delivery("f", i+1, 2)
			err := c.Deliver(t.Context(), d)
			if !tt.good {
				wants(t, err, fault.Unavailable)
			} else if err != nil {
				t.Errorf("Deliver: %v", err)
			}
			r.Server().Do(nil)
			d.Attempt++
			if err := c.Deliver(t.Context(), d); err != nil {
				t.Errorf("again: %v", err)
			}
			want = append(want, lines...)
			holds(t, r, want)
		})
	}
	if n := wrote.Load(); n >= hugeBytes/4 {
		t.Errorf("%d bytes of an answer were taken", n)
	}
	t.Run("early", func(t *testing.T) {
		r.Server().Do(early)
		if err := c.Deliver(t.Context(), bulk(8<<20-70_000)); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("acknowledged before it was sent: %v, want unavailable", err)
		}
	})
}

// bulk is a delivery of at least size bytes. 8 MB are more than may lie on the way.
func bulk(size int) *flow.Delivery {
	var body bytes.Buffer
	n := 0
	for ; body.Len() < size; n++ {
		writeLine(&body, Line{ID: fmt.Sprintf("r_b%d", n), Data: `{"body":"` + noise(60_000) + `"}`})
	}
	return delivery("b", 1, n, body.Bytes())
}

// noise is text that can't be compressed by much.
func noise(chars int) string {
	b := make([]byte, chars*3/4)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

func slow(t *testing.T, c flow.Connector, r Recipient) {
	g := newGate(t)
	r.Server().Do(g.hold)
	d, _ := Delivery("f", 1, 2)
	done := goDeliver(t.Context(), c, d)
	wants(t, within(t, done), fault.Unavailable)
}

// acknowledged: there is no success before the recipient has said so.
func acknowledged(t *testing.T, c flow.Connector, r Recipient) {
	g := newGate(t)
	r.Server().Do(g.hold)
	d, lines := Delivery("f", 1, 2)
	done := goDeliver(t.Context(), c, d)
	wait(t, g.there)
	select {
	case err := <-done:
		t.Fatalf("Deliver returned %v before the recipient answered", err)
	case <-time.After(100 * time.Millisecond):
	}
	g.release()
	if err := within(t, done); err != nil {
		t.Fatal(err)
	}
	holds(t, r, lines)
}

func cutWaiting(t *testing.T, c flow.Connector, r Recipient) {
	g := newGate(t)
	r.Server().Do(g.hold)
	d, _ := Delivery("f", 1, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := goDeliver(ctx, c, d)
	wait(t, g.there)
	cancel()
	if err := within(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver: %v, want %v", err, context.Canceled)
	}
}

// cutSending: of a batch that is cut, nothing arrives that had not left when Deliver returned.
func cutSending(t *testing.T, c flow.Connector, r Recipient) {
	cut(t, c, r, bulk(8<<20-70_000))
	cut(t, c, r, bulk(1<<20)) // lies in the kernel by then
}

func cut(t *testing.T, c flow.Connector, r Recipient, d *flow.Delivery) {
	g := newGate(t)
	var got atomic.Int64
	ended := make(chan error, 1)
	r.Server().Do(g.stall(&got, ended))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := goDeliver(ctx, c, d)
	wait(t, g.there)
	cancel()
	if err := within(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver: %v, want %v", err, context.Canceled)
	}
	g.release() // only now does the recipient go on reading
	if err := within(t, ended); err == nil || got.Load() >= int64(len(d.Body)) {
		t.Errorf("the recipient got %d bytes of %d after the cut, with the error %v", got.Load(), len(d.Body), err)
	}
}

func closeWaiting(t *testing.T, c flow.Connector, r Recipient) {
	g := newGate(t)
	r.Server().Do(g.hold)
	d, _ := Delivery("f", 1, 2)
	done := goDeliver(t.Context(), c, d)
	wait(t, g.there)
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	if err := within(t, done); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Deliver: %v, want unavailable", err)
	}
	if err := within(t, closed); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func goDeliver(ctx context.Context, c flow.Connector, d *flow.Delivery) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Deliver(ctx, d) }()
	return done
}

func within(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("it doesn't end")
		return nil
	}
}

func wait(t *testing.T, there <-chan struct{}) {
	t.Helper()
	select {
	case <-there:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
}
