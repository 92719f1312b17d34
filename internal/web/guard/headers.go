package guard

import (
	"net/http"
	"strings"

	"domicile.dev/internal/fault"
)

// The values of headers that every answer has, made once. A handler that serves pages replaces the
// policy with its own.
var (
	nosniff  = []string{"nosniff"}
	noStore  = []string{"no-store"}
	referrer = []string{"no-referrer"}
	policy   = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	sameSite = []string{"same-origin"}
	hsts     = []string{"max-age=31536000"}
)

func secure(h http.Header, tls bool) {
	h["X-Content-Type-Options"] = nosniff
	h["Cache-Control"] = noStore
	h["Referrer-Policy"] = referrer
	h["Content-Security-Policy"] = policy
	h["Cross-Origin-Resource-Policy"] = sameSite
	if tls {
		h["Strict-Transport-Security"] = hsts
	}
}

// Bearer returns the token of an Authorization header of that scheme. Fault: Unauthenticated.
func Bearer(r *http.Request) (string, error) {
	v := r.Header.Get("Authorization")
	if v == "" {
		return "", fault.New(fault.Unauthenticated, "credential.missing", "this needs a credential").
			WithHint("send the header Authorization: Bearer and your token")
	}
	scheme, token, _ := strings.Cut(v, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", fault.New(fault.Unauthenticated, "credential.bad_scheme", "the Authorization header is not of the scheme Bearer").
			WithHint("send the header Authorization: Bearer and your token")
	}
	return token, nil
}

// LimitBody makes reading more than limit bytes of r's body an error that Fail answers with 413.
func LimitBody(w http.ResponseWriter, r *http.Request, limit int64) {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
}
