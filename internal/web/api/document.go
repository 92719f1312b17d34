package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"domicile.dev/internal/web/guard"
)

const (
	tagPeople  = "People"
	tagRecords = "Records"
	tagProof   = "Proof and counts"
	tagAccess  = "Tenants, sources and tokens"

	securityScheme = "token"
)

const introduction = `Personal data of one region, by its tenants' say. Send Authorization: Bearer with a token of the region; a token of another region is answered 421 with the right address under url.

Errors are application/problem+json (RFC 9457): match on reason, read detail, do what hint says. They never repeat what was sent.

Every POST takes an Idempotency-Key. For 24 hours the same key with the same body gives the same status and body again, unless the state stood in the way (409): that is asked anew; with another body it is refused with 422. A key or token that was shown once is not shown again by that.`

// newHuma returns huma's API with what every document has.
func newHuma(a *API, opt Options) huma.API {
	ourErrors()
	version := opt.Version
	if version == "" {
		version = "dev"
	}
	return huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Domicile tenant API", Version: version, Description: introduction},
			Tags: []*huma.Tag{{Name: tagPeople, Description: "Who somebody is, and what holds for them."},
				{Name: tagRecords, Description: "What was recorded about somebody."},
				{Name: tagProof, Description: "What came in, what was refused, and what the ledger says."},
				{Name: tagAccess, Description: "Who may bring data and who may ask. Sources: the tenant or the operator; all else: the operator."},
				{Name: tagRegister, Description: "What was observed, what is decided by it, and what lapses. A tenant: its own choices; all else: the operator."},
				{Name: tagPublish, Description: "Versions of the notice and of the list of sub-processors, objections, and webhooks."},
				{Name: tagFlows, Description: "What leaves the region, to whom, and how far it is. To start and stop it is the operator's."},
				{Name: tagMoves, Description: "A person's way to another region, step by step. domicile subject move does it."}},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{securityScheme: {Type: "http", Scheme: "bearer",
					Description: "dtk_… of a tenant, or dok_… of the operator"}},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}, adapter{a})
}

// addDocument completes the document with what all operations share, and serves it, as JSON and as
// a page.
func (a *API) addDocument() error {
	doc := a.huma.OpenAPI()
	problemSchema := doc.Components.Schemas.Schema(reflect.TypeFor[guard.Problem](), true, "Problem")
	for _, op := range operations(doc) {
		if op.Method == http.MethodPost && !slices.Contains(op.Tags, tagSend) {
			op.Parameters = append(op.Parameters, &huma.Param{Name: "Idempotency-Key", In: "header",
				Description: "same key, same answer, for 24 hours", Schema: &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(maxKeyBytes)}})
		}
		for _, status := range op.Errors {
			op.Responses[strconv.Itoa(status)] = nil
		}
		op.Responses["default"] = nil
		for status, r := range op.Responses {
			if r != nil && status != "default" {
				continue
			}
			text := "Any other error"
			if n, err := strconv.Atoi(status); err == nil {
				text = http.StatusText(n)
			}
			op.Responses[status] = &huma.Response{Description: text, Content: map[string]*huma.MediaType{guard.ProblemType: {Schema: problemSchema}}}
		}
	}
	var err error
	if a.document, err = json.Marshal(doc); err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	if a.page, err = renderPage(doc); err != nil {
		return fmt.Errorf("render the OpenAPI document: %w", err)
	}
	a.serveText(pathOpenAPI, "application/json", a.document, "")
	a.serveText(pathDocs, "text/html; charset=utf-8", a.page, pagePolicy)
	return nil
}

// serveText adds a path that anyone may get.
func (a *API) serveText(path, contentType string, body []byte, policy string) {
	a.routes.add(&route{method: http.MethodGet, pattern: http.MethodGet + " " + path, who: anyone,
		handle: func(w http.ResponseWriter, _ *http.Request, _ *call) error {
			h := w.Header()
			h.Set("Content-Type", contentType)
			h.Set("Cache-Control", "public, max-age=300")
			if policy != "" {
				h.Set("Content-Security-Policy", policy)
			}
			_, err := w.Write(body)
			guard.Note(w, err)
			return nil
		}})
}

// operations returns those of doc by tag, in the order in which they read best.
func operations(doc *huma.OpenAPI) (all []*huma.Operation) {
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete, item.Patch} {
			if op != nil {
				all = append(all, op)
			}
		}
	}
	slices.SortFunc(all, func(a, b *huma.Operation) int {
		return 2*compare(a.Path, b.Path) + compare(a.Method, b.Method)
	})
	return all
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func ptr[T any](v T) *T { return &v }
