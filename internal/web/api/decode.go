package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/term"
)

// Faults of requests say what is wrong and where, and never repeat what was sent: it may be about
// somebody.

// decode reads body as one JSON object into v, whose type says which members there are.
func decode(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return fault.New(fault.Invalid, "request.no_body", "the call needs a JSON body").WithHint("/api/docs shows it")
	}
	if !utf8.Valid(body) {
		return badJSON("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return jsonFault(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badJSON("there is something after the JSON body")
	}
	return nil
}

// jsonFault words encoding/json's errors anew, for some of them quote the body.
func jsonFault(err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return badJSON("the body is not JSON, as byte " + strconv.FormatInt(syntax.Offset, 10) + " shows")
	case errors.As(err, &wrong):
		return fault.New(fault.Invalid, "request.wrong_type", "a member has the wrong type: want %s", jsonWord(wrong.Type.Kind().String())).
			With("at", wrong.Field) // a path of our own names: it got past DisallowUnknownFields
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return fault.New(fault.Invalid, "request.unknown_member", "the body has a member that the call does not know").
			WithHint("/api/docs lists those it knows")
	}
	return badJSON("the body is not the JSON that the call wants")
}

func badJSON(what string) error { return fault.New(fault.Invalid, "request.bad_json", "%s", what) }

// jsonWord names a Go kind as JSON does.
func jsonWord(kind string) string {
	switch kind {
	case "bool":
		return "boolean"
	case "slice", "array":
		return "array"
	case "struct", "map":
		return "object"
	}
	return kind
}

// query reads a query string of which only the named parameters, each once, are known.
func query(u *url.URL, known ...string) (url.Values, error) {
	if u.RawQuery == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fault.New(fault.Invalid, "request.bad_query", "the query string is malformed")
	}
	for name, values := range q {
		if !slices.Contains(known, name) {
			return nil, fault.New(fault.Invalid, "request.unknown_parameter", "the query string has a parameter that the call does not know").
				With("parameters", known)
		}
		if len(values) > 1 {
			return nil, fault.New(fault.Invalid, "request.repeated_parameter", "%s is there more than once", name)
		}
	}
	return q, nil
}

// Bounds of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

func parseLimit(s string) (int, error) {
	if s == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		return 0, fault.New(fault.Invalid, "request.bad_limit", "limit is a number from 1 to %d", maxLimit)
	}
	return n, nil
}

// purposes are those of GDPR art. 18(2), for which a restricted person's data may be used.
var purposes = []string{"consent", "legal-claims", "rights-of-others", "public-interest"}

func parsePurpose(s string) (string, error) {
	if s != "" && !slices.Contains(purposes, s) {
		return "", fault.New(fault.Invalid, "request.bad_purpose", "there is no such purpose").
			WithHint("those of GDPR art. 18(2) are in purposes").With("purposes", purposes)
	}
	return s, nil
}

func parseSubject(s string) (id.Subject, error) {
	v, err := id.ParseSubject(s)
	if err != nil || v.IsNobody() {
		return v, fault.New(fault.Invalid, "subject.bad_id", "a subject's id is sub_ and 20 of a–z and 2–7").
			WithHint("POST /api/v1/subjects:find returns it")
	}
	return v, nil
}

func parseEntry(s string) (id.Entry, error) {
	v, err := id.ParseEntry(s)
	if err != nil {
		return v, fault.New(fault.Invalid, "ledger.bad_id", "a ledger entry's id is led_ and 20 of a–z and 2–7")
	}
	return v, nil
}

func parseTime(name, s string) (t time.Time, err error) {
	if s == "" {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, s); err != nil {
		return t, fault.New(fault.Invalid, "request.bad_time", "%s is a time as RFC 3339 has it, such as 2026-01-31T00:00:00Z", name)
	}
	return t.UTC(), nil
}

// Bounds of :find.
const (
	maxIdentifiers     = 100
	maxIdentifierBytes = 1 << 10
	maxReasonBytes     = 500
)

var identifierType = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

func checkIdentifiers(ids []Identifier) error {
	if len(ids) == 0 || len(ids) > maxIdentifiers {
		return fault.New(fault.Invalid, "identifiers.count", "identifiers has 1 to %d members", maxIdentifiers)
	}
	for i, ident := range ids {
		switch {
		case !identifierType.MatchString(ident.Type):
			return fault.New(fault.Invalid, "identifier.bad_type", "identifiers[%d] has no type, or one that is no lower-case word", i).
				WithHint("email, phone, user_id, anonymous_id, device_id, whatsapp_id, identity, or your own")
		case ident.Value == "" || len(ident.Value) > maxIdentifierBytes:
			return fault.New(fault.Invalid, "identifier.bad_value", "identifiers[%d] has no value, or one over %d bytes", i, maxIdentifierBytes)
		}
	}
	return nil
}

// hintTypes adds to the answer that nobody has ids which of them are of no type of ours. Types of one's
// own are declared nowhere: a type is there once a record or a link names it.
func hintTypes(err error, ids []Identifier) error {
	f, ok := fault.As(err)
	if !ok || f.Kind != fault.NotFound {
		return err
	}
	own := slices.IndexFunc(ids, func(i Identifier) bool { return !slices.Contains(builtinTypes, i.Type) })
	if own < 0 {
		return err
	}
	c := *f
	c.Hint = strings.TrimPrefix(c.Hint+"; ", "; ") + fmt.Sprintf("identifiers[%d] is of none of the types %s: one of your own is known once a record, or :link, has brought it", own, strings.Join(builtinTypes, ", "))
	return &c
}

// builtinTypes are the types of identifiers that every tenant has.
var builtinTypes = []string{term.Email, term.Phone, term.UserID, term.AnonymousID, term.DeviceID, term.WhatsAppID, term.Identity}

func checkReason(s string) error {
	if len(s) > maxReasonBytes {
		return fault.New(fault.Invalid, "reason.too_long", "a reason has at most %d bytes", maxReasonBytes)
	}
	return nil
}
