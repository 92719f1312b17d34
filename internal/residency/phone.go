package residency

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"

	"domicile.dev/internal/programme"
)

// PhoneCountry returns the country that a number in E.164 belongs to, an ISO 3166-1 alpha-2 code; ""
// when the numbering plan doesn't tell, as with satellite phones and numbers that no plan has. Where
// countries share a code, as +1 and +44, the digits after it tell.
func PhoneCountry(e164 []byte) string {
	country, _, _ := parsePhone(e164)
	return country
}

// parsePhone returns a number's country, its calling code and what follows it. country is "" when no
// plan has the number.
func parsePhone(e164 []byte) (country string, code int, national string) {
	if code, national = cutPlain(e164); code == 0 {
		n, err := phonenumbers.Parse(string(e164), phonenumbers.UNKNOWN_REGION)
		if err != nil {
			return "", 0, ""
		}
		code, national, country = int(n.GetCountryCode()), phonenumbers.GetNationalSignificantNumber(n), phonenumbers.GetRegionCodeForNumber(n)
	} else if regions := phonenumbers.GetRegionCodesForCountryCode(code); len(regions) == 1 {
		country = regions[0]
	} else {
		digits, _ := strconv.ParseUint(national, 10, 64)
		c := int32(code)
		country = phonenumbers.GetRegionCodeForNumber(&phonenumbers.PhoneNumber{CountryCode: &c, NationalNumber: &digits})
	}
	if !programme.IsCountry(country) {
		return "", 0, ""
	}
	return country, code, national
}

// plans are the calling codes, each with how a number is dialled within its plan: what is in front then.
var plans = sync.OnceValue(func() map[int]string {
	all := map[int]string{}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		all[code] = phonenumbers.GetNddPrefixForRegion(phonenumbers.GetRegionCodeForCountryCode(code), true)
	}
	return all
})

// rewritten are the calling codes of plans in which some digits in front are a carrier's, or are left out
// at home, and which the library rewrites therefore.
var rewritten = map[int]bool{54: true, 55: true, 86: true, 261: true, 298: true, 352: true, 370: true, 378: true, 506: true, 672: true}

// cutPlain cuts a number that is nothing but a plus, a calling code and digits, as identifiers are kept.
// code is 0 for what the library has to look at: whatever has other signs in it, or could begin with what
// is only dialled at home. The library takes some forty times as long, for regular expressions over signs
// that aren't there.
func cutPlain(e164 []byte) (code int, national string) {
	if len(e164) < 8 || len(e164) > 16 || e164[0] != '+' {
		return 0, ""
	}
	for _, c := range e164[1:] {
		if c < '0' || c > '9' {
			return 0, ""
		}
	}
	for n := 1; n <= 3; n++ {
		code = 10*code + int(e164[n]-'0')
		home, ok := plans()[code]
		if !ok || code == 0 {
			continue
		}
		national = string(e164[n+1:])
		if national[0] == '0' || home != "" && strings.HasPrefix(national, home) || rewritten[code] {
			return 0, ""
		}
		return code, national
	}
	return 0, ""
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
	country, code, national := parsePhone(e164)
	if country == "" {
		return ""
	}
	return "+" + strconv.Itoa(code) + national[:max(0, min(3, len(national)-hiddenDigits))]
}
