package programme

import "strings"

// countryCodes are the ISO 3166-1 alpha-2 codes officially assigned, as of 2026.
const countryCodes = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT" +
	" BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK" +
	" FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE" +
	" JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ" +
	" MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO" +
	" RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW" +
	" TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "

// confused are spellings that people write in place of a code.
var confused = map[string]string{
	"uk": "GB", "united kingdom": "GB", "great britain": "GB", "england": "GB", "el": "GR", "greece": "GR",
	"usa": "US", "united states": "US", "united states of america": "US", "ireland": "IE", "irl": "IE", "australia": "AU",
	"aus": "AU", "singapore": "SG", "germany": "DE", "deu": "DE", "france": "FR", "switzerland": "CH", "netherlands": "NL",
	"brazil": "BR", "japan": "JP", "canada": "CA", "taiwan": "TW", "korea": "KR", "south korea": "KR", "spain": "ES",
	"italy": "IT", "poland": "PL", "belgium": "BE", "denmark": "DK", "finland": "FI", "sweden": "SE", "norway": "NO",
	"new zealand": "NZ", "india": "IN", "chile": "CL", "mexico": "MX", "austria": "AT", "portugal": "PT",
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] != ' ' && s[1] != ' ' && strings.Contains(countryCodes, " "+s+" ")
}

func countryHint(s string) string {
	switch low := strings.ToLower(strings.TrimSpace(s)); {
	case confused[low] != "":
		return "write " + confused[low]
	case isCountry(strings.ToUpper(low)):
		return "write " + strings.ToUpper(low)
	case low == "eu" || low == "eea" || low == "europe":
		return "name the countries one by one; " + s + " is not one"
	case low == "north america" || low == "apac" || low == "emea":
		return "an area is no country: write {area: " + s + "}"
	}
	return ""
}

// IsCountry says whether s is an ISO 3166-1 alpha-2 code, officially assigned as of 2026.
func IsCountry(s string) bool { return isCountry(s) }

// CountryOf returns the code of the country that text names: a code in any case, or one of the
// spellings that people commonly write in its place, such as "USA" or "Ireland". "" when it is neither.
func CountryOf(text string) string {
	text = strings.TrimSpace(text)
	if up := strings.ToUpper(text); isCountry(up) {
		return up
	}
	return confused[strings.ToLower(text)]
}

// The jurisdictions that a programme may name beside countries: the European Union's members, and
// with Iceland, Liechtenstein and Norway those of the EEA Agreement, as of 2026.
const (
	euCountries  = " AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK "
	eeaCountries = euCountries + "IS LI NO "
)

// IsJurisdiction says whether s is a country's code, EU or EEA.
func IsJurisdiction(s string) bool { return s == "EU" || s == "EEA" || isCountry(s) }

// In says whether a country is, or belongs to, a jurisdiction.
func In(country, jurisdiction string) bool {
	switch jurisdiction {
	case "EU":
		return isCountry(country) && strings.Contains(euCountries, " "+country+" ")
	case "EEA":
		return isCountry(country) && strings.Contains(eeaCountries, " "+country+" ")
	}
	return country == jurisdiction
}
