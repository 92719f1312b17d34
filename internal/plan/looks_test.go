package plan_test

import (
	"strings"
	"testing"

	"domicile.dev/internal/plan"
)

func TestFormOf(t *testing.T) {
	for want, values := range map[plan.Form]string{
		plan.FormNothing: `null`,
		plan.FormBoolean: `true|false`,
		plan.FormInteger: `0|-12|1234567890123|"42"|"4111111111111112"|4111111111111112`,
		plan.FormDecimal: `1.5|2e3|"53.3498"|"-6.26"`,
		plan.FormEmpty:   `""|"  "`,
		plan.FormWord:    `"gold"|"SW1A1AA"|"@ann"|"10.0.0"|"2026-13-01"|"ann@localhost"`,
		plan.FormText:    `"two words"|"a@b c@d"|"1 Made Up Street"`,
		plan.FormList:    `[]|[1,2]`,
		plan.FormObject:  `{}|{"a":1}`,
		plan.FormEmail:   `"ann@example.com"|" Ann@Example.COM "|"Ann <ann@example.com>"|"ann@example.com"`,
		plan.FormPhone:   `"+353 1 555 0100"|"+447700900123"|"0044 7700 900123"|"(01) 555-0100"|"07700 900123"`,
		plan.FormIP:      `"203.0.113.7"|"2001:db8::1"|"203.0.113.7:443"`,
		plan.FormURL:     `"https://example.com/a?b=c"|"http://x"`,
		plan.FormUUID:    `"6f9619ff-8b86-d011-b42d-00c04fc964ff"`,
		plan.FormDate:    `"1990-01-31"|"31/01/1990"|"1990.1.31"`,
		plan.FormTime:    `"2026-01-05T10:00:20Z"|"2026-01-05 10:00:20"|"2026-01-05T10:00:20.123+01:00"`,
		plan.FormCard:    `"4111 1111 1111 1111"|4111111111111111|"5500-0000-0000-0004"|"378282246310005"`,
		plan.FormIBAN:    `"IE29AIBK93115212345678"|"DE89 3704 0044 0532 0130 00"|"GB82WEST12345698765432"`,
		plan.FormDegrees: `"53.3498,-6.2603"|"geo:53.35,-6.26"|"53.3498 -6.2603"`,
	} {
		for _, v := range strings.Split(values, "|") {
			if got := plan.FormOf([]byte(v)); got != want {
				t.Errorf("FormOf(%s) = %s, want %s", v, got, want)
			}
		}
	}
}

func TestLooks(t *testing.T) {
	p := load(t, "")
	for _, tt := range []struct {
		name  string
		value string
		thing plan.Thing
		place string // category/element in the example programme
	}{
		{"email", `"ann@example.com"`, "email_address", "contact_data/email_address"},
		{"e_mail", `"ann@example.com"`, "email_address", "contact_data/email_address"},
		{"contactEMail", `"ann@example.com"`, "email_address", "contact_data/email_address"},
		{"email", `null`, "email_address", "contact_data/email_address"},
		{"email", `true`, "", "/"},
		{"reply", `"ann@example.com"`, "email_address", "contact_data/email_address"},
		{"x7", `"+353 1 555 0100"`, "phone_number", "contact_data/phone_number"},
		{"shippingPhoneNumber", `3531555010`, "phone_number", "contact_data/phone_number"},
		{"lat", `53.3498`, "coordinates", "customer_content/"},
		{"home_longitude", `"-6.26"`, "coordinates", "customer_content/"},
		{"location", `[53.1,6.2]`, "coordinates", "customer_content/"},
		{"location", `"Dublin"`, "general_location", "device_data/general_location_city_town"},
		{"anything", `"53.3498,-6.2603"`, "coordinates", "customer_content/"},
		{"ip", `"203.0.113.7"`, "ip_address", "device_data/ip_address"},
		{"IPAddress", `"2001:db8::1"`, "ip_address", "device_data/ip_address"},
		{"ip", `"intellectual property"`, "", "/"},
		{"birthday", `"1990-01-31"`, "date_of_birth", "/"},
		{"DOB", `"31/01/1990"`, "date_of_birth", "/"},
		{"field_9", `"4111 1111 1111 1111"`, "card_number", "purchase_payment_data/card_details"},
		{"cardNumber", `4111111111111112`, "card_number", "purchase_payment_data/card_details"},
		{"iban", `"x"`, "bank_account", "purchase_payment_data/"},
		{"note_to_self", `"IE29AIBK93115212345678"`, "bank_account", "purchase_payment_data/"},
		{"passport_number", `"P1234567"`, "national_id", "security_verification_data/government_issued_ids"},
		{"first_name", `"Ann"`, "person_name", "contact_data/name"},
		{"name", `"Ann Smith"`, "person_name", "contact_data/name"},
		{"productName", `"Umbrella"`, "", "/"},
		{"user_agent", `"Mozilla/5.0 (X11)"`, "user_agent", "device_data/browser_type"},
		{"shippingAddress", `{"street":"x"}`, "postal_address", "contact_data/business_address"},
		{"zip", `12345`, "postal_address", "contact_data/business_address"},
		{"apiKey", `"abc"`, "credential", "security_verification_data/api_tokens"},
		{"newsletter", `true`, "preference", "marketing_communications_data/communication_preferences"},
		{"allergies", `["nuts"]`, "diet_or_health", "marketing_communications_data/dietary_requirements"},
		{"feedback", `"It rained."`, "message_text", "customer_content/text_body"},
		{"frobnicate", `"x"`, "", "/"},
		{"", `1`, "", "/"},
	} {
		got := plan.Looks(tt.name, plan.FormOf([]byte(tt.value)))
		place, _ := plan.Suggest(p, got)
		if got != tt.thing || place.Category+"/"+place.Element != tt.place {
			t.Errorf("%s: %s looks like %q of %s/%s, want %q of %s", tt.name, tt.value, got, place.Category, place.Element, tt.thing, tt.place)
		}
	}
}
