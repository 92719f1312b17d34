package form

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/scan"
)

const (
	// mostKept is the longest word that is kept, in bytes.
	mostKept = 128
	// mostDigits is how many digits a kept value may have: seven are a local phone number, six decimals
	// of a degree are a hand's breadth.
	mostDigits = 6
)

// treat appends what is left of a value as JSON. ok is false when nothing is: the value has another
// type or shape than the table says, or looks like what it must not be.
func (f *finder) treat(dst []byte, l *leaf, v *value, keys Keys) (out []byte, ok bool) {
	text, kind := f.content(v)
	switch l.treat {
	case programme.TreatPseudonym:
		if v.subject.IsNobody() || kind != scan.String && kind != scan.Number || len(text) == 0 || keys == nil {
			return dst, false
		}
		return append(keys.Subject(v.subject).AppendTo(append(dst, '"')), '"'), true
	case programme.TreatEnum:
		return enum(dst, l, text, kind)
	case programme.TreatBucket:
		return bucket(dst, l, text, kind)
	case programme.TreatHour, programme.TreatDay:
		return when(dst, text, kind, l.treat)
	case programme.TreatKeep:
		return keep(dst, l, text, kind)
	}
	if kind != scan.String {
		return dst, false
	}
	var left string
	switch l.treat {
	case programme.TreatCountry, programme.TreatCarrier:
		left = phone(text, l.treat)
	case programme.TreatNetwork:
		left = network(text)
	case programme.TreatDomain:
		left = domain(text)
	}
	if left == "" {
		return dst, false
	}
	return appendText(dst, left), true
}

// content returns a scalar's text, unescaped; None for what is no scalar, or no whole text.
func (f *finder) content(v *value) ([]byte, scan.Kind) {
	n := &v.d.Nodes[v.n]
	switch n.Kind {
	case scan.String:
		f.scratch = f.scratch[:0]
		text, whole := v.d.Text(int(v.n), &f.scratch)
		if !whole {
			return nil, scan.None
		}
		return text, scan.String
	case scan.Number, scan.True, scan.False:
		return v.d.Raw(int(v.n)), n.Kind
	}
	return nil, scan.None
}

func enum(dst []byte, l *leaf, text []byte, kind scan.Kind) ([]byte, bool) {
	number := l.is == programme.IsNumber && isNumber(text)
	if !number && (l.is == programme.IsNumber || kind != scan.String) {
		return dst, false
	}
	for _, v := range l.values {
		if v == string(text) {
			if number {
				return append(dst, text...), true
			}
			return appendString(dst, text), true
		}
	}
	return dst, false
}

// bucket takes numbers, and numbers as text, which is how forms send them.
func bucket(dst []byte, l *leaf, text []byte, kind scan.Kind) ([]byte, bool) {
	if kind != scan.Number && kind != scan.String || !isNumber(text) || len(text) > 40 {
		return dst, false
	}
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return dst, false
	}
	i := 0
	for i < len(l.bounds) && n >= l.bounds[i] {
		i++
	}
	return append(dst, l.labels[i]...), true
}

// when takes what vendors write times as: ISO 8601, the date of a mail, seconds or milliseconds since
// 1970 as a number or as text.
func when(dst []byte, text []byte, kind scan.Kind, cut string) ([]byte, bool) {
	ms := int64(-1)
	switch {
	case kind != scan.String && kind != scan.Number || len(text) == 0 || len(text) > 40:
		return dst, false
	case plainDigits(text):
		// From 2001 to 2033: no phone number in E.164 looks like such a second or millisecond.
		n, err := strconv.ParseInt(string(text), 10, 64)
		switch {
		case err != nil:
		case n >= 1e9 && n < 2e9:
			ms = n * 1000
		case n >= 1e12 && n < 2e12:
			ms = n
		}
	case kind == scan.String:
		if ms = ingest.ParseTime(text); ms < 0 {
			if t, err := time.Parse(time.RFC1123Z, string(text)); err == nil {
				ms = t.UnixMilli()
			}
		}
	}
	if ms <= 0 || ms > 253_402_300_799_999 {
		return dst, false
	}
	t := time.UnixMilli(ms)
	start := len(dst)
	dst = appendTime(append(dst, '"'), t, cut)
	if cut == programme.TreatDay {
		dst = dst[:start+1+len(time.DateOnly)]
	}
	return append(dst, '"'), true
}

