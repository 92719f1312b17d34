package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/guard"
)

// Tokens gives and takes the access tokens of sources with OAuth. Faults as tenant.Service has them.
type Tokens interface {
	AccessToken(assertion, audience string) (string, error)
	SourceByAccessToken(token string) (*tenant.Source, error)
	HasKey(src *tenant.Source, key string) bool
}

const (
	maxTokenBody     = 16 << 10
	clientAssertion  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	trackingScope    = "tracking_api:write"
	statusTokenEnded = http.StatusNetworkAuthenticationRequired
)

// token answers the token endpoint (RFC 6749, section 4.4, with RFC 7523): Segment's SDKs show an
// assertion that they signed, and get a token for this region. After 400 and 401 they give up until
// there is something more to deliver; after any other status they come back.
func (in *Ingest) token(w http.ResponseWriter, r *http.Request) {
	body := in.body(maxTokenBody, false)
	defer body.release()
	if err := body.read(w, r); err != nil {
		failToken(w, err)
		return
	}
	form, err := url.ParseQuery(string(body.bytes))
	switch {
	case err != nil:
		refuseToken(w, http.StatusBadRequest, "invalid_request", "the body is no form")
		return
	case in.opt.Tokens == nil, form.Get("grant_type") != "client_credentials":
		refuseToken(w, http.StatusBadRequest, "unsupported_grant_type", "the only grant is client_credentials")
		return
	case form.Get("client_assertion_type") != clientAssertion, form.Get("client_assertion") == "":
		refuseToken(w, http.StatusUnauthorized, "invalid_client", "a client shows a signed assertion, and nothing else")
		return
	case form.Get("scope") != "" && form.Get("scope") != trackingScope:
		refuseToken(w, http.StatusBadRequest, "invalid_scope", "the only scope is "+trackingScope)
		return
	}
	scheme, host := in.home(r)
	token, err := in.opt.Tokens.AccessToken(form.Get("client_assertion"), scheme+"://"+host)
	if err != nil {
		failToken(w, err)
		return
	}
	answerToken(w, http.StatusOK, struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Scope   string `json:"scope"`
	}{token, "Bearer", int(tenant.TokenLifetime.Seconds()), trackingScope})
}

// failToken answers for a fault: what the client can't mend by asking again is 400 or 401, and the
// rest is as everywhere.
func failToken(w http.ResponseWriter, err error) {
	guard.Note(w, err)
	p := guard.Describe(err)
	message := p.Detail
	if p.Hint != "" {
		message += "; " + p.Hint
	}
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Forbidden, fault.NotFound:
		refuseToken(w, http.StatusUnauthorized, "invalid_client", message)
	case fault.WrongRegion:
		f, _ := fault.As(err)
		answerToken(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": message, "reason": f.Reason, "url": f.Extra["url"], "region": f.Extra["region"]})
	case fault.Invalid, fault.TooLarge:
		refuseToken(w, http.StatusBadRequest, "invalid_request", message)
	default:
		p.SetHeaders(w.Header())
		refuseToken(w, p.Status, "temporarily_unavailable", message)
	}
}

// refuseToken answers as RFC 6749, section 5.2, has it.
func refuseToken(w http.ResponseWriter, status int, code, description string) {
	answerToken(w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
}

func answerToken(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		guard.Fail(w, err)
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// sameSource says whether the key that a request repeats is that of the source whose access token
// it has.
func (in *Ingest) sameSource(src *tenant.Source, key string) error {
	if in.opt.Tokens == nil || !in.opt.Tokens.HasKey(src, key) {
		return keyMismatch()
	}
	return nil
}
