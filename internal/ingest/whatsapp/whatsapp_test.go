package whatsapp_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/whatsapp"
	"domicile.dev/internal/term"
)

func decode(t testing.TB, e ingest.Env, body string) *ingest.Batch {
	t.Helper()
	b, err := whatsapp.Decode([]byte(body), e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// change wraps the members of a value in a webhook.
func change(value string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"value":{` + value + `},"field":"messages"}]}]}`
}

const (
	us      = "writer metadata: id metadata timestamp type"
	aoife   = "IE.10000000000000000001"
	contact = "writer contact: contact"
)

// both are the sender whom most fixtures are about.
func both(role string) []string {
	return []string{role + " whatsapp_id " + aoife, role + " phone +447700900101"}
}

// TestFixtures says what becomes of each captured webhook.
func TestFixtures(t *testing.T) {
	for name, tt := range map[string]struct {
		want ingesttest.Kept
		op   ingest.Op
	}{
		"text": {ingesttest.Kept{Kind: "messaging/message", ID: "wamid.SYNTHETIC0001", At: "2026-01-05T10:00:00", People: both("sender"),
			Parts: []string{us, "writer content: text", "sender metadata: from from_user_id", contact}}, ingest.OpIdentify},
		"image": {ingesttest.Kept{Kind: "messaging/message", ID: "wamid.SYNTHETIC0002", At: "2026-01-05T10:00:10", People: both("sender"),
			Parts: []string{us, "writer content: image", "sender metadata: from from_user_id", contact}}, ingest.OpIdentify},
		"location": {ingesttest.Kept{Kind: "messaging/message", ID: "wamid.SYNTHETIC0003", At: "2026-01-05T10:00:20", People: both("sender"),
			Parts: []string{us, "writer content: location", "sender metadata: from from_user_id", contact}}, ingest.OpIdentify},
		"status": {ingesttest.Kept{Kind: "messaging/message.status", ID: "wamid.SYNTHETIC0004", Qualifier: "delivered", At: "2026-01-05T10:00:30", People: both("subject"),
			Parts: []string{"writer metadata: conversation id metadata pricing status timestamp", "recipient metadata: recipient_id recipient_user_id"}}, ingest.OpIdentify},
		"failed": {ingesttest.Kept{Kind: "messaging/message.status", ID: "wamid.SYNTHETIC0005", Qualifier: "failed", At: "2026-01-05T10:00:40", People: both("subject"),
			Parts: []string{"writer metadata: errors id metadata status timestamp", "recipient metadata: recipient_id recipient_user_id"}}, ingest.OpIdentify},
		"username-only": {ingesttest.Kept{Kind: "messaging/message", ID: "wamid.SYNTHETIC0006", At: "2026-01-05T10:00:50", People: both("sender")[:1],
			Parts: []string{us, "writer content: text", "sender metadata: from_user_id", contact}}, ingest.OpNone},
		"number-changed": {ingesttest.Kept{Kind: "messaging/message", ID: "wamid.SYNTHETIC0007", At: "2026-01-05T10:01:00",
			People: []string{"sender whatsapp_id IE.10000000000000000002", "sender whatsapp_id " + aoife, "sender phone +447700900109", "sender phone +447700900101"},
			Parts:  []string{us, "sender metadata: from from_user_id system", contact}}, ingest.OpAlias},
	} {
		t.Run(name, func(t *testing.T) {
			body := ingesttest.Read(t, "testdata/"+name+".json").Body
			b := decode(t, ingesttest.Env(t), string(body))
			defer b.Release()
			if len(b.Events) != 1 {
				t.Fatalf("%d events", len(b.Events))
			}
			sort := func(s []string) map[string]bool {
				m := map[string]bool{}
				for _, v := range s {
					m[v] = true
				}
				return m
			}
			got := ingesttest.Describe(t, b, 0)
			if diff := cmp.Diff(sort(tt.want.Parts), sort(got.Parts)); diff != "" {
				t.Error(diff)
			}
			tt.want.Parts, got.Parts = nil, nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if b.Events[0].Op != tt.op {
				t.Errorf("op %v, want %v", b.Events[0].Op, tt.op)
			}
			if diff := cmp.Diff(sent(t, body), ingesttest.Data(t, &b.Events[0])); diff != "" {
				t.Errorf("what was kept is not what was sent: %s", diff)
			}
		})
	}
}

// sent is what a webhook with one element holds of it, by the standard library.
func sent(t testing.TB, body []byte) map[string]any {
	t.Helper()
	var x struct {
		Entry []struct {
			Changes []struct {
				Value struct {
					Metadata           any
					Contacts           []any
					Messages, Statuses []map[string]any
				}
			}
		}
	}
	if err := json.Unmarshal(body, &x); err != nil {
		t.Fatal(err)
	}
	v := x.Entry[0].Changes[0].Value
	all := maps.Clone(append(v.Messages, v.Statuses...)[0])
	all["metadata"] = v.Metadata
	if len(v.Contacts) > 0 {
		all["contact"] = v.Contacts[0]
	}
	return all
}

// TestEveryTypeOfMessage: what a person writes is content whatever it is; what nobody knows is
// unclassified.
func TestEveryTypeOfMessage(t *testing.T) {
	e := ingesttest.Env(t)
	for typ, tt := range map[string]struct{ member, category string }{
		"text":        {`{"body":"x"}`, "customer_content"},
		"image":       {`{"id":"1","mime_type":"image/jpeg","sha256":"x","caption":"c"}`, "customer_content"},
		"video":       {`{"id":"1","caption":"c"}`, "customer_content"},
		"audio":       {`{"id":"1","voice":true}`, "customer_content"},
		"document":    {`{"id":"1","filename":"f"}`, "customer_content"},
		"sticker":     {`{"id":"1"}`, "customer_content"},
		"location":    {`{"latitude":1,"longitude":2}`, "customer_content"},
		"contacts":    {`[{"name":{"formatted_name":"Third Person"},"phones":[{"wa_id":"447700900777"}]}]`, "customer_content"},
		"interactive": {`{"type":"button_reply","button_reply":{"id":"1","title":"Yes"}}`, "customer_content"},
		"button":      {`{"text":"Yes","payload":"p"}`, "customer_content"},
		"reaction":    {`{"message_id":"wamid.x","emoji":"x"}`, "customer_content"},
		"order":       {`{"catalog_id":"1","product_items":[]}`, "customer_content"},
		"referral":    {`{"source_url":"x"}`, "customer_content"},
		"context":     {`{"from":"447700900001","id":"wamid.y"}`, "electronic_communications_metadata"},
		"system":      {`{"body":"x","type":"customer_identity_changed"}`, "electronic_communications_metadata"},
		"unsupported": {`{"type":"poll"}`, "electronic_communications_metadata"},
		"hologram":    {`{"id":"1"}`, "unclassified"},
	} {
		b := decode(t, e, change(`"messages":[{"from":"447700900101","id":"wamid.1","timestamp":"1767607200","type":"`+typ+`","`+typ+`":`+tt.member+`}]`))
		if got := ingesttest.Describe(t, b, 0); got.Kind != "messaging/message" || len(got.People) != 1 {
			t.Fatalf("%s: %+v", typ, got)
		}
		found := ""
		for _, f := range b.Events[0].Fragments {
			var members map[string]any
			if err := json.Unmarshal(f.JSON, &members); err != nil {
				t.Fatal(err)
			}
			if members[typ] != nil {
				found += f.Category
			}
		}
		if found != tt.category {
			t.Errorf("%s is %q, want %q", typ, found, tt.category)
		}
		b.Release()
	}
}

func TestWhoItIs(t *testing.T) {
	const id = `"id":"wamid.1","timestamp":"1767607200",`
	for _, tt := range []struct {
		name, value string
		people      []string
		op          ingest.Op
	}{
		{"a number alone", `"messages":[{` + id + `"from":"447700900101"}]`, []string{"sender phone +447700900101"}, ingest.OpNone},
		{"a number with its plus", `"messages":[{` + id + `"from":"+447700900101"}]`, []string{"sender phone +447700900101"}, ingest.OpNone},
		{"an id where a number is due", `"messages":[{` + id + `"from":"IE.12"}]`, []string{"sender whatsapp_id IE.12"}, ingest.OpNone},
		{"the contact knows the id", `"contacts":[{"wa_id":"447700900102","user_id":"IE.2"},{"wa_id":"447700900101","user_id":"IE.1","parent_user_id":"IE.9"}],"messages":[{` + id + `"from":"447700900101"}]`,
			[]string{"sender whatsapp_id IE.1", "sender whatsapp_id IE.9", "sender phone +447700900101"}, ingest.OpIdentify},
		{"the contact knows the number", `"contacts":[{"wa_id":"447700900101","user_id":"IE.1"}],"messages":[{` + id + `"from_user_id":"IE.1"}]`,
			[]string{"sender whatsapp_id IE.1", "sender phone +447700900101"}, ingest.OpIdentify},
		{"somebody else's contact", `"contacts":[{"wa_id":"447700900102","user_id":"IE.2"}],"messages":[{` + id + `"from_user_id":"IE.1"}]`,
			[]string{"sender whatsapp_id IE.1"}, ingest.OpNone},
		{"a contact without ids", `"contacts":[{"profile":{"name":"x"}}],"messages":[{` + id + `"from":""  ,"from_user_id":"IE.1"}]`,
			[]string{"sender whatsapp_id IE.1"}, ingest.OpNone},
		{"an id changed", `"messages":[{` + id + `"from_user_id":"IE.1","system":{"type":"user_changed_user_id","user_id":"IE.2","previous_user_id":"IE.1"}}]`,
			[]string{"sender whatsapp_id IE.2", "sender whatsapp_id IE.1"}, ingest.OpAlias},
		{"a number changed, as before ids", `"messages":[{` + id + `"from":"447700900101","system":{"type":"customer_changed_number","wa_id":"447700900109"}}]`,
			[]string{"sender phone +447700900109", "sender phone +447700900101"}, ingest.OpAlias},
		{"another system message", `"messages":[{` + id + `"from":"447700900101","system":{"type":"customer_identity_changed","wa_id":"447700900109"}}]`,
			[]string{"sender phone +447700900101"}, ingest.OpNone},
		{"a type outside of system", `"messages":[{` + id + `"from":"447700900101","type":"user_changed_number","wa_id":"447700900109","system":null}]`,
			[]string{"sender phone +447700900101"}, ingest.OpNone},
		{"a status by id", `"statuses":[{` + id + `"status":"read","recipient_user_id":"IE.1"}]`, []string{"subject whatsapp_id IE.1"}, ingest.OpNone},
		{"no system in a status", `"statuses":[{` + id + `"status":"read","recipient_user_id":"IE.1","system":{"type":"user_changed_user_id","user_id":"IE.2"}}]`,
			[]string{"subject whatsapp_id IE.1"}, ingest.OpNone},
	} {
		b := decode(t, ingesttest.Env(t), change(tt.value))
		if diff := cmp.Diff(tt.people, ingesttest.Describe(t, b, 0).People); diff != "" || b.Events[0].Op != tt.op {
			t.Errorf("%s: op %v, %s", tt.name, b.Events[0].Op, diff)
		}
		for _, i := range b.Events[0].Identifiers {
			if i.Role == term.RoleRecipient || i.Role == ingest.RolePrevious {
				t.Errorf("%s: one person under two roles", tt.name)
			}
		}
		b.Release()
	}
}

// A message to a group has a status for each of its people, all under one wamid.
func TestStatusesOfAGroupAreEachAboutOnePerson(t *testing.T) {
	one := func(who string) string {
		return `{"id":"wamid.1","status":"read","timestamp":"1767607200","recipient_id":"HBgL","recipient_type":"group",` + who + `}`
	}
	all := []struct {
		status string
		people []string
	}{
		{one(`"recipient_participant_id":"447700900101"`), []string{"subject whatsapp_id IE.1", "subject phone +447700900101"}},
		{one(`"recipient_participant_user_id":"IE.2","recipient_participant_parent_user_id":"IE.9"`), []string{"subject whatsapp_id IE.2", "subject whatsapp_id IE.9"}},
		{one(`"recipient_participant_user_id":"IE.3"`), []string{"subject whatsapp_id IE.3"}},
		{one(`"recipient_participant_id":null`), []string{"subject whatsapp_id HBgL"}}, // of the group as a whole
	}
	var list []string
	for _, x := range all {
		list = append(list, x.status)
	}
	b := decode(t, ingesttest.Env(t), change(`"contacts":[{"wa_id":"447700900101","user_id":"IE.1"}],"statuses":[`+strings.Join(list, ",")+`]`))
	defer b.Release()
	apart := map[string]bool{}
	for i, x := range all {
		got := ingesttest.Describe(t, b, i)
		if diff := cmp.Diff(x.people, got.People); diff != "" {
			t.Errorf("status %d: %s", i, diff)
		}
		if strings.Contains(got.Qualifier, "447700900101") || !strings.HasPrefix(got.Qualifier, "read") {
			t.Errorf("status %d: qualifier %q", i, got.Qualifier)
		}
		apart[got.ID+" "+got.Qualifier] = true
	}
	if len(apart) != len(all) {
		t.Errorf("%d of %d statuses can be told apart", len(apart), len(all))
	}
}

func TestABadElementCostsItselfOnly(t *testing.T) {
	good := func(id string) string {
		return `{"from":"447700900101","id":"` + id + `","timestamp":"1767607200","type":"text","text":{"body":"x"}}`
	}
	for _, tt := range []struct{ bad, want string }{
		{`7`, "event.not_object"},
		{`{"from":"447700900101"}`, "event.bad_id id"},
		{`{"from":"447700900101","id":"\udc00"}`, "event.bad_id id"},
		{`{"from":"447700900101","id":"` + strings.Repeat("x", 257) + `"}`, "event.bad_id id"},
		{`{"id":"wamid.1"}`, "event.no_subject from"},
		{`{"id":"wamid.1","from":"` + strings.Repeat("x", 1025) + `"}`, "event.no_subject from"},
		{`{"id":"wamid.1","from":"447700900101","from":"447700900102"}`, "event.duplicate_member from"},
		{`{"id":"wamid.1","from":"447700900101","a":{"b":1,"b":2}}`, "event.duplicate_member *.*"},
		{"{\"id\":\"wamid.1\",\"from\":\"447700900101\",\"text\":\"\xff\"}", "event.bad_utf8"},
		{`{"id":"wamid.1","from":"447700900101","text":"` + strings.Repeat("x", whatsapp.MaxElementBytes) + `"}`, "event.too_large"},
	} {
		b := decode(t, ingesttest.Env(t), change(`"messages":[`+good("wamid.a")+`,`+tt.bad+`,`+good("wamid.b")+`]`))
		if got := ingesttest.Describe(t, b, 1).Kind; got != "refused: "+tt.want || b.Events[1].Index != 1 {
			t.Errorf("%.60s: %s, want %s", tt.bad, got, tt.want)
		}
		for i, id := range map[int]string{0: "wamid.a", 2: "wamid.b"} {
			if got := ingesttest.Describe(t, b, i); got.ID != id {
				t.Errorf("%.60s: beside it %+v", tt.bad, got)
			}
		}
		b.Release()
	}
}

func TestOddChanges(t *testing.T) {
	const from = `"from":"447700900101","id":"wamid.1"`
	big := strings.Repeat("x", whatsapp.MaxSharedBytes)
	for _, tt := range []struct{ name, body, want string }{
		{"another field", `{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"account_update","value":{}}]}]}`, "refused: event.unknown_kind field"},
		{"no value", `{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages"}]}]}`, "refused: event.unknown_kind field"},
		{"no object", `{"object":"whatsapp_business_account","entry":[7]}`, "refused: event.not_object entry"},
		{"no change", `{"object":"whatsapp_business_account","entry":[{"changes":["x"]}]}`, "refused: event.not_object changes"},
		{"no list of changes", `{"object":"whatsapp_business_account","entry":[{"changes":{}}]}`, "refused: event.not_list changes"},
		{"messages twice", change(`"messages":[],"messages":[{` + from + `}]`), "refused: event.duplicate_member value"},
		{"messages twice, once escaped", change(`"messages":[{` + from + `}],"m\u0065ssages":[]`), "refused: event.duplicate_member value"},
		{"changes twice", `{"object":"whatsapp_business_account","entry":[{"changes":[],"changes":[]}]}`, "refused: event.duplicate_member entry"},
		{"a field twice", `{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","field":"x","value":{}}]}]}`, "refused: event.duplicate_member changes"},
		{"no list of messages", change(`"messages":{}`), "refused: event.not_list messages"},
		{"a status that is no word", change(`"statuses":[{"id":"wamid.1","status":"Aoife","recipient_id":"447700900101"}]`), "refused: event.bad_status status"},
		{"no status", change(`"statuses":[{"id":"wamid.1","recipient_id":"447700900101"}]`), "refused: event.bad_status status"},
		{"too much metadata", change(`"metadata":{"x":"` + big + `"},"messages":[{` + from + `}]`), "refused: event.too_large metadata"},
		{"too large a contact", change(`"contacts":[{"wa_id":"447700900101","x":"` + big + `"}],"messages":[{` + from + `}]`), "refused: event.too_large contact"},
		{"the value before the field, names escaped", `{"\u006fbject":"whatsapp_business_account","entry":[{"changes":[{"value":{"messages":[{` + from + `}]},"fiel\u0064":"messages"}]}]}`, "messaging/message"},
		{"an element has a contact of its own", change(`"contacts":[{"wa_id":"447700900101"}],"messages":[{` + from + `,"contact":1,"metadata":2}],"metadata":{}`), "messaging/message"},
	} {
		b := decode(t, ingesttest.Env(t), tt.body)
		if len(b.Events) != 1 {
			t.Fatalf("%s: %d events", tt.name, len(b.Events))
		}
		if got := ingesttest.Describe(t, b, 0).Kind; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		b.Release()
	}
}

