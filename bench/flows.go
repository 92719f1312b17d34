package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

// What the rows about flows send.
const (
	flowRecords   = 200_000
	flowBatch     = 500
	flowPeople    = 2_000
	flowRecipient = "sp-01"
	flowMeasured  = "message_screening"
)

// sink is a recipient that takes everything and keeps a count.
type sink struct {
	server *http.Server
	url    string
	got    atomic.Int64
	other  atomic.Int64 // deliveries that weren't pseudonymised
}

func newSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &sink{url: "http://" + l.Addr().String() + "/"}
	k.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		n, _ := strconv.ParseInt(r.Header.Get("Domicile-Records"), 10, 64)
		if r.Header.Get("Domicile-Form") != "pseudonymised" {
			k.other.Add(1)
		}
		k.got.Add(n)
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = k.server.Serve(l) }()
	return k, nil
}

// flow is a flow from the store to a recipient that takes everything, over HTTP: read, look up, decide,
// open, pseudonymise, encode, enter, sign, deliver, move on.
func (b *bench) flow(ctx context.Context) error {
	k, err := newSink()
	if err != nil {
		return err
	}
	defer k.server.Close()
	s, err := newServer(b.binary, b.store)
	if err != nil {
		return err
	}
	defer s.remove()
	s.more = []string{"--destination", flowRecipient + "=" + k.url}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.fillMessages(ctx); err != nil {
		return fmt.Errorf("store messages: %w", err)
	}
	for _, args := range [][]string{{"tenant", "settings", "set", "--pin"}, {"flow", "start", flowMeasured, "--from", "0"}} {
		if err := s.order(ctx, args...); err != nil {
			return err
		}
	}
	for k.got.Load() == 0 { // it begins within a moment
		if err := rest(ctx); err != nil {
			return err
		}
	}
	rate, err := b.profiled(s, "flow", func() (float64, error) { return k.drain(ctx) })
	if err != nil {
		return err
	}
	if k.other.Load() > 0 {
		return fmt.Errorf("%d deliveries were not pseudonymised", k.other.Load())
	}
	b.add(atLeast("flow, from the store to a recipient", b.store, rate, "records/s", b.goals.flow))
	return s.stop()
}

// drain returns how many records a second arrive until all have.
func (k *sink) drain(ctx context.Context) (float64, error) {
	first, begin := k.got.Load(), time.Now()
	for last, at := first, begin; k.got.Load() < flowRecords; {
		if err := rest(ctx); err != nil {
			return 0, err
		}
		if n := k.got.Load(); n > last {
			last, at = n, time.Now()
		} else if time.Since(at) > time.Minute {
			return 0, fmt.Errorf("the flow stands still after %d of %d records", n, flowRecords)
		}
	}
	return float64(flowRecords-first) / time.Since(begin).Seconds(), nil
}

func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Millisecond):
		return nil
	}
}

// order runs the command line as the operator.
func (s *server) order(ctx context.Context, args ...string) error {
	args = append(args, "--up", filepath.Join(s.dir, "data"))
	if out, err := exec.CommandContext(ctx, s.binary, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("domicile %v: %w\n%s", args, err, out)
	}
	return nil
}

// fillMessages stores messages of some people, over HTTP.
func (s *server) fillMessages(ctx context.Context) error {
	_, err := many(ctx, s.addr, 4, flowRecords/flowBatch, func(w *wire, i int) error {
		var body bytes.Buffer
		for n := i * flowBatch; n < (i+1)*flowBatch; n++ {
			phone := fmt.Sprintf("+35386%07d", n%flowPeople)
			fmt.Fprintf(&body, `{"id":"m%d","kind":"message","service":"messaging","subjects":[{"type":"phone","value":%q,"role":"sender"},{"type":"phone","value":"+15550100","role":"own"}],`+
				`"data":{"from":%q,"to":"+15550100","body":"a text of some words, number %d","message_id":"SM%032d","num_segments":"1"}}`+"\n", n, phone, phone, n, n)
		}
		request := fmt.Appendf(nil, "POST /v1/records HTTP/1.1\r\nHost: ie1\r\nAuthorization: %s\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n", s.native, body.Len())
		for {
			status, err := w.ask(append(request, body.Bytes()...))
			if err != nil {
				return err
			}
			switch status {
			case http.StatusOK:
				return nil
			case http.StatusTooManyRequests, http.StatusServiceUnavailable:
				if err := rest(ctx); err != nil {
					return err
				}
			default:
				return fmt.Errorf("records are answered %d %s", status, w.body)
			}
		}
	})
	return err
}
