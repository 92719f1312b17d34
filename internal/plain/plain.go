// Package plain is the type that refuses to print: personal data in the clear travels in it.
package plain

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[personal data]"

// Bytes is personal data in the clear. It holds its bytes in a func because fmt reads unexported
// fields by reflection: there it finds only an address. The zero value reveals nothing.
type Bytes struct{ b func() []byte }

// New wraps b, which it does not copy.
func New(b []byte) Bytes { return Bytes{func() []byte { return b }} }

// Format prints "[personal data]" for every verb, %#v too.
func (Bytes) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps the bytes out of slog.
func (Bytes) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON always fails: whoever encodes personal data reveals it first, in a place to review.
func (Bytes) MarshalJSON() ([]byte, error) {
	return nil, errors.New("plain: Bytes are never encoded")
}

// MarshalText always fails, as MarshalJSON does.
func (Bytes) MarshalText() ([]byte, error) {
	return nil, errors.New("plain: Bytes are never encoded")
}

// Reveal returns the bytes. Each call is a place to review.
func (p Bytes) Reveal() []byte {
	if p.b == nil {
		return nil
	}
	return p.b()
}