func TestBodiesThatCantBeRead(t *testing.T) {
	for body, reason := range map[string]string{
		"":                                       "body.empty",
		"[]":                                     "body.not_webhook",
		"{}":                                     "body.not_webhook",
		`{"object":"page","entry":[]}`:           "body.not_webhook",
		`{"object":"whatsapp_business_account"}`: "body.not_webhook",
		`{"object":"whatsapp_business_account","entry":{}}`:            "body.not_webhook",
		`{"object":"whatsapp_business_account","entry":[]`:             "body.truncated",
		`{"object":"whatsapp_business_account","entry":[]} x`:          "body.not_json",
		`{"object":"whatsapp_business_account","entry":[],"entry":[]}`: "body.duplicate_member",
		strings.Repeat(" ", whatsapp.MaxBodyBytes) + "{}":              "body.too_large",
	} {
		if b, err := whatsapp.Decode([]byte(body), ingesttest.Env(t)); b != nil || fault.KindOf(err) != fault.Invalid || fault.ReasonOf(err) != reason {
			t.Errorf("%.80q: %v, want %s", body, err, reason)
		}
	}
}

func TestElementsPastTheLimitAreOneRefusal(t *testing.T) {
	var list []string
	for i := range whatsapp.MaxElements + 3 {
		list = append(list, fmt.Sprintf(`{"from":"447700900101","id":"wamid.%d"}`, i))
	}
	b := decode(t, ingesttest.Env(t), change(`"messages":[`+strings.Join(list, ",")+`],"statuses":[1]`))
	defer b.Release()
	last := b.Events[len(b.Events)-1].Refused
	if len(b.Events) != whatsapp.MaxElements+1 || last == nil || last.Reason != "batch.too_many_events" || last.More != 3 {
		t.Errorf("%d events, %+v", len(b.Events), last)
	}
}

// FuzzDecode: a bad body gives no record and no panic.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"text", "image", "status", "failed", "number-changed", "username-only"} {
		f.Add(ingesttest.Read(f, "testdata/"+name+".json").Body)
	}
	f.Add([]byte(change(`"contacts":[{"wa_id":"1","user_id":"\u0061"}],"messages":[{"from":"1234567","id":"a","contact":1},7],"statuses":null`)))
	env := ingesttest.Env(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := whatsapp.Decode(body, env)
		if err != nil {
			if b != nil || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v, %v", b, err)
			}
			return
		}
		defer b.Release()
		ingesttest.Sound(t, b, ingesttest.Received)
		for i := range b.Events {
			if b.Events[i].Refused == nil && len(b.Events[i].Identifiers) == 0 {
				t.Error("a record about nobody")
			}
		}
	})
}
