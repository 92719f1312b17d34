package guard

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"domicile.dev/internal/fault"
)

// Statuses maps each kind of fault to its HTTP status.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Gone:            http.StatusGone,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.WrongRegion:     http.StatusMisdirectedRequest,
	fault.Unprocessable:   http.StatusUnprocessableEntity,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
}

// Status returns the HTTP status of a kind of fault.
func Status(k fault.Kind) int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// ProblemType is the media type of RFC 9457.
const ProblemType = "application/problem+json"

// typePrefix and a fault's reason are a problem's type: a URN names it and promises no page.
const typePrefix = "urn:domicile:problem:"

// Problem is an error as RFC 9457 has it. Extra are members beyond these, such as "receipt".
type Problem struct {
	_ struct{} `additionalProperties:"true"` // for the OpenAPI document

	Type    string `json:"type" doc:"urn:domicile:problem: and the reason" example:"urn:domicile:problem:subject.not_found"`
	Title   string `json:"title" doc:"the status in words" example:"Not Found"`
	Status  int    `json:"status" doc:"the HTTP status" example:"404"`
	Detail  string `json:"detail,omitempty" doc:"what is wrong, without personal data"`
	Reason  string `json:"reason" doc:"a stable code to match on" example:"subject.not_found"`
	Hint    string `json:"hint,omitempty" doc:"what to do next"`
	Request string `json:"request,omitempty" doc:"names this request in the node's log" example:"req_6u3kbnzq4xw2yjt5"`

	Extra map[string]any `json:"-"`

	retryAfter int
}

// Describe turns err into a problem. What is no fault is internal: its text stays inside.
func Describe(err error) *Problem {
	f := classify(err)
	status := Status(f.Kind)
	p := &Problem{Type: typePrefix + f.Reason, Title: http.StatusText(status), Status: status, Detail: f.Public,
		Reason: f.Reason, Hint: f.Hint, Extra: f.Extra, retryAfter: f.RetryAfterSeconds}
	if p.retryAfter == 0 && (f.Kind == fault.RateLimited || f.Kind == fault.Unavailable) {
		p.retryAfter = 1
	}
	return p
}

// classify returns the fault that err is to the outside.
func classify(err error) *fault.Error {
	var big *http.MaxBytesError
	f, ok := fault.As(err)
	switch {
	case errors.As(err, &big):
		return fault.New(fault.TooLarge, "request.too_large", "the body is over the limit of %d bytes", big.Limit)
	case !ok && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)):
		return fault.New(fault.Unavailable, "request.timeout", "it took too long").WithHint("send the same request again")
	case !ok || f.Kind == fault.Internal:
		return fault.New(fault.Internal, "internal", "something is wrong in this node").WithHint("its log has more under the id in request")
	case f.Reason == "":
		c := *f
		c.Reason = f.Kind.String()
		return &c
	}
	return f
}

// MarshalJSON writes Extra beside the other members, which win.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem // without this method
	own, err := json.Marshal((*plain)(p))
	if err != nil || len(p.Extra) == 0 {
		return own, err
	}
	extra := make(map[string]any, len(p.Extra))
	for k, v := range p.Extra {
		if !reserved[k] {
			extra[k] = v
		}
	}
	more, err := json.Marshal(extra)
	if err != nil || len(more) == 2 {
		return own, err
	}
	return append(append(own[:len(own)-1], ','), more[1:]...), nil
}

var reserved = map[string]bool{"type": true, "title": true, "status": true, "detail": true, "reason": true, "hint": true, "request": true}

// Error is what huma asks of an error that it writes.
func (p *Problem) Error() string { return p.Reason }

// GetStatus is what huma asks of an error that it writes.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is what huma asks of an error that it writes.
func (p *Problem) ContentType(string) string { return ProblemType }

// Fail answers with the problem that err is, and notes err for the log of this request. Nothing
// must have been written before.
func Fail(w http.ResponseWriter, err error) { Note(w, err); Describe(err).Write(w) }

// Write answers with p.
func (p *Problem) Write(w http.ResponseWriter) {
	p.Request = RequestID(w)
	body, err := json.Marshal(p)
	if err != nil { // an Extra that JSON can't hold
		p.Extra = nil
		body, _ = json.Marshal(p)
	}
	h := w.Header()
	h.Set("Content-Type", ProblemType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	p.SetHeaders(h)
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

// SetHeaders sets those that go with p: Retry-After, WWW-Authenticate.
func (p *Problem) SetHeaders(h http.Header) {
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="domicile"`)
	}
}
