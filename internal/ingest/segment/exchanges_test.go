package segment_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/segment"
)

// exchange is what a published SDK sent to a capture server; see testdata/README.md.
type exchange struct {
	Request struct {
		Method, Path string
		Body         json.RawMessage
	}
}

// TestExchangesDecodeToWhatTheirClientsMean holds each captured request against what it plainly
// says, read with encoding/json.
func TestExchangesDecodeToWhatTheirClientsMean(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	events := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var x exchange
		if err := json.Unmarshal(raw, &x); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		path := strings.TrimPrefix(x.Request.Path, "/beacon")
		single, ok := segment.Serves(path)
		if !ok || x.Request.Method != "POST" {
			continue
		}
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
			var body map[string]any
			if err := json.Unmarshal(x.Request.Body, &body); err != nil {
				t.Fatal(err)
			}
			b, err := segment.Decode(path, x.Request.Body, env(t))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Release()
			if key, _ := body["writeKey"].(string); key != string(b.WriteKey) {
				t.Errorf("write key %q, want %q", b.WriteKey, key)
			}
			want := meant(body, single)
			events += len(want)
			if len(b.Events) != len(want) {
				t.Fatalf("%d events, want %d", len(b.Events), len(want))
			}
			for i := range b.Events {
				check(t, &b.Events[i], i, want[i])
			}
		})
	}
	if events < 60 {
		t.Errorf("only %d events were looked at", events)
	}
}

// meant returns the events of a body as their client means them.
func meant(body map[string]any, single bool) (events []map[string]any) {
	if single {
		delete(body, "writeKey")
		return []map[string]any{body}
	}
	for _, v := range body["batch"].([]any) {
		e := v.(map[string]any)
		delete(e, "writeKey")
		if common, ok := body["context"].(map[string]any); ok {
			for name, value := range common {
				if _, has := e["context"].(map[string]any)[name]; !has {
					e["context"].(map[string]any)[name] = value
				}
			}
		}
		events = append(events, e)
	}
	return events
}

func check(t *testing.T, e *ingest.Event, index int, want map[string]any) {
	t.Helper()
	if e.Refused != nil {
		t.Fatalf("event %d refused: %s %s", index, e.Refused.Reason, e.Refused.Path)
	}
	if e.Index != index || e.Kind.Name != want["type"] || string(e.ClientID) != want["messageId"] {
		t.Errorf("event %d is %d, %s, %q", index, e.Index, e.Kind.Name, e.ClientID)
	}
	if e.OccurredAt <= 0 || e.OccurredAt > received.UnixMilli() {
		t.Errorf("event %d occurred at %d", index, e.OccurredAt)
	}
	if diff := cmp.Diff(names(want), identifiers(e)); diff != "" {
		t.Errorf("event %d: %s", index, diff)
	}
	if diff := cmp.Diff(want, data(t, e)); diff != "" {
		t.Errorf("event %d: %s", index, diff)
	}
}

// names returns the identifiers that an event plainly names.
func names(e map[string]any) (ids []string) {
	text := func(v any, path ...string) string {
		for _, name := range path {
			m, _ := v.(map[string]any)
			v = m[name]
		}
		s, _ := v.(string)
		return s
	}
	add := func(id, value string) {
		if value != "" {
			ids = append(ids, id+" "+value)
		}
	}
	add("user_id/subject", text(e, "userId"))
	add("anonymous_id/subject", text(e, "anonymousId"))
	add("device_id/subject", text(e, "context", "device", "id"))
	switch e["type"] {
	case "identify":
		add("email/subject", text(e, "traits", "email")+text(e, "context", "traits", "email")) // no exchange has both
		add("phone/subject", text(e, "traits", "phone")+text(e, "context", "traits", "phone"))
	case "alias":
		if text(e, "previousId") != text(e, "userId") {
			add("anonymous_id/previous", text(e, "previousId"))
		}
	}
	slices.Sort(ids)
	return ids
}

func identifiers(e *ingest.Event) (ids []string) {
	for _, id := range e.Identifiers {
		ids = append(ids, fmt.Sprintf("%s/%s %s", id.Type, id.Role, id.Value))
	}
	slices.Sort(ids)
	return ids
}

// data merges the event's fragments.
func data(t *testing.T, e *ingest.Event) map[string]any {
	t.Helper()
	var fragments [][]byte
	for _, f := range e.Fragments {
		fragments = append(fragments, f.JSON)
	}
	merged, err := ingest.Merge(fragments)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(merged, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
