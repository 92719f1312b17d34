package native_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/term"
)

type kinds map[string]*ingest.Kind

func (k kinds) Kind(service, name string) *ingest.Kind { return k[service+"/"+name] }

var received = time.Date(2026, 11, 22, 6, 46, 0, 0, time.UTC)

func env(t testing.TB) ingest.Env {
	k := kinds{}
	for name, rules := range map[string][]ingest.Rule{
		"message": {{Path: "from", Category: "contact", Owner: term.RoleSender}, {Path: "to", Category: "contact", Owner: term.RoleRecipient},
			{Path: "body", Category: "customer-content"}, {Path: "status", Category: "usage"}},
		"outage": {{Path: "*", Category: "usage", Owner: term.OwnerNobody}},
	} {
		kind, err := ingest.Compile("messaging", name, rules)
		if err != nil {
			t.Fatal(err)
		}
		k["messaging/"+name] = kind
	}
	return ingest.Env{ReceivedAt: received, Kinds: k, Service: "messaging"}
}

// message is a good record with one member replaced, or removed when the value is "".
func message(member, value string) string {
	m := map[string]json.RawMessage{"id": []byte(`"m-1"`), "kind": []byte(`"message"`), "service": []byte(`"messaging"`), "occurred_at": []byte(`"2026-11-22T06:45:00Z"`),
		"subjects": []byte(`[{"type":"phone","value":"+447700900101","role":"sender"},{"type":"phone","value":"+447700900001","role":"own"}]`),
		"data":     []byte(`{"from":"+447700900101","to":"+447700900001","body":"Hello","media":[]}`)}
	if m[member] = []byte(value); value == "" {
		delete(m, member)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func TestDecode(t *testing.T) {
	for _, body := range []string{message("", ""), "\ufeff" + message("", ""), "\ufeff[" + message("", "") + "]", "\r\n " + message("", "") + " \r\n\n", "[" + message("", "") + "]", " [ " + message("service", "") + " ] "} {
		b, err := native.Decode("", []byte(body), env(t))
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Events) != 1 || b.Events[0].Refused != nil {
			t.Fatalf("%s: %+v", body, b.Events)
		}
		e := &b.Events[0]
		if e.Kind.Name != "message" || string(e.ClientID) != "m-1" || e.OccurredAt != received.Add(-time.Minute).UnixMilli() || e.Op != ingest.OpNone {
			t.Errorf("%+v", e)
		}
		var ids, parts []string
		for _, id := range e.Identifiers {
			ids = append(ids, fmt.Sprintf("%s %s %s", id.Role, id.Type, id.Value))
		}
		for _, f := range e.Fragments {
			parts = append(parts, fmt.Sprintf("%s %s %s", f.Owner, f.Category, f.JSON))
		}
		if diff := cmp.Diff([]string{"sender phone +447700900101", "own phone +447700900001"}, ids); diff != "" {
			t.Error(diff)
		}
		want := []string{`writer unclassified {"media":[]}`, `writer customer-content {"body":"Hello"}`, `sender contact {"from":"+447700900101"}`, `recipient contact {"to":"+447700900001"}`}
		if diff := cmp.Diff(want, parts); diff != "" {
			t.Error(diff)
		}
		b.Release()
	}
}

func TestABadLineCostsOnlyItself(t *testing.T) {
	good := message("", "")
	for _, tt := range []struct{ line, want string }{
		{good[:len(good)-1], "1 record.bad_json"},
		{good + good, "1 record.bad_json"},
		{`{"id":tru}`, "1 record.bad_json id"},
		{`7`, "1 record.not_object"},
		{message("id", ""), "1 record.bad_id id"},
		{message("id", `""`), "1 record.bad_id id"},
		{message("id", `7`), "1 record.bad_id id"},
		{message("id", `"`+strings.Repeat("é", 257)+`"`), "1 record.bad_id id"},
		{message("kind", `"letter"`), "1 record.unknown_kind kind"},
		{message("kind", ""), "1 record.unknown_kind kind"},
		{message("service", `"post"`), "1 record.unknown_kind kind"},
		{message("service", `null`), "1 record.unknown_kind kind"},
		{message("occurred_at", `"yesterday"`), "1 record.bad_time occurred_at"},
		{message("occurred_at", `1795329914`), "1 record.bad_time occurred_at"},
		{message("aoife@example.com", `1`), "1 record.unknown_member *.*"},
		{message("subjects", `{}`), "1 record.bad_subject subjects"},
		{message("subjects", `[1]`), "1 record.bad_subject subjects.0.type"},
		{message("subjects", `[{"type":"phone","value":"1"},{"type":"Phone","value":"1"}]`), "1 record.bad_subject subjects.1.type"},
		{message("subjects", `[{"type":"`+strings.Repeat("a", 33)+`","value":"1"}]`), "1 record.bad_subject subjects.0.type"},
		{message("subjects", `[{"type":"phone","value":""}]`), "1 record.bad_subject subjects.0.value"},
		{message("subjects", `[{"type":"phone","value":1}]`), "1 record.bad_subject subjects.0.value"},
		{message("subjects", `[{"type":"phone","value":"\udc00"}]`), "1 record.bad_subject subjects.0.value"},
		{message("subjects", `[{"type":"phone","value":"1","role":"boss"}]`), "1 record.bad_subject subjects.0.role"},
		{message("subjects", `[{"type":"phone","value":"1","role":null}]`), "1 record.bad_subject subjects.0.role"},
		{message("subjects", `[{"":""}]`), "1 record.bad_subject subjects.0.*"},
		{message("subjects", `[{"type":"phone","value":"1"},{"type":"phone","value":"2","":1}]`), "1 record.bad_subject subjects.1.*"},
		{message("subjects", `[{"type":"phone","value":"1","name":"Aoife"}]`), "1 record.bad_subject subjects.0.*"},
		{message("subjects", `[`+strings.TrimSuffix(strings.Repeat(`{"type":"phone","value":"1"},`, 65), ",")+`]`), "1 record.too_many_subjects subjects"},
		{message("subjects", `[]`), "1 record.no_subject subjects"},
		{message("subjects", ``), "1 record.no_subject subjects"},
		{message("subjects", `[{"type":"phone","value":"1","role":"own"}]`), "1 record.no_subject subjects"},
		{message("data", ""), "1 record.bad_data data"},
		{message("data", `[]`), "1 record.bad_data data"},
		{message("data", `{"body":1,"body":2}`), "1 record.duplicate_member data.*"},
		{message("data", `{"body":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`), "1 record.too_deep data.*"},
		{message("data", `{"body":"`+strings.Repeat("x", 1<<20)+`"}`), "1 record.too_large"},
		{strings.Replace(message("", ""), "Hello", "\xff", 1), "1 record.bad_utf8"},
	} {
		for _, body := range []string{good + "\n" + tt.line + "\n\n" + good, "[" + good + "," + tt.line + "," + good + "]"} {
			b, err := native.Decode("", []byte(body), env(t))
			if strings.Contains(tt.want, "bad_json") && body[0] == '[' {
				if b != nil || fault.KindOf(err) != fault.Invalid {
					t.Errorf("%.60s: in an array: %v", tt.line, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%.60s: %v", tt.line, err)
				continue
			}
			var got []string
			for i := range b.Events {
				if e := &b.Events[i]; e.Refused != nil {
					got = append(got, strings.TrimSpace(fmt.Sprint(e.Refused.Index, " ", e.Refused.Reason, " ", b.Path(e))))
				}
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" || len(b.Events) != 3 {
				t.Errorf("%.60s: %d events, %s", tt.line, len(b.Events), diff)
			}
			b.Release()
		}
	}
}

func TestWhatIsAccepted(t *testing.T) {
	for _, line := range []string{
		message("occurred_at", ""), message("occurred_at", `null`), message("occurred_at", `"2199-01-01T00:00:00Z"`), message("occurred_at", `"2026-11-22"`),
		message("subjects", `[{"type":"loyalty_card2","value":"1"}]`), message("data", `{}`),
		`{"id":"o-1","kind":"outage","data":{"started":1}}`,
	} {
		b, err := native.Decode("", []byte(line), env(t))
		if err != nil {
			t.Fatal(err)
		}
		if e := &b.Events[0]; e.Refused != nil {
			t.Errorf("%s: %+v", line, e.Refused)
		} else if e.OccurredAt <= 0 || e.OccurredAt > received.UnixMilli() || len(e.Fragments) == 0 {
			t.Errorf("%s: %+v", line, e)
		}
		b.Release()
	}
}

func TestBodiesThatGiveNothing(t *testing.T) {
	for body, reason := range map[string]string{"": "body.empty", " \n\n": "body.empty", "[" + message("", ""): "body.truncated", "[]]": "body.not_json",
		strings.Repeat("x", native.MaxBodyBytes+1): "body.too_large"} {
		if b, err := native.Decode("", []byte(body), env(t)); b != nil || fault.ReasonOf(err) != reason {
			t.Errorf("%.20q: %v, want %s", body, err, reason)
		}
	}
}

func TestTooManyRecordsAreOneRefusal(t *testing.T) {
	for _, body := range []string{strings.Repeat("0\n", native.MaxRecords+5), "[" + strings.Repeat("0,", native.MaxRecords+4) + "0]"} {
		b, err := native.Decode("", []byte(body), env(t))
		if err != nil {
			t.Fatal(err)
		}
		want := ingest.Refusal{Index: native.MaxRecords, Reason: "batch.too_many_records", More: 4}
		if got := b.Events[len(b.Events)-1].Refused; len(b.Events) != native.MaxRecords+1 || *got != want {
			t.Errorf("%d events, %+v", len(b.Events), got)
		}
		b.Release()
	}
}

// FuzzDecode: a bad body yields no event, what is accepted has who it is about, and its fragments
// hold the data that were sent.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(message("", "") + "\n{"))
	f.Add([]byte("[" + message("subjects", `[{"type":"x","value":"\u00e9"}]`) + "]"))
	f.Add([]byte(`{"id":"o-1","kind":"outage","data":{"a":{"b":1}}}`))
	k := env(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := native.Decode("", body, k)
		if err != nil {
			if b != nil {
				t.Fatal("a bad body yields a batch")
			}
			return
		}
		defer b.Release()
		sent := bytes.Split(body, []byte("\n"))
		if trimmed := bytes.TrimLeft(body, " \t\r\n"); trimmed[0] == '[' {
			var all []json.RawMessage
			if err := json.Unmarshal(body, &all); err != nil {
				t.Fatal(err)
			}
			sent = nil
			for _, r := range all {
				sent = append(sent, r)
			}
		} else {
			kept := sent[:0]
			for _, line := range sent {
				if len(bytes.Trim(line, " \t\r")) > 0 {
					kept = append(kept, line)
				}
			}
			sent = kept
		}
		if len(sent) != len(b.Events) {
			t.Fatalf("%d events of %d records", len(b.Events), len(sent))
		}
		for i := range b.Events {
			e := &b.Events[i]
			if e.Refused != nil {
				continue
			}
			var want struct {
				ID   string
				Data any
			}
			if err := json.Unmarshal(sent[i], &want); err != nil {
				t.Fatal(err)
			}
			var fragments [][]byte
			for _, f := range e.Fragments {
				fragments = append(fragments, f.JSON)
			}
			merged, err := ingest.Merge(fragments)
			var got any
			if err != nil || json.Unmarshal(merged, &got) != nil || !cmp.Equal(got, want.Data) || string(e.ClientID) != want.ID {
				t.Fatalf("%s became %s, %v", sent[i], merged, err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	var body []byte
	for range 100 {
		body = append(append(body, message("", "")...), '\n')
	}
	e := env(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		batch, err := native.Decode("", body, e)
		if err != nil {
			b.Fatal(err)
		}
		batch.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/record")
}

// A line that is an array costs itself, also when it is the first: the Content-Type says that these are lines.
func TestLinesThatBeginWithAnArray(t *testing.T) {
	b, err := native.Decode("application/x-ndjson; charset=utf-8", []byte("[1]\n"+message("", "")), env(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Events) != 2 || b.Events[0].Refused == nil || b.Events[0].Refused.Reason != "record.not_object" || b.Events[1].Refused != nil {
		t.Errorf("%+v", b.Events)
	}
}
