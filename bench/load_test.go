package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// The load is what it says: whole batches of whole events, each with a message id of its own,
// from as many people as events.
func TestLoadIsWhatItSays(t *testing.T) {
	var mu sync.Mutex
	ids, events := map[string]bool{}, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b struct {
			Batch []struct{ MessageID, UserID string }
		}
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &b); err != nil || len(b.Batch) != batchEvents {
			t.Errorf("a batch of %d events, %v", len(b.Batch), err)
		}
		people := map[string]bool{}
		mu.Lock()
		defer mu.Unlock()
		for _, e := range b.Batch {
			people[e.UserID] = true
			if events++; ids[e.MessageID] {
				t.Errorf("message id %s a second time", e.MessageID)
			}
			ids[e.MessageID] = true
		}
		if len(people) != batchEvents {
			t.Errorf("a batch from %d people, want %d", len(people), batchEvents)
		}
		if events%3 == 0 {
			w.WriteHeader(503) // the generator goes on
		}
		fmt.Fprint(w, strings.Repeat(" ", events%5000)) // long answers come in chunks
	}))
	defer server.Close()
	got, err := load(context.Background(), server.Listener.Addr().String(), "Basic x", 10_000, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got.events <= 0 || len(got.latencies) == 0 || got.percentile(0.99) < got.percentile(0.5) {
		t.Errorf("tally %+v", got)
	}
}
