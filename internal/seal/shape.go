package seal

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// Tokens of the shape coder, by their first byte; docs/formats/part.md has the table.
const (
	tokLiteral  = 0x00 // ..3F: c+1 bytes as they are
	tokNext     = 0x40 // ..7F: 1..63 bytes from where the last dictionary match ended, or longer
	tokDict     = 0x80 // ..BF: 4..66 bytes from a dictionary position in two bytes, or longer
	tokNear     = 0xC0 // ..CF: 3..17 bytes from the cursor plus a signed byte, or longer
	tokBack     = 0xD0 // ..D7: 4..10 bytes from 1..256 back in the output, or longer
	tokBackFar  = 0xD8 // ..DF: 5..11 bytes from 1..65536 back in the output, or longer
	tokUUID     = 0xE0
	tokTime     = 0xE1 // RFC 3339 with milliseconds and Z, five bytes since 2020
	tokTimeFar  = 0xE2 // six bytes since 1970
	tokMillis   = 0xE3 // 13 digits, milliseconds since 2020 in five bytes
	tokDigits   = 0xE4 // ..F1: 6..19 digits in as few bytes as hold them
	tokIPv4     = 0xF2
	tokHex      = 0xF3 // a count of bytes, then as many, as lower-case hex
	tokReserved = 0xF4 // and above: not in this version

	maxLiteral = 64
	minDigits  = 6
	maxDigits  = 19
	minHex     = 6 // bytes
	since2020  = 1577836800000
)

// encoder finds what a part repeats of itself. Positions are counted over the encoder's life, so
// that the table needs no clearing between parts.
type encoder struct {
	src  []byte // the part, with padding
	base uint32 // position of src[0]
	seen [1 << backBits]uint32
}

const backBits = 8

var encoders = sync.Pool{New: func() any { return &encoder{base: 1} }}

// encodeShape appends the shape code of p under d. It never fails; the result may be longer than p.
func encodeShape(dst, p []byte, d *dictionary) []byte {
	e := encoders.Get().(*encoder)
	dst = e.encode(dst, p, d)
	clear(e.src) // personal data
	encoders.Put(e)
	return dst
}

func (e *encoder) encode(dst, p []byte, d *dictionary) []byte {
	n := len(p)
	e.src = append(append(e.src[:0], p...), make([]byte, padding)...)
	src := e.src
	if e.base > 1<<31 {
		e.base, e.seen = 1, [1 << backBits]uint32{}
	}
	cursor, run := 0, 0 // where the last dictionary match ended; where pending literals begin
	for i := 0; i < n; {
		w := binary.LittleEndian.Uint64(src[i:])
		h5 := hash5(w)
		off, l := 0, 0

		// The dictionary goes on where it stopped: one byte for any length.
		if d.text[cursor] == byte(w) {
			m := match(d.text[cursor:d.size], src[i:n])
			if m >= 2 || m == 1 && run == i {
				if m < 5 { // something much longer may stand elsewhere
					off, l = d.find(w, h5, src[i:n], cursor)
				}
				dst = flush(dst, src[run:i])
				if l > m+4 {
					dst = appendMatch(dst, off, l, cursor)
					cursor, i = off+l, i+l
				} else {
					dst = appendLength(dst, tokNext, m-1, 63)
					cursor, i = cursor+m, i+m
				}
				run = i
				continue
			}
		}
		if mayBeSpecial(w) && (run == i || hexValue[src[i-1]] == 0xff) {
			if m, out := special(dst, src, run, i, n); m > 0 {
				dst, i = out, i+m
				run = i
				continue
			}
		}
		off, l = d.find(w, h5, src[i:n], cursor)
		back, m := e.find(i, n, w, h5)
		switch {
		case m > l+1 && (m >= 6 || m >= 5 && run == i):
			dst = appendBack(flush(dst, src[run:i]), back, m)
			i += m
			run = i
		case l >= 6 || l >= 5 && (run == i || near(off, cursor)):
			dst = appendMatch(flush(dst, src[run:i]), off, l, cursor)
			cursor, i = off+l, i+l
			run = i
		default:
			i++
		}
	}
	e.base += uint32(n) + 1
	return flush(dst, src[run:n])
}

// find returns how far back the bytes at i, which begin with w, stood before and how many of them
// did, and notes i.
func (e *encoder) find(i, n int, w uint64, h5 uint32) (back, length int) {
	at := &e.seen[h5>>(32-backBits)]
	was := *at
	*at = e.base + uint32(i)
	if was < e.base {
		return 0, 0
	}
	j := int(was - e.base)
	if binary.LittleEndian.Uint32(e.src[j:]) != uint32(w) || i-j > 1<<16 {
		return 0, 0
	}
	return i - j, match(e.src[j:n], e.src[i:n])
}

// near says whether off is within a signed byte of the cursor.
func near(off, cursor int) bool { return uint(off-cursor+128) < 256 }

// match returns how many first bytes a and b share.
func match(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)>>3
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// flush appends literals.
func flush(dst, s []byte) []byte {
	for len(s) > 0 {
		n := min(len(s), maxLiteral)
		dst = append(append(dst, tokLiteral|byte(n-1)), s[:n]...)
		s = s[n:]
	}
	return dst
}

// appendLength appends tok with n in its low bits; from most on, the rest follows as a uvarint.
func appendLength(dst []byte, tok byte, n, most int) []byte {
	if n < most {
		return append(dst, tok|byte(n))
	}
	return binary.AppendUvarint(append(dst, tok|byte(most)), uint64(n-most))
}

func appendMatch(dst []byte, off, l, cursor int) []byte {
	if near(off, cursor) {
		return append(appendLength(dst, tokNear, l-3, 15), byte(int8(off-cursor)))
	}
	return binary.BigEndian.AppendUint16(appendLength(dst, tokDict, l-4, 63), uint16(off))
}

func appendBack(dst []byte, back, l int) []byte {
	if back <= 256 {
		return append(appendLength(dst, tokBack, l-4, 7), byte(back-1))
	}
	return binary.BigEndian.AppendUint16(appendLength(dst, tokBackFar, l-5, 7), uint16(back-1))
}
