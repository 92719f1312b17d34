package api_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"domicile.dev/internal/store"
)

// halting is a store in which one write transaction waits before it begins.
type halting struct {
	store.DB
	n     atomic.Int32 // write transactions from now on until that one; 0 and less: none
	began chan struct{}
	halt  chan struct{}
}

func (h *halting) Do(ctx context.Context, fn func(store.Tx) error) error {
	if h.n.Add(-1) == 0 {
		close(h.began)
		<-h.halt
	}
	return h.DB.Do(ctx, fn)
}

// A request that waits longer than its lease is not dead: whichever comes first does it, once.
func TestASlowRequestAndItsRepetitionDoItOnce(t *testing.T) {
	h := &halting{began: make(chan struct{}), halt: make(chan struct{})}
	open := openStore
	openStore = func(t testing.TB) (db store.DB, err error) {
		h.DB, err = open(t)
		return h, err
	}
	w := newWorld(t)
	openStore = open
	var clock atomic.Int64
	w.now = func() time.Time { return now.Add(time.Duration(clock.Load())) }
	ask := func() (reply, error) {
		return w.send("POST", "/api/v1/tenants/acme/sources", `{"name":"n","adapter":"native"}`, keyHeader, "k1")
	}
	h.n.Store(2) // the first request's effect, after it put its key in place
	first := make(chan reply, 1)
	go func() {
		r, err := ask()
		if err != nil {
			t.Error(err)
		}
		first <- r
	}()
	<-h.began
	clock.Store(int64(2 * time.Minute))
	if r, err := ask(); err != nil || r.status != 201 {
		t.Errorf("the repetition: %d %s, %v", r.status, r.body, err)
	}
	close(h.halt)
	if r := <-first; r.status != 409 || r.problem(t) != "idempotency.under_way" {
		t.Errorf("the slow one: %d %s, want to be told to ask again", r.status, r.body)
	}
	list, _ := w.do("GET", "/api/v1/tenants/acme/sources", "").json(t)["sources"].([]any)
	if len(list) != 1 {
		t.Errorf("%d sources, want 1", len(list))
	}
	if r, err := ask(); err != nil || r.status != 201 {
		t.Errorf("asked again: %d %s, %v, want the kept answer", r.status, r.body, err)
	}
}
