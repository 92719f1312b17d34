package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"domicile.dev/internal/ingest/segment/segmenttest"
)

// bench measures one store.
type bench struct {
	plan
	store string
	goals goals
	rows  []row
}

// say tells whoever waits what is going on.
func (b *bench) say(text string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", b.store, fmt.Sprintf(text, args...))
}

func (b *bench) add(rows ...row) {
	for _, r := range rows {
		b.say("%s: %s %s", r.Name, number(r.Value), r.Unit)
		b.rows = append(b.rows, r)
	}
}

func (b *bench) wants(name string) bool { return b.only == "" || strings.Contains(b.only, name) }

func (b *bench) all(ctx context.Context) error {
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"ingest", b.ingest}, {"single", b.single}, {"people", b.persons}, {"sustained", b.sustained}, {"flow", b.flow}, {"pages", b.pages}} {
		if !b.wants(part.name) {
			continue
		}
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// on runs f with a fresh server.
func (b *bench) on(ctx context.Context, f func(s *server) error, env ...string) error {
	s, err := newServer(b.binary, b.store)
	if err != nil {
		return err
	}
	defer s.remove()
	if b.profiles != "" {
		env = append(env, "DOMICILE_PPROF=1")
	}
	if err := s.start(ctx, env...); err != nil {
		return err
	}
	if err := f(s); err != nil {
		return err
	}
	return s.stop()
}

// ingest is the load against the store and, before and after it, against a file: the limit is the
// mean of both, so that a machine that gets slower or faster meanwhile does not decide.
func (b *bench) ingest(ctx context.Context) error {
	limit := func() (float64, error) {
		var t *tally
		err := b.on(ctx, func(s *server) (err error) {
			if _, err = load(ctx, s.addr, s.write, b.people, b.warm); err == nil {
				t, err = load(ctx, s.addr, s.write, b.people, b.measure)
			}
			return err
		}, "DOMICILE_BENCH_SINK=file")
		if err != nil {
			return 0, fmt.Errorf("file limit: %w", err)
		}
		b.say("file limit: %s events/s", number(t.events))
		return t.events, nil
	}
	before, err := limit()
	if err != nil {
		return err
	}
	var t *tally
	var memory, ledger float64
	err = b.on(ctx, func(s *server) (err error) {
		if _, err = load(ctx, s.addr, s.write, b.people, b.warm); err != nil {
			return err
		}
		most := s.watchMemory()
		t, err = load(ctx, s.addr, s.write, b.people, b.measure)
		if memory = most(); err != nil {
			return err
		}
		ledger, err = b.ledgerShare(ctx, s)
		return err
	}, "DOMICILE_PPROF=1")
	if err != nil {
		return err
	}
	after, err := limit()
	if err != nil {
		return err
	}
	b.add(share("ingest", b.store, t.events, "events/s", (before+after)/2, b.goals.ingestShare),
		atMost("acknowledged p99 at 16 connections", b.store, t.percentile(0.99), "ms", b.goals.p99),
		atMost("resident memory under that load", b.store, memory, "MB", b.goals.loadMB),
		atMost("ledger's share of ingest CPU", b.store, ledger, "%", b.goals.ledgerShare))
	return nil
}

// profiled runs f while the server's CPU is profiled into a file of that name, when that was asked for.
func (b *bench) profiled(s *server, name string, f func() (float64, error)) (float64, error) {
	if b.profiles == "" {
		return f()
	}
	took := make(chan error, 1)
	go func() {
		took <- fetch("http://"+s.addr+"/debug/pprof/profile?seconds=3", filepath.Join(b.profiles, b.store+"-"+name+".pprof"))
	}()
	n, err := f()
	return n, errors.Join(err, <-took)
}

var accounting = regexp.MustCompile(`Showing nodes accounting for ([0-9.]+)ms, [0-9.]+% of ([0-9.]+)ms total`)

// ledgerShare takes a CPU profile under load and asks how much of it has the ledger on its stack.
func (b *bench) ledgerShare(ctx context.Context, s *server) (float64, error) {
	file := filepath.Join(s.dir, "cpu")
	took := make(chan error, 1)
	go func() { took <- fetch("http://"+s.addr+"/debug/pprof/profile?seconds=8", file) }()
	if _, err := load(ctx, s.addr, s.write, b.people, 10*time.Second); err != nil {
		return 0, err
	}
	if err := <-took; err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-unit=ms", "-nodefraction=0", "-edgefraction=0", "-nodecount=100000",
		`-focus=domicile\.dev/internal/ledger\.`, file).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("go tool pprof: %w\n%s", err, out)
	}
	found := accounting.FindSubmatch(out)
	if found == nil {
		return 0, nil // nothing of the ledger was sampled
	}
	part, _ := strconv.ParseFloat(string(found[1]), 64)
	whole, _ := strconv.ParseFloat(string(found[2]), 64)
	return 100 * part / whole, nil
}

