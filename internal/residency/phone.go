package residency

import (
	"bytes"
	"strconv"

	"github.com/nyaruka/phonenumbers"

	"domicile.dev/internal/programme"
)

// PhoneCountry returns the country that a number in E.164 belongs to, an ISO 3166-1 alpha-2 code; ""
// when the numbering plan doesn't tell, as with satellite phones and numbers that no plan has. Where
// countries share a code, as +1 and +44, the digits after it tell.
func PhoneCountry(e164 []byte) string {
	n, err := phonenumbers.Parse(string(e164), phonenumbers.UNKNOWN_REGION)
	if err != nil {
		return ""
	}
	if c := phonenumbers.GetRegionCodeForNumber(n); programme.IsCountry(c) {
		return c
	}
	return ""
}

// whatsAppCountry returns the country in a business-scoped id, which is a country's code, a dot and
// digits; people without a number to show have nothing else that tells.
func whatsAppCountry(v []byte) string {
	code, _, ok := bytes.Cut(v, []byte{'.'})
	if c := string(code); ok && programme.IsCountry(c) {
		return c
	}
	return ""
}

// hiddenDigits is how many digits of a number PhonePrefix leaves out at least: a million numbers share
// what is left.
const hiddenDigits = 6

// PhonePrefix returns the country code of a number in E.164 and what follows it, three digits at most,
// with a plus in front: in most plans that is the carrier or area that the number was given out by. ""
// when the plan of no country has it.
func PhonePrefix(e164 []byte) string {
	n, err := phonenumbers.Parse(string(e164), phonenumbers.UNKNOWN_REGION)
	if err != nil || !programme.IsCountry(phonenumbers.GetRegionCodeForNumber(n)) {
		return ""
	}
	national := phonenumbers.GetNationalSignificantNumber(n)
	return "+" + strconv.Itoa(int(n.GetCountryCode())) + national[:max(0, min(3, len(national)-hiddenDigits))]
}
