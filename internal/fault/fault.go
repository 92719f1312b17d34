// Package fault is the error that crosses package borders: a closed kind, a stable reason, a
// sentence that anyone may read and a hint that says what to do next.
package fault

import (
	"errors"
	"fmt"
)

// Kind classes a fault. The set is closed: web/guard maps each to an HTTP status and cmd to an
// exit code.
type Kind uint8

const (
	Internal        Kind = iota // not a fault of the caller; its text stays inside
	Invalid                     // malformed input: 400
	Unauthenticated             // no or unknown credential: 401
	Forbidden                   // known caller, not allowed: 403
	NotFound                    // 404
	Conflict                    // the state forbids it: 409
	Gone                        // erased: 410
	TooLarge                    // 413
	WrongRegion                 // the credential lives in another region: 421
	Unprocessable               // well-formed, but can't be: 422
	RateLimited                 // 429, with RetryAfter
	Unavailable                 // temporary trouble: 503, with RetryAfter
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "forbidden", "not_found", "conflict",
	"gone", "too_large", "wrong_region", "unprocessable", "rate_limited", "unavailable"}

// String returns the kind's name in snake case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error is a fault. Public and Hint never hold personal data; Err is for the log and must not
// either: ids in messages, values never.
type Error struct {
	Kind   Kind
	Reason string // stable code, dotted: "residency.wrong_region"
	Public string // safe for anyone
	Hint   string // what to do next
	// Extra are members of the problem document beyond RFC 9457's own, such as "receipt".
	Extra map[string]any
	// RetryAfterSeconds is for RateLimited and Unavailable; 0 means 1.
	RetryAfterSeconds int
	Err               error
}

// Error returns the reason, the public sentence and, when there is one, the cause.
func (e *Error) Error() string {
	s := e.Reason
	if e.Public != "" {
		s += ": " + e.Public
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns a fault whose public sentence is formatted from ids and names, never values.
func New(k Kind, reason, public string, args ...any) *Error {
	if len(args) > 0 {
		public = fmt.Sprintf(public, args...)
	}
	return &Error{Kind: k, Reason: reason, Public: public}
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(hint string) *Error { e.Hint = hint; return e }

// With sets a member of the problem document and returns e.
func (e *Error) With(key string, value any) *Error {
	if e.Extra == nil {
		e.Extra = map[string]any{}
	}
	e.Extra[key] = value
	return e
}

// Because sets the cause, for the log, and returns e.
func (e *Error) Because(err error) *Error { e.Err = err; return e }

// As returns the first fault in err's chain.
func As(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// KindOf returns the kind of the first fault in err's chain, Internal when there is none.
func KindOf(err error) Kind {
	if e, ok := As(err); ok {
		return e.Kind
	}
	return Internal
}

// ReasonOf returns the reason of the first fault in err's chain, "" when there is none.
func ReasonOf(err error) string {
	if e, ok := As(err); ok {
		return e.Reason
	}
	return ""
}
