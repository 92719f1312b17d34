package twilio_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/term"
)

func TestWhatIsKept(t *testing.T) {
	e := env(t)
	b := decode(t, e, formType, "MessageSid=SM1&SmsStatus=received&From=%2b447700900101&Surprise=%22%5C%0a%09%00%C3%A9+%2B&MediaUrl0=b&MediaUrl0=a&MediaUrl0=b&&=nameless&empty"+
		"&MessagingBinding.Address=x&MessagingBinding.A.B=y&Own=1&Own.Deep=2&.dot=3&dot.=4")
	defer b.Release()
	want := map[string]any{"MessageSid": "SM1", "SmsStatus": "received", "From": "+447700900101", "Surprise": "\"\\\n\t\x00é +", "MediaUrl0": []any{"b", "a", "b"},
		"": "nameless", "empty": "", "MessagingBinding": map[string]any{"Address": "x", "A.B": "y"}, "Own": "1", "Own.Deep": "2", ".dot": "3", "dot.": "4"}
	if diff := cmp.Diff(want, data(t, &b.Events[0])); diff != "" {
		t.Error(diff)
	}
	for _, part := range describe(t, b, 0).Parts {
		if names, is := strings.CutPrefix(part, "writer "+term.Unclassified+": "); is != strings.Contains(part, "Surprise") {
			t.Errorf("%s: %s", part, names)
		}
	}
}

func TestARetryIsTheSameRecordAndAnotherStatusIsNot(t *testing.T) {
	e := env(t)
	key := func(pairs ...string) string {
		b := decode(t, e, formType, form(pairs...))
		defer b.Release()
		k := describe(t, b, 0)
		return k.Kind + " " + k.ID + " " + k.Qualifier
	}
	for _, tt := range []struct {
		a, b []string
		same bool
	}{
		{[]string{"MessageSid", "SM1", "MessageStatus", "sent"}, []string{"MessageSid", "SM1", "MessageStatus", "sent", "New", "1"}, true},
		{[]string{"MessageSid", "SM1", "MessageStatus", "sent"}, []string{"MessageSid", "SM1", "MessageStatus", "delivered"}, false},
		{[]string{"MessageSid", "SM1", "MessageStatus", "sent"}, []string{"MessageSid", "SM2", "MessageStatus", "sent"}, false},
		{[]string{"CallSid", "CA1", "CallStatus", "in-progress", "Digits", "1"}, []string{"CallSid", "CA1", "CallStatus", "in-progress", "Digits", "1"}, true},
		{[]string{"CallSid", "CA1", "CallStatus", "in-progress", "Digits", "1"}, []string{"CallSid", "CA1", "CallStatus", "in-progress", "Digits", "2"}, false},
		{[]string{"EventType", "onMessageUpdated", "ConversationSid", "CH1", "MessageSid", "IM1", "RetryCount", "0"},
			[]string{"EventType", "onMessageUpdated", "ConversationSid", "CH1", "MessageSid", "IM1", "RetryCount", "1"}, true},
		{[]string{"EventType", "onMessageUpdated", "ConversationSid", "CH1", "MessageSid", "IM1", "Body", "a"},
			[]string{"EventType", "onMessageUpdated", "ConversationSid", "CH1", "MessageSid", "IM1", "Body", "b"}, false},
		{[]string{"RoomSid", "RM1", "StatusCallbackEvent", "track-added", "SequenceNumber", "4"}, []string{"RoomSid", "RM1", "StatusCallbackEvent", "track-added", "SequenceNumber", "5"}, false},
		{[]string{"MessageSid", "SM1", "MessageStatus", strings.Repeat("x", 70_000)}, []string{"MessageSid", "SM1", "MessageStatus", strings.Repeat("x", 70_001)}, false},
	} {
		if a, b := key(tt.a...), key(tt.b...); (a == b) != tt.same {
			t.Errorf("%.80s and %.80s", a, b)
		} else if len(a) > 1024 {
			t.Errorf("%d bytes", len(a))
		}
	}
}

