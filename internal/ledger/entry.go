package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxEntryBytes is the most that one entry may have.
const MaxEntryBytes = 16 << 10

// maxSubs is how many entries of one kind and tenant share a leaf; the next begins another.
const maxSubs = 4096

// nonceBytes is the size of what hides an entry in its commitment.
const nonceBytes = 32

// Draft is an entry to be appended. It holds ids, counts, hashes and keyed digests, never personal
// data, never a digest of clear bytes, never text that somebody typed.
type Draft struct {
	Kind   string    // "collect", "erase", "read.denied": a–z, 0–9, _ and dot, at most 64 bytes
	Tenant string    // whom it concerns; "" is the region itself
	At     time.Time // when; written in UTC to the millisecond
	// Body is marshalled to a JSON object; nil means none. A json.RawMessage saves the marshalling.
	Body any
}

// Ref says where an entry stands. Both are final once the transaction is.
type Ref struct {
	Entry id.Entry `json:"entry"`
	Index int64    `json:"index"` // of its leaf
}

// newID returns the id of the entry at a leaf: ordinal 0 is the leaf's own entry, 1… its sub-entries.
// tail is random, so that a restored log doesn't give an old id anew.
func newID(leaf int64, ordinal int, tail []byte) (e id.Entry) {
	e[0], e[1] = byte(leaf>>40), byte(leaf>>32)
	binary.BigEndian.PutUint32(e[2:], uint32(leaf))
	binary.BigEndian.PutUint16(e[6:], uint16(ordinal))
	copy(e[8:], tail)
	return e
}

// place returns the leaf and the ordinal that an id names.
func place(e id.Entry) (leaf int64, ordinal int) {
	leaf = int64(e[0])<<40 | int64(e[1])<<32 | int64(binary.BigEndian.Uint32(e[2:]))
	return leaf, int(binary.BigEndian.Uint16(e[6:]))
}

// commit returns SHA-256(nonce ‖ entry).
func commit(nonce, entry []byte) [32]byte {
	var room [1024]byte
	return sha256.Sum256(append(append(room[:0], nonce...), entry...))
}

// writeEntry appends the canonical form of an entry. body is canonical already, or nil; sub likewise.
func writeEntry(dst []byte, d *Draft, e id.Entry, body, sub []byte) []byte {
	dst = append(dst, `{"at":"`...)
	dst = writeTime(dst, d.At)
	dst = append(dst, '"')
	if body != nil {
		dst = append(append(dst, `,"body":`...), body...)
	}
	dst = append(append(dst, `,"id":"`...), e.String()...)
	dst = append(append(dst, `","kind":"`...), d.Kind...)
	dst = append(dst, '"')
	if sub != nil {
		dst = append(append(dst, `,"sub":`...), sub...)
	}
	dst = append(append(dst, `,"tenant":"`...), d.Tenant...)
	return append(dst, `","v":1}`...)
}

// writeTime appends t as 2006-01-02T15:04:05.000Z, at a third of AppendFormat's cost.
func writeTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, sec := t.Clock()
	dst = writeDigits(dst, year, 4)
	dst = writeDigits(append(dst, '-'), int(month), 2)
	dst = writeDigits(append(dst, '-'), day, 2)
	dst = writeDigits(append(dst, 'T'), hour, 2)
	dst = writeDigits(append(dst, ':'), minute, 2)
	dst = writeDigits(append(dst, ':'), sec, 2)
	dst = writeDigits(append(dst, '.'), t.Nanosecond()/1e6, 3)
	return append(dst, 'Z')
}

func writeDigits(dst []byte, n, width int) []byte {
	for div := [...]int{1, 10, 100, 1000}[width-1]; div > 0; div /= 10 {
		dst = append(dst, '0'+byte(n/div%10))
	}
	return dst
}

// writeSub appends the sub member of a group's leaf entry.
func writeSub(dst []byte, count int, root tlog.Hash) []byte {
	return fmt.Appendf(dst, `{"count":%d,"root":"%s"}`, count, root)
}

// check refuses a draft whose kind or tenant would need escaping or whose time has no four-digit year.
func (d *Draft) check() error {
	ok := d.Kind != "" && len(d.Kind) <= 64 && len(d.Tenant) <= 128
	for _, b := range []byte(d.Kind) {
		ok = ok && (b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '_' || b == '.')
	}
	for _, b := range []byte(d.Tenant) {
		ok = ok && b > 0x20 && b < 0x7f && b != '"' && b != '\\'
	}
	if y := d.At.UTC().Year(); !ok || y < 1970 || y > 9999 {
		return fault.New(fault.Invalid, "ledger.bad_draft", "the kind, tenant or time can't be entered")
	}
	return nil
}

// encoder turns bodies into canonical JSON; it reuses its buffers.
type encoder struct {
	buf  bytes.Buffer
	json *json.Encoder
	form canonicaliser
}

// body returns b's canonical form, nil for none. It is valid until the next call.
func (c *encoder) body(b any) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	raw, ok := b.(json.RawMessage)
	if !ok {
		if c.json == nil {
			c.json = json.NewEncoder(&c.buf)
			c.json.SetEscapeHTML(false)
		}
		c.buf.Reset()
		if err := c.json.Encode(b); err != nil {
			return nil, badBody(err)
		}
		raw = c.buf.Bytes()
	}
	c.form = canonicaliser{src: raw, dst: c.form.dst[:0], old: c.form.old}
	out, err := c.form.run()
	if err != nil {
		return nil, badBody(err)
	}
	if out[0] != '{' {
		return nil, badBody(fmt.Errorf("not an object"))
	}
	return out, nil
}

func badBody(err error) error {
	return fault.New(fault.Invalid, "ledger.bad_body", "the body can't be entered: whole numbers, plain strings and objects only").Because(err)
}

// parsed is what verification and look-ups read in an entry.
type parsed struct {
	At     string          `json:"at"`
	Body   json.RawMessage `json:"body"`
	ID     string          `json:"id"`
	Kind   string          `json:"kind"`
	Tenant string          `json:"tenant"`
	V      int             `json:"v"`
	Sub    *struct {
		Count int64     `json:"count"`
		Root  tlog.Hash `json:"root"`
	} `json:"sub"`
}

// parseEntry reads an entry in any form and returns its canonical bytes too.
func parseEntry(b []byte) (p parsed, canonical []byte, err error) {
	if len(b) > 4*MaxEntryBytes {
		return p, nil, fmt.Errorf("entry: more than %d bytes", 4*MaxEntryBytes)
	}
	if canonical, err = Canonical(nil, b); err != nil {
		return p, nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(canonical))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, nil, fmt.Errorf("entry: %w", err)
	}
	if p.V != 1 {
		return p, nil, fmt.Errorf("entry: version %d, want 1", p.V)
	}
	return p, canonical, nil
}