// keep lets a short value through that doesn't look like an identifier, whatever the table says of it.
func keep(dst []byte, l *leaf, text []byte, kind scan.Kind) ([]byte, bool) {
	switch l.is {
	case programme.IsFlag:
		return append(dst, text...), kind == scan.True || kind == scan.False
	case programme.IsTime:
		return when(dst, text, kind, "")
	case programme.IsNumber:
		if kind != scan.Number && kind != scan.String || !isNumber(text) || bytes.ContainsAny(text, "eE") || tells(text) {
			return dst, false
		}
		return append(dst, text...), true
	}
	if kind != scan.String || tells(text) {
		return dst, false
	}
	return appendString(dst, text), true
}

// tells says whether a value may be one that names somebody: it is long, has an at sign, as many digits
// as a phone number, or is an address of a network. Digits and signs of other scripts count.
func tells(text []byte) bool {
	if len(text) > mostKept {
		return true
	}
	count, dots, run := 0, 0, 0
	for i := 0; i < len(text); {
		c := rune(text[i])
		size := 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(text[i:])
			if c == '＠' || c == '﹫' || c == utf8.RuneError {
				return true
			}
		}
		i += size
		switch {
		case c == '@':
			return true
		case c >= '0' && c <= '9' || c >= utf8.RuneSelf && unicode.IsNumber(c):
			count, run = count+1, run+1
			if dots == 3 {
				return true // 10.0.0.1
			}
		case c == '.' && run > 0:
			dots, run = dots+1, 0
		default:
			dots, run = 0, 0
		}
	}
	return count > mostDigits || bytes.Count(text, []byte{':'}) > 1 || disguised(text)
}

// ats are at signs as URLs and HTML have them, lower-case.
var ats = [][]byte{[]byte("%40"), []byte("%2540"), []byte("&#64;"), []byte("&#x40;"), []byte("&commat;")}

// disguised says whether text has an at sign in another writing.
func disguised(text []byte) bool {
	if !bytes.ContainsAny(text, "%&") {
		return false
	}
	text = bytes.ToLower(text)
	return slices.ContainsFunc(ats, func(at []byte) bool { return bytes.Contains(text, at) })
}

// phone is what is left of a number in E.164, with or without blanks, and with a channel in front:
// "whatsapp:+353851234567". What isn't one leaves nothing.
func phone(text []byte, treat string) string {
	if i := bytes.IndexByte(text, ':'); i >= 0 {
		text = text[i+1:]
	}
	text = bytes.TrimSpace(text)
	if len(text) < 8 || len(text) > 32 || text[0] != '+' {
		return ""
	}
	for _, c := range text[1:] {
		if (c < '0' || c > '9') && !strings.ContainsRune(" -().", rune(c)) {
			return ""
		}
	}
	if treat == programme.TreatCountry {
		return residency.PhoneCountry(text)
	}
	return residency.PhonePrefix(text)
}

// sixToFour is where IPv6 addresses have an IPv4 address in front (RFC 3056).
var sixToFour = netip.MustParsePrefix("2002::/16")

// network is the /24 of an IPv4 address, the /48 of an IPv6 address, and the /40 of one that has the 32 bits
// of an IPv4 address from the 17th on: 24 of them.
func network(text []byte) string {
	if len(text) > 64 {
		return ""
	}
	a, err := netip.ParseAddr(string(text))
	if err != nil || a.Zone() != "" {
		return ""
	}
	bits := 48
	if a = a.Unmap(); a.Is4() {
		bits = 24
	} else if sixToFour.Contains(a) {
		bits = sixToFour.Bits() + 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// domain is what stands after the at sign of a bare e-mail address, unless that may name somebody: it is the address
// of a machine, or has a number in it as gateways of text messages do.
func domain(text []byte) string {
	name, host, ok := bytes.Cut(text, []byte{'@'})
	if !ok || len(name) == 0 || len(host) > 253 || !bytes.ContainsRune(host, '.') || tells(host) {
		return ""
	}
	for _, label := range bytes.Split(host, []byte{'.'}) {
		if len(label) == 0 || slices.ContainsFunc(label, func(c byte) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-'
		}) {
			return ""
		}
	}
	return strings.ToLower(string(host))
}

func plainDigits(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c < '0' || c > '9' })
}

// isNumber says whether text is a number in JSON's grammar.
func isNumber(text []byte) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(text) && text[i] == '-' {
		i++
	}
	if first := i; !digits() || text[first] == '0' && i > first+1 {
		return false
	}
	if i < len(text) && text[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		if i++; i < len(text) && (text[i] == '-' || text[i] == '+') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(text)
}
