package region

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzRead: an answer that can't be read gives no verdict, and one that can accounts for every record.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"accepted":2,"duplicate":1,"refused":[{"index":1,"reason":"record.bad_id","more":1}]}`), 5)
	f.Add([]byte(`{"accepted":9223372036854775807,"duplicate":9223372036854775807,"refused":[]}`), 1)
	f.Add([]byte(`{"accepted":0,"duplicate":0,"refused":[{"index":9223372036854775807,"more":9223372036854775807}]}`), 1)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		if n < 0 || n > 2*maxRecords {
			return
		}
		v, err := read(body, n)
		if err != nil {
			if v.refused != nil || v.again != "" {
				t.Fatal("a bad answer gives a verdict")
			}
			return
		}
		var said struct{ Accepted, Duplicate int }
		if err := json.Unmarshal(body, &said); err != nil || said.Accepted+said.Duplicate+len(v.refused) != n {
			t.Fatalf("%d and %d and %d refused of %d", said.Accepted, said.Duplicate, len(v.refused), n)
		}
		for i, reason := range v.refused {
			if i < 0 || i >= n || code(reason) != reason {
				t.Fatalf("record %d refused for %q", i, reason)
			}
		}
	})
}

// FuzzRequests: lines that are none give no request, and no request is larger than the other region
// takes.
func FuzzRequests(f *testing.F) {
	f.Add([]byte(`{"id":"r_1","kind":"message","service":"messaging","occurred_at":"2026-11-24T10:00:00Z","subjects":["psn_a"],"categories":[],"data":{"a":"<é"}}` + "\n"))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := requests("f", "clear", body)
		if err != nil {
			if all != nil {
				t.Fatal("a bad body gives requests")
			}
			return
		}
		ids := 0
		for _, r := range all {
			if r.body.Len() > maxBodyBytes || len(r.ids) > maxRecords || bytes.Count(r.body.Bytes(), []byte("\n")) != len(r.ids) {
				t.Fatalf("a request of %d bytes for %d records", r.body.Len(), len(r.ids))
			}
			ids += len(r.ids)
		}
		if lines := bytes.Count(body, []byte("\n")); ids != lines && ids != lines+1 {
			t.Fatalf("%d records of %d lines", ids, lines)
		}
	})
}
