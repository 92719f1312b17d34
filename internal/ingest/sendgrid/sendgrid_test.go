package sendgrid_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/sendgrid"
)

func decode(t testing.TB, e ingest.Env, body string) *ingest.Batch {
	t.Helper()
	b, err := sendgrid.Decode([]byte(body), e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEveryEvent says what becomes of each event that SendGrid has.
func TestEveryEvent(t *testing.T) {
	const (
		aoife  = "recipient email aoife.synthetic@example.com"
		common = "email event sg_event_id sg_message_id"
		read   = "recipient metadata: email sg_event_id sg_message_id timestamp"
	)
	type want struct {
		kind  string
		parts []string
	}
	event := func(more string) want {
		names := strings.Fields(common + " timestamp " + more)
		return want{"email.event", []string{"recipient metadata: " + sorted(names), "recipient content: category", "writer unclassified: order_id"}}
	}
	tests := []want{
		event("smtp-id pool"),
		event("smtp-id response attempt domain from"),
		event("smtp-id response ip tls"), // the ip of a server
		{"email.engagement", []string{read, "recipient device: ip useragent", "recipient activity: event sg_content_type sg_machine_open"}},
		{"email.engagement", []string{read, "recipient device: ip useragent", "recipient activity: event url url_offset"}},
		event("smtp-id reason status type bounce_classification tls"),
		event("smtp-id reason status"),
		{"email.engagement", []string{read, "recipient activity: event"}},
		{"email.engagement", []string{read, "recipient activity: event"}},
		{"email.engagement", []string{read, "recipient device: ip useragent", "recipient activity: event url", "recipient choice: asm_group_id"}},
		{"email.engagement", []string{read, "recipient device: ip useragent", "recipient activity: event url", "recipient choice: asm_group_id"}},
		{"email.event", []string{"recipient metadata: event sg_event_id timestamp type"}},
	}
	body := ingesttest.Read(t, "testdata/event-webhook-all-types.json").Body
	var sent []map[string]any
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	b := decode(t, ingesttest.Env(t), string(body)+"\r\n")
	defer b.Release()
	if len(b.Events) != len(tests) || len(sent) != len(tests) {
		t.Fatalf("%d events for %d tests", len(b.Events), len(tests))
	}
	for i, tt := range tests {
		t.Run(sent[i]["event"].(string), func(t *testing.T) {
			want := ingesttest.Kept{Kind: "email/" + tt.kind, ID: fmt.Sprintf("synthetic-sg-event-%04d", i+1),
				At: fmt.Sprintf("2026-01-05T10:00:%02d", i+1), People: []string{aoife}, Parts: tt.parts}
			if i == 11 {
				want.People = nil
			}
			if tt.kind == "email.engagement" {
				want.Parts = append(want.Parts, "recipient content: category", "writer unclassified: order_id")
			}
			got := ingesttest.Describe(t, b, i)
			if diff := cmp.Diff(set(want), set(got)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(sent[i], ingesttest.Data(t, &b.Events[i])); diff != "" {
				t.Errorf("what was kept is not what was sent: %s", diff)
			}
		})
	}
}

func TestABadEventCostsItselfOnly(t *testing.T) {
	good := func(id string) string {
		return `{"email":"a@example.com","timestamp":1767607200,"event":"delivered","sg_event_id":"` + id + `"}`
	}
	for _, tt := range []struct{ bad, want string }{
		{`7`, "event.not_object"},
		{`{"email":"a@example.com","timestamp":1,"event":"open"}`, "event.bad_id sg_event_id"},
		{`{"email":"a@example.com","event":"open","sg_event_id":""}`, "event.bad_id sg_event_id"},
		{`{"email":"a@example.com","event":"open","sg_event_id":"\ud800"}`, "event.bad_id sg_event_id"},
		{`{"email":"a@example.com","event":"open","sg_event_id":"` + strings.Repeat("é", 257) + `"}`, "event.bad_id sg_event_id"},
		{`{"email":"a@example.com","sg_event_id":"x"}`, "event.unknown_kind event"},
		{`{"event":"open","sg_event_id":"x"}`, "event.no_subject email"},
		{`{"email":null,"event":"delivered","sg_event_id":"x"}`, "event.no_subject email"},
		{`{"email":"` + strings.Repeat("a", 1025) + `","event":"open","sg_event_id":"x"}`, "event.bad_identifier email"},
		{`{"email":"a@example.com","email":"b@example.com","event":"open","sg_event_id":"x"}`, "event.duplicate_member email"},
		{`{"email":"a@example.com","secret":{"secret":1,"secret":2},"event":"open","sg_event_id":"x"}`, "event.duplicate_member *.*"},
		{"{\"email\":\"\xff\",\"event\":\"open\",\"sg_event_id\":\"x\"}", "event.bad_utf8"},
		{`{"deep":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, "event.too_deep *"},
		{`{"email":"a@example.com","event":"open","sg_event_id":"x","arg":"` + strings.Repeat("a", sendgrid.MaxEventBytes) + `"}`, "event.too_large"},
	} {
		b := decode(t, ingesttest.Env(t), "["+good("e-1")+","+tt.bad+","+good("e-2")+"]\r\n")
		if got := ingesttest.Describe(t, b, 1).Kind; got != "refused: "+tt.want || b.Events[1].Index != 1 {
			t.Errorf("%.80s: %s, want %s", tt.bad, got, tt.want)
		}
		for i, id := range map[int]string{0: "e-1", 2: "e-2"} {
			if got := ingesttest.Describe(t, b, i); got.ID != id || got.Kind != "email/email.event" {
				t.Errorf("%.80s: beside it %+v", tt.bad, got)
			}
		}
		b.Release()
	}
}

func TestBodiesThatCantBeRead(t *testing.T) {
	for body, reason := range map[string]string{
		"":             "body.empty",
		" \r\n":        "body.empty",
		"x":            "body.not_array",
		`"a"`:          "body.not_array",
		"[{":           "body.truncated",
		"[{}] x":       "body.not_json",
		`[{"event":}]`: "body.not_json",
		`{"event":"a"`: "body.truncated",
		strings.Repeat(" ", sendgrid.MaxBodyBytes) + "[]": "body.too_large",
	} {
		if b, err := sendgrid.Decode([]byte(body), ingesttest.Env(t)); b != nil || fault.KindOf(err) != fault.Invalid || fault.ReasonOf(err) != reason {
			t.Errorf("%.20q: %v, want %s", body, err, reason)
		}
	}
	b := decode(t, ingesttest.Env(t), "[]")
	defer b.Release()
	if len(b.Events) != 0 {
		t.Errorf("%d events of none", len(b.Events))
	}
}

func TestTimesAndNewEvents(t *testing.T) {
	for _, tt := range []struct {
		timestamp, at string
		skewed        bool
	}{
		{`1767607200`, "2026-01-05T10:00:00", false},
		{`"1767607200"`, "2026-01-05T10:00:00", false},
		{`1.5`, "received", true},
		{`-1`, "received", true},
		{`99999999999999999999`, "received", true},
		{`9223372036854775807`, "received", true},
		{`9000000000`, "received", true}, // in the future
		{`null`, "received", true},
	} {
		b := decode(t, ingesttest.Env(t), `{"email":"a@example.com","timestamp":`+tt.timestamp+`,"event":"a new one","sg_event_id":"x","ip":"192.0.2.1"}`)
		got := ingesttest.Describe(t, b, 0)
		if got.At != tt.at || b.Events[0].Skewed != tt.skewed || got.Kind != "email/email.engagement" {
			t.Errorf("%s: %+v, skewed %v", tt.timestamp, got, b.Events[0].Skewed)
		}
		b.Release()
	}
}

func TestEventsPastTheLimitAreOneRefusal(t *testing.T) {
	b := decode(t, ingesttest.Env(t), "["+strings.Repeat("{},", sendgrid.MaxEvents+2)+"{}]")
	defer b.Release()
	last := b.Events[len(b.Events)-1].Refused
	if len(b.Events) != sendgrid.MaxEvents+1 || last == nil || last.Reason != "batch.too_many_events" || last.More != 2 {
		t.Errorf("%d events, %+v", len(b.Events), last)
	}
}

func TestNothingIsKeptWithoutAKind(t *testing.T) {
	b := decode(t, ingest.Env{ReceivedAt: ingesttest.Received, Kinds: ingesttest.Kinds{}}, `[{"email":"a@example.com","event":"open","sg_event_id":"x"}]`)
	defer b.Release()
	if got := ingesttest.Describe(t, b, 0).Kind; got != "refused: event.unknown_kind event" {
		t.Error(got)
	}
}

// FuzzDecode: a bad body gives no record and no panic.
func FuzzDecode(f *testing.F) {
	f.Add(ingesttest.Read(f, "testdata/event-webhook-all-types.json").Body)
	f.Add([]byte(`[{"event":"open","sg_event_id":"\u0061","timestamp":"1","email":"a@b"},7]`))
	env := ingesttest.Env(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := sendgrid.Decode(body, env)
		if err != nil {
			if b != nil || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v, %v", b, err)
			}
			return
		}
		defer b.Release()
		if !json.Valid(body) && len(b.Events) > 0 && strings.ToValidUTF8(string(body), "") == string(body) {
			t.Error("events of a body that is no JSON")
		}
		ingesttest.Sound(t, b, ingesttest.Received)
	})
}
