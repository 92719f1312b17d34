package twilio_test

import (
	"net/url"
	"testing"

	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/term"
)

func TestKeywordsOptOut(t *testing.T) {
	for _, tt := range []struct{ status, body, optOutType, want string }{
		{"received", "STOP", "", "no"}, {"received", " stop\n", "", "no"}, {"received", "Unsubscribe", "", "no"}, {"received", "QUIT", "", "no"},
		{"received", "START", "", "yes"}, {"received", "unstop", "", "yes"},
		{"received", "YES", "", ""}, {"received", "please stop", "", ""}, {"received", "STOP it", "", ""}, {"received", "Hello", "", ""}, {"received", "", "", ""},
		{"received", "PARA", "STOP", "no"}, {"received", "alta", "START", "yes"}, {"received", "STOP", "HELP", ""}, {"received", "INFO", "HELP", ""},
		{"delivered", "STOP", "", ""}, // the tenant's own text
	} {
		form := url.Values{"MessageSid": {"SM1"}, "AccountSid": {"AC1"}, "From": {"+353851234567"}, "To": {"+353851234999"}, "SmsStatus": {tt.status}, "Body": {tt.body}}
		if tt.optOutType != "" {
			form.Set("OptOutType", tt.optOutType)
		}
		b, err := twilio.Decode("application/x-www-form-urlencoded", []byte(form.Encode()), env(t))
		if err != nil || len(b.Events) != 1 || b.Events[0].Refused != nil {
			t.Fatalf("%+v: %v", tt, err)
		}
		got := ""
		if c := b.Events[0].Choices; c != nil {
			if yes, named := c.Says("keyword"); yes {
				got = "yes"
			} else if named {
				got = "no"
			}
			if c.Role != term.RoleSender || !c.Act || c.All {
				t.Errorf("%+v: %+v", tt, c)
			}
		}
		if got != tt.want {
			t.Errorf("%q as %q, %s: %q, want %q", tt.body, tt.optOutType, tt.status, got, tt.want)
		}
		b.Release()
	}
}
