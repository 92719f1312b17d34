package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/guard"
)

// The values of headers that answers have, made once.
var (
	anyOrigin     = []string{"*"}
	anySite       = []string{"cross-origin"}
	exposed       = []string{"Retry-After"}
	success       = []byte(`{"success":true}`)
	successLength = []string{strconv.Itoa(len(success))}
)

// succeed tells a Segment SDK that its body is durable.
func succeed(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Content-Length"] = jsonType, successLength
	_, _ = w.Write(success)
}

// succeedInPart tells a Segment SDK that the rest of its body is durable, and whoever reads the
// answer what belongs to other regions. SDKs go by the status.
func succeedInPart(w http.ResponseWriter, away []ingest.Refusal) {
	body, _ := json.Marshal(struct {
		Success bool      `json:"success"`
		Refused []refusal `json:"refused"`
	}{true, refusals(away)})
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// awayOf returns those that were refused for where their people are at home.
func awayOf(all []ingest.Refusal) (away []ingest.Refusal) {
	for _, r := range all {
		if r.Reason == plane.RefusedElsewhere || r.Reason == plane.RefusedApart || r.Reason == plane.RefusedMoved {
			away = append(away, r)
		}
	}
	return away
}

// failSegment answers as Segment SDKs expect it: they go by the status, and some log code and
// message. Too large is 400 to them. Whoever came to the wrong region gets a problem document,
// with the right address, that has these members too. An access token that has ended is 511, after
// which an SDK gets another and sends its events again; after 401 it would throw them away.
func failSegment(w http.ResponseWriter, err error) {
	if fault.ReasonOf(err) == tenant.ReasonTokenEnded {
		guard.Note(w, err)
		f, _ := fault.As(err)
		refuse(w, statusTokenEnded, f.Reason, f.Public+"; "+f.Hint)
		return
	}
	if f, ok := fault.As(err); ok {
		switch f.Kind {
		case fault.TooLarge:
			err = fault.New(fault.Invalid, f.Reason, f.Public)
		case fault.WrongRegion:
			extra := map[string]any{"success": false, "code": f.Reason, "message": f.Public}
			for name, value := range f.Extra {
				extra[name] = value
			}
			c := *f
			c.Extra = extra
			guard.Fail(w, &c)
			return
		}
	}
	guard.Note(w, err)
	p := guard.Describe(err)
	p.SetHeaders(w.Header())
	if p.Status == http.StatusTooManyRequests { // as Segment has it beside Retry-After, in seconds, too
		w.Header().Set("X-RateLimit-Reset", w.Header().Get("Retry-After"))
	}
	message := p.Detail
	if p.Hint != "" {
		message += "; " + p.Hint
	}
	refuse(w, p.Status, p.Reason, message)
}

// refuse answers with {"success":false,"code","message"}.
func refuse(w http.ResponseWriter, status int, code, message string) {
	body, _ := json.Marshal(struct {
		Success bool   `json:"success"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}{false, code, message})
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// failNative answers with a problem document; a body that is too large is 413.
func failNative(w http.ResponseWriter, err error) { guard.Fail(w, err) }

// refusal is one record that was not kept.
type refusal struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"`
	Path   string `json:"path,omitempty"`
	More   int    `json:"more,omitempty"`   // so many after index, for the same reason
	Region string `json:"region,omitempty"` // where it belongs, when that is why
	URL    string `json:"url,omitempty"`    // where that region is
}

// tell answers what became of native records.
func tell(w http.ResponseWriter, result *plane.Result) {
	body, _ := json.Marshal(struct {
		Accepted  int       `json:"accepted"`
		Duplicate int       `json:"duplicate"`
		Refused   []refusal `json:"refused"`
	}{result.Accepted, result.Duplicate, refusals(result.Refused)})
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

func refusals(all []ingest.Refusal) []refusal {
	out := make([]refusal, len(all))
	for i, r := range all {
		out[i] = refusal(r)
	}
	return out
}

// allowOrigin lets pages of any origin read the answer. There is nothing to protect from them:
// who asks is told by the key alone, and cookies are never looked at. A beacon goes without CORS:
// the browser calls it failed unless the answer's resource policy lets other sites have it.
func allowOrigin(h http.Header) {
	h["Access-Control-Allow-Origin"], h["Access-Control-Expose-Headers"] = anyOrigin, exposed
	h["Cross-Origin-Resource-Policy"] = anySite
}

// preflight answers a browser that asks what it may send. "*" does not cover authorization, and
// old browsers take it for a name, so the SDKs' headers are named.
func preflight(w http.ResponseWriter, method string) {
	h := w.Header()
	allowOrigin(h)
	h.Set("Access-Control-Allow-Methods", method+", OPTIONS")
	h.Set("Access-Control-Allow-Headers", "authorization, content-type, content-encoding, anonymousid, sentat, x-retry-count, *")
	h.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
}
