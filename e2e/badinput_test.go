package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Bad input: each gets the answer that makes its client do the right thing, and one bad event
// never costs the others of its batch.
func TestBadInput(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		t.Run("a bad event", func(t *testing.T) { badEvents(t, w) })
		t.Run("a bad body", func(t *testing.T) { badBodies(t, w) })
		t.Run("a bad key", func(t *testing.T) { badKeys(t, w) })
		t.Run("a bad clock", func(t *testing.T) { badClocks(t, w) })
		t.Run("a bad address", func(t *testing.T) { badAddresses(t, w) })
		t.Run("a lying content type", func(t *testing.T) { lyingTypes(t, w) })
		t.Run("a browser asks first", func(t *testing.T) { preflight(t, w) })
	})
}

// badEvents puts each between two good ones.
func badEvents(t *testing.T, w *world) {
	ie1, c := w.region("ie1"), newCanaries()
	good := func(id string) string {
		return `{"type":"track","event":"Good","userId":"bad-input","messageId":"` + id + `"}`
	}
	event := func(id, more string) string {
		return `{"type":"track","event":"Bad","userId":"bad-input","messageId":"` + id + `"` + more + `}`
	}
	deep := strings.Repeat(`{"a":`, 2000) + `1` + strings.Repeat(`}`, 2000)
	for name, bad := range map[string]func(id string) string{
		"over-size":       func(id string) string { return event(id, `,"properties":{"x":"`+strings.Repeat("x", 40<<10)+`"}`) },
		"nested too deep": func(id string) string { return event(id, `,"properties":`+deep) },
		"arrays too deep": func(id string) string {
			return event(id, `,"properties":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000))
		},
		"bad UTF-8":               func(id string) string { return event(id, ",\"properties\":{\"x\":\"\xc3\x28\"}") },
		"bad UTF-8 in a key":      func(id string) string { return event(id, ",\"properties\":{\"\xff\":1}") },
		"duplicate key":           func(id string) string { return event(id, `,"userId":"somebody-else"`) },
		"duplicate key by escape": func(id string) string { return event(id, `,"user\u0049d":"somebody-else"`) },
		"no person":               func(id string) string { return `{"type":"track","event":"Bad","messageId":"` + id + `"}` },
		"no type":                 func(id string) string { return `{"event":"Bad","userId":"bad-input","messageId":"` + id + `"}` },
		"unknown type":            func(id string) string { return `{"type":"tract","userId":"bad-input","messageId":"` + id + `"}` },
		"a person who is an object": func(id string) string {
			return `{"type":"track","event":"Bad","userId":{"a":1},"messageId":"` + id + `"}`
		},
		"no object": func(id string) string { return `"` + id + `"` },
		"null":      func(string) string { return `null` },
	} {
		t.Run(name, func(t *testing.T) {
			before, after, id := c.text("before"), c.text("after"), c.text("bad")
			body := `{"batch":[` + good(before) + `,` + bad(id) + `,` + good(after) + `]}`
			a := ie1.send(t, "POST", "/v1/batch", basic(ie1.Sources["segment"].WriteKey), []byte(body))
			if a.status != 200 {
				t.Fatalf("answer %v, want 200: an SDK drops the whole batch", a)
			}
			for _, id := range []string{before, after} {
				if n := len(ie1.byClientID(t, id)); n != 1 {
					t.Errorf("%d records of a good neighbour, want 1", n)
				}
			}
			if n := len(ie1.byClientID(t, id)); n != 0 {
				t.Errorf("%d records of the bad event, want none", n)
			}
		})
	}
	var listed struct {
		Refusals []struct {
			Reason, Path string
			Count        int
		}
	}
	ie1.api(t, "GET", "/refusals", nil).want(t, 200).into(t, &listed)
	n := 0
	for _, r := range listed.Refusals {
		if n += r.Count; r.Reason == "" {
			t.Errorf("/refusals lists %+v, without a reason", r)
		}
	}
	if n < 13 {
		t.Errorf("/refusals counts %d, want at least one of each", n)
	}
	lines := strings.Join([]string{`{"id":"` + c.text("id") + `","kind":"track","service":"cdp","subjects":[{"type":"user_id","value":"lines","role":"subject"}],"data":{"a":1}}`,
		`{"id":`, `{"id":"` + c.text("id") + `","kind":"track","service":"cdp","subjects":[{"type":"user_id","value":"lines","role":"subject"}],"data":{"a":2}}`}, "\n")
	h := bearer(ie1.Sources["native"].Token)
	h["Content-Type"] = "application/x-ndjson"
	ie1.send(t, "POST", "/v1/records", h, []byte(lines)).want(t, 200)
	if n := len(ie1.records(t, ie1.find(t, "user_id", "lines"))); n != 2 {
		t.Errorf("%d records of two good lines around a bad one, want 2", n)
	}
}

func badBodies(t *testing.T, w *world) {
	ie1 := w.region("ie1")
	h := basic(ie1.Sources["segment"].WriteKey)
	zipped := header{"Authorization": h["Authorization"], "Content-Encoding": "gzip"}
	whole := `{"batch":[{"type":"track","event":"e","userId":"u","messageId":"whole"}]}`
	bomb := gzipOf(t, 256<<20)
	for _, b := range []struct {
		name string
		h    header
		body []byte
	}{ // Segment answers 400 to all of these, and its SDKs drop the body
		{"truncated", h, []byte(whole[:40])},
		{"empty", h, nil},
		{"not JSON", h, []byte("batch=1")},
		{"trailing", h, []byte(whole + "}")},
		{"an array", h, []byte(`[1]`)},
		{"NUL", h, []byte("{\"batch\":[\x00]}")},
		{"too large", h, []byte(`{"batch":[` + strings.Repeat(" ", 40<<20) + `]}`)},
		{"gzip cut short", zipped, pack(t, []byte(whole))[:40]},
		{"gzip bomb", zipped, bomb},
		{"gzip in gzip", zipped, pack(t, pack(t, []byte(whole)))},
		{"unknown encoding", header{"Authorization": h["Authorization"], "Content-Encoding": "br"}, []byte(whole)},
	} {
		a, err := ie1.try("POST", "/v1/batch", b.h, b.body)
		if err != nil && len(b.body) > 1<<20 {
			continue // refused before the client had sent it all
		}
		if err != nil || a.status != 400 {
			t.Errorf("%s: answer %v %v, want 400", b.name, a, err)
		} else if !bytes.Contains(a.body, []byte(`"code":"body.`)) {
			t.Errorf("%s: answer %v names no code", b.name, a)
		}
	}
	ie1.send(t, "POST", "/v1/batch", zipped, []byte(strings.Replace(whole, "whole", "unzipped-already", 1))).want(t, 200) // by a proxy that left the header
	if mb := residentMB(t, w); mb > 200 {
		t.Errorf("the process has %d MB after a gzip bomb", mb)
	}
	ie1.send(t, "GET", "/healthz", nil, nil).want(t, 200)
}

func badKeys(t *testing.T, w *world) {
	ie1, us1 := w.region("ie1"), w.region("us1")
	event := []byte(`{"type":"track","event":"e","userId":"wrong","messageId":"wrong-key"}`)
	withKey := func(key string) []byte {
		return []byte(`{"type":"track","event":"e","userId":"wrong","messageId":"wrong-key","writeKey":"` + key + `"}`)
	}
	mine := ie1.Sources["segment"].WriteKey
	native := []byte(`[{"id":"wrong-key","kind":"track","service":"cdp","subjects":[{"type":"user_id","value":"wrong","role":"subject"}],"data":{}}]`)
	for _, k := range []struct {
		name   string
		to     *region
		path   string
		h      header
		body   []byte
		status int
	}{
		{"none", ie1, "/v1/track", nil, event, 401},
		{"unknown", ie1, "/v1/track", basic("dwk_ie1_nosuchkeynosuchkey"), event, 401},
		{"not ours", ie1, "/v1/track", basic("x"), event, 401},
		{"empty", ie1, "/v1/track", basic(""), event, 401},
		{"unknown, in the body", ie1, "/v1/track", nil, withKey("dwk_ie1_nosuchkeynosuchkey"), 401},
		{"header and body disagree", ie1, "/v1/track", basic(mine), withKey(ie1.Sources["browser"].WriteKey), 401},
		{"an API token", ie1, "/v1/track", basic(ie1.APIToken), event, 401},
		{"a write key at the API", ie1, "/api/v1/stats", bearer(mine), nil, 401},
		{"other region, header", us1, "/v1/track", basic(mine), event, 421},
		{"other region, body", us1, "/v1/track", nil, withKey(mine), 421},
		{"other region, bearer", us1, "/v1/records", bearer(ie1.Sources["native"].Token), native, 421},
		{"other region, API", us1, "/api/v1/stats", bearer(ie1.APIToken), nil, 421},
		{"other region, with a body that is no JSON", us1, "/v1/track", basic(mine), []byte("}"), 421},
		{"unknown region", ie1, "/v1/track", basic("dwk_xx9_nosuchkeynosuchkey"), event, 401},
	} {
		method := "POST"
		if strings.HasPrefix(k.path, "/api") {
			method = "GET"
		}
		a := k.to.send(t, method, k.path, k.h, k.body)
		if a.status != k.status {
			t.Errorf("%s: answer %v, want %d", k.name, a, k.status)
		}
		if k.status == 421 && !bytes.Contains(a.body, []byte(ie1.URL)) {
			t.Errorf("%s: answer %v does not name %s", k.name, a, ie1.URL)
		}
		if a.header.Get("Location") != "" {
			t.Errorf("%s: the answer has a Location, which clients may follow", k.name)
		}
	}
	if n := accepted(t, us1); n != 0 {
		t.Errorf("us1 accepted %d events of ie1", n)
	}
	if n := len(ie1.byClientID(t, "wrong-key")); n != 0 {
		t.Errorf("ie1 has %d records of requests that were refused", n)
	}
}

// badClocks sends from clients whose clocks are a year off. The event is kept, and its time is
// never after its acceptance.
func badClocks(t *testing.T, w *world) {
	ie1, c := w.region("ie1"), newCanaries()
	now := time.Now().UTC()
	for name, years := range map[string]int{"ahead": 1, "behind": -1} {
		t.Run(name, func(t *testing.T) {
			theirs := now.AddDate(years, 0, 0)
			id := c.text("id")
			ie1.segment(t, "/v1/batch", m{"sentAt": theirs, "batch": []m{{"type": "track", "event": "e", "userId": "clock", "messageId": id, "timestamp": theirs.Add(-90 * time.Second)}}})
			rs := ie1.byClientID(t, id)
			if len(rs) != 1 {
				t.Fatalf("%d records, want 1", len(rs))
			}
			if d := rs[0].ReceivedAt.Sub(rs[0].OccurredAt); d < 85*time.Second || d > 5*time.Minute {
				t.Errorf("sent 90 s after it happened, by that clock; stored as %v before acceptance", d)
			}
		})
	}
	for _, ts := range []string{`"9999-12-31T23:59:59Z"`, `"0000-00-00T00:00:00Z"`, `"yesterday"`, `17000`, `null`, `{}`, `"2026-02-30T00:00:00Z"`} {
		id := c.text("id")
		body := `{"type":"track","event":"e","userId":"clock","messageId":"` + id + `","timestamp":` + ts + `}`
		ie1.send(t, "POST", "/v1/track", basic(ie1.Sources["segment"].WriteKey), []byte(body)).want(t, 200)
		for _, r := range ie1.byClientID(t, id) {
			if r.OccurredAt.After(r.ReceivedAt) {
				t.Errorf("timestamp %s: occurred at %v, after its acceptance at %v", ts, r.OccurredAt, r.ReceivedAt)
			}
		}
	}
}

// badAddresses: no ingest path ever redirects, since SDKs take a redirect as delivered.
func badAddresses(t *testing.T, w *world) {
	ie1 := w.region("ie1")
	event := []byte(`{"type":"track","event":"e","userId":"u","messageId":"address"}`)
	for _, path := range []string{"/v1/batch/", "//v1/batch", "/v1//batch", "/v1/./batch", "/v1/../v1/batch", "/v1", "/v1/", "/v1/nothing", "/V1/batch", "/v1/batch;x", "/v1/track%2f"} {
		if a := ie1.send(t, "POST", path, basic(ie1.Sources["segment"].WriteKey), event); a.status/100 == 3 || a.status >= 500 {
			t.Errorf("POST %s: %v", path, a)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
		if a := ie1.send(t, method, "/v1/batch", basic(ie1.Sources["segment"].WriteKey), event); a.status != 405 && a.status != 404 {
			t.Errorf("%s /v1/batch: %v, want 405", method, a)
		}
	}
}

// lyingTypes: SDKs send JSON under any name, so the path decides, not the header.
func lyingTypes(t *testing.T, w *world) {
	ie1, c := w.region("ie1"), newCanaries()
	for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "multipart/form-data", "application/json; charset=utf-16", "nonsense"} {
		id := c.text("id")
		h := basic(ie1.Sources["segment"].WriteKey)
		h["Content-Type"], h["Content-Encoding"] = ct, "gzip"
		ie1.send(t, "POST", "/v1/batch", h, pack(t, []byte(`{"batch":[{"type":"track","event":"e","userId":"type","messageId":"`+id+`"}]}`))).want(t, 200)
		if n := len(ie1.byClientID(t, id)); n != 1 {
			t.Errorf("Content-Type %s: %d records, want 1", ct, n)
		}
	}
}

// preflight: browsers ask before they send an Authorization header, and `*` does not cover it.
func preflight(t *testing.T, w *world) {
	ie1 := w.region("ie1")
	for _, path := range []string{"/v1/t", "/v1/b", "/v1/batch"} {
		a := ie1.send(t, "OPTIONS", path, header{"Origin": "https://shop.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-retry-count"}, nil)
		allowed := strings.ToLower(a.header.Get("Access-Control-Allow-Headers"))
		if a.status/100 != 2 || !strings.Contains(allowed, "authorization") || !strings.Contains(allowed, "x-retry-count") || a.header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("OPTIONS %s: %d %v", path, a.status, a.header)
		}
	}
	a := ie1.send(t, "POST", "/v1/t", header{"Origin": "https://shop.example", "Authorization": basic(ie1.Sources["browser"].WriteKey)["Authorization"]},
		[]byte(`{"type":"track","event":"e","userId":null,"anonymousId":"browser-1","messageId":"browser-1"}`)).want(t, 200)
	if a.header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("the answer to a browser lacks Access-Control-Allow-Origin, so that its script sees a failure and sends again")
	}
}

// gzipOf is n zero bytes, packed.
func gzipOf(t *testing.T, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	zeros := make([]byte, 1<<20)
	for range n >> 20 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// residentMB is the process's resident memory.
func residentMB(t *testing.T, w *world) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}
