package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

const takenAnswer = `{"accepted":1,"duplicate":2,"refused":[{"index":3,"reason":"record.bad_id","path":"id","more":1}]}`

// answering returns a sender to a node that gives these answers one after the other, the last for good.
func answering(t *testing.T, opt client.SenderOptions, answers ...func(http.ResponseWriter)) (*client.Sender, *atomic.Int32) {
	t.Helper()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1))
		if b, _ := io.ReadAll(r.Body); string(b) != "records" || r.Method+r.RequestURI != "POST/v1/records" || r.Header.Get("Authorization") != "Bearer key" {
			t.Errorf("try %d: %s %s %q", n, r.Method, r.RequestURI, b)
		}
		answers[min(n, len(answers))-1](w)
	}))
	t.Cleanup(s.Close)
	c, err := client.NewSender(s.URL+"/", "key", nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c, &asked
}

func status(code int, body string, h ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(h); i += 2 {
			w.Header().Set(h[i], h[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestRecordsAreSentAgainUntilTheyAreAnswered(t *testing.T) {
	hangUp := func(http.ResponseWriter) { panic(http.ErrAbortHandler) } // it may have been stored
	cut := status(200, `{"accepted":1`)
	var told atomic.Int32
	s, asked := answering(t, client.SenderOptions{Waiting: func(err error, _ time.Duration) {
		if told.Add(1); fault.KindOf(err) == fault.Invalid {
			t.Errorf("waits for %v", err)
		}
	}}, hangUp, cut, status(503, ""), status(500, "<html>"), status(200, takenAnswer))
	got, err := s.Send(t.Context(), []byte("records"))
	want := client.Taken{Accepted: 1, Duplicate: 2, Refused: []client.RefusedRecord{{Index: 3, Reason: "record.bad_id", Path: "id", More: 1}}}
	if diff := cmp.Diff(got, want); diff != "" || err != nil || asked.Load() != 5 || told.Load() != 4 {
		t.Errorf("%d tries, told of %d, %v: %s", asked.Load(), told.Load(), err, diff)
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	s, _ := answering(t, client.SenderOptions{}, status(429, "", "Retry-After", "1"), status(200, takenAnswer))
	start := time.Now()
	if _, err := s.Send(t.Context(), []byte("records")); err != nil || time.Since(start) < time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestWhatCannotSucceedIsNotTriedAgain(t *testing.T) {
	for code, want := range map[int]string{401: "x.y", 403: "x.y", 421: "x.y", 400: "x.y", 413: "x.y", 302: "x.y"} {
		s, asked := answering(t, client.SenderOptions{}, status(code, `{"reason":"x.y"}`, "Location", "/elsewhere", "Retry-After", "1"))
		if _, err := s.Send(t.Context(), []byte("records")); fault.ReasonOf(err) != want || asked.Load() != 1 {
			t.Errorf("%d: %v after %d tries", code, err, asked.Load())
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	s, _ := answering(t, client.SenderOptions{Patience: 300 * time.Millisecond}, status(503, `{"reason":"store.unavailable"}`))
	if _, err := s.Send(t.Context(), []byte("records")); fault.ReasonOf(err) != "store.unavailable" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s, _ = answering(t, client.SenderOptions{Waiting: func(error, time.Duration) { cancel() }}, status(503, ""))
	if _, err := s.Send(ctx, []byte("records")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wait := make(chan struct{})
	defer close(wait)
	s, _ = answering(t, client.SenderOptions{Patience: time.Millisecond, Timeout: 50 * time.Millisecond}, func(http.ResponseWriter) { <-wait })
	if _, err := s.Send(t.Context(), []byte("records")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no answer in time: %v", err)
	}
	if _, err := client.NewSender("nowhere", "key", nil, client.SenderOptions{}); fault.ReasonOf(err) != "node.bad_address" {
		t.Error(err)
	}
}

func TestARegionNamesTheKeysOfItsSources(t *testing.T) {
	r := client.Region{ID: "ie1", Sources: map[string]json.RawMessage{"native": json.RawMessage(`{"id":"src_1","token":"dwk_n"}`), "segment": json.RawMessage(`{"write_key":"dwk_s"}`), "odd": json.RawMessage(`7`)}}
	for name, want := range map[string]string{"native": "dwk_n", "segment": "dwk_s"} {
		if key, err := r.Key(name); err != nil || key != want {
			t.Errorf("%s: %q, %v", name, key, err)
		}
	}
	for _, name := range []string{"odd", "none"} {
		if _, err := r.Key(name); fault.ReasonOf(err) != "up.no_source" || !strings.Contains(err.(*fault.Error).Hint, "native") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
