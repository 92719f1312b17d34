package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counter is the recipient of the demo's counts by the minute.
const counter = idleAt

// The node is killed while a pseudonymised and an aggregated flow deliver to recipients that hang up, refuse
// and are late, as TestKilledDuringDeliveries has it for a clear one.
func TestKilledDuringDeliveriesInOtherForms(t *testing.T) {
	onBothStoresAtOnce(t, func(t *testing.T, kind string) {
		rc := newRecipient(t, 0)
		began := time.Now()
		w := newWorld(t, kind, rc.destinations(analyst, counter))
		rc.meet(w) // before the demo starts flows
		k := &killing{t: t, w: w, ie1: w.region("ie1"), rc: rc, lost: make(chan struct{}), held: make(chan struct{}), sent: map[string]int{}}
		rc.behave = k.answer
		w.stop()
		w.args = append(w.args, "--demo")
		w.start()
		k.rounds(4)
		k.window()
		rc.mu.Lock()
		rc.behave = nil
		rc.mu.Unlock()
		for _, verb := range []string{"pause", "resume"} { // which ends the pause after what failed
			if out, errs, code := w.run("", "flow", verb, analytics, "--up", w.dir, "--region", "ie1"); code != 0 {
				t.Fatalf("flow %s: %s%s", verb, out, errs)
			}
		}
		t.Logf("after %v it is looked at", time.Since(began).Round(time.Second))
		t.Run("pseudonymised", k.pseudonymised)
		t.Run("aggregated", k.aggregated)
		rc.checkEntries()
		rc.inSequence(analyst)
		rc.inSequence(counter)
	})
}

// killing is what was sent while nodes were killed.
type killing struct {
	t   *testing.T
	w   *world
	ie1 *region
	rc  *recipient

	stage atomic.Int32
	once  sync.Once
	lost  chan struct{} // closed when the answer to a window was lost
	held  chan struct{} // closed when the window has come again and isn't answered

	mu   sync.Mutex
	sent map[string]int // word of a person → how many of their events were acknowledged; guarded by mu
}

// killedPeople is how many write; more than the counts' minimum.
const killedPeople = 15

// answer is troubled's, but that the first window's first answers never come.
func (k *killing) answer(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/"+counter {
		return troubled(w, r)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if r.Header.Get("domicile-sequence") != "1" {
		return true
	}
	switch k.stage.Load() {
	case loses:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close()
		}
		k.once.Do(func() { close(k.lost) })
		return false
	case holds:
		k.stage.Store(takes)
		close(k.held)
		<-r.Context().Done() // until the node is killed
		return false
	}
	return true
}

// What becomes of the first window.
const (
	loses = iota // it is read, and the connection ends
	holds        // it is read, and not answered
	takes
)

// letters writes n without a digit: words with many are dropped.
func letters(n int) string {
	var b [4]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i], n = 'a'+byte(n%26), n/26
	}
	return string(b[:])
}

// does sends the next event of somebody, until it is acknowledged.
func (k *killing) does(person string) {
	k.mu.Lock()
	n := k.sent[person]
	k.mu.Unlock()
	event := "did-" + person + "-" + letters(n)
	k.ie1.insist(k.t, "POST", "/v1/track", basic(k.ie1.Sources["segment"].WriteKey), encode(k.t, m{"userId": "user-" + person, "anonymousId": "device-" + person,
		"messageId": event, "event": event, "context": m{"ip": "198.51.100.77", "consent": advertising(true)}}))
	k.mu.Lock()
	k.sent[person] = n + 1
	k.mu.Unlock()
}

