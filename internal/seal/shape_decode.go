package seal

import (
	"encoding/binary"
	"errors"
)

var errShape = errors.New("seal: shape code is damaged")

const hexDigits = "0123456789abcdef"

// decodeShape appends what encodeShape was given, at most most bytes. Whatever code is, it ends,
// writes no more than that, and reads nothing but code, d and what it wrote.
func decodeShape(dst, code []byte, d *dictionary, most int) ([]byte, error) {
	start := len(dst)
	cursor := 0
	for i := 0; i < len(code); {
		c := code[i]
		i++
		switch {
		case c < tokNext:
			n := int(c) + 1
			if n > len(code)-i || n > most-(len(dst)-start) {
				return dst[:start], errShape
			}
			dst = append(dst, code[i:i+n]...)
			i += n
		case c < tokUUID:
			n, from, back, used := matchToken(c, code[i:], cursor)
			if used < 0 || n > most-(len(dst)-start) {
				return dst[:start], errShape
			}
			i += used
			if back > 0 {
				at := len(dst) - back
				if at < start {
					return dst[:start], errShape
				}
				for range n { // byte by byte: it may reach into what it writes
					dst = append(dst, dst[at])
					at++
				}
				continue
			}
			if from < 0 || n > d.size-from {
				return dst[:start], errShape
			}
			dst = append(dst, d.text[from:from+n]...)
			cursor = from + n
		default:
			var used int
			dst, used = specialToken(dst, c, code[i:])
			if used < 0 || len(dst)-start > most { // a special token writes at most 510 bytes
				return dst[:start], errShape
			}
			i += used
		}
	}
	return dst, nil
}

// matchToken reads the rest of a match whose first byte is c: n bytes from a dictionary position,
// or from back bytes before the end of the output. used is -1 when code ends too early.
func matchToken(c byte, code []byte, cursor int) (n, from, back, used int) {
	var shortest, mask int
	switch {
	case c < tokDict:
		shortest, mask = 1, 63
	case c < tokNear:
		shortest, mask = 4, 63
	case c < tokBack:
		shortest, mask = 3, 15
	case c < tokBackFar:
		shortest, mask = 4, 7
	default:
		shortest, mask = 5, 7
	}
	n = int(c) & mask
	if n == mask {
		more, l := binary.Uvarint(code)
		if l <= 0 || more > 1<<30 {
			return 0, 0, 0, -1
		}
		n += int(more)
		used = l
	}
	n += shortest
	code = code[used:]
	switch {
	case c < tokDict:
		return n, cursor, 0, used
	case c < tokNear && len(code) >= 2:
		return n, int(binary.BigEndian.Uint16(code)), 0, used + 2
	case c >= tokNear && c < tokBack && len(code) >= 1:
		return n, cursor + int(int8(code[0])), 0, used + 1
	case c >= tokBack && c < tokBackFar && len(code) >= 1:
		return n, 0, int(code[0]) + 1, used + 1
	case c >= tokBackFar && len(code) >= 2:
		return n, 0, int(binary.BigEndian.Uint16(code)) + 1, used + 2
	}
	return 0, 0, 0, -1
}

// specialToken appends the text of a special token whose first byte is c. used is -1 when there is
// no such token, its value has no such text, or code ends too early.
func specialToken(dst []byte, c byte, code []byte) (_ []byte, used int) {
	switch {
	case c == tokUUID && len(code) >= 16:
		for i, b := range code[:16] {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				dst = append(dst, '-')
			}
			dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
		}
		return dst, 16
	case c == tokTime && len(code) >= 5:
		return appendTimeText(dst, int64(readUint(code[:5]))+since2020), 5
	case c == tokTimeFar && len(code) >= 6:
		ms := int64(readUint(code[:6]))
		if ms > maxTime {
			return dst, -1
		}
		return appendTimeText(dst, ms), 6
	case c == tokMillis && len(code) >= 5:
		return appendNumber(dst, readUint(code[:5])+since2020, 13), 5
	case c >= tokDigits && c < tokIPv4:
		n := int(c-tokDigits) + minDigits
		if len(code) < digitBytes[n] {
			return dst, -1
		}
		v := readUint(code[:digitBytes[n]])
		if v >= pow10[n] {
			return dst, -1
		}
		return appendNumber(dst, v, n), digitBytes[n]
	case c == tokIPv4 && len(code) >= 4:
		for i, b := range code[:4] {
			if i > 0 {
				dst = append(dst, '.')
			}
			switch {
			case b >= 100:
				dst = append(dst, '0'+b/100, '0'+b/10%10, '0'+b%10)
			case b >= 10:
				dst = append(dst, '0'+b/10, '0'+b%10)
			default:
				dst = append(dst, '0'+b)
			}
		}
		return dst, 4
	case c == tokHex && len(code) >= 1 && len(code) > int(code[0]):
		n := int(code[0])
		for _, b := range code[1 : 1+n] {
			dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
		}
		return dst, 1 + n
	}
	return dst, -1
}

// maxTime is 9999-12-31T23:59:59.999Z, the last with a year of four digits.
const maxTime = 253402300799999

// appendNumber appends v as n digits, with leading zeros.
func appendNumber(dst []byte, v uint64, n int) []byte {
	at := len(dst)
	for range n {
		dst = append(dst, '0')
	}
	for i := at + n - 1; v > 0; i-- {
		dst[i] = '0' + byte(v%10)
		v /= 10
	}
	return dst
}

// readUint reads a big-endian number of at most eight bytes.
func readUint(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}
