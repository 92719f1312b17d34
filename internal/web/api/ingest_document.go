package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const (
	tagSend      = "Sending"
	sourceScheme = "source"
	writeScheme  = "writeKey"
)

// What native records look like, for the document; internal/ingest/native reads them.
type (
	recordIn struct {
		ID         string         `json:"id" minLength:"1" maxLength:"256" doc:"the client's own; a second one with it is a duplicate"`
		Kind       string         `json:"kind" example:"message" doc:"a kind that the programme declares for the service"`
		Service    string         `json:"service,omitempty" doc:"default: the source's"`
		OccurredAt string         `json:"occurred_at,omitempty" format:"date-time" doc:"default: when it is received"`
		Subjects   []recordParty  `json:"subjects,omitempty" doc:"whom it is about; without anybody only where the programme says that all of it is nobody's"`
		Data       map[string]any `json:"data" doc:"a JSON object; the programme says which part of it has which category"`
	}
	recordParty struct {
		Type  string `json:"type" example:"email" doc:"email, phone, user_id, anonymous_id, device_id, whatsapp_id, identity, or the operator's own"`
		Value string `json:"value"`
		Role  string `json:"role,omitempty" enum:"subject,sender,recipient,participant,own" doc:"default: subject; own is the tenant's side, nobody's"`
	}
	takenBody struct {
		Accepted  int           `json:"accepted"`
		Duplicate int           `json:"duplicate" doc:"were there already"`
		Refused   []refusedBody `json:"refused" nullable:"false" doc:"were not kept; all others were"`
	}
	refusedBody struct {
		Index  int    `json:"index" doc:"place in the request, from 0"`
		Reason string `json:"reason" example:"event.bad_identifier"`
		Path   string `json:"path,omitempty" doc:"where in the record; * for names that could be data"`
		More   int    `json:"more,omitempty" doc:"so many after index, for the same reason"`
		Region string `json:"region,omitempty" doc:"where it belongs, when that is why"`
		URL    string `json:"url,omitempty" doc:"where that region is"`
	}
)

// describeIngest puts the calls by which data comes in into the document. Other routes answer them
// (ingest.go, webhook.go); these are the ones that somebody writes a client for.
func (a *API) describeIngest() {
	doc := a.huma.OpenAPI()
	doc.Tags = append([]*huma.Tag{{Name: tagSend, Description: "How data comes in. The credential is a source's, and each belongs to one region: another region answers 421 with the right address under url. SDKs and webhooks of Segment, RudderStack, Twilio, SendGrid and WhatsApp have their vendors' own paths and answers."}}, doc.Tags...)
	doc.Components.SecuritySchemes[sourceScheme] = &huma.SecurityScheme{Type: "http", Scheme: "bearer", Description: "dwk_…, the key of a server source"}
	doc.Components.SecuritySchemes[writeScheme] = &huma.SecurityScheme{Type: "http", Scheme: "basic", Description: "a source's key as user, no password"}

	records := operation{id: "send-records", method: http.MethodPost, path: "/v1/records", tag: tagSend, answer: takenBody{}, errors: []int{400, 401, 413, 421, 429, 503},
		summary: "Send records", doc: "Records of any service, as a JSON array or as NDJSON, at most 8 MiB. What can't be kept is refused by its index, and costs the others nothing. " +
			"When it answers 200, what was accepted is durable. Send the same again after 429, 503 or no answer: nothing is stored twice."}
	op := a.describeOnly(records)
	list := &huma.Schema{Type: huma.TypeArray, Items: schemaOf(doc.Components.Schemas, recordIn{})}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: list},
		"application/x-ndjson": {Schema: list.Items}}}

	told := operation{id: "send-notices", method: http.MethodPost, path: pathNotices, tag: tagSend, answer: peerHeard{}, errors: []int{400, 401, 403, 413, 421, 429, 503},
		summary: "Tell of people whose records were sent", doc: "For another region whose flow comes by this source: that somebody was erased, restricted or corrected there. 200 when it was done here, or noted for somebody to decide. Send the same again after 429, 503 or no answer."}
	op = a.describeOnly(told)
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf(doc.Components.Schemas, peerNotice{})}}}

	put := operation{id: "put-media", method: http.MethodPut, path: "/v1/records/{client_id}/media", tag: tagSend, status: http.StatusCreated, answer: mediaKeptBody{},
		errors: []int{400, 401, 403, 404, 409, 410, 411, 413, 421, 429, 503}, params: []param{{name: "n", doc: "place among the record's media, from 0", min: 0, max: 63, def: 0}, {name: "kind", doc: "the record's kind, when its id alone doesn't tell"}},
		summary: "Stream a recording or attachment of a record", doc: "The content as it is, with its Content-Type; a file name in Content-Disposition. 201, and 200 when the same was there already. docs/media.md says more."}
	op = a.describeOnly(put)
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}

	event := operation{id: "send-cloudevents", method: http.MethodPost, path: "/cloudevents/{source}", tag: tagSend, answer: takenBody{}, errors: []int{400, 401, 413, 415, 421, 429, 503},
		summary: "Send CloudEvents 1.0", doc: "In binary, structured or batched content mode."}
	op = a.describeOnly(event)
	any := &huma.Schema{Type: huma.TypeObject, Description: "CloudEvents 1.0, JSON event format"}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/cloudevents+json": {Schema: any},
		"application/cloudevents-batch+json": {Schema: &huma.Schema{Type: huma.TypeArray, Items: any}}, "*/*": {Schema: &huma.Schema{Description: "data, with the attributes in ce- headers"}}}}
}

// describeOnly puts a call into the document that another handler answers.
func (a *API) describeOnly(o operation) *huma.Operation {
	o.withDefaults()
	doc := a.huma.OpenAPI()
	op := o.describe(doc.Components.Schemas)
	op.Security = []map[string][]string{{sourceScheme: {}}, {writeScheme: {}}}
	doc.AddOperation(op)
	return op
}
