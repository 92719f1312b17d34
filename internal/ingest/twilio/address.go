package twilio

import (
	"bytes"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/term"
)

// nobodys are the numbers that stand for a withheld caller: the words ANONYMOUS, BLOCKED,
// RESTRICTED, UNAVAILABLE and UNKNOWN on a telephone's keys. They would make one person of many.
var nobodys = map[string]bool{"+266696687": true, "+2562533": true, "+7378742833": true, "+86282452253": true, "+8656696": true}

// address says whom an address of any channel names; typ is "" when it names no person. Such are
// short codes and alphanumeric senders, which organisations hold, and withheld numbers.
func address(b *ingest.Batch, v []byte) (typ string, value []byte) {
	channel, rest, prefixed := bytes.Cut(v, []byte(":"))
	switch {
	case len(v) == 0 || len(v) > MaxNameBytes:
		return "", nil
	case !prefixed:
		return plainAddress(v)
	case len(rest) == 0:
		return "", nil
	}
	switch string(channel) {
	case "whatsapp":
		return whatsApp(b, rest)
	case "client":
		return term.Identity, rest
	}
	if isNumber(rest) {
		return plainAddress(rest)
	}
	return term.Identity, v // sip:, messenger:, instagram: and what else may come
}

// plainAddress reads an address without a channel's prefix.
func plainAddress(v []byte) (typ string, value []byte) {
	switch {
	case isNumber(v) && !nobodys[string(v)]:
		return term.Phone, v
	case bytes.IndexByte(v, '@') > 0:
		return term.Email, v
	}
	return "", nil
}

// whatsApp reads an id of WhatsApp: a number with or without its plus, or, of a person whose
// number is hidden, an id that the business knows the person by, such as GB.1234567.
func whatsApp(b *ingest.Batch, id []byte) (typ string, value []byte) {
	switch {
	case len(id) == 0 || len(id) > MaxNameBytes:
		return "", nil
	case isNumber(id):
		return plainAddress(id)
	case id[0] != '0' && allDigits(id) && len(id) >= 7 && len(id) <= 15:
		return term.Phone, b.Hold([]byte("+"), id)
	}
	return term.WhatsAppID, id
}

// named says whom the name of a participant is: an address, or a name that the tenant's own
// application gave the person. Without a channel a name of digits is such a name too.
func named(b *ingest.Batch, v []byte) (typ string, value []byte) {
	if len(v) == 0 || len(v) > MaxNameBytes || string(v) == "system" { // what the vendor itself writes
		return "", nil
	}
	if typ, value = address(b, v); typ != "" {
		return typ, value
	}
	if nobodys[string(v)] {
		return "", nil
	}
	return term.Identity, v
}

// isNumber says whether v is in E.164: a plus and 7 to 15 digits, the first not 0.
func isNumber(v []byte) bool {
	return len(v) >= 8 && len(v) <= 16 && v[0] == '+' && v[1] != '0' && allDigits(v[1:])
}

func allDigits(v []byte) bool {
	for _, c := range v {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}
