package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"domicile.dev/internal/ingest/segment/segmenttest"
)

const (
	connections = 16
	batchEvents = 100
	bodiesEach  = 32 // prepared a connection, used in turn
)

// lastID makes every message id of every run different.
var lastID atomic.Uint64

// A body is one prepared batch with the places of its message ids.
type body struct {
	request []byte
	ids     []int // offset of the last 12 digits of each id
}

// renew gives every event a new message id.
func (b *body) renew() {
	const digits = "0123456789abcdef"
	n := lastID.Add(uint64(len(b.ids)))
	for _, at := range b.ids {
		for i := 11; i >= 0; i-- {
			b.request[at+i] = digits[n>>(4*(11-i))&15]
		}
		n--
	}
}

// prepare makes bodies of n events each from the people, as one connection sends them.
func prepare(seed uint64, people, n, count int, authorization string) []body {
	g := segmenttest.New(seed, people)
	for range int(seed) * people / connections % people { // connections begin at different people
		g.AppendEvent(nil)
	}
	bodies := make([]body, count)
	for i := range bodies {
		b := body{request: post(nil, "/v1/batch", authorization, g.AppendBatch(nil, n, ""))}
		mark := []byte(`"messageId":"`)
		for at := 0; ; {
			next := bytes.Index(b.request[at:], mark)
			if next < 0 {
				break
			}
			at += next + len(mark)
			end := bytes.IndexByte(b.request[at:], '"')
			b.ids = append(b.ids, at+end-12)
		}
		bodies[i] = b
	}
	return bodies
}

// A tally is what a load did.
type tally struct {
	events    float64 // a second, over the whole
	latencies []time.Duration
	tenths    [10]float64 // events a second in each tenth
}

func (t *tally) percentile(p float64) float64 {
	slices.Sort(t.latencies)
	return float64(t.latencies[int(p*float64(len(t.latencies)-1))].Microseconds()) / 1000
}

// load sends batches over all connections for d. Answers other than 200 are an error, but 429 and
// 503, which are counted as nothing done and tried again.
func load(ctx context.Context, addr, authorization string, people int, d time.Duration) (*tally, error) {
	return loadBodies(ctx, addr, d, func(i int) []body { return prepare(uint64(i), people, batchEvents, bodiesEach, authorization) })
}

func loadBodies(ctx context.Context, addr string, d time.Duration, bodies func(i int) []body) (*tally, error) {
	var mu sync.Mutex
	var errs []error
	t := &tally{}
	var done [10]atomic.Int64
	prepared := make([][]body, connections)
	for i := range prepared {
		prepared[i] = bodies(i)
	}
	start := time.Now()
	var group sync.WaitGroup
	for i := range connections {
		group.Go(func() {
			latencies := make([]time.Duration, 0, 1<<16)
			err := func() error {
				w, err := dial(addr)
				if err != nil {
					return err
				}
				defer w.close()
				for n := 0; ctx.Err() == nil; n++ {
					b := &prepared[i][n%len(prepared[i])]
					b.renew()
					before := time.Now()
					if before.Sub(start) >= d {
						return nil
					}
					status, err := w.ask(b.request)
					if err != nil {
						return err
					}
					after := time.Now()
					if status == 200 {
						latencies = append(latencies, after.Sub(before))
						if tenth := int(10 * after.Sub(start) / d); tenth < 10 {
							done[tenth].Add(int64(len(b.ids)))
						}
					} else if status != 429 && status != 503 {
						return fmt.Errorf("ingest answers %d %s", status, w.body)
					}
				}
				return nil
			}()
			mu.Lock()
			defer mu.Unlock()
			t.latencies = append(t.latencies, latencies...)
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	group.Wait()
	total := int64(0)
	for i := range done {
		n := done[i].Load()
		total += n
		t.tenths[i] = float64(n) / (d.Seconds() / 10)
	}
	t.events = float64(total) / d.Seconds()
	if len(t.latencies) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("nothing was accepted"))
	}
	return t, errors.Join(append(errs, ctx.Err())...)
}

// many calls f for 0…n-1 over some connections and returns how many a second it did.
func many(ctx context.Context, addr string, conns, n int, f func(w *wire, i int) error) (float64, error) {
	var next atomic.Int64
	var mu sync.Mutex
	var errs []error
	start := time.Now()
	var group sync.WaitGroup
	for range conns {
		group.Go(func() {
			w, err := dial(addr)
			for err == nil && ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					w.close()
					return
				}
				err = f(w, i)
			}
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	group.Wait()
	return float64(n) / time.Since(start).Seconds(), errors.Join(append(errs, ctx.Err())...)
}
