package plan_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"domicile.dev/examples"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/ingesttest"
	"domicile.dev/internal/ingest/native"
	"domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/plan"
	"domicile.dev/internal/programme"
)

// shop is a plan for sources of Segment's API; %s are its settings.
const shop = `
plans:
  - id: shop
    sources: [{adapter: segment, service: cdp}]
SETTINGS
    events:
      - kind: track
        event: Order Completed
        schema:
          $schema: http://json-schema.org/draft-07/schema#
          type: object
          required: [order_id]
          properties:
            order_id: {type: string}
            total: {type: number, minimum: 0}
            customer:
              type: object
              properties:
                tier: {enum: [gold, silver]}
            products:
              type: array
              items:
                type: object
                required: [sku]
                properties:
                  sku: {type: string}
                  price: {type: number}
            extra: {type: object}
            place:
              type: object
              properties:
                lat: {type: number}
                lng: {type: number}
          patternProperties:
            ^utm_: {type: string}
      - kind: track
        event: Empty
        schema: {type: object, additionalProperties: false}
      - kind: page
        schema: {type: object, properties: {url: {type: string, format: uri}}}
      - kind: identify
        schema:
          type: object
          properties:
            email: {type: string, format: email}
            age: {type: integer, minimum: 13}
`

// load returns the example programme with the text beside it.
func load(t testing.TB, text string) *programme.Programme {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(examples.Communications(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(examples.Communications(), name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: b}
	}
	if text != "" { // in place of the example's own
		files["plans.yaml"] = &fstest.MapFile{Data: []byte(text)}
	}
	p, err := programme.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// web is a source that the plan above is for.
var web = plan.Source{Tenant: "acme", ID: "src_ie1_web", Name: "web", Adapter: "segment", Service: "cdp"}

// kinds compiles the programme with the text beside it, and returns the kinds of web.
func kinds(t testing.TB, text string) ingest.Kinds {
	t.Helper()
	set, err := plan.Compile(load(t, text), ingesttest.Env(t).Kinds)
	if err != nil {
		t.Fatal(err)
	}
	return set.Kinds(web)
}

// decode decodes a body of the Segment API. The batch is good until the test ends.
func decode(t testing.TB, k ingest.Kinds, path, body string) *ingest.Batch {
	t.Helper()
	b, err := segment.Decode(path, []byte(body), ingest.Env{ReceivedAt: ingesttest.Received, Kinds: k, Service: "cdp"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
	return b
}

// nativeBatch decodes one native record.
func nativeBatch(t testing.TB, k ingest.Kinds, data string) *ingest.Batch {
	t.Helper()
	body := `{"id":"r1","kind":"message","service":"messaging","subjects":[{"type":"email","value":"ann@example.com"}],"data":` + data + `}`
	b, err := native.Decode("", []byte(body), ingest.Env{ReceivedAt: ingesttest.Received, Kinds: k})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
	return b
}
