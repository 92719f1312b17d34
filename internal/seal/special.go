package seal

import (
	"encoding/binary"
	"math"
	"time"
)

// hexValue holds the value of each lower-case hex digit, 0xff for other bytes.
var hexValue = func() (v [256]byte) {
	for i := range v {
		v[i] = 0xff
	}
	for i := range byte(10) {
		v['0'+i] = i
	}
	for i := range byte(6) {
		v['a'+i] = 10 + i
	}
	return v
}()

func isDigit(c byte) bool { return c-'0' < 10 }

// mayBeSpecial rules out at a glance most texts that have no denser form: it wants a digit and
// then a digit or a dot within two bytes, or four hex digits.
func mayBeSpecial(w uint64) bool {
	a, b, c := byte(w), byte(w>>8), byte(w>>16)
	if isDigit(a) && (isDigit(b) || b == '.') && (isDigit(c) || c == '.' || isDigit(b)) {
		return true
	}
	return hexValue[a]|hexValue[b]|hexValue[c]|hexValue[byte(w>>24)] < 16
}

// special tries what has a denser form than its text: UUIDs, times, addresses, runs of digits and
// of hex. It flushes the literals that begin at run and returns how many bytes at i it took, 0 for
// none. Every form turns back into exactly these bytes.
func special(dst, src []byte, run, i, n int) (int, []byte) {
	rest := src[i:n]
	if len(rest) >= 36 && rest[8] == '-' && rest[13] == '-' && rest[18] == '-' && rest[23] == '-' {
		if u, ok := parseUUID(rest); ok {
			return 36, append(append(flush(dst, src[run:i]), tokUUID), u[:]...)
		}
	}
	if isDigit(rest[0]) && (i == 0 || !isDigit(src[i-1])) {
		if len(rest) >= 24 && rest[4] == '-' && rest[10] == 'T' && rest[23] == 'Z' {
			if ms, ok := parseTime(rest); ok {
				return 24, appendTime(flush(dst, src[run:i]), ms)
			}
		}
		digits := 1
		for digits < len(rest) && digits <= maxDigits && isDigit(rest[digits]) {
			digits++
		}
		if digits <= 3 && len(rest) >= 7 && rest[digits] == '.' {
			if ip, l := parseIPv4(rest); l >= 7 {
				return l, append(append(flush(dst, src[run:i]), tokIPv4), ip[:]...)
			}
		}
		if digits >= minDigits && digits <= maxDigits && (digits == len(rest) || hexValue[rest[digits]] == 0xff) {
			return digits, appendDigits(flush(dst, src[run:i]), rest[:digits])
		}
	}
	if len(rest) >= 2*minHex && hexValue[rest[2*minHex-1]] != 0xff {
		l := 1
		for l < len(rest) && l < 510 && hexValue[rest[l]] != 0xff {
			l++
		}
		if l /= 2; l >= minHex {
			dst = append(flush(dst, src[run:i]), tokHex, byte(l))
			for j := range l {
				dst = append(dst, hexValue[rest[2*j]]<<4|hexValue[rest[2*j+1]])
			}
			return 2 * l, dst
		}
	}
	return 0, dst
}

// uuidAt holds where the sixteen bytes of a UUID stand in its text.
var uuidAt = [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

func parseUUID(s []byte) (u [16]byte, ok bool) {
	s = s[:36]
	var bad byte
	for i, at := range uuidAt {
		hi, lo := hexValue[s[at]], hexValue[s[at+1]]
		bad |= hi | lo
		u[i] = hi<<4 | lo
	}
	return u, bad < 16
}

// parseTime reads 2026-01-05T10:00:00.000Z as milliseconds since 1970. It refuses every other
// form and every date that isn't in the calendar, so that formatting gives the same bytes back.
func parseTime(s []byte) (ms int64, ok bool) {
	if s[7] != '-' || s[13] != ':' || s[16] != ':' || s[19] != '.' {
		return 0, false
	}
	bad := false
	num := func(from, to int) int {
		v := 0
		for _, c := range s[from:to] {
			bad = bad || !isDigit(c)
			v = v*10 + int(c-'0')
		}
		return v
	}
	year, month, day := num(0, 4), num(5, 7), num(8, 10)
	hour, minute, second, milli := num(11, 13), num(14, 16), num(17, 19), num(20, 23)
	if bad || year < 1970 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, milli*1e6, time.UTC).UnixMilli(), true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func appendTime(dst []byte, ms int64) []byte {
	if r := ms - since2020; r >= 0 && r < 1<<40 {
		return appendUint(append(dst, tokTime), uint64(r), 5)
	}
	return appendUint(append(dst, tokTimeFar), uint64(ms), 6)
}

// appendTimeText appends the text of a time.
func appendTimeText(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}

// parseIPv4 reads a dotted quad without leading zeros and returns its length, 0 if there is none.
// A fifth number or a longer one after it is somebody else's business: the four still round-trip.
func parseIPv4(s []byte) (ip [4]byte, length int) {
	i := 0
	for q := range ip {
		if q > 0 {
			if i >= len(s) || s[i] != '.' {
				return ip, 0
			}
			i++
		}
		v, from := 0, i
		for i < len(s) && i-from < 3 && isDigit(s[i]) {
			v = v*10 + int(s[i]-'0')
			i++
		}
		if i == from || v > 255 || i-from > 1 && s[from] == '0' {
			return ip, 0
		}
		ip[q] = byte(v)
	}
	return ip, i
}

// digitBytes[n] is how many bytes hold any number of n digits.
var digitBytes = func() (b [maxDigits + 1]int) {
	for n := range b {
		b[n] = int(math.Ceil(float64(n) * math.Log2(10) / 8))
	}
	return b
}()

// pow10[n] is the smallest number of n+1 digits.
var pow10 = func() (p [maxDigits + 1]uint64) {
	p[0] = 1
	for n := 1; n <= maxDigits; n++ {
		p[n] = p[n-1] * 10
	}
	return p
}()

func appendDigits(dst, s []byte) []byte {
	var v uint64
	for _, c := range s {
		v = v*10 + uint64(c-'0')
	}
	if len(s) == 13 && v >= since2020 && v-since2020 < 1<<40 {
		return appendUint(append(dst, tokMillis), v-since2020, 5)
	}
	return appendUint(append(dst, tokDigits+byte(len(s)-minDigits)), v, digitBytes[len(s)])
}

// appendUint appends the low n bytes of v, the most significant first.
func appendUint(dst []byte, v uint64, n int) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return append(dst, b[8-n:]...)
}
