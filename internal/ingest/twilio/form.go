package twilio

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

// pair is one parameter of a form, decoded.
type pair struct{ name, value []byte }

// parseForm reads application/x-www-form-urlencoded. It keeps the order and repeated names, and
// refuses a percent sign that no two hexadecimal digits follow, since then two readers of the same
// bytes could differ. Reason is "" when the form is good; whether it is UTF-8 is not looked at.
func parseForm(body []byte) (pairs []pair, reason string) {
	room := make([]byte, 0, len(body)) // what is decoded is never longer
	for len(body) > 0 {
		var part []byte
		if part, body, _ = bytes.Cut(body, []byte("&")); len(part) == 0 {
			continue
		}
		if len(pairs) == MaxParameters {
			return nil, "body.too_many_parameters"
		}
		name, value, _ := bytes.Cut(part, []byte("="))
		var p pair
		var good, alsoGood bool
		p.name, room, good = unescape(room, name)
		p.value, room, alsoGood = unescape(room, value)
		if !good || !alsoGood {
			return nil, "body.bad_escape"
		}
		pairs = append(pairs, p)
	}
	return pairs, ""
}

// unescape appends the meaning of s to room. It returns what it appended, and room.
func unescape(room, s []byte) (plain, rest []byte, ok bool) {
	start := len(room)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 >= len(s):
			return nil, room, false
		case c == '%':
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi > 15 || lo > 15 {
				return nil, room, false
			}
			c, i = hi<<4|lo, i+2
		}
		room = append(room, c)
	}
	return room[start:len(room):len(room)], room, true
}

func unhex(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

func valid(pairs []pair) bool {
	for _, p := range pairs {
		if !utf8.Valid(p.name) || !utf8.Valid(p.value) {
			return false
		}
	}
	return true
}

// member is one name of the JSON object that a form becomes: texts, or further members.
type member struct {
	values [][]byte
	below  *members
}

type members struct {
	order []string
	by    map[string]*member
}

func (m *members) get(name []byte) *member {
	at := m.by[string(name)]
	if at == nil {
		at = new(member)
		m.order = append(m.order, string(name))
		m.by[string(name)] = at
	}
	return at
}

// appendJSON appends the parameters as a JSON object, by the place where each name comes first. A
// repeated name becomes an array. "MessagingBinding.Address" becomes a member of an object, as
// Event Streams send it and as the programme's paths can name it, unless there is a parameter
// "MessagingBinding" too.
func appendJSON(dst []byte, pairs []pair) []byte {
	plain := map[string]bool{}
	for _, p := range pairs {
		plain[string(p.name)] = true
	}
	top := &members{by: map[string]*member{}}
	for _, p := range pairs {
		head, tail, dotted := bytes.Cut(p.name, []byte("."))
		if !dotted || len(head) == 0 || len(tail) == 0 || plain[string(head)] {
			at := top.get(p.name)
			at.values = append(at.values, p.value)
			continue
		}
		at := top.get(head)
		if at.below == nil {
			at.below = &members{by: map[string]*member{}}
		}
		at = at.below.get(tail)
		at.values = append(at.values, p.value)
	}
	return top.append(dst)
}

func (m *members) append(dst []byte) []byte {
	dst = append(dst, '{')
	for i, name := range m.order {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, []byte(name)), ':')
		at := m.by[name]
		switch {
		case at.below != nil:
			dst = at.below.append(dst)
		case len(at.values) == 1:
			dst = appendText(dst, at.values[0])
		default:
			for j, v := range at.values {
				dst = append(dst, "[,"[min(j, 1)])
				dst = appendText(dst, v)
			}
			dst = append(dst, ']')
		}
	}
	return append(dst, '}')
}

// appendText appends s, which is UTF-8, as a JSON string.
func appendText(dst, s []byte) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// fingerprint tells one form from another. How often it was tried makes no difference.
func fingerprint(pairs []pair) string {
	var all []byte
	for _, p := range pairs {
		if string(p.name) != "RetryCount" {
			all = append(append(append(append(all, p.name...), 0), p.value...), 0)
		}
	}
	return digest(all)
}

// digest goes into nothing but the keyed hash of a client id, so it says nothing of what it is of.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
