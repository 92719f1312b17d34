package plane_test

import (
	"context"
	"net/http"
	"testing"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/cloudevents"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// TestCloudEventsAreKnownBySourceAndID: the same id of two sources is two records, found by the id;
// the same of one is a retry, in whatever mode it comes. Two names of one person are the person's.
func TestCloudEventsAreKnownBySourceAndID(t *testing.T) {
	w := exampleWorld(t)
	src := &tenant.Source{Tenant: 1, TenantID: "acme", ID: "src_events", Adapter: "cloudevents", Service: "custom", Trust: term.Server}
	const data = `{"city":"Gdansk","subjects":[{"type":"email","value":"marek@example.org"},{"type":"badge","value":"b-7"}]}`
	structured := func(source string) string {
		return `{"specversion":"1.0","id":"ce-1","source":"` + source + `","type":"com.example.thing","data":` + data + `}`
	}
	binary := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"ce-1"}, "Ce-Source": {"/crm/eu"}, "Ce-Type": {"com.example.thing"}, "Content-Type": {"application/json"}}
	one := http.Header{"Content-Type": {"application/cloudevents+json"}}
	for _, tt := range []struct {
		header http.Header
		body   string
		want   plane.Result
	}{
		{one, structured("/crm/eu"), plane.Result{Accepted: 1}},
		{one, structured("/crm/us"), plane.Result{Accepted: 1}},
		{one, structured("/crm/eu"), plane.Result{Duplicate: 1}},
		{binary, data, plane.Result{Duplicate: 1}},
	} {
		w.accept(src, []byte(tt.body), func(body []byte, env ingest.Env) (*ingest.Batch, error) {
			env.Service = src.Service
			return cloudevents.Decode(tt.header, body, env)
		}, tt.want)
	}
	named, err := w.RecordsByClientID(context.Background(), w.caller, "ce-1", "")
	if err != nil || len(named) != 2 {
		t.Errorf("%d records by their id, %v", len(named), err)
	}
	marek := w.find("badge", "b-7")
	if marek != w.find(term.Email, "marek@example.org") {
		t.Error("two names of one person are two people")
	}
	if r := w.erase(marek); r.Records != 2 {
		t.Errorf("%d records were erased, want 2", r.Records)
	}
}
