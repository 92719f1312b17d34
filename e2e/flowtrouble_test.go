package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// troubled answers as recipients do on a bad day: not at all, before or after it has read, with an error,
// late, or well.
func troubled(w http.ResponseWriter, r *http.Request) (taken bool) {
	hangUp := func() bool {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close()
		}
		return false
	}
	read := func() { _, _ = io.Copy(io.Discard, r.Body) }
	switch rand.IntN(16) {
	case 0: // before it has read anything
		return hangUp()
	case 1: // in the middle
		_, _ = io.CopyN(io.Discard, r.Body, 50)
		return hangUp()
	case 2: // it has everything, and the answer is lost
		read()
		return hangUp()
	case 3:
		read()
		w.WriteHeader(http.StatusInternalServerError)
		return false
	case 4:
		read()
		w.WriteHeader(http.StatusTooManyRequests)
		return false
	case 5: // it refuses before it has read
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	case 6:
		read()
		pause(within(700 * time.Millisecond))
		return true
	}
	read()
	return true
}

// writers send messages, each person's one after the other, until each is acknowledged.
type writers struct {
	t      *testing.T
	ie1    *region
	phones []string
	silent []string // phones of those who object

	mu   sync.Mutex
	sent map[string][]string // phone → bodies in order, as far as they were acknowledged; guarded by mu
}

// write sends for everybody until ctx ends.
func (x *writers) write(ctx context.Context) <-chan struct{} {
	var all sync.WaitGroup
	const clients = 4
	everybody := append(append([]string(nil), x.phones...), x.silent...)
	for i := range clients {
		all.Go(func() {
			for n := i; ctx.Err() == nil && !x.t.Failed(); n += clients {
				phone := everybody[n%len(everybody)] // each person is always the same client's
				x.mu.Lock()
				body := fmt.Sprintf("%s-%06d", phone, len(x.sent[phone]))
				x.mu.Unlock()
				record := m{"id": "msg-" + body, "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": phone, "role": "sender"}}, "data": m{"from": phone, "body": body}}
				x.ie1.insist(x.t, "POST", "/v1/records", bearer(x.ie1.Sources["native"].Token), encode(x.t, []m{record}))
				x.mu.Lock()
				x.sent[phone] = append(x.sent[phone], body)
				x.mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	return done
}

// The node is killed at random moments while its recipient hangs up, refuses and is late. Everything that
// may leave arrives at least once, in order, with nothing else, and never before its entry.
func TestKilledDuringDeliveries(t *testing.T) {
	rounds := 6
	if soak {
		rounds = 40
	}
	onBothStoresAtOnce(t, func(t *testing.T, kind string) {
		rc := newRecipient(t, 0)
		w := newWorld(t, kind, rc.destinations(screener))
		rc.meet(w)
		rc.behave = troubled
		ie1 := w.region("ie1")
		x := &writers{t: t, ie1: ie1, sent: map[string][]string{}}
		for i := range 8 {
			x.phones = append(x.phones, fmt.Sprintf("+35383200%04d", i))
		}
		for i := range 4 {
			phone := fmt.Sprintf("+35383300%04d", i)
			x.silent = append(x.silent, phone)
			ie1.segment(t, "/v1/identify", m{"userId": "silent-" + phone, "messageId": "silent-" + phone, "traits": m{"phone": phone}})
			ie1.api(t, "POST", "/subjects/"+ie1.find(t, "phone", phone)+":object", m{"purpose": "platform_security_fraud_prevention"}).want(t, 200)
		}
		if out, errs, code := w.run("", "flow", "start", screening, "--up", w.dir, "--region", "ie1"); code != 0 {
			t.Fatalf("flow start: %s%s", out, errs)
		}
		for round := range rounds {
			ctx, stop := context.WithCancel(t.Context())
			done := x.write(ctx)
			came := len(rc.arrivals(screener))
			w.eventually("the next delivery", func() error { // or its repetition, which waits longer each time
				if len(rc.arrivals(screener)) == came {
					return fmt.Errorf("none came")
				}
				return nil
			})
			if round%2 == 0 { // while it is being answered
				pause(within(30 * time.Millisecond))
			} else {
				pause(within(1500 * time.Millisecond))
			}
			w.kill()
			pause(within(100 * time.Millisecond))
			w.start()
			stop()
			<-done
		}
		rc.mu.Lock()
		rc.behave = nil
		rc.mu.Unlock()
		w.eventually("everything to arrive", func() error {
			missing, all := 0, string(rc.bytesOf(screener))
			for _, phone := range x.phones {
				for _, body := range x.sent[phone] {
					if !strings.Contains(all, body) {
						missing++
					}
				}
			}
			if missing > 0 {
				return fmt.Errorf("%d messages are missing", missing)
			}
			return nil
		})
		rc.checkEntries()
		rc.inSequence(screener)
		x.inOrder(rc)
		first, again := map[string]bool{}, 0
		for _, a := range rc.arrivals(screener) {
			if first[a.id] {
				again++
			}
			first[a.id] = true
		}
		t.Logf("%d deliveries and %d repetitions over %d kills", len(first), again, rounds)
		if again == 0 {
			t.Error("no delivery came again: nothing went wrong")
		}
	})
}

// inOrder wants each person's messages to have come first in the order in which they were sent, and
// nothing of who objects.
func (x *writers) inOrder(rc *recipient) {
	x.t.Helper()
	next, total := map[string]int{}, 0
	for _, a := range rc.arrivals(screener) {
		if !a.whole {
			continue
		}
		for _, line := range a.lines(x.t) {
			total++
			data := string(line.Data)
			for _, phone := range x.silent {
				if strings.Contains(data, phone) {
					x.t.Errorf("delivery %s has something of somebody who objects", a.id)
				}
			}
			for _, phone := range x.phones {
				_, rest, ok := strings.Cut(data, `"body":"`+phone+"-")
				if !ok {
					continue
				}
				var n int
				if _, err := fmt.Sscanf(rest[:6], "%d", &n); err != nil || n > next[phone] {
					x.t.Errorf("delivery %s brings number %d of a person before number %d", a.id, n, next[phone])
				}
				next[phone] = max(next[phone], n+1)
			}
		}
	}
	for _, phone := range x.phones {
		if next[phone] < len(x.sent[phone]) {
			x.t.Errorf("of %d messages of a person %d came whole", len(x.sent[phone]), next[phone])
		}
	}
	if total == 0 {
		x.t.Error("nothing came")
	}
}

// Somebody is erased while the recipient holds a delivery with their words: when it answers, the rest of
// the delivery has been cut off, and no byte of theirs comes after it.
func TestErasedDuringADelivery(t *testing.T) {
	onBothStoresAtOnce(t, func(t *testing.T, kind string) {
		rc := newRecipient(t, 4<<10) // what is on its way lies with the sender
		w := newWorld(t, kind, rc.destinations(screener))
		rc.meet(w)
		ie1, c := w.region("ie1"), newCanaries()
		held, let := make(chan struct{}, 100), make(chan struct{})
		rc.behave = func(_ http.ResponseWriter, r *http.Request) bool {
			held <- struct{}{}
			<-let
			_, _ = io.Copy(io.Discard, r.Body)
			return true
		}
		var records []m
		write := func(phone, body string) {
			records = append(records, m{"id": "msg-" + word(), "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": phone, "role": "sender"}}, "data": m{"from": phone, "body": body}})
		}
		other, othersLast := "+353832000001", word()
		for range 60 { // random letters, which sealing doesn't make smaller
			var b strings.Builder
			for b.Len() < 10<<10 {
				b.WriteString(word())
			}
			write(other, b.String())
		}
		phone := c.phone("the erased person")
		write(phone, c.text("the erased person's words"))
		write(other, othersLast)
		ie1.native(t, records...)
		subject := ie1.find(t, "phone", phone)
		if out, errs, code := w.run("", "flow", "start", screening, "--from", "0", "--up", w.dir, "--region", "ie1"); code != 0 {
			t.Fatalf("flow start: %s%s", out, errs)
		}
		<-held
		first := rc.arrivals(screener)
		begun := time.Now()
		got := ie1.erase(t, subject, false)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the erasure answered after %v", took)
		}
		close(let)
		w.eventually("what is others' to come", func() error {
			if !rc.has(screener, othersLast) {
				return fmt.Errorf("it hasn't")
			}
			return nil
		})
		if len(first) != 1 || first[0].count != len(records) {
			t.Errorf("%d deliveries were on their way, the first with %d records, want one with all %d", len(first), first[0].count, len(records))
		}
		if first[0].whole {
			t.Error("the delivery that was cut came whole")
		}
		found := sightings{}
		newHaystack(c.list).inBytes(found, "what came after the erasure had answered", rc.bytesOf(screener))
		found.report(t)
		for _, a := range rc.arrivals(screener) {
			if a.id == first[0].id && a.whole && a.count != len(records)-1 {
				t.Errorf("the same delivery came again with %d records, want %d", a.count, len(records)-1)
			}
		}
		if got.Records != 1 {
			t.Errorf("%d records were erased, want 1", got.Records)
		}
		rc.erasedUnanswered(t, ie1)
		rc.checkEntries()
		rc.inSequence(screener)
	})
}

