package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A capture is an exchange of a published SDK with a capture server, all of it made up.
type capture struct {
	Client  string
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
	Response struct {
		Status int
	}
}

const capturedKey = "wkSyntheticEu0000000000000000001"

// Captured exchanges of Segment's SDKs are answered as their clients need, and every event is
// read back once, however often it came: some captures are retries of others.
func TestCapturedSegmentRequests(t *testing.T) {
	files, err := filepath.Glob("../internal/ingest/segment/testdata/segment/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d captures, %v", len(files), err)
	}
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1 := w.region("ie1")
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			t.Run(name, func(t *testing.T) {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				source := "segment"
				if strings.HasPrefix(name, "browser-") || strings.HasPrefix(name, "chromium-") {
					source = "browser"
				}
				key := ie1.Sources[source].WriteKey
				var c capture
				if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), capturedKey, key)), &c); err != nil {
					t.Fatal(err)
				}
				switch {
				case strings.Contains(c.Client, "oauth"): // of an application that nobody knows here: a final answer, so that the SDK says so
					a := ie1.send(t, c.Request.Method, c.Request.Path, replayed(c, key), c.Request.Body)
					if a.status/100 != 4 && a.status != 200 {
						t.Errorf("answer %v, want 4xx", a)
					}
					return
				case c.Request.Method == "GET": // what the browser SDK fetches first
					var settings struct {
						Integrations map[string]struct{ APIKey, APIHost string }
					}
					ie1.send(t, "GET", c.Request.Path, replayed(c, key), nil).want(t, 200).into(t, &settings)
					got := settings.Integrations["Segment.io"]
					if got.APIKey != key || got.APIHost != strings.TrimPrefix(ie1.URL, "http://")+"/v1" {
						t.Errorf("settings %+v, want the key and %s", got, ie1.URL)
					}
					return
				}
				body := []byte(c.Request.Body)
				if c.Request.Headers["content-encoding"] == "gzip" {
					body = pack(t, body)
				}
				a := ie1.send(t, c.Request.Method, c.Request.Path, replayed(c, key), body)
				if a.status != c.Response.Status && !(c.Response.Status == 204 && a.status == 200) {
					t.Fatalf("answer %v, want %d", a, c.Response.Status)
				}
				if c.Request.Method == "OPTIONS" {
					return
				}
				var ok struct{ Success bool }
				if a.into(t, &ok); !ok.Success {
					t.Errorf("answer %v, want success", a)
				}
				for _, id := range messageIDs(t, c.Request.Body) {
					if n := len(ie1.byClientID(t, id)); n != 1 {
						t.Errorf("%s is %d records, want 1", id, n)
					}
				}
			})
		}
	})
}

// replayed are the capture's headers with a real key.
func replayed(c capture, key string) header {
	h := header{}
	for k, v := range c.Request.Headers {
		if k != "host" && k != "content-length" && k != "connection" {
			h[k] = v
		}
	}
	if strings.HasPrefix(h["authorization"], "Basic ") {
		h["authorization"] = basic(key)["Authorization"]
	}
	return h
}

// messageIDs are those of a call, or of each in a batch.
func messageIDs(t *testing.T, body json.RawMessage) (ids []string) {
	t.Helper()
	var b struct {
		MessageID string `json:"messageId"`
		Batch     []struct {
			MessageID string `json:"messageId"`
		}
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	if b.MessageID != "" {
		ids = append(ids, b.MessageID)
	}
	for _, e := range b.Batch {
		ids = append(ids, e.MessageID)
	}
	if len(ids) == 0 {
		t.Fatal("the capture names no messageId")
	}
	return ids
}