func fetch(url, file string) error {
	res, err := http.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(f, res.Body)
	return err
}

// single is one event a request over one connection: what a careful server-side caller waits.
func (b *bench) single(ctx context.Context) error {
	return b.on(ctx, func(s *server) error {
		bodies := prepare(99, b.people, 1, 64, s.write)
		w, err := dial(s.addr)
		if err != nil {
			return err
		}
		defer w.close()
		var t tally
		for i := range 4000 {
			body := &bodies[i%len(bodies)]
			body.renew()
			begin := time.Now()
			status, err := w.ask(body.request)
			if err != nil {
				return err
			}
			if status != 200 {
				return fmt.Errorf("ingest answers %d %s", status, w.body)
			}
			if i >= 500 {
				t.latencies = append(t.latencies, time.Since(begin))
			}
		}
		b.add(atMost("one event a request, 1 connection, p50", b.store, t.percentile(0.5), "ms", b.goals.single))
		return nil
	})
}

// persons creates people one by one, gives each nine records more, reads and erases them.
func (b *bench) persons(ctx context.Context) error {
	const people, conns = 30_000, 32
	return b.on(ctx, func(s *server) error {
		expect := func(w *wire, request []byte) error {
			status, err := w.ask(request)
			if err == nil && status != 200 {
				err = fmt.Errorf("answer %d %s", status, w.body)
			}
			return err
		}
		track := func(person, n int) []byte {
			return post(nil, "/v1/track", s.write, fmt.Appendf(nil, `{"userId":"person-%06d","event":"Signed Up","messageId":"p-%06d-%d","context":{"library":{"name":"bench","version":"1"}},`+
				`"properties":{"plan":"pro","url":"https://shop.example.com/p/%06d"}}`, person, person, n, n))
		}
		creates, err := b.profiled(s, "create", func() (float64, error) {
			return many(ctx, s.addr, conns, people, func(w *wire, i int) error { return expect(w, track(i, 0)) })
		})
		if err != nil {
			return err
		}
		b.add(atLeast("create a person, 32 connections", b.store, creates, "a second", b.goals.creates))
		if _, err := many(ctx, s.addr, conns, 9*people/100, func(w *wire, i int) error { // the others in batches
			var batch bytes.Buffer
			for j := range 100 {
				event := track((i%(people/100))*100+j, 1+i/(people/100))
				batch.WriteByte(',')
				batch.Write(bytes.Replace(event[bytes.Index(event, []byte("\r\n\r\n"))+4:], []byte("{"), []byte(`{"type":"track",`), 1))
			}
			return expect(w, post(nil, "/v1/batch", s.write, []byte(`{"batch":[`+batch.String()[1:]+`]}`)))
		}); err != nil {
			return err
		}
		subjects := make([]string, people)
		if _, err := many(ctx, s.addr, conns, people, func(w *wire, i int) error {
			if err := expect(w, post(nil, "/api/v1/subjects:find", s.read, fmt.Appendf(nil, `{"identifiers":[{"type":"user_id","value":"person-%06d"}]}`, i))); err != nil {
				return err
			}
			var found struct{ Subject string }
			err := json.Unmarshal(w.body, &found)
			subjects[i] = found.Subject
			return err
		}); err != nil {
			return err
		}
		var short atomic.Int64
		reads, err := b.profiled(s, "read", func() (float64, error) {
			return many(ctx, s.addr, conns, 2*people, func(w *wire, i int) error {
				err := expect(w, get(nil, "/api/v1/subjects/"+subjects[i*7919%people]+"/records", s.read))
				if bytes.Count(w.body, []byte(`"client_id"`)) != 10 {
					short.Add(1)
				}
				return err
			})
		})
		if err != nil {
			return err
		}
		if short.Load() > 0 {
			return fmt.Errorf("%d reads did not give ten records", short.Load())
		}
		b.add(atLeast("one subject's 10 records, 32 connections", b.store, reads, "a second", b.goals.reads))
		erases, err := b.profiled(s, "erase", func() (float64, error) {
			return many(ctx, s.addr, conns, people, func(w *wire, i int) error {
				return expect(w, post(nil, "/api/v1/subjects/"+subjects[i]+":erase", s.read, []byte(`{"reason":"request"}`)))
			})
		})
		if err != nil {
			return err
		}
		b.add(atLeast("erase a person, 32 connections", b.store, erases, "a second", b.goals.erases))
		return b.eraseOfMany(ctx, s)
	})
}

