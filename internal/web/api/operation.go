package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/guard"
)

// operation is what the router and the OpenAPI document have to know of a call.
type operation struct {
	id, method, path string
	tag              string
	summary, doc     string
	who              who   // default: tenants
	errors           []int // statuses beyond those that every call has
	fresh, secrets   bool  // see route
	status           int   // of success; default 200
	maxBody          int64 // most bytes of a request body; default maxBody

	// For raw operations; typed ones tell by their Go types.
	body     any  // request body
	streamed bool // the request body is octets, which no Idempotency-Key is for
	optional bool
	answer   any
	stream   []string // media types of a streamed answer
	params   []param  // query parameters
	purposes bool     // it reads people, for the purpose that a header names
}

const (
	purposeHeader = "Domicile-Purpose"
	purposeDoc    = "the purpose of the programme that people are read for: categories that it may use, of nobody who refuses it; needed where the tenant's settings say so"
)

// param is a query parameter.
type param struct {
	name, doc string
	enum      []string
	min, max  int // of a number, when max is set
	def       any
}

func (o *operation) withDefaults() {
	if o.who == anyone {
		o.who = tenants
	}
	if o.status == 0 {
		o.status = http.StatusOK
	}
	if o.maxBody == 0 {
		o.maxBody = maxBody
	}
}

func (o *operation) route() *route {
	return &route{method: o.method, pattern: o.method + " " + o.path, who: o.who, fresh: o.fresh, secrets: o.secrets, streamed: o.streamed, maxBody: o.maxBody}
}

// raw adds a call that is written out, and describes it in the OpenAPI document by hand.
func (a *API) raw(o operation, handle func(http.ResponseWriter, *http.Request, *call) error) {
	o.withDefaults()
	r := o.route()
	r.handle = handle
	a.routes.add(r)
	a.huma.OpenAPI().AddOperation(o.describe(a.huma.OpenAPI().Components.Schemas))
}

// describe is o in the OpenAPI document.
func (o *operation) describe(schemas huma.Registry) *huma.Operation {
	h := o.head()
	for s := range strings.SplitSeq(o.path, "/") {
		if name, _, ok := strings.Cut(strings.TrimPrefix(s, "{"), "}"); ok {
			h.Parameters = append(h.Parameters, pathParam(name))
		}
	}
	if o.purposes {
		h.Parameters = append(h.Parameters, &huma.Param{Name: purposeHeader, In: "header", Description: purposeDoc, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, p := range o.params {
		s := &huma.Schema{Type: huma.TypeString, Default: p.def}
		for _, e := range p.enum {
			s.Enum = append(s.Enum, e)
		}
		if p.max > 0 {
			low, high := float64(p.min), float64(p.max)
			s.Type, s.Minimum, s.Maximum = huma.TypeInteger, &low, &high
		}
		h.Parameters = append(h.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.doc, Schema: s})
	}
	if o.body != nil {
		h.RequestBody = &huma.RequestBody{Required: !o.optional, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf(schemas, o.body)}}}
	}
	if o.streamed {
		h.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{octets: {}}}
	}
	ok := &huma.Response{Description: http.StatusText(o.status), Content: map[string]*huma.MediaType{}}
	if o.answer != nil {
		ok.Content["application/json"] = &huma.MediaType{Schema: schemaOf(schemas, o.answer)}
	}
	for _, t := range o.stream {
		ok.Content[t] = &huma.MediaType{}
	}
	h.Responses = map[string]*huma.Response{strconv.Itoa(o.status): ok}
	return h
}

// head is what raw and typed operations have in common.
func (o *operation) head() *huma.Operation {
	return &huma.Operation{OperationID: o.id, Method: o.method, Path: o.path, Tags: []string{o.tag}, Summary: o.summary, Description: o.doc,
		Errors: o.errors, DefaultStatus: o.status, Security: []map[string][]string{{securityScheme: {}}},
		MaxBodyBytes: o.maxBody + 1, BodyReadTimeout: -1} // the router limits the body, the server the time
}

func schemaOf(schemas huma.Registry, v any) *huma.Schema {
	t := reflect.TypeOf(v)
	return schemas.Schema(t, true, t.Name())
}

func pathParam(name string) *huma.Param {
	s := &huma.Schema{Type: huma.TypeString}
	if name == "subject" {
		s.Pattern = "^sub_[a-z2-7]{20}$"
	}
	return &huma.Param{Name: name, In: "path", Required: true, Schema: s}
}

