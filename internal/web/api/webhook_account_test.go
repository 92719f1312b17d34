package api_test

import "testing"

// One secret may be that of several tenants' accounts.
func TestAWebhookOfAnotherAccountIsNotTaken(t *testing.T) {
	for vendor, account := range map[string]string{"twilio": "AC01", "whatsapp": "1001"} {
		d := newDoor(t)
		path, body := "/"+vendor+"/src_ie1_"+vendor, bodyOf(vendor)
		if vendor == "twilio" {
			body += "&AccountSid=AC02"
		}
		d.hooks["src_ie1_"+vendor].Source.Account = account
		if w := d.signed(t, vendor, path, body); w.Code != 403 || reason(w) != "source.wrong_account" || len(d.took()) != 0 {
			t.Errorf("%s: %d %s", vendor, w.Code, w.Body)
		}
		d.hooks["src_ie1_"+vendor].Source.Account = map[string]string{"twilio": "AC02", "whatsapp": "1"}[vendor]
		if w := d.signed(t, vendor, path, body); w.Code != 200 || len(d.took()) != 1 {
			t.Errorf("%s, its own: %d %s", vendor, w.Code, w.Body)
		}
	}
}
