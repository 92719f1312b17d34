package segment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/ingest/segment/segmenttest"
)

// track returns a good event with more members put in.
func track(more string) string {
	return `{"type":"track","event":"e","userId":"u-1","messageId":"m-1"` + more + `}`
}

// refusals decodes a batch of the events and returns "index reason path" of each that was refused.
func refusals(t *testing.T, events ...string) (got []string) {
	t.Helper()
	b, err := segment.Decode("/v1/batch", []byte(`{"batch":[`+strings.Join(events, ",")+`]}`), env(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	for i := range b.Events {
		e := &b.Events[i]
		if r := e.Refused; r != nil {
			got = append(got, strings.TrimSpace(fmt.Sprint(r.Index, " ", r.Reason, " ", b.Path(e))))
			if len(e.Identifiers)+len(e.Fragments) > 0 {
				t.Errorf("refused event %d holds something", i)
			}
		} else if len(e.Fragments) == 0 || len(e.Identifiers) == 0 {
			t.Errorf("event %d holds nothing", i)
		}
	}
	return got
}

func TestOneBadEventNeverCostsItsBatch(t *testing.T) {
	good := track("")
	for _, tt := range []struct{ event, want string }{
		{`{"type":"track","event":"e"}`, "1 event.no_subject"},
		{`{"type":"track","event":"e","userId":null,"anonymousId":""}`, "1 event.no_subject"},
		{`{"type":"alias","previousId":"anon-1"}`, "1 event.no_subject"},
		{`{"type":"identify","traits":{"email":"a@example.com"}}`, "1 event.no_subject"},
		{`{"type":"Track","userId":"u"}`, "1 event.bad_type type"},
		{`{"type":7,"userId":"u"}`, "1 event.bad_type type"},
		{`{"userId":"u"}`, "1 event.bad_type type"},
		{`{"type":"track","userId":{"$oid":"1"}}`, "1 event.bad_identifier userId"},
		{`{"type":"track","userId":"` + strings.Repeat("u", 1025) + `"}`, "1 event.bad_identifier userId"},
		{`{"type":"track","anonymousId":"cut \ud83d"}`, "1 event.bad_identifier anonymousId"},
		{`{"type":"alias","userId":"u","previousId":[]}`, "1 event.bad_identifier previousId"},
		{track(`,"messageId2":1`) + `,` + strings.Replace(good, "m-1", strings.Repeat("é", 101), 1), "2 event.bad_message_id messageId"},
		{strings.Replace(good, `"m-1"`, `true`, 1), "1 event.bad_message_id messageId"},
		{`[]`, "1 event.not_object"},
		{`"x"`, "1 event.not_object"},
		{`null`, "1 event.not_object"},
		{track(`,"properties":{"x":"` + strings.Repeat("i", 40<<10) + `"}`), "1 event.too_large"},
		{track(`,"properties":{"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`), "1 event.too_deep properties.*"},
		{track(`,"properties":{"a":` + strings.Repeat("[", 60_000) + strings.Repeat("]", 60_000) + `}`), "1 event.too_deep properties.*"},
		{track(`,"traits":{"aoife@example.com":1,"aoife\u0040example.com":2}`), "1 event.duplicate_member traits.*.*"},
		{track(`,"userId":"u-2"`), "1 event.duplicate_member userId"},
		{track(",\"properties\":{\"x\":\"\xff\"}"), "1 event.bad_utf8"},
	} {
		got := refusals(t, good, tt.event, good)
		if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
			t.Errorf("%.80s: %s", tt.event, diff)
		}
	}
}

func TestWhatIsAccepted(t *testing.T) {
	for _, tt := range []struct{ name, event, ids, client string }{
		{"a number for an id", `{"type":"track","userId":97980,"messageId":12}`, "user_id/subject 97980", "12"},
		{"null and empty are absent", `{"type":"page","userId":null,"anonymousId":"a","messageId":null}`, "anonymous_id/subject a", ""},
		{"an empty messageId is none", `{"type":"page","userId":"u","messageId":""}`, "user_id/subject u", ""},
		{"100 characters of two bytes", `{"type":"page","userId":"u","messageId":"` + strings.Repeat("é", 100) + `"}`, "user_id/subject u", strings.Repeat("é", 100)},
		{"escapes are read", `{"ty\u0070e":"tr\u0061ck","userId":"\u00e9\/1","messageId":"a\"b"}`, "user_id/subject é/1", `a"b`},
		{"half an emoji is content", `{"type":"track","userId":"u","properties":{"x":"\ud83d"}}`, "user_id/subject u", ""},
		{"e-mail of a track is content", `{"type":"track","userId":"u","properties":{"email":"a@example.com"},"context":{"traits":{"email":"b@example.com"}}}`, "user_id/subject u", ""},
		{"a group's traits are the group's", `{"type":"group","userId":"u","groupId":"g","traits":{"email":"a@example.com"}}`, "user_id/subject u", ""},
		{"an identify's both traits", `{"type":"identify","userId":"u","traits":{"email":"a@example.com","phone":null},"context":{"traits":{"email":"a@example.com","phone":"+447700900101"}}}`,
			"email/subject a@example.com, phone/subject +447700900101, user_id/subject u", ""},
		{"a device", `{"type":"screen","userId":"u","context":{"device":{"id":"d-1"}}}`, "device_id/subject d-1, user_id/subject u", ""},
		{"an alias", `{"type":"alias","userId":"u","previousId":"p","anonymousId":"a"}`, "anonymous_id/previous p, anonymous_id/subject a, user_id/subject u", ""},
		{"an alias of oneself", `{"type":"alias","userId":"u","previousId":"u"}`, "user_id/subject u", ""},
		{"unknown members stay", `{"type":"track","userId":"u","surprise":{"a":[1]}}`, "user_id/subject u", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := segment.Decode("/v1/batch", []byte(`{"batch":[`+tt.event+`]}`), env(t))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Release()
			e := &b.Events[0]
			if e.Refused != nil {
				t.Fatal(*e.Refused)
			}
			if got := strings.Join(identifiers(e), ", "); got != tt.ids || string(e.ClientID) != tt.client {
				t.Errorf("%s, %q; want %s, %q", got, e.ClientID, tt.ids, tt.client)
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(tt.event), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, data(t, e)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSingleEvents(t *testing.T) {
	for path, kind := range map[string]string{"/v1/track": "track", "/v1/t": "track", "/v1/identify": "identify", "/v1/i": "identify", "/v1/page": "page",
		"/v1/p": "page", "/v1/screen": "screen", "/v1/s": "screen", "/v1/group": "group", "/v1/g": "group", "/v1/alias": "alias", "/v1/a": "alias"} {
		b, err := segment.Decode(path, []byte(` {"userId":"u","writeKey":"k","type":"other"} `), env(t))
		if err != nil {
			t.Fatal(err)
		}
		if e := &b.Events[0]; len(b.Events) != 1 || e.Refused != nil || e.Kind.Name != kind || string(b.WriteKey) != "k" {
			t.Errorf("%s: %+v", path, e)
		} else if v := data(t, e); v["writeKey"] != nil || v["type"] != "other" {
			t.Errorf("%s: %v", path, v)
		}
		b.Release()
	}
	b, err := segment.Decode("/v1/t", []byte(track(`,"properties":{"x":"`+strings.Repeat("i", 40<<10)+`"}`)), env(t))
	if err != nil || b.Events[0].Refused == nil || b.Events[0].Refused.Reason != "event.too_large" {
		t.Errorf("a lone event that is too large: %v", err)
	}
}

func TestBrokenBodiesGiveNothing(t *testing.T) {
	good := track("")
	for _, tt := range []struct{ path, body, reason string }{
		{"/v1/batch", ``, "body.truncated"},
		{"/v1/batch", `{"batch":[` + good, "body.truncated"},
		{"/v1/batch", `{"batch":[` + good + `,{"a":tru}]}`, "body.not_json"},
		{"/v1/batch", `{"batch":[` + good + `]} {}`, "body.not_json"},
		{"/v1/batch", `[` + good + `]`, "body.not_json"},
		{"/v1/batch", `{"writeKey":"k"}`, "body.no_batch"},
		{"/v1/batch", `{"batch":{}}`, "body.no_batch"},
		{"/v1/batch", `{"batch":[],"b\u0061tch":[]}`, "body.duplicate_member"},
		{"/v1/batch", `{"batch":[],"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "body.too_deep"},
		{"/v1/batch", "{\"batch\":[],\"sentAt\":\"\xff\"}", "body.bad_utf8"},
		{"/v1/batch", "{\"batch\":[],\"\xff\":1}", "body.bad_utf8"},
		{"/v1/batch", `{"batch":[` + good + `],"context":{"a":1,"a":2}}`, "body.duplicate_member"},
		{"/v1/batch", `{"batch":[` + good + `],"context":{"a":"` + strings.Repeat("x", 33<<10) + `"}}`, "body.context_too_large"},
		{"/v1/batch", `{"batch":["` + strings.Repeat("x", segment.MaxBodyBytes) + `"]}`, "body.too_large"},
		{"/v1/batch", `{"batch":[{"type":"track","userId":"u","writeKey":"a"}],"writeKey":"b"}`, "source.key_mismatch"},
		{"/v1/track", good + good, "body.not_json"},
		{"/v1/track", good[:len(good)-1], "body.truncated"},
		{"/v1/nothing", good, "path.unknown"},
	} {
		b, err := segment.Decode(tt.path, []byte(tt.body), env(t))
		if b != nil || fault.ReasonOf(err) != tt.reason {
			t.Errorf("%s %.60s: %v, %v; want %s", tt.path, tt.body, b, err, tt.reason)
		}
	}
}

func TestTooManyEventsAreOneRefusal(t *testing.T) {
	var all []string
	for i := range segment.MaxEvents + 1500 {
		all = append(all, fmt.Sprintf(`{"type":"track","userId":"u%d"}`, i))
	}
	b, err := segment.Decode("/v1/batch", []byte(`{"batch":[`+strings.Join(all, ",")+`]}`), env(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if len(b.Events) != segment.MaxEvents+1 {
		t.Fatalf("%d events", len(b.Events))
	}
	for i := range b.Events[:segment.MaxEvents] {
		if e := &b.Events[i]; e.Refused != nil || string(e.Identifiers[0].Value) != fmt.Sprintf("u%d", i) {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
	want := ingest.Refusal{Index: segment.MaxEvents, Reason: "batch.too_many_events", More: 1499}
	if got := *b.Events[segment.MaxEvents].Refused; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestABatchsContextIsMergedIntoItsEvents(t *testing.T) {
	const one = `{"type":"track","userId":"u","context":{"ip":"192.0.2.1","device":{"id":"d-1"},"os":null}}`
	const two = `{"type":"track","userId":"v","integrations":{"All":true}}`
	const common = `"context":{"ip":"192.0.2.9","device":{"id":"d-9","type":"phone"},"os":{"name":"x"},"loc\u0061le":"en"}`
	want := []string{
		`{"type":"track","userId":"u","context":{"ip":"192.0.2.1","device":{"id":"d-1","type":"phone"},"os":null,"locale":"en"},"integrations":{"All":false,"X":true}}`,
		`{"type":"track","userId":"v","context":{"ip":"192.0.2.9","device":{"id":"d-9","type":"phone"},"os":{"name":"x"},"locale":"en"},"integrations":{"All":true,"X":true}}`,
	}
	for _, body := range []string{
		`{"batch":[` + one + `,` + two + `],` + common + `,"integrations":{"All":false,"X":true}}`,
		`{` + common + `,"integrations":{"All":false,"X":true},"batch":[` + one + `,` + two + `],"writeKey":"k"}`,
		`{` + common + `,"batch":[` + one + `,` + two + `],"integrations":{"All":false,"X":true}}`,
	} {
		b, err := segment.Decode("/v1/batch", []byte(body), env(t))
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Events) != 2 {
			t.Fatalf("%d events", len(b.Events))
		}
		for i := range b.Events {
			var v map[string]any
			if err := json.Unmarshal([]byte(want[i]), &v); err != nil {
				t.Fatal(err)
			}
			if b.Events[i].Refused != nil {
				t.Fatal(*b.Events[i].Refused)
			}
			if diff := cmp.Diff(v, data(t, &b.Events[i])); diff != "" {
				t.Errorf("%.40s: event %d: %s", body, i, diff)
			}
		}
		if got := identifiers(&b.Events[1]); got[0] != "device_id/subject d-9" {
			t.Errorf("identifiers %q: the device of the batch is the event's", got)
		}
		b.Release()
	}
}

func TestABatchsContextDoesNotMultiplyWithoutEnd(t *testing.T) {
	body := `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"track","userId":"u"},`, 2000), ",") + `],"context":{"x":"` + strings.Repeat("y", 30<<10) + `"}}`
	b, err := segment.Decode("/v1/batch", []byte(body), env(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if first, last := b.Events[0].Refused, b.Events[1999].Refused; first != nil || last == nil || last.Reason != "event.context_too_large" {
		t.Errorf("first %v, last %v", first, last)
	}
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"timestamp and sentAt", `{"batch":[{"type":"track","userId":"u","timestamp":"2026-11-22T06:00:00Z"}],"sentAt":"2026-11-22T06:00:10Z"}`, "06:45:50"},
		{"originalTimestamp first", `{"sentAt":"2026-11-22T06:00:10Z","batch":[{"type":"track","userId":"u","timestamp":"2026-11-22T06:00:00Z","originalTimestamp":"2026-11-22T06:00:05Z"}]}`, "06:45:55"},
		{"the event's own sentAt", `{"batch":[{"type":"track","userId":"u","originalTimestamp":"2026-11-22T06:00:00Z","sentAt":"2026-11-22T06:00:01Z"}]}`, "06:45:59"},
		{"null", `{"batch":[{"type":"track","userId":"u","timestamp":null}],"sentAt":null}`, "06:46:00"},
		{"no time at all", `{"batch":[{"type":"track","userId":"u","timestamp":{}}],"sentAt":12}`, "06:46:00"},
	} {
		b, err := segment.Decode("/v1/batch", []byte(tt.body), env(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := time.UnixMilli(b.Events[0].OccurredAt).UTC().Format("15:04:05"); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		b.Release()
	}
}

func TestWriteKey(t *testing.T) {
	for body, want := range map[string]string{
		`{"batch":[{"writeKey":"no"}],"writeKey":"yes"}`: "yes", `{"writeKey":"yes","batch":[ this is not read`: "yes",
		`{"batch":[]}`: "", `{"writeKey":null}`: "", `{"writeKey":""}`: "",
	} {
		if got, err := segment.WriteKey([]byte(body)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", body, got, err)
		}
	}
	if _, err := segment.WriteKey([]byte(`{"batch":[}`)); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

func TestGeneratedEventsDecode(t *testing.T) {
	body := segmenttest.New(3, 10).AppendBatch(nil, 100, "k")
	b, err := segment.Decode("/v1/batch", body, env(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	for i := range b.Events {
		e := &b.Events[i]
		if e.Refused != nil || string(e.Identifiers[0].Value) != segmenttest.UserID(i%10) || e.Skewed || len(e.Fragments) != 5 {
			t.Fatalf("%+v", e)
		}
	}
}

// FuzzDecode: a bad body yields no event; what is accepted has a subject, and its fragments hold
// the event that was sent.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		track(""), `{"batch":[` + track(`,"traits":{"email":"a@example.com"}`) + `,{"type":"alias","userId":1,"previousId":"p","writeKey":"k"}],"context":{"ip":"x","a":{}},"sentAt":"2026-11-22T06:00:10Z"}`,
		`{"batch":[{"type":"track","userId":"u","a":1,"a":2},[],{"type":"page","anonymousId":"\ud83d"}],"writeKey":"k"}`, "{\"batch\":[{\"type\":\"track\",\"userId\":\"\xff\"}]}",
	} {
		f.Add("/v1/batch", []byte(s))
		f.Add("/v1/i", []byte(s))
	}
	k := env(f)
	k.Peer, k.PeerIsSubject = "203.0.113.7", true
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		b, err := segment.Decode(path, body, k)
		if err != nil {
			if b != nil {
				t.Fatal("a bad body yields a batch")
			}
			return
		}
		defer b.Release()
		if !json.Valid(body) {
			t.Fatal("no JSON, but a batch")
		}
		sent := sentEvents(t, path, body)
		for i := range b.Events {
			e := &b.Events[i]
			if e.Refused != nil {
				continue
			}
			if len(e.Identifiers) == 0 || e.Kind == nil || e.OccurredAt < 0 || e.OccurredAt > received.UnixMilli() || utf8.RuneCount(e.ClientID) > 100 {
				t.Fatalf("%+v", e)
			}
			got := data(t, e)
			if context, object := got["context"].(map[string]any); object && !has(context, "ip") {
				t.Fatalf("no address in %v", context)
			}
			for name, value := range sent[i] {
				_, object := value.(map[string]any)
				if name != "writeKey" && !object && !cmp.Equal(value, got[name]) {
					t.Fatalf("%q: %v, want %v", name, got[name], value)
				}
				if name == "properties" && !cmp.Equal(value, got[name]) {
					t.Fatalf("%v, want %v", got[name], value)
				}
			}
		}
	})
}

func has(object map[string]any, name string) bool { _, ok := object[name]; return ok }

// sentEvents reads the events with encoding/json.
func sentEvents(t *testing.T, path string, body []byte) []map[string]any {
	if single, _ := segment.Serves(path); single {
		var v any
		_ = json.Unmarshal(body, &v)
		m, _ := v.(map[string]any)
		return []map[string]any{m}
	}
	var v map[string]any
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&v); err != nil {
		t.Fatal(err)
	}
	var events []map[string]any
	for _, e := range v["batch"].([]any) {
		m, _ := e.(map[string]any)
		events = append(events, m)
	}
	return events
}

// What has no address of its own gets the one that it came from, as a part like any other.
func TestThePeersAddress(t *testing.T) {
	const peer = "203.0.113.7"
	for _, tt := range []struct {
		name, context, want string
		public              bool
	}{
		{"a browser's", `,"context":{"locale":"en"}`, `{"ip":"203.0.113.7","locale":"en"}`, true},
		{"a browser's without context", ``, `{"ip":"203.0.113.7"}`, true},
		{"a browser's with an empty context", `,"context":{}`, `{"ip":"203.0.113.7"}`, true},
		{"a browser's that names one", `,"context":{"ip":"192.0.2.1"}`, `{"ip":"192.0.2.1"}`, true},
		{"a browser's that wants none", `,"context":{"ip":null}`, `{"ip":null}`, true},
		{"a browser's under an escaped name", `,"context":{"\u0069p":"192.0.2.1"}`, `{"ip":"192.0.2.1"}`, true},
		{"a browser's whose context is no object", `,"context":"ip"`, `"ip"`, true},
		{"a server's", `,"context":{"locale":"en"}`, `{"locale":"en"}`, false},
		{"a server's without context", ``, `null`, false},
		{"a server's, direct", `,"context":{"direct":true}`, `{"direct":true,"ip":"203.0.113.7"}`, false},
		{"a server's, direct, that names one", `,"context":{"direct":true,"ip":"192.0.2.1"}`, `{"direct":true,"ip":"192.0.2.1"}`, false},
		{"a server's, not direct", `,"context":{"direct":false}`, `{"direct":false}`, false},
		{"a server's, direct in words", `,"context":{"direct":"true"}`, `{"direct":"true"}`, false},
	} {
		e := env(t)
		e.Peer, e.PeerIsSubject = peer, tt.public
		for path, body := range map[string]string{
			"/v1/track": track(tt.context + `,"writeKey":"k"`),
			"/v1/batch": `{"batch":[` + track(tt.context+`,"writeKey":"k"`) + `,` + track(tt.context) + `]}`,
		} {
			b, err := segment.Decode(path, []byte(body), e)
			if err != nil {
				t.Fatal(err)
			}
			if string(b.WriteKey) != "k" {
				t.Errorf("%s: write key %q", tt.name, b.WriteKey)
			}
			for i := range b.Events {
				got, _ := json.Marshal(data(t, &b.Events[i])["context"])
				if string(got) != tt.want {
					t.Errorf("%s, %s: context %s, want %s", tt.name, path, got, tt.want)
				}
			}
			b.Release()
		}
	}
}

// The address is joined to what a batch says for all, and is sorted by the kind's own rules.
func TestThePeersAddressHasTheCategoryOfItsPath(t *testing.T) {
	e := env(t)
	e.Peer, e.PeerIsSubject = "203.0.113.7", true
	b, err := segment.Decode("/v1/batch", []byte(`{"batch":[`+track("")+`],"context":{"locale":"en"}}`), e)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	found := false
	for _, f := range b.Events[0].Fragments {
		if bytes.Contains(f.JSON, []byte("203.0.113.7")) {
			found = true
			if f.Category != "device" { // as the rules of env have context.ip
				t.Errorf("the address is %s in %s", f.Category, f.JSON)
			}
		}
	}
	if !found {
		t.Error("the address is nowhere")
	}
}
