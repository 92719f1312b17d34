package residency

import (
	"fmt"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"domicile.dev/internal/programme"
)

// byLibrary is parsePhone as the library alone has it.
func byLibrary(e164 string) (country string, code int, national string) {
	n, err := phonenumbers.Parse(e164, phonenumbers.UNKNOWN_REGION)
	if err != nil {
		return "", 0, ""
	}
	if country = phonenumbers.GetRegionCodeForNumber(n); !programme.IsCountry(country) {
		return "", 0, ""
	}
	return country, int(n.GetCountryCode()), phonenumbers.GetNationalSignificantNumber(n)
}

// Cutting a plain number gives what the library gives, for numbers of every plan and kind.
func TestPlainNumbersAreCutAsTheLibraryDoes(t *testing.T) {
	cut := 0
	check := func(t interface{ Errorf(string, ...any) }, number []byte) {
		if code, _ := cutPlain(number); code > 0 {
			cut++
		}
		c, code, national := parsePhone(number)
		lc, lcode, lnational := byLibrary(string(number))
		if got, want := fmt.Sprint(c, code, national), fmt.Sprint(lc, lcode, lnational); got != want {
			t.Errorf("%s: %s, the library has %s", number, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, []byte(rapid.StringMatching(`\+[1-9][0-9]{5,16}|\+(1|44|7|52|54|55|39)[ 0-9]{8,12}`).Draw(t, "number")))
	})
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.TOLL_FREE, phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.VOIP, phonenumbers.PERSONAL_NUMBER, phonenumbers.PAGER, phonenumbers.UAN} {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n == nil {
				continue
			}
			valid := phonenumbers.Format(n, phonenumbers.E164)
			for i := range 60 {
				number := []byte(valid)
				if at := len(number) - 1 - i%6; i > 0 && at > 5 {
					number[at] = byte('0' + i/6)
				}
				check(t, number)
			}
		}
	}
	if cut < 10_000 {
		t.Errorf("%d numbers were cut: the test asks the library about itself", cut)
	}
}
