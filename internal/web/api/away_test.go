package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"domicile.dev/internal/ingest"
	dataplane "domicile.dev/internal/plane"
	"domicile.dev/internal/web/api"
)

func (i *intake) elsewhere(e *ingest.Event) *ingest.Refusal {
	if i.away == nil {
		return nil
	}
	r := i.away(string(e.ClientID))
	if r != nil {
		r.Index = e.Index
	}
	return r
}

// byName refuses those whose client id begins with a region's name or with "apart".
func byName(clientID string) *ingest.Refusal {
	switch region, _, _ := strings.Cut(clientID, "-"); region {
	case "us1", "au1":
		return &ingest.Refusal{Reason: dataplane.RefusedElsewhere, Region: region, URL: "https://" + region + ".example.com"}
	case "apart":
		return &ingest.Refusal{Reason: dataplane.RefusedApart}
	}
	return nil
}

// An SDK goes by the status: 421 and 422 end its tries, and 200 is for a body of which something was
// kept, or of which nothing could be told by one status.
func TestEventsOfPeopleAtHomeElsewhere(t *testing.T) {
	i := newIntake(api.IngestOptions{Region: "ie1"})
	i.away = byName
	event := func(id string) string {
		return fmt.Sprintf(`{"type":"track","event":"Viewed","userId":"u-1","messageId":%q}`, id)
	}
	batch := func(ids ...string) string {
		var all []string
		for _, id := range ids {
			all = append(all, event(id))
		}
		return `{"batch":[` + strings.Join(all, ",") + `]}`
	}
	const usRefusal = `"reason":"subject.elsewhere","region":"us1","url":"https://us1.example.com"}`
	for _, tt := range []struct {
		name, path, body string
		status           int
		code, url        string
		refused          string // of an answer of 200
	}{
		{"one", "/v1/track", event("us1-1"), 421, "subject.elsewhere", "https://us1.example.com", ""},
		{"one, from a beacon", "/beacon/v1/t", event("us1-1"), 421, "subject.elsewhere", "https://us1.example.com", ""},
		{"one of nobody's region", "/v1/track", event("apart-1"), 422, "subject.homes_apart", "", ""},
		{"a batch of one", "/v1/batch", batch("us1-1"), 421, "subject.elsewhere", "https://us1.example.com", ""},
		{"a whole batch", "/v1/batch", batch("us1-1", "us1-2"), 421, "subject.elsewhere", "https://us1.example.com", ""},
		{"a batch for two regions", "/v1/batch", batch("us1-1", "au1-2"), 421, "subject.elsewhere", "", ""},
		{"one in a batch", "/v1/batch", batch("m-1", "us1-2", "m-3"), 200, "", "", `[{"index":1,` + usRefusal + `]`},
		{"two in a batch", "/v1/import", batch("us1-1", "m-2", "apart-3"), 200, "", "", `[{"index":0,` + usRefusal + `,{"index":2,"reason":"subject.homes_apart"}]`},
		{"none in a batch", "/v1/batch", batch("m-1"), 200, "", "", ``},
		{"one beside one that is bad", "/v1/batch", `{"batch":[{"type":"nonsense"},` + event("us1-2") + `]}`, 200, "", "", `[{"index":1,` + usRefusal + `]`},
	} {
		w := i.post(t, tt.path, tt.body, "Authorization", basic(serverKey))
		var answer struct {
			Success      bool
			Code, Reason string
			URL          string
			Refused      json.RawMessage
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != tt.status || answer.Success != (tt.status == 200) || answer.Code != tt.code ||
			answer.URL != tt.url || string(answer.Refused) != tt.refused {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
}

// Native clients read the answer, so each refusal says where its record belongs.
func TestNativeRecordsOfPeopleAtHomeElsewhere(t *testing.T) {
	i := newIntake(api.IngestOptions{Region: "ie1"})
	i.away = byName
	record := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"kind":"message","service":"messaging","subjects":[{"type":"email","value":"a@b.c"}],"data":{}}`, id)
	}
	w := i.post(t, "/v1/records", record("us1-1")+"\n"+record("m-2"), "Authorization", basic(nativeKey))
	const want = `{"accepted":1,"duplicate":0,"refused":[{"index":0,"reason":"subject.elsewhere","region":"us1","url":"https://us1.example.com"}]}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d %s, want %s", w.Code, w.Body, want)
	}
}

// A vendor that is told of a refusal sends the same again for hours, or calls the webhook broken: it
// is told that all is well. Who sends with a key of its own is told the right address.
func TestWebhooksAboutPeopleAtHomeElsewhere(t *testing.T) {
	for _, vendor := range vendors {
		d := newDoor(t)
		d.away = func(string) *ingest.Refusal { return byName("us1-1") }
		w := d.signed(t, vendor, "/"+vendor+"/src_ie1_"+vendor, bodyOf(vendor))
		if vendor == "cloudevents" {
			if w.Code != 421 || reason(w) != "subject.elsewhere" || !strings.Contains(w.Body.String(), `"url":"https://us1.example.com"`) {
				t.Errorf("%s: %d %s", vendor, w.Code, w.Body)
			}
		} else if w.Code/100 != 2 || strings.Contains(w.Body.String(), "us1") {
			t.Errorf("%s: %d %s", vendor, w.Code, w.Body)
		}
		if got := d.took(); len(got) != 1 || !strings.HasSuffix(got[0], "refused subject.elsewhere") {
			t.Errorf("%s: took %q", vendor, got)
		}
	}
}

func TestSettingsOfATenant(t *testing.T) {
	w := newWorld(t)
	const path = "/api/v1/tenants/acme/settings"
	want := func(what string, r reply, status int, body string) {
		t.Helper()
		if r.status != status || !strings.Contains(string(r.body), body) {
			t.Errorf("%s: %d %s, want %d %s", what, r.status, r.body, status, body)
		}
	}
	want("at first", w.do("GET", path, ""), 200, `{"placement":[],"pin":false}`)
	want("pin", w.do("PATCH", path, `{"pin":true}`), 200, `"settings":{"placement":[],"pin":true}`)
	want("rules", w.do("PATCH", path, `{"placement":[{"by":"phone_country","countries":{"US":"us1","IE":"ie1"}}]}`), 200, `"pin":true`)
	want("both stay", w.do("GET", path, ""), 200, `{"placement":[{"by":"phone_country","countries":{"IE":"ie1","US":"us1"}}],"pin":true}`)
	want("default paths", w.do("PATCH", path, `{"placement":[{"by":"residence","countries":{"US":"us1"}}]}`), 200, `"paths":["traits.address.country"`)
	for body, why := range map[string]string{
		`{"placement":[{"by":"phone_country","countries":{"US":"us9"}}]}`:                `placement.unknown_region`,
		`{"placement":[{"by":"phone_country","countries":{"UK":"us1"}}]}`:                `"hint":"write GB"`,
		`{"placement":[{"by":"source"},{"by":"residence","countries":{"US":"us1"}}]}`:    `placement.never_reached`,
		`{"placement":[{"by":"phone_country","countries":{"ann@example.com":"us1"}}]}`:   `that is no country`,
		`{"placement":[{"by":"phone_country","countries":{"US":"us1"},"region":"us1"}]}`: `request.invalid`,
		`{"placement":[{"by":"postcode"}]}`:                                              `request.invalid`,
	} {
		want(body, w.do("PATCH", path, body), 400, why)
	}
	want("nothing of that holds", w.do("GET", path, ""), 200, `"by":"residence"`)
	want("somebody else's", w.do("GET", "/api/v1/tenants/globex/settings", ""), 404, "tenant.not_found")
	want("the operator", w.do("PATCH", path, `{"placement":[],"pin":false}`, "Authorization", "Bearer "+operatorToken), 200, `{"placement":[],"pin":false}`)
}