// write sends for everybody until ctx ends.
func (k *killing) write(ctx context.Context) <-chan struct{} {
	var all sync.WaitGroup
	for i := range killedPeople {
		all.Go(func() {
			for ctx.Err() == nil && !k.t.Failed() {
				k.does(letters(i))
				pause(20 * time.Millisecond)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	return done
}

// rounds kills the node n times while it delivers pseudonyms.
func (k *killing) rounds(n int) {
	k.does(letters(killedPeople)) // who will be gone
	for round := range n {
		ctx, stop := context.WithCancel(k.t.Context())
		done := k.write(ctx)
		came := len(k.rc.arrivals(analyst))
		k.w.eventually("the next delivery", func() error {
			if len(k.rc.arrivals(analyst)) == came {
				return fmt.Errorf("none came")
			}
			return nil
		})
		if round%2 == 0 { // while it is being answered
			pause(within(30 * time.Millisecond))
		} else {
			pause(within(time.Second))
		}
		k.w.kill()
		k.w.start()
		stop()
		<-done
	}
}

// window waits until a window was taken and its answer lost, erases somebody who is in it, and kills the node
// while the window comes again.
func (k *killing) window() {
	wait := func(what string, c chan struct{}) {
		select {
		case <-c:
		case <-time.After(patience + 30*time.Second):
			k.t.Fatalf("%s did not happen", what)
		}
	}
	ctx, stop := context.WithCancel(k.t.Context())
	done := k.write(ctx)
	wait("that a window is taken", k.lost)
	stop()
	<-done
	k.ie1.erase(k.t, k.ie1.find(k.t, "user_id", "user-"+letters(killedPeople)), false)
	k.stage.Store(holds)
	wait("that it comes again", k.held)
	k.w.kill()
	k.w.start()
	k.w.eventually("the window to be taken", func() error {
		for _, a := range k.rc.arrivals(counter) {
			if a.seq == 1 && a.taken {
				return nil
			}
		}
		return fmt.Errorf("it isn't")
	})
}

// pseudonymised wants everything of everybody, in order, under one name each.
func (k *killing) pseudonymised(t *testing.T) {
	k.w.eventually("everything to arrive", func() error {
		all := string(k.rc.bytesOf(analyst))
		var missing []string
		for person, n := range k.sent {
			for i := range n {
				if person != letters(killedPeople) && !strings.Contains(all, `"did-`+person+"-"+letters(i)+`"`) {
					missing = append(missing, person+"-"+letters(i))
				}
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("%d events are missing, as %v of %v", len(missing), missing[0], k.sent)
		}
		return nil
	})
	next, names, again := map[string]int{}, map[string]map[string]bool{}, map[string]int{}
	for _, a := range k.rc.arrivals(analyst) {
		again[a.id]++
		if !a.whole {
			continue
		}
		for line := range bytes.Lines(a.body) {
			var x struct {
				ID       string
				Subjects []string
				Data     struct{ Event, AnonymousID string }
			}
			if err := json.Unmarshal(line, &x); err != nil {
				t.Fatal(err)
			}
			rest, ours := strings.CutPrefix(x.Data.Event, "did-")
			if !ours {
				continue // the demo's
			}
			person, number, _ := strings.Cut(rest, "-")
			if len(x.Subjects) != 1 || x.Data.AnonymousID != x.Subjects[0] || !strings.HasPrefix(x.ID, "r_") {
				t.Fatalf("delivery %s has the line %s", a.id, line)
			}
			if names[person] == nil {
				names[person] = map[string]bool{}
			}
			names[person][x.Subjects[0]] = true
			if number > letters(next[person]) {
				t.Errorf("delivery %s brings event %s of a person before %s", a.id, number, letters(next[person]))
			} else if number == letters(next[person]) {
				next[person]++
			}
		}
	}
	for person, all := range names {
		if len(all) != 1 {
			t.Errorf("a person has the pseudonyms %v", all)
		}
		if person != letters(killedPeople) && next[person] < k.sent[person] {
			t.Errorf("of %d events of a person %d came whole and in order", k.sent[person], next[person])
		}
	}
	if most := len(names); most < killedPeople {
		t.Errorf("events of %d people", most)
	}
	repeats := 0
	for _, n := range again {
		repeats += n - 1
	}
	if repeats == 0 {
		t.Error("no delivery came again: nothing went wrong")
	}
	t.Logf("%d deliveries and %d repetitions", len(again), repeats)
}

// aggregated wants each window once, and again only as it was and under the same key.
func (k *killing) aggregated(t *testing.T) {
	bodies, ids := map[string][]byte{}, map[string]string{}
	var windows []string
	for _, a := range k.rc.arrivals(counter) {
		if !a.whole {
			continue
		}
		if was := bodies[a.id]; was != nil && !bytes.Equal(was, a.body) {
			t.Errorf("delivery %s came as\n%s\nand again as\n%s", a.id, was, a.body)
		}
		bodies[a.id] = a.body
		for line := range bytes.Lines(a.body) {
			var x struct {
				Window          struct{ From, Until string }
				Records, People int
			}
			if err := json.Unmarshal(line, &x); err != nil || x.Window.From == "" || x.Records == 0 || bytes.Contains(line, []byte("people")) && x.People < 10 {
				t.Fatalf("delivery %s has the line %s", a.id, line)
			}
			if id, known := ids[x.Window.From]; known && id != a.id {
				t.Errorf("the window of %s came in %s and %s", x.Window.From, id, a.id)
			} else if !known {
				windows = append(windows, x.Window.From)
			}
			ids[x.Window.From] = a.id
		}
	}
	if len(windows) == 0 || !slices.IsSorted(windows) {
		t.Errorf("windows %v", windows)
	}
	if first := bodies[ids[windows[0]]]; len(first) == 0 {
		t.Error("the first window is empty")
	}
	t.Logf("windows %v", windows)
}
