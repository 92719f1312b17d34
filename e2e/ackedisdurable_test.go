package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// AckedIsDurable: clients send under load and repeat what was not acknowledged; the node is
// killed at random moments; afterwards every acknowledged event is there exactly once.
func TestAckedIsDurable(t *testing.T) {
	rounds := 10
	if soak {
		rounds = 50
	}
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		l := newLoad(t, w, "ie1", "us1").throughAll(t)
		for round := range rounds {
			ctx, stop := context.WithCancel(t.Context())
			done := l.run(ctx)
			pause(50*time.Millisecond + within(400*time.Millisecond))
			w.kill()
			if round%2 == 0 { // some clients find nobody there, others find the next process
				pause(within(50 * time.Millisecond))
			}
			w.start()
			pause(within(100 * time.Millisecond))
			stop() // clients finish the batch they are at
			<-done
			l.check(t)
			if t.Failed() {
				t.Fatalf("round %d of %d", round+1, rounds)
			}
		}
		w.kill()
		w.start()
		l.checkAll(t)
		t.Logf("%d events acknowledged over %d kills", l.acknowledged(), rounds+1)
	})
}

// load is some clients that send batches and know what was acknowledged.
type load struct {
	t       testing.TB
	regions []*region
	clients int

	mu     sync.Mutex
	acked  map[string][]string // region → messageIds; guarded by mu
	fresh  map[string][]string // those since the last check; guarded by mu
	people map[string]string   // value of an identifier → its type; guarded by mu
	next   int                 // guarded by mu
	more   []sender            // adapters besides Segment's, in turn with it
}

func newLoad(t testing.TB, w *world, regions ...string) *load {
	l := &load{t: t, clients: 8, acked: map[string][]string{}, fresh: map[string][]string{}, people: map[string]string{}}
	for _, id := range regions {
		l.regions = append(l.regions, w.region(id))
	}
	return l
}

// run starts the clients. The channel is closed when all have finished their last batch after
// ctx ended.
func (l *load) run(ctx context.Context) <-chan struct{} {
	var clients sync.WaitGroup
	for i := range l.clients {
		r := l.regions[i%len(l.regions)]
		clients.Go(func() {
			for ctx.Err() == nil && !l.t.Failed() {
				l.sendOne(r)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		clients.Wait()
		close(done)
	}()
	return done
}

// throughAll has half of the batches go through all other adapters in turn.
func (l *load) throughAll(t testing.TB) *load {
	l.more = senders[1:]
	for _, r := range l.regions {
		r.withCloudEvents(t)
	}
	return l
}

// sendOne sends a batch of new events until it is acknowledged. Now and then it sends it once
// more, as a client does whose answer was lost.
func (l *load) sendOne(r *region) {
	s := senders[0]
	if n := len(l.more); n > 0 && rand.IntN(2) == 0 {
		s = l.more[rand.IntN(n)]
	}
	var ids []string
	var all []said
	l.mu.Lock()
	for range 1 + rand.IntN(s.most) {
		l.next++
		n := l.next % 97
		who := said{id: fmt.Sprintf("load-%s-%07d", r.ID, l.next), words: "some words about what happened", user: fmt.Sprintf("user-%d", n),
			email: fmt.Sprintf("user-%d@load.example", n), phone: fmt.Sprintf("+35383100%04d", n)}
		l.people[map[string]string{"user_id": who.user, "email": who.email, "phone": who.phone}[s.by]] = s.by
		ids, all = append(ids, s.named(who.id)), append(all, who)
	}
	l.mu.Unlock()
	path, h, body := s.request(l.t, r, all)
	for range 1 + rand.IntN(4)/3 {
		if a := r.insist(l.t, "POST", path, h, body); a.status/100 != 2 {
			return
		}
	}
	l.mu.Lock()
	l.acked[r.ID] = append(l.acked[r.ID], ids...)
	l.fresh[r.ID] = append(l.fresh[r.ID], ids...)
	l.mu.Unlock()
}

// check asks for each event that was acknowledged since the last check by the client's id.
func (l *load) check(t testing.TB) {
	t.Helper()
	for _, r := range l.regions {
		l.mu.Lock()
		ids := l.fresh[r.ID]
		l.fresh[r.ID] = nil
		l.mu.Unlock()
		if len(ids) == 0 {
			t.Errorf("%s acknowledged nothing", r.ID)
		}
		rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		if !soak && len(ids) > 1500 { // the rest is checked at the end, person by person
			ids = ids[:1500]
		}
		eachOf(ids, 16, func(id string) {
			if n := len(r.byClientID(t, id)); n != 1 {
				t.Errorf("acknowledged event %s: %d records, want 1", id, n)
			}
		})
	}
}

// checkAll reads every person's records and counts.
func (l *load) checkAll(t testing.TB) {
	t.Helper()
	for _, r := range l.regions {
		var mu sync.Mutex
		times := map[string]int{}
		var people []string
		for p := range l.people {
			people = append(people, p)
		}
		eachOf(people, 8, func(value string) {
			a := r.lookup(t, l.people[value], value)
			if a.status == 404 {
				return // nobody of that name came through this region
			}
			var found struct{ Subject string }
			a.want(t, 200).into(t, &found)
			for _, rec := range r.records(t, found.Subject) {
				mu.Lock()
				times[rec.ClientID]++
				mu.Unlock()
			}
		})
		var missing, twice int
		for _, id := range l.acked[r.ID] {
			switch n := times[id]; {
			case n == 0:
				missing++
			case n > 1:
				twice++
			}
		}
		if missing+twice > 0 {
			t.Errorf("%s: of %d acknowledged events %d are missing and %d are there more than once", r.ID, len(l.acked[r.ID]), missing, twice)
		}
	}
}

func (l *load) acknowledged() (n int) {
	for _, ids := range l.acked {
		n += len(ids)
	}
	return n
}

// eachOf calls f for every item from n goroutines.
func eachOf[T any](items []T, n int, f func(T)) {
	work := make(chan T)
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() {
			for item := range work {
				f(item)
			}
		})
	}
	for _, item := range items {
		work <- item
	}
	close(work)
	workers.Wait()
}
