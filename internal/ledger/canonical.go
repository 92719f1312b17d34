package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep objects and lists of an entry may nest.
const maxDepth = 16

// maxWhole is the largest whole number that every JSON reader keeps exactly, 2⁵³−1.
const maxWhole = 1<<53 - 1

// Canonical appends src, one JSON value, to dst in the one form that entries are hashed in.
//
// It refuses what the form doesn't hold: numbers that aren't whole or are beyond ±(2⁵³−1), a
// member given twice, control characters, bad UTF-8, more than 16 levels. On an error what it
// returns is nil.
//
// Format: docs/formats/ledger.md, "Entry".
func Canonical(dst, src []byte) ([]byte, error) {
	c := canonicaliser{src: src, dst: dst}
	return c.run()
}

func (c *canonicaliser) run() ([]byte, error) {
	if err := c.value(0); err != nil {
		return nil, fmt.Errorf("entry at byte %d: %w", c.i, err)
	}
	if c.space(); c.i != len(c.src) {
		return nil, fmt.Errorf("entry at byte %d: more than one value", c.i)
	}
	return c.dst, nil
}

// canonicaliser reads src from i on and writes dst.
type canonicaliser struct {
	src []byte
	i   int
	dst []byte
	old []byte // room for sort
}

func (c *canonicaliser) space() {
	for c.i < len(c.src) && (c.src[c.i] == ' ' || c.src[c.i] == '\n' || c.src[c.i] == '\t' || c.src[c.i] == '\r') {
		c.i++
	}
}

// next skips white space and returns the byte there without taking it, 0 at the end.
func (c *canonicaliser) next() byte {
	if c.space(); c.i < len(c.src) {
		return c.src[c.i]
	}
	return 0
}

func (c *canonicaliser) value(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch b := c.next(); {
	case b == '{':
		return c.object(depth)
	case b == '[':
		return c.list(depth)
	case b == '"':
		return c.text()
	case b == '-' || b >= '0' && b <= '9':
		return c.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(c.src[c.i:], []byte(word)) {
			c.i += len(word)
			c.dst = append(c.dst, word...)
			return nil
		}
	}
	return fmt.Errorf("want a value")
}

func (c *canonicaliser) list(depth int) error {
	c.i++
	c.dst = append(c.dst, '[')
	for n := 0; ; n++ {
		b := c.next()
		if b == ']' && n == 0 {
			break
		}
		if n > 0 {
			if b == ']' {
				break
			} else if b != ',' {
				return fmt.Errorf("want a comma or the list's end")
			}
			c.i++
			c.dst = append(c.dst, ',')
		}
		if err := c.value(depth + 1); err != nil {
			return err
		}
	}
	c.i++
	c.dst = append(c.dst, ']')
	return nil
}

// member is a span of dst: its name with quotes ends at colon, its value at end.
type member struct{ from, colon, end int }

func (c *canonicaliser) object(depth int) error {
	c.i++
	var room [16]member
	members, sorted, open := room[:0], true, len(c.dst)
	c.dst = append(c.dst, '{')
	for {
		b := c.next()
		if b == '}' && len(members) == 0 {
			break
		}
		if len(members) > 0 {
			if b == '}' {
				break
			} else if b != ',' {
				return fmt.Errorf("want a comma or the object's end")
			}
			c.i++
			c.dst = append(c.dst, ',')
		}
		m, err := c.member(depth)
		if err != nil {
			return err
		}
		if n := len(members); n > 0 && bytes.Compare(c.name(members[n-1]), c.name(m)) >= 0 {
			sorted = false // or given twice, which shows once they are sorted
		}
		members = append(members, m)
	}
	c.i++
	if !sorted {
		if err := c.sort(open+1, members); err != nil {
			return err
		}
	}
	c.dst = append(c.dst, '}')
	return nil
}

func (c *canonicaliser) member(depth int) (m member, err error) {
	if c.next() != '"' {
		return m, fmt.Errorf("want a member's name")
	}
	m.from = len(c.dst)
	if err := c.text(); err != nil {
		return m, err
	}
	m.colon = len(c.dst)
	for _, b := range c.dst[m.from+1 : m.colon-1] {
		if b < 0x20 || b > 0x7e || b == '"' || b == '\\' {
			return m, fmt.Errorf("a member's name is not printable ASCII")
		}
	}
	if c.next() != ':' {
		return m, fmt.Errorf("want a colon")
	}
	c.i++
	c.dst = append(c.dst, ':')
	err = c.value(depth + 1)
	m.end = len(c.dst)
	return m, err
}

// name is the member's name without quotes: with its closing quote, "a" would sort after "a!".
func (c *canonicaliser) name(m member) []byte { return c.dst[m.from+1 : m.colon-1] }

// sort rewrites the members, whose text begins at from, in the order of their names.
func (c *canonicaliser) sort(from int, members []member) error {
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare(c.name(a), c.name(b)) })
	for i := 1; i < len(members); i++ {
		if bytes.Equal(c.name(members[i-1]), c.name(members[i])) {
			return fmt.Errorf("a member is given twice")
		}
	}
	c.old = append(c.old[:0], c.dst[from:]...)
	c.dst = c.dst[:from]
	for i, m := range members {
		if i > 0 {
			c.dst = append(c.dst, ',')
		}
		c.dst = append(c.dst, c.old[m.from-from:m.end-from]...)
	}
	return nil
}

func (c *canonicaliser) text() error {
	start, escaped := c.i, false
	for c.i++; ; c.i++ {
		if c.i >= len(c.src) {
			return fmt.Errorf("a string has no end")
		}
		switch b := c.src[c.i]; {
		case b == '"':
			c.i++
			return c.string(c.src[start:c.i], escaped)
		case b == '\\':
			escaped = true
			c.i++ // whatever it escapes, a quote too, is not the end
		case b < 0x20 || b == 0x7f:
			return fmt.Errorf("a string holds a control character")
		}
	}
}

// string writes the string whose source, quotes included, is quoted.
func (c *canonicaliser) string(quoted []byte, escaped bool) error {
	if !utf8.Valid(quoted) {
		return fmt.Errorf("a string is not UTF-8")
	}
	if !escaped {
		c.dst = append(c.dst, quoted...)
		return nil
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return fmt.Errorf("a string has a bad escape")
	}
	c.dst = append(c.dst, '"')
	for _, r := range s {
		switch {
		case r < 0x20 || r == 0x7f:
			return fmt.Errorf("a string holds a control character")
		case r == utf8.RuneError: // half a surrogate pair, which the decoder replaced
			return fmt.Errorf("a string is not Unicode")
		case r == '"' || r == '\\':
			c.dst = append(c.dst, '\\')
		}
		c.dst = utf8.AppendRune(c.dst, r)
	}
	c.dst = append(c.dst, '"')
	return nil
}

func (c *canonicaliser) number() error {
	start := c.i
	for c.i < len(c.src) && (c.src[c.i] >= '0' && c.src[c.i] <= '9' || c.src[c.i] == '-') {
		c.i++
	}
	if c.i < len(c.src) && (c.src[c.i] == '.' || c.src[c.i]|0x20 == 'e') {
		return fmt.Errorf("a number is not whole")
	}
	s := string(c.src[start:c.i])
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxWhole || n < -maxWhole {
		return fmt.Errorf("a number is beyond 2⁵³−1")
	}
	if strconv.FormatInt(n, 10) != s {
		return fmt.Errorf("a number has more digits than it needs")
	}
	c.dst = append(c.dst, s...)
	return nil
}
