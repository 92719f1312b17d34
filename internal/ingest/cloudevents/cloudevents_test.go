package cloudevents_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/cloudevents"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/term"
)

const (
	one  = "application/cloudevents+json; charset=utf-8"
	many = "application/cloudevents-batch+json"
)

// env is the example programme's, for a source of the service custom. It has kinds more: one for a
// type, and one about nobody.
func env(t testing.TB) ingest.Env {
	t.Helper()
	e := ingesttest.Env(t)
	e.Service = "custom"
	for name, rules := range map[string][]ingest.Rule{
		"com.example.customer.updated": {{Path: "data.email", Category: "contact_data", Owner: term.RoleSubject}, {Path: "data.city", Category: "customer_content"}},
		"outage":                       {{Path: "*", Category: "usage", Owner: term.OwnerNobody}},
	} {
		k, err := ingest.Compile("custom", name, rules)
		if err != nil {
			t.Fatal(err)
		}
		e.Kinds.(ingesttest.Kinds)["custom/"+name] = k
	}
	return e
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func decode(t testing.TB, h http.Header, body string) *ingest.Batch {
	t.Helper()
	b, err := cloudevents.Decode(h, []byte(body), env(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// event is a good event with more members.
func event(id string, more ...string) string {
	all := append([]string{`"specversion":"1.0","id":"` + id + `","source":"/crm/eu","type":"com.example.thing"`}, more...)
	return "{" + strings.Join(all, ",") + "}"
}

// TestFixtures: the three modes make the same record. The captured events name their person by a
// bare subject: the example programme's kind says that it is a user id, and a kind that doesn't
// needs the extension attributes.
func TestFixtures(t *testing.T) {
	who := ingesttest.Kept{Kind: "custom/com.example.customer.updated", At: "2026-01-05T10:00:00",
		People: []string{"subject user_id user-pl-0002"},
		Parts: []string{"subject contact: data.email", "writer content: data.city",
			"writer unclassified: datacontenttype id region source specversion subject subjectid subjecttype time type"}}
	bare := who
	bare.Kind, bare.Parts = "custom/cloudevent", []string{"writer contact: subject", "writer metadata: datacontenttype id source specversion time type",
		"writer unclassified: data region"}
	for name, ids := range map[string][]string{"binary": {"ce-1"}, "structured": {"ce-2"}, "batch": {"ce-3", "ce-4"}} {
		x := ingesttest.Read(t, "testdata/"+name+".json")
		h := http.Header{}
		for k, v := range x.Headers {
			h.Set(k, v)
		}
		b := decode(t, h, string(x.Body))
		for i := range ids {
			if got := ingesttest.Describe(t, b, i).Kind; got != "refused: event.no_subject subject" {
				t.Errorf("%s: %s", name, got)
			}
		}
		b.Release()
		e := env(t)
		delete(e.Kinds.(ingesttest.Kinds), "custom/com.example.customer.updated")
		b, err := cloudevents.Decode(h, x.Body, e)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			got := ingesttest.Describe(t, b, i)
			want := bare
			want.ID, want.Qualifier = id, got.Qualifier
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s as captured: %s", name, diff)
			}
		}
		b.Release()
		h.Set("Ce-Subjecttype", "user_id")
		h.Set("Ce-Subjectid", "user-pl-0002")
		body := strings.ReplaceAll(string(x.Body), `"region":"ie1"`, `"region":"ie1","subjecttype":"user_id","subjectid":"user-pl-0002"`)
		b = decode(t, h, body)
		for i, id := range ids {
			got := ingesttest.Describe(t, b, i)
			if len(got.Qualifier) != 32 {
				t.Errorf("%s: qualifier %q", name, got.Qualifier)
			}
			want := who
			want.ID, want.Qualifier = id, got.Qualifier
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			data := ingesttest.Data(t, &b.Events[i])
			delete(data, "id")
			if diff := cmp.Diff(map[string]any{"specversion": "1.0", "type": "com.example.customer.updated", "source": "/crm/eu", "subject": "user-pl-0002",
				"time": "2026-01-05T10:00:00.000Z", "datacontenttype": "application/json", "region": "ie1", "subjecttype": "user_id", "subjectid": "user-pl-0002",
				"data": map[string]any{"email": "marek.synthetic@example.org", "city": "Gdansk"}}, data); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		b.Release()
	}
}

func TestAnEventWithoutAKindOfItsOwn(t *testing.T) {
	b := decode(t, headers("Content-Type", one), event("1", `"subject":"marek@example.org","time":"2026-01-05T10:00:00Z","dept":"x","data":{"email":"marek@example.org","subjects":["maths"]}`))
	defer b.Release()
	got := ingesttest.Describe(t, b, 0)
	if diff := cmp.Diff([]string{"writer contact: data.subjects subject", "writer metadata: id source specversion time type", "writer unclassified: data.email dept"}, got.Parts); diff != "" {
		t.Error(diff)
	}
	if got.Kind != "custom/cloudevent" || !cmp.Equal(got.People, []string{"subject email marek@example.org"}) {
		t.Errorf("%+v", got)
	}
}

func TestWhoItIs(t *testing.T) {
	for _, tt := range []struct {
		name, more string
		people     []string
		op         ingest.Op
	}{
		{"a list in the data, before all else", `"subject":"x@example.org","subjecttype":"user_id","subjectid":"u","data":{"subjects":[{"type":"email","value":"a@example.org","role":"sender"},{"type":"phone","value":"+447700900101","role":"recipient"}]}`,
			[]string{"sender email a@example.org", "recipient phone +447700900101"}, ingest.OpNone},
		{"two names of one person", `"data":{"subjects":[{"type":"email","value":"a@example.org"},{"type":"badge","value":"7"}]}`,
			[]string{"subject email a@example.org", "subject badge 7"}, ingest.OpIdentify},
		{"two people", `"data":{"subjects":[{"type":"email","value":"a@example.org","role":"participant"},{"type":"email","value":"b@example.org","role":"participant"}]}`,
			[]string{"participant email a@example.org", "participant email b@example.org"}, ingest.OpNone},
		{"a list in the data, in base64", `"data_base64":"` + base64.StdEncoding.EncodeToString([]byte(`{"subjects":[{"type":"email","value":"a@example.org"}]}`)) + `"`,
			[]string{"subject email a@example.org"}, ingest.OpNone},
		{"extensions, before the subject", `"subject":"x@example.org","subjecttype":"user_id","subjectid":"u"`, []string{"subject user_id u"}, ingest.OpNone},
		{"a number for an id", `"subjecttype":"user_id","subjectid":42`, []string{"subject user_id 42"}, ingest.OpNone},
		{"lists of other things are none", `"subject":"x@example.org","data":{"subjects":[{"type":"maths"},7,null]}`, []string{"subject email x@example.org"}, ingest.OpNone},
		{"an address", `"subject":"zoë.o'neil+x@sub.exämple.org"`, []string{"subject email zoë.o'neil+x@sub.exämple.org"}, ingest.OpNone},
		{"a number", `"subject":"+447700900101"`, []string{"subject phone +447700900101"}, ingest.OpNone},
	} {
		b := decode(t, headers("Content-Type", one), event("1", tt.more))
		if diff := cmp.Diff(tt.people, ingesttest.Describe(t, b, 0).People); diff != "" || b.Events[0].Op != tt.op {
			t.Errorf("%s: %v, op %v, %s", tt.name, ingesttest.Describe(t, b, 0).Kind, b.Events[0].Op, diff)
		}
		b.Release()
	}
}

func TestABadEventCostsItselfOnly(t *testing.T) {
	ok := func(id string) string { return event(id, `"subject":"a@example.org"`) }
	raw := func(members string) string { return "{" + members + "}" }
	const v = `"specversion":"1.0","subject":"a@example.org",`
	for _, tt := range []struct{ bad, want string }{
		{`7`, "event.not_object"},
		{`{}`, "event.bad_version specversion"},
		{raw(`"specversion":"0.3","id":"1","source":"/","type":"x"`), "event.bad_version specversion"},
		{raw(v + `"source":"/","type":"x"`), "event.bad_id id"},
		{raw(v + `"id":"` + strings.Repeat("é", 257) + `","source":"/","type":"x"`), "event.bad_id id"},
		{raw(v + `"id":"\ud800","source":"/","type":"x"`), "event.bad_id id"},
		{raw(v + `"id":"1","type":"x"`), "event.bad_source source"},
		{raw(v + `"id":"1","source":"` + strings.Repeat("x", 2049) + `","type":"x"`), "event.bad_source source"},
		{raw(v + `"id":"1","source":"/"`), "event.unknown_kind type"},
		{event("1"), "event.no_subject subject"},
		{event("1", `"subject":""`), "event.no_subject subject"},
		{event("1", `"subject":7`), "event.no_subject subject"},
		{event("1", `"subject":"`+strings.Repeat("x", 1025)+`"`), "event.bad_subject subject"},
		{event("1", `"data":{"subjects":[{"type":"phone","value":"+447700900101","role":"own"}]}`), "event.no_subject subject"},
		{event("1", `"data":{"subjects":[{"type":"email","value":"a@example.org"},{"type":"E"}]}`), "event.bad_subject data.subjects.1.type"},
		{event("1", `"data":{"subjects":[{"type":"email","value":"a@example.org","role":"boss"}]}`), "event.bad_subject data.subjects.0.role"},
		{event("1", `"data":{"subjects":[{"type":"email","value":"a@example.org","Marek":1}]}`), "event.bad_subject data.subjects.0.*"},
		{event("1", `"data":{"subjects":[`+strings.Repeat(`{"type":"email","value":"a@example.org"},`, 64)+`{"type":"email","value":"a@example.org"}]}`), "event.too_many_subjects data.subjects"},
		{event("1", `"subjecttype":"user_id"`), "event.bad_subject subjectid"},
		{event("1", `"subjectid":"u","subject":"a@example.org"`), "event.bad_subject subjecttype"},
		{event("1", `"subjecttype":"user_id","subjectid":true`), "event.bad_subject subjectid"},
		{event("1", `"data":1,"data_base64":"MQ=="`), "event.bad_data data_base64"},
		{event("1", `"data_base64":"?"`), "event.bad_data data_base64"},
		{event("1", `"data_base64":1`), "event.bad_data data_base64"},
		// 1,"id":"2" is no value, whatever it would make of the event around it
		{event("1", `"subject":"a@example.org","data_base64":"`+base64.StdEncoding.EncodeToString([]byte(`1,"id":"2"`))+`"`), "event.bad_data data_base64"},
		{event("1", `"subject":"a@example.org","data_base64":"`+base64.StdEncoding.EncodeToString([]byte(`{"a":1,"a":2}`))+`"`), "event.duplicate_member data_base64"},
		{event("1", `"id":"2"`), "event.duplicate_member id"},
		{event("1", "\"x\":\"\xff\""), "event.bad_utf8"},
		{event("1", `"x":"`+strings.Repeat("x", cloudevents.MaxEventBytes)+`"`), "event.too_large"},
	} {
		b := decode(t, headers("Content-Type", many), "["+ok("a")+","+tt.bad+","+ok("b")+"]")
		if got := ingesttest.Describe(t, b, 1).Kind; got != "refused: "+tt.want || b.Events[1].Index != 1 {
			t.Errorf("%.120s: %s, want %s", tt.bad, got, tt.want)
		}
		for i, id := range map[int]string{0: "a", 2: "b"} {
			if got := ingesttest.Describe(t, b, i); got.ID != id {
				t.Errorf("%.120s: beside it %+v", tt.bad, got)
			}
		}
		b.Release()
	}
}

func TestNobodysEventsAndForeignServices(t *testing.T) {
	b := decode(t, headers("Content-Type", one), `{"specversion":"1.0","id":"1","source":"/","type":"outage"}`)
	if got := ingesttest.Describe(t, b, 0); got.Kind != "custom/outage" || got.People != nil {
		t.Errorf("%+v", got)
	}
	b.Release()
	e := env(t)
	e.Service = "voice" // has kinds, and no default one
	b, err := cloudevents.Decode(headers("Content-Type", one), []byte(event("1", `"subject":"a@example.org"`)), e)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if got := ingesttest.Describe(t, b, 0).Kind; got != "refused: event.unknown_kind type" {
		t.Error(got)
	}
}

// TestABareSubject: what the kind says it is, and a thing where it says nothing. An address and a
// number tell for themselves.
func TestABareSubject(t *testing.T) {
	for subject, bare := range map[string]bool{"user-pl-0002": true, "/blobs/a@example.org": true, "mailto:a@example.org": true,
		"a@localhost": true, "447700900101": true, "a@example.org": false, "+447700900101": false} {
		of := func(typ string) string {
			return strings.Replace(event("1", `"subject":"`+subject+`"`), "com.example.thing", typ, 1)
		}
		b := decode(t, headers("Content-Type", many), "["+of("com.example.thing")+","+of("com.example.customer.updated")+"]")
		declared, undeclared := ingesttest.Describe(t, b, 0), ingesttest.Describe(t, b, 1)
		b.Release()
		if got := declared.People; len(got) != 1 || (got[0] == "subject user_id "+subject) != bare {
			t.Errorf("%s in a kind with subject_type: user_id: %v", subject, got)
		}
		if got := undeclared; (got.Kind == "refused: event.no_subject subject") != bare {
			t.Errorf("%s in a kind without subject_type: %+v", subject, got)
		}
	}
}

// TestTheSourceTellsEventsApart: an id is unique within its source only, and no source is readable
// in what tells them apart.
func TestTheSourceTellsEventsApart(t *testing.T) {
	in := func(source string) string {
		return strings.Replace(event("1", `"subject":"a@example.org"`), "/crm/eu", source, 1)
	}
	b := decode(t, headers("Content-Type", many), "["+in("/people/marek@example.org")+","+in("/people/aoife@example.org")+","+in("/people/marek@example.org")+"]")
	defer b.Release()
	x, y, z := b.Events[0].Qualifier, b.Events[1].Qualifier, b.Events[2].Qualifier
	if x == y || x != z || strings.Contains(x, "marek") {
		t.Errorf("%q %q %q", x, y, z)
	}
}

func TestBinaryMode(t *testing.T) {
	base := []string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/crm/eu", "Ce-Type", "com.example.thing", "Ce-Subject", "a@example.org"}
	with := func(pairs ...string) http.Header { return headers(append(base[:len(base):len(base)], pairs...)...) }
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		data   map[string]any // beyond the base
		want   string         // when it is refused
	}{
		{"no data", with(), "", map[string]any{}, ""},
		{"JSON", with("Content-Type", "application/problem+json"), ` {"a":1} `, map[string]any{"datacontenttype": "application/problem+json", "data": map[string]any{"a": 1.0}}, ""},
		{"JSON without a content type", with(), `[1]`, map[string]any{"data": []any{1.0}}, ""},
		{"a text", with("Content-Type", "text/xml"), "<a b=\"c\"/>\n", map[string]any{"datacontenttype": "text/xml", "data": "<a b=\"c\"/>\n"}, ""},
		{"bytes", with("Content-Type", "image/png"), "\x89PNG", map[string]any{"datacontenttype": "image/png", "data_base64": "iVBORw=="}, ""},
		{"percent escapes", with("Ce-City", "Gda%C5%84sk%20100%25 5% %zz"), "", map[string]any{"city": "Gdańsk 100% 5% %zz"}, ""},
		{"one round of them only", with("Ce-City", "%2541"), "", map[string]any{"city": "%41"}, ""},
		{"a quoted string", with("Ce-City", `"a \"b\" %C3%A9"`), "", map[string]any{"city": `a "b" é`}, ""},
		{"a value cannot leave its quotes", with("Ce-City", `x%22,%22id%22:%222`), "", map[string]any{"city": `x","id":"2`}, ""},
		{"no UTF-8 comes out", with("Ce-City", "%FF"), "", nil, "event.bad_attribute *"},
		{"no UTF-8 went in", with("Ce-City", "\xff"), "", nil, "event.bad_attribute *"},
		{"twice", with("Ce-City", "a", "Ce-City", "b"), "", nil, "event.bad_attribute *"},
		{"no name", with("Ce-A-B", "x"), "", nil, "event.bad_attribute *"},
		{"data as a header", with("Ce-Data", "x"), "", nil, "event.bad_attribute data"},
		{"the content type as a header", with("Ce-Datacontenttype", "x"), "", nil, "event.bad_attribute datacontenttype"},
		{"data with a name twice", with("Content-Type", "application/json"), `{"a":1,"a":2}`, nil, "event.duplicate_member data"},
		{"an older version", headers("Ce-Specversion", "0.3", "Ce-Id", "1"), "", nil, "event.bad_version specversion"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := decode(t, tt.header, tt.body)
			defer b.Release()
			if tt.want != "" {
				if got := ingesttest.Describe(t, b, 0).Kind; got != "refused: "+tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
				return
			}
			for i := 0; i < len(base); i += 2 {
				tt.data[strings.ToLower(base[i][3:])] = base[i+1]
			}
			if b.Events[0].Refused != nil {
				t.Fatal(ingesttest.Describe(t, b, 0).Kind)
			}
			if diff := cmp.Diff(tt.data, ingesttest.Data(t, &b.Events[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBytesInBase64StayAsTheyAre(t *testing.T) {
	b := decode(t, headers("Content-Type", one), event("1", `"subject":"a@example.org","datacontenttype":"image/png","data_base64":"iVBORw=="`))
	defer b.Release()
	if got := ingesttest.Data(t, &b.Events[0]); got["data_base64"] != "iVBORw==" || got["data"] != nil {
		t.Errorf("%v", got)
	}
}

func TestTimes(t *testing.T) {
	for more, want := range map[string]string{`"time":"2026-01-05T10:00:00+01:00"`: "2026-01-05T09:00:00", `"x":1`: "received", `"time":null`: "received",
		`"time":"yesterday"`: "received", `"time":7`: "received", `"time":"2027-01-05T10:00:00Z"`: "received"} {
		b := decode(t, headers("Content-Type", one), event("1", `"subject":"a@example.org"`, more))
		e := b.Events[0]
		if got := ingesttest.Describe(t, b, 0).At; got != want || e.Skewed != (want == "received" && more != `"x":1` && more != `"time":null`) {
			t.Errorf("%s: %s, skewed %v, want %s", more, got, e.Skewed, want)
		}
		b.Release()
	}
}

func TestBodiesThatCantBeRead(t *testing.T) {
	binary := headers("Ce-Specversion", "1.0", "Content-Type", "application/json")
	for _, tt := range []struct {
		header http.Header
		body   string
		reason string
	}{
		{headers(), "{}", "cloudevents.bad_mode"},
		{headers("Content-Type", "application/json"), event("1"), "cloudevents.bad_mode"},
		{headers("Content-Type", "application/cloudevents+avro", "Ce-Specversion", "1.0"), "x", "cloudevents.bad_mode"},
		{headers("Content-Type", "application/cloudevents-batch+protobuf"), "x", "cloudevents.bad_mode"},
		{headers("Content-Type", one), " ", "body.empty"},
		{headers("Content-Type", many), "", "body.empty"},
		{headers("Content-Type", many), event("1"), "body.not_json"},
		{headers("Content-Type", many), "[" + event("1"), "body.truncated"},
		{headers("Content-Type", many), "[" + event("1") + "] x", "body.not_json"},
		{headers("Content-Type", one), event("1") + event("2"), "body.not_json"},
		{headers("Content-Type", one), `{"id":`, "body.truncated"},
		{binary, `{"a":`, "body.truncated"},
		{binary, `{} {}`, "body.not_json"},
		{headers("Content-Type", one), strings.Repeat(" ", cloudevents.MaxBodyBytes+1), "body.too_large"},
	} {
		if b, err := cloudevents.Decode(tt.header, []byte(tt.body), env(t)); b != nil || fault.KindOf(err) != fault.Invalid || fault.ReasonOf(err) != tt.reason {
			t.Errorf("%v %.40q: %v, want %s", tt.header, tt.body, err, tt.reason)
		}
	}
	b := decode(t, headers("Content-Type", many), "[]")
	defer b.Release()
	if len(b.Events) != 0 {
		t.Errorf("%d events of none", len(b.Events))
	}
}

func TestEventsPastTheLimitAreOneRefusal(t *testing.T) {
	b := decode(t, headers("Content-Type", many), "["+strings.Repeat("{},", cloudevents.MaxEvents+2)+"{}]")
	defer b.Release()
	last := b.Events[len(b.Events)-1].Refused
	if len(b.Events) != cloudevents.MaxEvents+1 || last == nil || last.Reason != "batch.too_many_events" || last.More != 2 {
		t.Errorf("%d events, %+v", len(b.Events), last)
	}
}

// FuzzDecode: a bad body, or a bad header, gives no record and no panic.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"binary", "structured", "batch"} {
		x := ingesttest.Read(f, "testdata/"+name+".json")
		f.Add(x.Headers["content-type"], x.Headers["ce-subject"], x.Body)
	}
	f.Add(one, "a@example.org", []byte(event("1", `"data_base64":"e30="`)))
	f.Add(many, "", []byte("["+event("1", `"data":{"subjects":[{"type":"email","value":"\u0061@example.org"}]}`)+"]"))
	f.Add("", "Gda%C5%84sk", []byte{})
	e := env(f)
	f.Fuzz(func(t *testing.T, contentType, value string, body []byte) {
		h := headers("Content-Type", contentType, "Ce-Specversion", "1.0", "Ce-Id", value, "Ce-Source", "/", "Ce-Type", "x", "Ce-Subject", value)
		b, err := cloudevents.Decode(h, body, e)
		if err != nil {
			if b != nil || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v, %v", b, err)
			}
			return
		}
		defer b.Release()
		ingesttest.Sound(t, b, ingesttest.Received)
		for i := range b.Events {
			e := &b.Events[i]
			if e.Refused != nil {
				continue
			}
			if data := ingesttest.Data(t, e); data["specversion"] != "1.0" || !e.Owned() {
				raw, _ := json.Marshal(data)
				t.Errorf("kept: %s", raw)
			}
		}
	})
}