// typed adds a call whose decoding, checks and document come from the types I and O.
func typed[I, O any](a *API, o operation, handle func(context.Context, *tenant.Caller, *I) (*O, error)) {
	o.withDefaults()
	h := o.head()
	h.Metadata = map[string]any{"route": o.route()}
	huma.Register(a.huma, *h, func(ctx context.Context, in *I) (*O, error) {
		q, _ := ctx.Value(askingKey{}).(asking)
		out, err := handle(ctx, q.c.caller, in)
		if err != nil {
			return nil, problem(q.w, err)
		}
		return out, nil
	})
}

// asking is what a typed operation needs of the request, in its context.
type asking struct {
	w http.ResponseWriter
	c *call
}

type askingKey struct{}

// problem is err for huma to write; the headers that go with it are set.
func problem(w http.ResponseWriter, err error) *guard.Problem {
	p := guard.Describe(err)
	if w != nil {
		guard.Note(w, err)
		p.Request = guard.RequestID(w)
		p.SetHeaders(w.Header())
	}
	return p
}

// adapter brings huma's operations into our router.
type adapter struct{ a *API }

// Handle adds an operation.
func (d adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	r, ok := op.Metadata["route"].(*route)
	if !ok {
		return // huma's own pages, of which we have our own
	}
	r.handle = func(w http.ResponseWriter, req *http.Request, c *call) error {
		pattern := req.Pattern
		req = req.WithContext(context.WithValue(req.Context(), askingKey{}, asking{w, c}))
		req.Pattern = pattern
		for _, s := range r.segs {
			if s.name != "" {
				req.SetPathValue(s.name, c.value(s.name))
			}
		}
		// All bodies are JSON, whatever curl says of them, and so are all answers.
		req.Header = req.Header.Clone()
		req.Header.Set("Content-Type", "application/json")
		req.Header.Del("Accept")
		handler(humago.NewContext(op, req, w))
		return nil
	}
	d.a.routes.add(r)
}

// ServeHTTP is part of huma.Adapter.
func (d adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.a.ServeHTTP(w, r) }

// ourErrors makes huma answer with our problems. It has one set of constructors for the whole
// process, so they are set once.
var ourErrors = sync.OnceFunc(func() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaProblem(nil, status, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
		_, w := humago.Unwrap(ctx)
		return humaProblem(w, status, errs)
	}
})

// humaProblem words anew what huma found wrong with a request: its own words quote the request.
func humaProblem(w http.ResponseWriter, status int, errs []error) *guard.Problem {
	for _, err := range errs {
		if err != nil && guard.Describe(err).Status == http.StatusRequestEntityTooLarge {
			return problem(w, err)
		}
	}
	switch {
	case status == 0: // huma looks at its type
		return &guard.Problem{}
	case status >= 500 || status == http.StatusNotAcceptable:
		return problem(w, fault.New(fault.Internal, "internal", ""))
	case status == http.StatusRequestEntityTooLarge:
		return problem(w, fault.New(fault.TooLarge, "request.too_large", "the body is over the limit of %d bytes", maxBody))
	case status == http.StatusBadRequest && len(errs) > 0 && located(errs[0]).Location == "body":
		return problem(w, badJSON("the body is not the JSON that the call wants"))
	}
	f := fault.New(fault.Invalid, "request.invalid", "the request is not what the call wants").WithHint("errors says where; /api/docs shows what it wants")
	wrong := make([]map[string]string, 0, len(errs))
	for _, err := range errs {
		if d := located(err); d.Location != "" {
			wrong = append(wrong, map[string]string{"at": d.Location, "message": d.Message})
		}
	}
	return problem(w, f.With("errors", wrong))
}

// located returns where an error is and what it is, in words that quote nothing: a name that is
// not ours becomes *, a message that could hold a value is left out.
func located(err error) huma.ErrorDetail {
	e, ok := err.(huma.ErrorDetailer) //nolint:errorlint // huma gives them unwrapped
	if !ok {
		return huma.ErrorDetail{}
	}
	d := huma.ErrorDetail{Location: e.ErrorDetail().Location, Message: e.ErrorDetail().Message}
	switch {
	case d.Message == "unexpected property" || d.Message == "unknown query parameter":
		place, _, _ := strings.Cut(d.Location, ".")
		d.Location = place + ".*"
	case !strings.HasPrefix(d.Message, "expected ") || strings.Contains(d.Message, ": "):
		d.Message = "not what the call wants"
	}
	return d
}

// jsonFormat reads and writes all bodies of typed operations.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	},
	Unmarshal: json.Unmarshal,
}