// eraseOfMany erases one person of many records: it must not take longer for that.
func (b *bench) eraseOfMany(ctx context.Context, s *server) error {
	const records = 20_000
	if _, err := many(ctx, s.addr, connections, records/batchEvents, func(w *wire, _ int) error {
		one := prepare(7, 1, batchEvents, 1, s.write)
		one[0].renew()
		status, err := w.ask(one[0].request)
		if err == nil && status != 200 {
			err = fmt.Errorf("ingest answers %d %s", status, w.body)
		}
		return err
	}); err != nil {
		return err
	}
	w, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer w.close()
	if _, err := w.ask(post(nil, "/api/v1/subjects:find", s.read, []byte(`{"identifiers":[{"type":"user_id","value":"`+segmenttest.UserID(0)+`"}]}`))); err != nil {
		return err
	}
	var found struct{ Subject string }
	if err := json.Unmarshal(w.body, &found); err != nil {
		return err
	}
	begin := time.Now()
	status, err := w.ask(post(nil, "/api/v1/subjects/"+found.Subject+":erase", s.read, []byte(`{"reason":"request"}`)))
	if err != nil {
		return err
	}
	took := time.Since(begin)
	if want := fmt.Sprintf(`"records":%d`, records); status != 200 || !strings.Contains(string(w.body), want) {
		return fmt.Errorf("erasing %d records answers %d %s", records, status, w.body)
	}
	b.add(told(fmt.Sprintf("erase a person of %d records", records), b.store, float64(took.Microseconds())/1000, "ms"))
	return nil
}

// sustained keeps the load up, then looks at what it left: bytes after merging, memory of a new
// start on it.
func (b *bench) sustained(ctx context.Context) error {
	s, err := newServer(b.binary, b.store)
	if err != nil {
		return err
	}
	defer s.remove()
	if err := s.start(ctx); err != nil {
		return err
	}
	b.add(b.ready("`domicile up` to ready, new", s))
	empty, err := s.bytes(ctx)
	if err != nil {
		return err
	}
	warm, err := load(ctx, s.addr, s.write, b.people, b.warm)
	if err != nil {
		return err
	}
	b.say("sustained for %v", b.sustain)
	most := s.watchMemory()
	t, err := load(ctx, s.addr, s.write, b.people, b.sustain)
	memory := most()
	if err != nil {
		return err
	}
	b.add(share("sustained: last tenth of the first", b.store, t.tenths[9], "events/s", t.tenths[0], b.goals.sustainedShare),
		atMost("resident memory, sustained", b.store, memory, "MB", b.goals.loadMB))
	stored := warm.events*b.warm.Seconds() + t.events*b.sustain.Seconds()
	for stored < float64(b.records) {
		more, err := load(ctx, s.addr, s.write, b.people, 10*time.Second)
		if err != nil {
			return err
		}
		stored += more.events * 10
	}
	b.say("%s records stored", number(stored))
	if err := b.settle(ctx, s); err != nil {
		return err
	}
	if err := s.stop(); err != nil { // its last checkpoint included
		return err
	}
	full, err := s.bytes(ctx)
	if err != nil {
		return err
	}
	b.add(atMost("bytes on disk an event, after merging", b.store, float64(full-empty)/stored, "bytes", b.goals.eventBytes))
	if err := s.start(ctx); err != nil {
		return err
	}
	b.add(b.ready("`domicile up` to ready, with that store", s))
	if err := b.settle(ctx, s); err != nil {
		return err
	}
	b.add(atMost(fmt.Sprintf("resident memory, idle, %.0f million records", stored/1e6), b.store, s.residentMB(), "MB", b.goals.idleMB))
	return s.stop()
}

// ready is how long the last start took. PostgreSQL's three new databases have no goal.
func (b *bench) ready(name string, s *server) row {
	if b.goals.ready == 0 {
		return told(name, b.store, s.ready.Seconds(), "s")
	}
	return atMost(name, b.store, s.ready.Seconds(), "s", b.goals.ready)
}

// settle waits until the store has stopped changing, which is when merging is done.
func (b *bench) settle(ctx context.Context, s *server) error {
	var last int64 = -1
	for quiet, tries := 0, 0; quiet < 5 && tries < 180; tries++ {
		now, err := s.bytes(ctx)
		if err != nil {
			return err
		}
		if quiet++; now != last {
			quiet, last = 0, now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return nil
}