func TestWhen(t *testing.T) {
	e := env(t)
	for _, tt := range []struct {
		name, value, want string
		skewed            bool
	}{
		{"Timestamp", "Mon, 05 Jan 2026 11:00:30 +0100", "2026-01-05T10:00:30", false},
		{"Timestamp", "Mon, 5 Jan 2026 10:00:30 +0000", "2026-01-05T10:00:30", false},
		{"Timestamp", "2026-01-05T10:00:30.5Z", "2026-01-05T10:00:30", false},
		{"Timestamp", "1767607230", "2026-01-05T10:00:30", false},
		{"Timestamp", "1767607230123", "2026-01-05T10:00:30", false},
		{"Timestamp", "yesterday", "received", true},
		{"Timestamp", "0000000000", "received", true},
		{"Timestamp", "2199-01-01T00:00:00Z", "received", true},
		{"DateCreated", "2026-01-05T10:00:30Z", "2026-01-05T10:00:30", false},
		{"RawDlrDoneDate", "2601051001", "2026-01-05T10:01:00", false},
		{"RawDlrDoneDate", "2613451001", "received", true},
		{"RawDlrDoneDate", "", "received", false},
	} {
		b := decode(t, e, formType, form("MessageSid", "SM1", "MessageStatus", "sent", "To", "+447700900101", tt.name, tt.value))
		if got := describe(t, b, 0).At; got != tt.want || b.Events[0].Skewed != tt.skewed {
			t.Errorf("%s %s: %s, skewed %t", tt.name, tt.value, got, b.Events[0].Skewed)
		}
		b.Release()
	}
}

func TestStaffIsNobodysSubjectAndUnderNobodysKey(t *testing.T) {
	b := decode(t, env(t), formType, form("EventType", "reservation.accepted", "WorkspaceSid", "WS1", "Sid", "EV1", "TaskSid", "WT1", "WorkerSid", "WK1",
		"WorkerName", "eoin@example.com", "WorkerAttributes", `{"from":"+447700900102"}`, "TaskAttributes", `{"from":"+447700900101"}`))
	defer b.Release()
	got := describe(t, b, 0)
	if diff := cmp.Diff([]string{"sender phone +447700900101"}, got.People); diff != "" {
		t.Error(diff)
	}
	if want := "nobody contact_data: WorkerAttributes WorkerName WorkerSid"; !strings.Contains(strings.Join(got.Parts, "\n"), want) {
		t.Errorf("no %q in %q", want, got.Parts)
	}
}

func TestBodiesThatGiveNothing(t *testing.T) {
	e := env(t)
	for _, tt := range []struct{ contentType, body, reason string }{
		{formType, "", "body.empty"}, {formType, " \r\n", "body.empty"}, {formType, "&&", "body.empty"},
		{formType, "a=%", "body.bad_escape"}, {formType, "a=%4", "body.bad_escape"}, {formType, "%4g=1", "body.bad_escape"}, {"", "a=%-1", "body.bad_escape"},
		{formType, "Body=%ff", "body.bad_utf8"}, {formType, "%c3=1", "body.bad_utf8"}, {formType, "Body=\xff", "body.bad_utf8"}, {formType, "Body=%ed%a0%80", "body.bad_utf8"},
		{formType, strings.Repeat("a=1&", twilio.MaxParameters) + "a=1", "body.too_many_parameters"},
		{formType, strings.Repeat("x", twilio.MaxBodyBytes+1), "body.too_large"},
		{jsonType, `{"transcript_sid":`, "body.truncated"}, {jsonType, `{"transcript_sid":"GT1"}}`, "body.not_json"}, {"", `{"a":1,"a":2}`, "body.duplicate_member"},
		{jsonType, `"GT1"`, "body.not_object"}, {jsonType, `MessageSid=SM1`, "body.not_json"}, {jsonType, "{\"a\":\"\xff\"}", "body.bad_utf8"},
		{jsonType, `[]`, "body.empty"}, {jsonType, `[{}`, "body.truncated"}, {jsonType, `[{}]]`, "body.not_json"}, {jsonType, `[{"a":tru}]`, "body.not_json"},
		{"application/cloudevents-batch+json", strings.Repeat("[", 100) + strings.Repeat("]", 100), ""},
	} {
		b, err := twilio.Decode(tt.contentType, []byte(tt.body), e)
		if fault.ReasonOf(err) != tt.reason || (b == nil) != (err != nil) || err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s %.40q: %v, want %s", tt.contentType, tt.body, err, tt.reason)
		}
		b.Release()
	}
}

