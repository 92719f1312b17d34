// Package scan reads JSON strictly and in place: it checks every byte against RFC 8259 and notes
// where the values lie, but builds none of them.
//
// It is stricter than the RFC in four ways, each of which would otherwise let two readers of the
// same bytes see different things: members of one object have different names (compared after
// unescaping), text is valid UTF-8, nesting is bounded, and nothing but white space follows the
// value. A \u escape of half a surrogate pair is accepted, since JavaScript sends one whenever it
// cuts a string inside an emoji; it reads as U+FFFD, and Unquote says that it did.
package scan

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// Kind is the type of a JSON value.
type Kind uint8

// The seven kinds; the zero Kind is no value.
const (
	None Kind = iota
	Null
	False
	True
	Number
	String
	Array
	Object
)

// Code says what is wrong with a text.
type Code uint8

// The codes. From Duplicate on, the grammar is sound and only a rule of ours is broken, so the
// extent of the value can still be found with Skip.
const (
	Syntax Code = iota + 1
	Truncated
	Duplicate
	TooDeep
	TooManyMembers
	BadUTF8
)

var codeText = [...]string{"", "not JSON", "cut short", "duplicate member", "nested too deep", "too many members", "not UTF-8"}

// Error is a fault in a JSON text. It says where, never what: the text may be personal data.
type Error struct {
	Code   Code
	Offset int // bytes from the start of the source
}

// Error returns the code in words and the offset.
func (e *Error) Error() string {
	return "scan: " + codeText[e.Code] + " at byte " + strconv.Itoa(e.Offset)
}

// Sound says whether the grammar held and only a stricter rule was broken.
func (e *Error) Sound() bool { return e.Code >= Duplicate }

// Space returns the first index from i on that is not white space, or len(src).
func Space(src []byte, i int) int {
	for i < len(src) && src[i] <= ' ' && (src[i] == ' ' || src[i] == '\n' || src[i] == '\r' || src[i] == '\t') {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops flags the top bit of the first byte of w that ends a run of plain text: a quote, a
// backslash or a control character. Bytes after it may be flagged for no reason. Flipping bit 1
// puts the quote at 0x20, next to the control characters, so that one comparison finds both.
func stops(w uint64) uint64 {
	return (((w ^ ones*2) - ones*0x21) | ((w ^ ones*'\\') - ones)) &^ w & highs
}

// shortText finds the closing quote of a string of up to seven bytes without an escape that
// begins at src[i]. A negative length means that it is no such string.
func shortText(src []byte, i int) (end, length int) {
	if i+8 <= len(src) {
		if hit := stops(binary.LittleEndian.Uint64(src[i:])); hit != 0 {
			if end = i + bits.TrailingZeros64(hit)>>3; src[end] == '"' {
				return end, end - i
			}
		}
	}
	return 0, -1
}

// text scans a string whose first byte after the quote is src[i]. It returns the index of the
// closing quote and whether there was an escape; a negative index is the complement of the offset
// of the fault.
func text(src []byte, i int) (end int, escaped bool) {
	for {
		for i+8 <= len(src) {
			if hit := stops(binary.LittleEndian.Uint64(src[i:])); hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				goto stop
			}
			i += 8
		}
		for i < len(src) && src[i] != '"' && src[i] != '\\' && src[i] >= ' ' {
			i++
		}
		if i == len(src) {
			return ^i, false
		}
	stop:
		switch src[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			if i = escape(src, i); i < 0 {
				return i, false
			}
		default:
			return ^i, false
		}
	}
}

// escape checks the escape whose backslash is src[i] and returns the index after it, or the
// complement of the offset of the fault.
func escape(src []byte, i int) int {
	if i+1 >= len(src) {
		return ^len(src)
	}
	switch src[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(src) {
				return ^len(src)
			}
			if _, ok := hex(src[j]); !ok {
				return ^j
			}
		}
		return i + 6
	}
	return ^(i + 1)
}

func hex(c byte) (rune, bool) {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}

// scalar scans a number or a literal at src[i] and returns the index after it, or the complement
// of the offset of the fault.
func scalar(src []byte, i int) (int, Kind) {
	switch src[i] {
	case 't':
		return literal(src, i, "true"), True
	case 'f':
		return literal(src, i, "false"), False
	case 'n':
		return literal(src, i, "null"), Null
	}
	return number(src, i), Number
}

func literal(src []byte, i int, want string) int {
	for k := range len(want) {
		if i+k >= len(src) {
			return ^len(src)
		}
		if src[i+k] != want[k] {
			return ^(i + k)
		}
	}
	return i + len(want)
}

// number scans RFC 8259's number: no plus, no leading zero, digits around the dot.
func number(src []byte, i int) int {
	if src[i] == '-' {
		i++
	}
	if i < len(src) && src[i] == '0' {
		i++
	} else if i = digits(src, i); i < 0 {
		return i
	}
	if i < len(src) && src[i] == '.' {
		if i = digits(src, i+1); i < 0 {
			return i
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		return digits(src, i)
	}
	return i
}

// digits scans one digit or more.
func digits(src []byte, i int) int {
	start := i
	for i < len(src) && src[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}

// fault turns the complement of an offset into an error: past the end means cut short.
func fault(src []byte, complement int) error {
	at := ^complement
	if at >= len(src) {
		return &Error{Truncated, len(src)}
	}
	return &Error{Syntax, at}
}
