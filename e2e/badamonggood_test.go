package e2e

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A flaw is one way in which an event of a protocol can be bad: what it looks like when it is called
// id, and the reason for which it is refused.
type flaw struct {
	reason string
	event  func(id string) string
}

// flaws are the ways in which JSON itself can be more than anybody takes, in an event that is
// made from the members that it gets. big is more than the protocol's most.
func flaws(prefix string, big int, with func(id, more string) string) []flaw {
	f := func(reason, more string) flaw {
		return flaw{prefix + reason, func(id string) string { return with(id, more) }}
	}
	return []flaw{
		f("bad_utf8", ",\"x\":\"\xc3\x28\""),
		f("bad_utf8", ",\"\xff\":1"),
		f("duplicate_member", `,"x":{"a":1,"a":2}`),
		f("duplicate_member", `,"x":{"a":1,"\u0061":2}`),
		f("too_deep", `,"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)),
		f("too_deep", `,"x":`+strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000)),
		f("too_large", `,"x":"`+strings.Repeat("x", big)+`"`),
		{prefix + "not_object", func(string) string { return "7" }},
		{prefix + "not_object", func(string) string { return "null" }},
		{prefix + "not_object", func(id string) string { return `"` + id + `"` }},
		{prefix + "not_object", func(id string) string { return `["` + id + `"]` }},
	}
}

// mixed is a body of many events: each flaw once among twice as many good ones, in any order.
type mixed struct {
	events  []string
	good    []string       // ids of the good ones
	reasons map[string]int // how many are to be refused, and why
	indexes map[int]string // which, and why
	ids     []string       // of the bad ones
}

func mix(name string, good func(id string) string, all []flaw) (b mixed) {
	type one struct{ id, event, reason string }
	var list []one
	for i, f := range all {
		id := fmt.Sprintf("%s-bad-%d", name, i)
		list = append(list, one{id, f.event(id), f.reason})
	}
	for i := range 2 * len(all) {
		id := fmt.Sprintf("%s-good-%d", name, i)
		list = append(list, one{id, good(id), ""})
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	b.reasons, b.indexes = map[string]int{}, map[int]string{}
	for i, x := range list {
		b.events = append(b.events, x.event)
		if x.reason == "" {
			b.good = append(b.good, x.id)
			continue
		}
		b.reasons[x.reason]++
		b.indexes[i] = x.reason
		b.ids = append(b.ids, x.id)
	}
	return b
}

func (b mixed) array() string { return "[" + strings.Join(b.events, ",") + "]" }

// TestABatchLosesNoneOfItsGood: of a body with every kind of bad event among good ones, all the good
// are stored once, and each of the bad is refused for its own reason. It is sent twice, as by a
// sender who heard no answer.
func TestABatchLosesNoneOfItsGood(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, person := w.region("ie1"), newCanaries().text("person")
		for name, send := range map[string]func(t *testing.T, ie1 *region, name string) (source string, b mixed){
			"segment": mixedSegment, "native array": mixedArray, "native lines": mixedLines, "event streams": mixedStream,
			"sendgrid": mixedSendGrid, "whatsapp": mixedWhatsApp, "cloudevents": mixedCloudEvents,
		} {
			t.Run(name, func(t *testing.T) {
				before := ie1.refused(t)
				source, b := send(t, ie1, strings.ReplaceAll(name, " ", "-")+"-"+person)
				for _, id := range b.good {
					if n := len(ie1.byClientID(t, id)); n != 1 {
						t.Errorf("%s: %d records of a good event, want 1", id, n)
					}
				}
				for _, id := range b.ids {
					if n := len(ie1.byClientID(t, id)); n != 0 {
						t.Errorf("%s: %d records of a bad event", id, n)
					}
				}
				got := map[string]int{}
				for reason, n := range ie1.refused(t)[source] {
					if n -= before[source][reason]; n > 0 {
						got[reason] = n / 2
					}
				}
				if diff := cmp.Diff(b.reasons, got); diff != "" {
					t.Errorf("refused (-want +got):\n%s", diff)
				}
			})
		}
	})
}

// refused returns how many events were refused, by source and reason.
func (r *region) refused(t *testing.T) map[string]map[string]int {
	t.Helper()
	var listed struct {
		Refusals []struct {
			Source, Reason string
			Count          int
		}
	}
	r.api(t, "GET", "/refusals", nil).want(t, 200).into(t, &listed)
	all := map[string]map[string]int{}
	for _, x := range listed.Refusals {
		if all[x.Source] == nil {
			all[x.Source] = map[string]int{}
		}
		all[x.Source][x.Reason] += x.Count
	}
	return all
}

func (r *region) sendTwice(t *testing.T, path string, h header, body string, status int) (first answer) {
	t.Helper()
	first = r.send(t, "POST", path, h, []byte(body)).want(t, status)
	r.send(t, "POST", path, h, []byte(body)).want(t, status)
	return first
}

func mixedSegment(t *testing.T, ie1 *region, name string) (string, mixed) {
	with := func(id, more string) string {
		return `{"type":"track","event":"Seen","userId":"` + name + `","messageId":"` + id + `"` + more + `}`
	}
	f := func(reason, event string) flaw {
		return flaw{"event." + reason, func(id string) string { return strings.ReplaceAll(event, "ID", id) }}
	}
	b := mix(name, func(id string) string { return with(id, `,"timestamp":"2025-01-05T10:00:00Z"`) }, append(flaws("event.", 40<<10, with),
		f("bad_type", `{"event":"Seen","userId":"u","messageId":"ID"}`),
		f("bad_type", `{"type":"tract","userId":"u","messageId":"ID"}`),
		f("bad_type", `{"type":7,"userId":"u","messageId":"ID"}`),
		f("no_subject", `{"type":"track","event":"Seen","messageId":"ID"}`),
		f("no_subject", `{"type":"alias","previousId":"u","messageId":"ID"}`),
		f("bad_identifier", `{"type":"track","event":"Seen","userId":{"a":1},"messageId":"ID"}`),
		f("bad_identifier", `{"type":"track","event":"Seen","userId":"`+strings.Repeat("u", 1025)+`","messageId":"ID"}`),
		f("bad_identifier", `{"type":"track","event":"Seen","anonymousId":"cut \ud83d","messageId":"ID"}`),
		f("bad_message_id", `{"type":"track","event":"Seen","userId":"u","messageId":true}`),
		f("bad_message_id", `{"type":"track","event":"Seen","userId":"u","messageId":"ID`+strings.Repeat("é", 101)+`"}`),
		f("key_mismatch", `{"type":"track","event":"Seen","userId":"u","messageId":"ID","writeKey":"dwk_ie1_anothers"}`),
		f("duplicate_member", `{"type":"track","event":"Seen","userId":"u","user\u0049d":"v","messageId":"ID"}`)))
	s := ie1.Sources["segment"]
	ie1.sendTwice(t, "/v1/batch", basic(s.WriteKey), `{"sentAt":"2026-01-05T10:00:00Z","batch":`+b.array()+`}`, 200)
	return s.ID, b
}

func mixedNative(name string, lines bool) mixed {
	with := func(id, more string) string {
		return `{"id":"` + id + `","kind":"track","service":"cdp","subjects":[{"type":"user_id","value":"` + name + `"}],"data":{"a":1` + more + `}}`
	}
	f := func(reason, old, now string) flaw {
		return flaw{"record." + reason, func(id string) string { return strings.Replace(with(id, ""), old, now, 1) }}
	}
	all := append(flaws("record.", 1<<20, with),
		f("bad_id", `"id":"`, `"id":"`+strings.Repeat("é", 257)),
		f("unknown_kind", `"track"`, `"letter"`),
		f("unknown_kind", `"cdp"`, `"post"`),
		f("unknown_kind", `"kind":"track",`, ``),
		f("bad_time", `"kind"`, `"occurred_at":"yesterday","kind"`),
		f("bad_time", `"kind"`, `"occurred_at":1767607200,"kind"`),
		f("unknown_member", `"kind"`, `"surprise":1,"kind"`),
		f("bad_subject", `"user_id"`, `"User"`),
		f("bad_subject", `[{`, `[1,{`),
		f("too_many_subjects", `[{`, `[`+strings.Repeat(`{"type":"user_id","value":"u"},`, 64)+`{`),
		f("no_subject", `[{"type":"user_id","value":"`+name+`"}]`, `[]`),
		f("bad_data", `{"a":1}`, `[]`),
		f("duplicate_member", `"kind"`, `"k\u0069nd":"page","kind"`))
	if lines { // only between lines is what is no JSON anybody's but its own
		all = append(all, f("bad_json", `}]`, `}`), f("bad_json", `"data":{`, `"data":{tru`), f("bad_json", `"a":1}}`, `"a":1`), f("bad_json", `"kind"`, "\"\x01kind\""))
	}
	return mix(name, func(id string) string {
		return strings.Replace(with(id, ""), `"kind"`, `"occurred_at":"2027-11-05T10:00:00Z","kind"`, 1)
	}, all)
}

// nativeSays wants the answer to tell each refusal by its index and reason.
func nativeSays(t *testing.T, a answer, b mixed) {
	t.Helper()
	var got struct {
		Accepted int
		Refused  []struct {
			Index  int
			Reason string
		}
	}
	a.into(t, &got)
	refused := map[int]string{}
	for _, r := range got.Refused {
		refused[r.Index] = r.Reason
	}
	if diff := cmp.Diff(b.indexes, refused); diff != "" || got.Accepted != len(b.good) {
		t.Errorf("accepted %d of %d; refused (-want +got):\n%s", got.Accepted, len(b.good), diff)
	}
}

func mixedArray(t *testing.T, ie1 *region, name string) (string, mixed) {
	b, s := mixedNative(name, false), ie1.Sources["native"]
	nativeSays(t, ie1.sendTwice(t, "/v1/records", bearer(s.Token), b.array(), 200), b)
	return s.ID, b
}

func mixedLines(t *testing.T, ie1 *region, name string) (string, mixed) {
	b, s := mixedNative(name, true), ie1.Sources["native"]
	h := bearer(s.Token)
	h["Content-Type"] = "application/x-ndjson"
	nativeSays(t, ie1.sendTwice(t, "/v1/records", h, strings.Join(b.events, "\n\n"), 200), b)
	return s.ID, b
}

func mixedStream(t *testing.T, ie1 *region, name string) (string, mixed) {
	with := func(id, more string) string {
		return `{"specversion":"1.0","type":"com.twilio.messaging.message.sent","source":"/x","id":"` + id + `","data":{"to":"+353831000001"` + more + `}}`
	}
	f := func(reason, old, now string) flaw {
		return flaw{"event." + reason, func(id string) string { return strings.Replace(with(id, ""), old, now, 1) }}
	}
	all := flaws("event.", 0, with)
	all = append(append(all[:6:6], all[7:]...), // an event may be as large as the request
		f("unknown_kind", `"com.twilio.messaging.message.sent"`, `"com.example.sent"`),
		f("unknown_kind", `"type"`, `"typo"`),
		f("bad_id", `"id":"`, `"id":"`+strings.Repeat("x", 257)),
		f("bad_id", `"id"`, `"ID"`),
		f("bad_source", `"/x"`, `[]`),
		f("bad_source", `"/x"`, `"`+strings.Repeat("x", 1025)+`"`),
		f("bad_data", `"data":`, `"data":[],"more":`))
	b := mix(name, func(id string) string { return with(id, "") }, all)
	s, body := ie1.Sources["twilio"], b.array()
	path := "/twilio/" + s.ID + "?bodySHA256=" + sha256Hex([]byte(body))
	_, h := twilioForm(call{body: m{}}, s.AuthToken, ie1.URL+path)
	h["Content-Type"] = "application/json"
	ie1.sendTwice(t, path, h, body, 200)
	return s.ID, b
}

func mixedSendGrid(t *testing.T, ie1 *region, name string) (string, mixed) {
	with := func(id, more string) string {
		return `{"email":"` + name + `@mixed.example","timestamp":1735689600,"event":"delivered","sg_event_id":"` + id + `"` + more + `}`
	}
	f := func(reason, old, now string) flaw {
		return flaw{"event." + reason, func(id string) string { return strings.Replace(with(id, ""), old, now, 1) }}
	}
	b := mix(name, func(id string) string { return with(id, "") }, append(flaws("event.", 64<<10, with),
		f("bad_id", `"sg_event_id"`, `"id"`),
		f("bad_id", `"sg_event_id":"`, `"sg_event_id":"`+strings.Repeat("x", 257)),
		f("unknown_kind", `"event"`, `"events"`),
		f("no_subject", `"email"`, `"mail"`),
		f("bad_identifier", `"email":"`, `"email":"`+strings.Repeat("x", 1025)),
		f("duplicate_member", `"timestamp"`, `"email":"b@mixed.example","timestamp"`)))
	s, body := ie1.Sources["sendgrid"], b.array()+"\r\n"
	ie1.sendTwice(t, "/sendgrid/"+s.ID, signSendGrid(t, s, []byte(body)), body, 200)
	return s.ID, b
}

// mixedWhatsApp spreads its elements over entries and changes, some of which are bad as a whole.
func mixedWhatsApp(t *testing.T, ie1 *region, name string) (string, mixed) {
	with := func(id, more string) string {
		return `{"from":"353831000002","id":"` + id + `","timestamp":"1735689600","type":"text"` + more + `}`
	}
	f := func(reason, old, now string) flaw {
		return flaw{"event." + reason, func(id string) string { return strings.Replace(with(id, ""), old, now, 1) }}
	}
	b := mix(name, func(id string) string { return with(id, "") }, append(flaws("event.", 256<<10, with),
		f("bad_id", `"id":`, `"ID":`),
		f("bad_id", `"id":"`, `"id":"`+strings.Repeat("x", 257)),
		f("no_subject", `"from"`, `"of"`),
		f("duplicate_member", `"type"`, `"from":"353831000003","type"`)))
	change := func(elements ...string) string {
		return `{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{},"contacts":[7,{"wa_id":"353831000002","profile":{"name":"\u00c9"}}],"messages":[` + strings.Join(elements, ",") + `]}}`
	}
	var entries []string
	for rest := b.events; len(rest) > 0; {
		n := min(len(rest), 1+rand.IntN(6))
		entries, rest = append(entries, `{"id":"1","changes":[`+change(rest[:n]...)+`]}`), rest[n:]
	}
	for reason, bad := range map[string][]string{
		"event.not_object":       {`7`, `{"changes":["x"]}`},
		"event.not_list":         {`{"changes":{}}`, `{"changes":[{"field":"messages","value":{"messages":{}}}]}`},
		"event.unknown_kind":     {`{"changes":[{"field":"account_update","value":{}}]}`, `{"changes":[{"field":"messages","value":"x"}]}`},
		"event.duplicate_member": {`{"changes":[],"changes":[]}`, `{"changes":[{"field":"messages","value":{"messages":[],"messages":[` + with(name+"-twice", "") + `]}}]}`},
	} {
		b.reasons[reason] += len(bad)
		for _, entry := range bad {
			at := rand.IntN(len(entries) + 1)
			entries = append(entries[:at], append([]string{entry}, entries[at:]...)...)
		}
	}
	b.ids = append(b.ids, name+"-twice")
	s, body := ie1.Sources["whatsapp"], `{"object":"whatsapp_business_account","entry":[`+strings.Join(entries, ",")+`]}`
	ie1.sendTwice(t, "/whatsapp/"+s.ID, signMeta(s, []byte(body)), body, 200)
	return s.ID, b
}

func mixedCloudEvents(t *testing.T, ie1 *region, name string) (string, mixed) {
	with := func(id, more string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"/crm","type":"com.example.seen","subject":"` + name + `","time":"2025-01-05T10:00:00Z"` + more + `}`
	}
	f := func(reason, old, now string) flaw {
		return flaw{"event." + reason, func(id string) string { return strings.Replace(with(id, ""), old, now, 1) }}
	}
	b := mix(name, func(id string) string { return with(id, `,"data":{"a":1}`) }, append(flaws("event.", 1<<20, with),
		f("bad_version", `"1.0"`, `"0.3"`),
		f("bad_version", `"specversion":"1.0",`, ``),
		f("bad_id", `"id":"`, `"id":"`+strings.Repeat("x", 257)),
		f("bad_source", `"/crm"`, `""`),
		f("unknown_kind", `"type":"com.example.seen",`, ``),
		f("no_subject", `"subject"`, `"topic"`),
		f("bad_subject", `"time"`, `"subjecttype":"user_id","time"`),
		f("bad_subject", `"time"`, `"data":{"subjects":[{"type":"email","value":"a@mixed.example"},{"type":"E","value":"x"}]},"time"`),
		f("bad_data", `"time"`, `"data_base64":"*","time"`),
		f("duplicate_member", `"time"`, `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(`{"a":1,"a":2}`))+`","time"`)))
	made := ie1.make(t, "cloudevents", "")
	path, key := "/cloudevents/"+made.ID, made.WriteKey
	h := bearer(key)
	h["Content-Type"] = "application/cloudevents-batch+json"
	nativeSays(t, ie1.sendTwice(t, path, h, b.array(), 200), b)
	return strings.TrimPrefix(path, "/cloudevents/"), b
}
