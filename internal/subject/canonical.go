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

// canonicalPhone brings a number into E.164: spelling, brackets and the zero that is dialled inside a
// country fall away. A number is what is written, whether the country's plan has it or not: plans
// change, and vendors send numbers of old ones.
func canonicalPhone(v []byte) ([]byte, bool) {
	plain := plainE164(v)
	if plain && !trunkZero(v) {
		return v, true
	}
	if v[0] != '+' { // without a country nothing is certain
		return nil, false
	}
	if e164 := parsePhone(v); e164 != nil && (!trunkZero(e164) || bytes.Equal(parsePhone(e164), e164)) {
		return e164, true
	}
	if !plain {
		return nil, false
	}
	return v, true
}

// parsePhone returns a number in E.164, nil when v is none.
func parsePhone(v []byte) []byte {
	n, err := phonenumbers.Parse(string(v), phonenumbers.UNKNOWN_REGION)
	if err != nil {
		return nil
	}
	if e164 := []byte(phonenumbers.Format(n, phonenumbers.E164)); plainE164(e164) {
		return e164
	}
	return nil
}

// trunkZero says whether what follows the country code of v, which is plain E.164, begins with a
// zero: in most countries it isn't part of the number, in Italy and some others it is.
func trunkZero(v []byte) bool {
	code := 3
	switch {
	case v[1] == '1' || v[1] == '7':
		code = 1
	case twoDigits[(v[1]-'0')*10+v[2]-'0']:
		code = 2
	}
	return v[1+code] == '0'
}

// twoDigits are the country codes of two digits (ITU-T E.164, list of assigned country codes).
var twoDigits = func() (two [100]bool) {
	for _, code := range []int{20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
		60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98} {
		two[code] = true
	}
	return two
}()

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
