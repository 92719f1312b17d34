package api_test

import (
	"bytes"
	"net/http/httptest"
	"testing"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/web/api"
)

// TestHowToSendIsDocumented: the calls for which somebody writes a client are in the document, and what
// it says of bodies and answers is so.
func TestHowToSendIsDocumented(t *testing.T) {
	w := newWorld(t)
	d, schemas := readDocument(t, w)
	for _, x := range []struct{ method, path, id string }{{"post", "/v1/records", "send-records"}, {"post", "/v1/notices", "send-notices"}, {"put", "/v1/records/{client_id}/media", "put-media"}, {"post", "/cloudevents/{source}", "send-cloudevents"}} {
		op, ok := d.Paths[x.path][x.method]
		if !ok || op.OperationID != x.id || op.RequestBody == nil || op.Responses["421"].Content == nil {
			t.Errorf("%s %s isn't documented in full: %+v", x.method, x.path, op)
		}
		for _, p := range op.Parameters {
			if p.Name == "Idempotency-Key" {
				t.Errorf("%s takes no %s", x.id, p.Name)
			}
		}
	}
	at := func(path, method, rest string) string { return "/paths/" + pointer(path) + "/" + method + rest }
	record := func(id string) string {
		return `{"id":"` + id + `","kind":"message","service":"messaging","occurred_at":"2026-11-22T06:45:00Z","subjects":[{"type":"phone","value":"+353851234567","role":"sender"}],"data":{"body":"hi"}}`
	}
	i := newIntake(api.IngestOptions{})
	i.result.Refused = []ingest.Refusal{{Index: 1, Reason: "event.bad_identifier", Path: "subjects.0.value", Region: "us1", URL: "https://us1.example.com"}}
	list := "[" + record("m-1") + "," + record("m-2") + "]"
	for _, body := range []string{list, record("m-1") + "\n" + record("m-2")} {
		r := i.post(t, "/v1/records", body, "Authorization", "Bearer "+nativeKey)
		answered(t, r, 200)
		check(t, schemas, at("/v1/records", "post", "/responses/200/content/"+pointer("application/json")+"/schema"), r.Body.Bytes())
	}
	check(t, schemas, at("/v1/records", "post", "/requestBody/content/"+pointer("application/json")+"/schema"), []byte(list))
	check(t, schemas, at("/v1/records", "post", "/requestBody/content/"+pointer("application/x-ndjson")+"/schema"), []byte(record("m-1")))

	page := w.do("GET", "/api/docs", "", "Authorization", "")
	for _, path := range []string{"/v1/records", "/v1/records/{client_id}/media", "/cloudevents/{source}"} {
		if !bytes.Contains(page.body, []byte(path)) {
			t.Errorf("the page says nothing of %s", path)
		}
	}
}

func answered(t *testing.T, r *httptest.ResponseRecorder, want int) {
	t.Helper()
	if r.Code != want {
		t.Fatalf("%d %s, want %d", r.Code, r.Body, want)
	}
}
