package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// A visit is one world into which canaries went through every adapter, in every field and key
// position, in good input and in bad, and in the questions that were asked about it.
type visit struct {
	w    *world
	c    *canaries
	good []call // accepted by ie1

	mu   sync.Mutex
	seen map[string][]byte // what others than ie1's tenant got to see; guarded by mu
}

func newVisit(t *testing.T, kind string) *visit {
	t.Helper()
	v := &visit{c: newCanaries(), seen: map[string][]byte{}, w: newWorld(t, kind)}
	v.sendGood(t)
	v.readBack(t)
	v.sendBad(t, v.w.region("us1"))
	v.ask(t, v.w.region("us1"))
	v.look(t)
	return v
}

// sendGood goes through every ingest path, each with its own way to name the key.
func (v *visit) sendGood(t *testing.T) {
	t.Helper()
	ie1 := v.w.region("ie1")
	key := ie1.Sources["segment"].WriteKey
	headers := basic(key)
	headers["User-Agent"] = v.c.text("User-Agent")
	headers["X-Forwarded-For"] = v.c.ip("X-Forwarded-For")
	headers["Referer"] = "https://example.com/" + v.c.text("Referer")
	headers["Cookie"] = "ajs_user_id=" + v.c.text("Cookie")
	headers["X-Request-Id"] = v.c.text("X-Request-Id")
	headers["Traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	headers["Baggage"] = "user=" + v.c.text("Baggage")
	bodies := func(calls []call) (all []m) {
		for _, c := range calls {
			all = append(all, c.body)
		}
		v.good = append(v.good, calls...)
		return all
	}
	batch := func(name string, extra m) m {
		b := m{"batch": bodies(segmentCalls(v.c)), "context": m{v.c.text(name + " context key"): v.c.text(name + " context value")},
			v.c.text(name + " key"): v.c.text(name + " value")}
		for k, x := range extra {
			b[k] = x
		}
		return b
	}
	ie1.send(t, "POST", "/v1/batch?debug="+v.c.text("query"), headers, encode(t, batch("batch", nil))).want(t, 200)
	ie1.send(t, "POST", "/v1/batch", header{"Content-Type": "text/plain"}, encode(t, batch("batch by body key", m{"writeKey": key}))).want(t, 200)
	zipped := basic(key)
	zipped["Content-Encoding"] = "gzip"
	ie1.send(t, "POST", "/v1/import", zipped, pack(t, encode(t, batch("import", nil)))).want(t, 200)
	for _, c := range segmentCalls(v.c) {
		v.good = append(v.good, c)
		ie1.send(t, "POST", "/v1/"+c.body["type"].(string), headers, encode(t, c.body)).want(t, 200)
	}
	for _, c := range segmentCalls(v.c) { // as the browser SDK sends it
		v.good = append(v.good, c)
		path := "/v1/" + c.body["type"].(string)[:1]
		c.body["writeKey"] = ie1.Sources["browser"].WriteKey
		h := header{"Content-Type": "text/plain", "Origin": "https://" + v.c.text("Origin") + ".example"}
		ie1.send(t, "POST", path, h, encode(t, c.body)).want(t, 200)
	}
	ie1.native(t, bodies(nativeRecords(v.c))...)
	var lines bytes.Buffer
	for _, c := range nativeRecords(v.c) {
		v.good = append(v.good, c)
		lines.Write(append(encode(t, c.body), '\n'))
	}
	h := bearer(ie1.Sources["native"].Token)
	h["Content-Type"] = "application/x-ndjson"
	ie1.send(t, "POST", "/v1/records", h, lines.Bytes()).want(t, 200)
	v.sendPixel(t, ie1)
	v.sendTwilio(t, ie1)
	v.sendSendGrid(t, ie1)
	v.sendWhatsApp(t, ie1)
	v.sendCloudEvent(t, ie1)
}

// readBack makes sure that the canaries are in the store: what was dropped can't leak. The
// tenant reads every value and key of every call.
func (v *visit) readBack(t *testing.T) {
	t.Helper()
	ie1 := v.w.region("ie1")
	var missing int
	for _, c := range v.good {
		records := ie1.byClientID(t, c.clientID)
		if len(records) != 1 {
			t.Errorf("%d records of an accepted call, want 1", len(records))
			continue
		}
		read := textsOf(t, records[0].Data)
		for _, can := range c.within {
			if strings.Contains(can.where, "(") || can.value == c.clientID {
				continue // another form of a value, or the client id, which is a field of its own
			}
			if !strings.Contains(read, can.value) {
				if missing++; missing <= 20 {
					t.Errorf("the tenant reads no %s in the record of that call", can.where)
				}
			}
		}
	}
	if missing > 20 {
		t.Errorf("… and %d more are missing", missing-20)
	}
}

// textsOf is every key, text and number of a JSON document, a line each.
func textsOf(t *testing.T, doc []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var lines strings.Builder
	for {
		token, err := d.Token()
		if err == io.EOF {
			return lines.String()
		} else if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&lines, token)
	}
}

