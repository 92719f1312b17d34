// Package id holds the typed identifiers. All are random or derived from random bytes, so that
// none of them tells anything about a person.
package id

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
)

// text is lower-case base32 without padding: letters and the digits 2 to 7, never a dot, because
// some SDKs strip dots followed by digits from query values (facts/protocols.md, surprise 13).
var text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Subject is a natural person within a tenant: 96 random bits, "sub_" and 20 characters as text.
type Subject [12]byte

// Nobody is the subject of parts that are about no person.
var Nobody Subject

// NewSubject returns a random subject id.
func NewSubject() (s Subject) { _, _ = rand.Read(s[:]); return s }

// String returns the text form, "sub_…".
func (s Subject) String() string { return "sub_" + text.EncodeToString(s[:]) }

// MarshalText returns the text form.
func (s Subject) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText parses the text form.
func (s *Subject) UnmarshalText(b []byte) (err error) { *s, err = ParseSubject(string(b)); return err }

// IsNobody says whether s is no person.
func (s Subject) IsNobody() bool { return s == Nobody }

// ParseSubject parses "sub_…".
func ParseSubject(t string) (s Subject, err error) { err = parse("sub_", t, s[:]); return s, err }

// Chunk is what one request brought: 96 random bits. It is the base of the nonces of the parts
// sealed in it, so it is never used twice.
type Chunk [12]byte

// NewChunk returns a random chunk id.
func NewChunk() (c Chunk) { _, _ = rand.Read(c[:]); return c }

// Record names one record: its chunk and its ordinal in it, "rec_" and 26 characters as text.
type Record struct {
	Chunk   Chunk
	Ordinal uint32
}

// Bytes returns the 16 bytes of the id: the chunk, then the ordinal in big-endian order.
func (r Record) Bytes() (b [16]byte) {
	copy(b[:], r.Chunk[:])
	b[12], b[13], b[14], b[15] = byte(r.Ordinal>>24), byte(r.Ordinal>>16), byte(r.Ordinal>>8), byte(r.Ordinal)
	return b
}

// String returns the text form, "rec_…".
func (r Record) String() string { b := r.Bytes(); return "rec_" + text.EncodeToString(b[:]) }

// MarshalText returns the text form.
func (r Record) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ParseRecord parses "rec_…".
func ParseRecord(t string) (r Record, err error) {
	var b [16]byte
	if err = parse("rec_", t, b[:]); err != nil {
		return r, err
	}
	return RecordOf(b), nil
}

// RecordOf returns the id that has these 16 bytes.
func RecordOf(b [16]byte) Record {
	return Record{Chunk: Chunk(b[:12]), Ordinal: uint32(b[12])<<24 | uint32(b[13])<<16 | uint32(b[14])<<8 | uint32(b[15])}
}

// Entry names one ledger entry: its place in the log and 32 random bits (docs/formats/ledger.md), "led_" and
// 20 characters as text.
type Entry [12]byte

// NewEntry returns an id of no entry in particular.
func NewEntry() (e Entry) { _, _ = rand.Read(e[:]); return e }

// String returns the text form, "led_…".
func (e Entry) String() string { return "led_" + text.EncodeToString(e[:]) }

// MarshalText returns the text form.
func (e Entry) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText parses the text form.
func (e *Entry) UnmarshalText(b []byte) (err error) { *e, err = ParseEntry(string(b)); return err }

// ParseEntry parses "led_…".
func ParseEntry(t string) (e Entry, err error) { err = parse("led_", t, e[:]); return e, err }

// New returns prefix, an underscore and n random bytes as text: receipts, sources, tokens.
func New(prefix string, n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return prefix + "_" + text.EncodeToString(b)
}

func parse(prefix, t string, into []byte) error {
	rest, ok := strings.CutPrefix(t, prefix)
	if !ok || len(rest) != text.EncodedLen(len(into)) {
		return fmt.Errorf("id: want %s and %d characters", prefix, text.EncodedLen(len(into)))
	}
	b, err := text.DecodeString(rest)
	if err != nil || len(b) != len(into) {
		return fmt.Errorf("id: %s… has characters outside a–z and 2–7", prefix)
	}
	if copy(into, b); text.EncodeToString(into) != rest {
		return fmt.Errorf("id: %s… is not in its one canonical form", prefix)
	}
	return nil
}