// FuzzDecode: a bad body yields no batch, an event has a kind or is refused, and what was kept is
// what was sent.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"sms-inbound", "taskrouter", "video-recording", "intelligence", "event-streams"} {
		contentType, body := fixture(f, name)
		f.Add(contentType, body)
	}
	f.Add(formType, []byte("MessageSid=1&a=+%C3%A9&a=\"&b&&=x"))
	f.Add("", []byte("CallSid=1&CallStatus=%22%00&CallSid.x=1&A.b=%C3%A9&A.b=2&a=%"))
	f.Add("", []byte(`[{"type":"com.twilio.taskrouter.task.created","id":"\ud800","source":"s","data":{"payload":{"task_attributes":"{\"from\":1}"}}},7]`))
	e := env(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		b, err := twilio.Decode(contentType, body, e)
		if err != nil {
			if b != nil || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v, with a batch: %t", err, b != nil)
			}
			return
		}
		defer b.Release()
		if len(b.Events) == 0 {
			t.Fatal("no event")
		}
		var sent []json.RawMessage
		stream := json.Unmarshal(body, &sent) == nil && len(sent) == len(b.Events)
		for i := range b.Events {
			ev := &b.Events[i]
			if ev.Refused != nil {
				if len(ev.Identifiers) > 0 || len(ev.Fragments) > 0 || strings.ContainsAny(b.Path(ev), "\"+@ ") {
					t.Fatalf("refused with %+v", ev)
				}
				continue
			}
			if ev.Kind == nil || len(ev.Fragments) == 0 || ev.Index != i || ev.OccurredAt <= 0 || ev.OccurredAt > received.UnixMilli() || len(ev.Qualifier) > 2048 {
				t.Fatalf("%+v", ev)
			}
			for _, id := range ev.Identifiers {
				if len(id.Value) == 0 || len(id.Value) > twilio.MaxNameBytes+1 || !utf8.Valid(id.Value) {
					t.Fatalf("%+v", id)
				}
			}
			got := data(t, ev)
			if values, err := url.ParseQuery(string(body)); err == nil && contentType == formType && !strings.Contains(string(body), "%2") && !strings.Contains(string(body), ".") {
				if diff := cmp.Diff(asMembers(values), got); diff != "" {
					t.Fatal(diff)
				}
			}
			if stream {
				var want map[string]any
				if err := json.Unmarshal(sent[i], &want); err != nil || !cmp.Equal(want, got) {
					t.Fatalf("%s became %v, %v", sent[i], got, err)
				}
			}
		}
	})
}

// asMembers is what the values of a form without dotted names become.
func asMembers(values url.Values) map[string]any {
	m := map[string]any{}
	for name, list := range values {
		if m[name] = list[0]; len(list) > 1 {
			var all []any
			for _, v := range list {
				all = append(all, v)
			}
			m[name] = all
		}
	}
	return m
}

// refusals lists what a batch refused.
func refusals(b *ingest.Batch) (all []string) {
	for i := range b.Events {
		if r := b.Events[i].Refused; r != nil {
			all = append(all, strings.TrimSpace(fmt.Sprint(r.Index, " ", r.Reason, " ", b.Path(&b.Events[i]), " ", r.More)))
		}
	}
	return all
}