// sendBad sends what must be refused, with canaries in it.
func (v *visit) sendBad(t *testing.T, us1 *region) {
	t.Helper()
	ie1 := v.w.region("ie1")
	key := ie1.Sources["segment"].WriteKey
	event := func() m { return segmentCalls(v.c)[1].body }
	with := func(k string, x any) m { e := event(); e[k] = x; return e }
	batch := func(events ...m) []byte { return encode(t, m{"batch": events}) }
	deep := strings.Repeat(`{"`+v.c.text("deep key")+`":`, 600) + `"` + v.c.text("deep value") + `"` + strings.Repeat("}", 600)
	whole := batch(event(), event())
	text := func(w string) string { return v.c.text("bad " + w) }
	native := func(change m) []byte {
		r := m{"id": text("native id"), "kind": "track", "service": "cdp", "subjects": []m{{"type": "email", "value": v.c.email("bad native"), "role": "subject"}},
			"data": m{text("native key"): text("native value")}}
		for k, x := range change {
			r[k] = x
		}
		return encode(t, []m{r})
	}
	body := event()
	body["writeKey"] = key
	for _, b := range []struct {
		what string
		to   *region
		path string
		h    header
		body []byte
	}{
		{"another region's key in the header", us1, "/v1/batch", basic(key), batch(event())},
		{"another region's key in the body", us1, "/v1/track", header{"Content-Type": "application/json"}, encode(t, body)},
		{"another region's token", us1, "/v1/records", bearer(ie1.Sources["native"].Token), native(nil)},
		{"unknown key", ie1, "/v1/batch", basic("dwk_ie1_" + text("key")), batch(event())},
		{"no key", ie1, "/v1/batch", nil, batch(event())},
		{"two keys", ie1, "/v1/track", basic(us1.Sources["segment"].WriteKey), encode(t, body)},
		{"not JSON", ie1, "/v1/batch", basic(key), []byte(text("body"))},
		{"truncated", ie1, "/v1/batch", basic(key), whole[:len(whole)/2]},
		{"trailing", ie1, "/v1/batch", basic(key), append(batch(event()), text("tail")...)},
		{"too large an event", ie1, "/v1/batch", basic(key), batch(with(text("large key"), strings.Repeat(text("large"), 4000)))},
		{"too large a body", ie1, "/v1/batch", basic(key), batch(with("filler", strings.Repeat(text("huge"), 80000)))},
		{"nested too deep", ie1, "/v1/batch", basic(key), []byte(`{"batch":[{"type":"track","userId":"` + text("deep user") + `","event":"e","messageId":"` + text("deep id") + `","properties":` + deep + `}]}`)},
		{"bad UTF-8", ie1, "/v1/batch", basic(key), []byte(`{"batch":[{"type":"track","userId":"` + text("utf8 user") + "\xff\xfe" + `","event":"e","messageId":"` + text("utf8 id") + `"}]}`)},
		{"duplicate key", ie1, "/v1/batch", basic(key), []byte(`{"batch":[{"type":"track","userId":"` + text("dup 1") + `","userId":"` + text("dup 2") + `","event":"e","messageId":"` + text("dup id") + `"}]}`)},
		{"no person", ie1, "/v1/batch", basic(key), batch(m{"type": "track", "event": text("event"), "messageId": text("id")})},
		{"unknown type", ie1, "/v1/batch", basic(key), batch(with("type", text("type")))},
		{"person of the wrong type", ie1, "/v1/batch", basic(key), batch(with("userId", m{text("user key"): text("user value")}))},
		{"long id", ie1, "/v1/batch", basic(key), batch(with("messageId", strings.Repeat(text("id"), 60)))},
		{"bad time", ie1, "/v1/batch", basic(key), batch(with("timestamp", text("timestamp")))},
		{"not an object", ie1, "/v1/batch", basic(key), []byte(`{"batch":["` + text("element") + `"]}`)},
		{"not a gzip", ie1, "/v1/batch", header{"Authorization": basic(key)["Authorization"], "Content-Encoding": "gzip"}, batch(event())},
		{"unknown path", ie1, "/v1/" + text("path"), basic(key), batch(event())},
		{"unknown kind", ie1, "/v1/records", bearer(ie1.Sources["native"].Token), native(m{"kind": text("kind")})},
		{"unknown service", ie1, "/v1/records", bearer(ie1.Sources["native"].Token), native(m{"service": text("service")})},
		{"unknown role", ie1, "/v1/records", bearer(ie1.Sources["native"].Token), native(m{"subjects": []m{{"type": "email", "value": v.c.email("bad role"), "role": text("role")}}})},
		{"bad e-mail", ie1, "/v1/records", bearer(ie1.Sources["native"].Token), native(m{"subjects": []m{{"type": "email", "value": text("e-mail"), "role": "subject"}}})},
		{"bad phone", ie1, "/v1/records", bearer(ie1.Sources["native"].Token), native(m{"subjects": []m{{"type": "phone", "value": text("phone"), "role": "subject"}}})},
		{"bad type", ie1, "/v1/records", bearer(ie1.Sources["native"].Token), native(m{"subjects": []m{{"type": text("type") + "!", "value": text("value"), "role": "subject"}}})},
		{"bad time of a record", ie1, "/v1/records", bearer(ie1.Sources["native"].Token), native(m{"occurred_at": text("occurred_at")})},
		{"unknown field of a record", ie1, "/v1/records", bearer(ie1.Sources["native"].Token), native(m{text("record key"): text("record value")})},
	} {
		if a := b.to.send(t, "POST", b.path, b.h, b.body); a.status >= 500 || a.status/100 == 3 {
			t.Errorf("%s: answer %v", b.what, a)
		}
	}
	v.sendBadTwilio(t, ie1, us1)
}