// erasedUnanswered: the recipient has everything and hasn't answered when somebody in it is erased. What it
// is sent again has nothing of theirs.
func (rc *recipient) erasedUnanswered(t *testing.T, ie1 *region) {
	t.Helper()
	has, let := make(chan struct{}, 100), make(chan struct{})
	rc.mu.Lock()
	rc.behave = func(_ http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		has <- struct{}{}
		<-let
		return true
	}
	rc.mu.Unlock()
	c := newCanaries()
	phone, words, others := c.phone("who is erased"), c.text("words of who is erased"), word()
	var records []m
	for _, x := range [][2]string{{phone, words}, {"+353832000002", others}} {
		records = append(records, m{"id": "msg-" + word(), "kind": "message", "service": "messaging", "subjects": []m{{"type": "phone", "value": x[0], "role": "sender"}}, "data": m{"from": x[0], "body": x[1]}})
	}
	ie1.native(t, records...)
	<-has
	begun := time.Now()
	ie1.erase(t, ie1.find(t, "phone", phone), false)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the erasure answered after %v", took)
	}
	count := func(s string) int { return strings.Count(string(rc.bytesOf(screener)), s) }
	was := count(words)
	close(let)
	ie1.w.eventually("the rest to come again", func() error {
		if n := count(others); n < 2 {
			return fmt.Errorf("it came %d times", n)
		}
		return nil
	})
	if n := count(words); was != 1 || n != was {
		t.Errorf("the erased person's words were there %d times when the erasure answered, and are %d times", was, n)
	}
}
