package subject

import (
	"bytes"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"domicile.dev/internal/term"
)

// MaxIdentifierBytes bounds a canonical identifier.
const MaxIdentifierBytes = 1 << 10

// Canonical returns the form of an identifier that is compared: e-mail in lower case without
// blanks around it, phone numbers in E.164, everything else as it is. No provider-specific
// guessing: dots and plus tags stay. ok is false when value can't be an identifier of that type;
// the value then stays in the record and names nobody.
func Canonical(typ string, value []byte) (canonical []byte, ok bool) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || len(value) > MaxIdentifierBytes || !utf8.Valid(value) {
		return nil, false
	}
	switch typ {
	case term.Email:
		return canonicalEmail(value)
	case term.Phone:
		return canonicalPhone(value)
	}
	return value, true
}

func canonicalEmail(v []byte) ([]byte, bool) {
	at := bytes.LastIndexByte(v, '@')
	if at <= 0 || at == len(v)-1 || len(v) > 320 || bytes.ContainsAny(v, " \t\r\n<>,") {
		return nil, false
	}
	for _, c := range v {
		if c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf {
			return bytes.ToLower(v), true
		}
	}
	return v, true
}

func canonicalPhone(v []byte) ([]byte, bool) {
	if plainE164(v) {
		return v, true
	}
	if v[0] != '+' { // without a country nothing is certain
		return nil, false
	}
	n, err := phonenumbers.Parse(string(v), phonenumbers.UNKNOWN_REGION)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return nil, false
	}
	return []byte(phonenumbers.Format(n, phonenumbers.E164)), true
}

// plainE164 says whether v is E.164 as it stands: a plus, then 7 to 15 digits, the first not 0 (ITU-T E.164, 6).
func plainE164(v []byte) bool {
	if len(v) < 8 || len(v) > 16 || v[0] != '+' || v[1] == '0' {
		return false
	}
	for _, c := range v[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