// ask calls the tenant API with canaries in every place of a question, most of them wrongly.
func (v *visit) ask(t *testing.T, us1 *region) {
	t.Helper()
	ie1 := v.w.region("ie1")
	text := func(w string) string { return v.c.text("question " + w) }
	subject := ie1.find(t, "user_id", v.good[0].body["userId"].(string))
	find := func(typ, value string) m { return m{"identifiers": []m{{"type": typ, "value": value}}} }
	for _, q := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/subjects:find", find("email", v.c.email("question"))},
		{"POST", "/subjects:find", find("email", text("email"))},
		{"POST", "/subjects:find", find("phone", text("phone"))},
		{"POST", "/subjects:find", find(text("type"), text("value"))},
		{"POST", "/subjects:find", m{text("key"): text("value")}},
		{"POST", "/subjects:find", text("not an object")},
		{"GET", "/subjects/" + text("subject"), nil},
		{"GET", "/subjects/" + subject, nil},
		{"GET", "/subjects/" + subject + "/records?kind=" + text("kind"), nil},
		{"GET", "/subjects/" + subject + "/records?after=" + text("cursor"), nil},
		{"GET", "/subjects/" + subject + "/records?limit=" + text("limit"), nil},
		{"GET", "/subjects/" + subject + "/export?format=" + text("format"), nil},
		{"GET", "/subjects/" + subject + "/export?purpose=" + text("purpose"), nil},
		{"POST", "/subjects/" + subject + ":" + text("verb"), nil},
		{"POST", "/subjects/" + subject + ":restrict", m{"reason": text("restrict reason")}},
		{"POST", "/subjects/" + subject + ":unrestrict", m{"reason": text("unrestrict reason")}},
		{"POST", "/subjects/" + subject + ":hold", m{"reason": text("hold reason"), "until": text("until")}},
		{"GET", "/records/by-client-id/" + text("client id"), nil},
		{"GET", "/records/by-client-id/" + v.good[1].clientID, nil},
		{"GET", "/ledger/entries/" + text("entry"), nil},
		{"GET", "/stats?since=" + text("since"), nil},
		{"GET", "/" + text("path"), nil},
		{text("method"), "/stats", nil},
	} {
		if a := ie1.api(t, q.method, q.path, q.body); a.status >= 500 {
			t.Errorf("%s %s: answer %v", q.method, q.path, a)
		}
	}
	if us1 != nil {
		if a := us1.send(t, "POST", "/api/v1/subjects:find", bearer(ie1.APIToken), encode(t, find("email", v.c.email("wrong region question")))); a.status != 421 {
			t.Errorf("ie1's token at us1: %v, want 421", a)
		}
	}
	h := bearer(ie1.APIToken)
	h["Idempotency-Key"] = text("idempotency key")
	erased := ie1.find(t, "user_id", v.good[6].body["userId"].(string))
	if a := ie1.send(t, "POST", "/api/v1/subjects/"+erased+":erase", h, encode(t, m{"reason": text("erase reason"), "suppress": true})); a.status >= 500 {
		t.Errorf("erase with a free reason: %v", a)
	}
	ie1.send(t, "GET", "/"+text("page"), nil, nil)
	if v.w.cli != nil {
		return // the tenant's command line is asked where up.json is
	}
	for _, stdin := range []string{`{"type":"email","value":"` + v.c.email("stdin") + `"}`, "email " + v.c.email("stdin line"), text("stdin noise")} {
		out, errs, _ := v.w.run(stdin+"\n", "subject", "find", "--up", v.w.dir)
		v.saw("the command line's output", out+errs)
	}
}

