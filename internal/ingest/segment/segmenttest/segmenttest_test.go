package segmenttest_test

import (
	"encoding/json"
	"testing"

	"domicile.dev/internal/ingest/segment/segmenttest"
)

func TestEventsAreOfOneSizeAndDifferent(t *testing.T) {
	ids, people := map[string]bool{}, map[string]bool{}
	for seed := range uint64(3) {
		g := segmenttest.New(seed, 50)
		for range 1000 {
			raw := g.AppendEvent(nil)
			var e struct{ MessageID, UserID string }
			if err := json.Unmarshal(raw, &e); err != nil || len(raw) != segmenttest.EventBytes {
				t.Fatalf("%d bytes, %v: %s", len(raw), err, raw)
			}
			if ids[e.MessageID] || len(e.MessageID) > 100 {
				t.Fatalf("messageId %q comes twice or is too long", e.MessageID)
			}
			ids[e.MessageID], people[e.UserID] = true, true
		}
	}
	if len(people) != 50 {
		t.Errorf("%d people, want 50", len(people))
	}
	if a, b := segmenttest.New(7, 9).AppendBatch(nil, 10, "k"), segmenttest.New(7, 9).AppendBatch(nil, 10, "k"); string(a) != string(b) {
		t.Error("one seed made two batches")
	}
}