// look gathers what is served to others than the tenant, and the tenant's lists that promise to
// hold no values.
func (v *visit) look(t *testing.T) {
	t.Helper()
	for _, r := range v.w.up.Regions {
		for _, path := range []string{"/metrics", "/healthz", "/readyz", "/", "/ledger/checkpoint", "/api/openapi.json", "/api/docs"} {
			v.saw(r.ID+path, string(v.w.get(t, r.URL+path)))
		}
		for _, path := range []string{"/stats", "/refusals", "/violations"} {
			v.saw(r.ID+path, string(r.api(t, "GET", path, nil).want(t, 200).body))
		}
		for path, tile := range v.w.tiles(t, r) {
			v.saw(r.ID+path, string(tile))
		}
	}
}

func (v *visit) saw(place, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen[place] = append(v.seen[place], text...)
}

// searchOutside looks at everything but the stores.
func (v *visit) searchOutside(t *testing.T, h *haystack, found sightings) {
	t.Helper()
	for _, dir := range []string{"tmp", "home"} {
		h.inTree(t, found, fmt.Sprintf("%s/%s", v.w.root, dir))
	}
	h.inBytes(found, "the log", []byte(v.w.readLog()))
	v.w.mu.Lock()
	h.inBytes(found, "an error answer", v.w.answers)
	v.w.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	for place, b := range v.seen {
		h.inBytes(found, place, b)
	}
}

func pack(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
