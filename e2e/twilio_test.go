package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// twilioMessage is an incoming message with a canary in every parameter that says something of a
// person, and in the name of one that nobody knows.
func twilioMessage(c *canaries) call {
	return c.collect(func() (m, string) {
		sid := "SM" + c.text("MessageSid")
		b := m{"MessageSid": sid, "SmsStatus": "received", "NumMedia": "1", "To": "+447700900001",
			"From": c.phone("From"), "Body": c.odd("Body"), c.text("new parameter's name"): c.text("new parameter")}
		for _, name := range strings.Fields("FromCity FromState FromZip ProfileName MediaUrl0 Latitude Address Label ButtonText ReferralBody OptOutType") {
			b[name] = c.text(name)
		}
		return b, sid
	})
}

// twilioForm is a call's body as Twilio sends it, with its signature for target.
func twilioForm(c call, token, target string) (body []byte, h header) {
	form := url.Values{}
	var names []string
	for name, value := range c.body {
		form.Set(name, value.(string))
		names = append(names, name)
	}
	slices.Sort(names)
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(target))
	for _, name := range names {
		mac.Write([]byte(name + form.Get(name)))
	}
	return []byte(form.Encode()), header{"Content-Type": "application/x-www-form-urlencoded",
		"X-Twilio-Signature": base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}

// sendTwilio sends a message, and again as a retry.
func (v *visit) sendTwilio(t *testing.T, ie1 *region) {
	t.Helper()
	path, token, _ := v.vendor(t, ie1, "twilio")
	c := twilioMessage(v.c)
	v.good = append(v.good, c)
	path += "/" + v.c.text("path suffix") + "?user=" + v.c.text("query of a webhook")
	body, h := twilioForm(c, token, ie1.URL+path)
	h["I-Twilio-Idempotency-Token"] = v.c.text("I-Twilio-Idempotency-Token")
	for range 2 {
		if a := ie1.send(t, "POST", path, h, body).want(t, 200); !strings.Contains(string(a.body), "<Response/>") {
			t.Errorf("a message is answered %v, want empty TwiML", a)
		}
	}
}

// sendBadTwilio sends webhooks that must be refused.
func (v *visit) sendBadTwilio(t *testing.T, ie1, us1 *region) {
	t.Helper()
	path, token, _ := v.vendor(t, ie1, "twilio")
	elsewhere := path
	if us1.URL == ie1.URL { // a node alone, asked for a source of a region that isn't its own
		elsewhere = strings.Replace(path, "_ie1_", "_us1_", 1)
	}
	for _, b := range []struct {
		what, path, token string
		to                *region
		want              int
	}{
		{"a message with a bad signature", path, v.c.text("another token"), ie1, 403},
		{"a message to a source that isn't", "/twilio/src_ie1_" + v.c.text("source"), token, ie1, 404},
		{"a message to another region's source", elsewhere + "/" + v.c.text("suffix"), token, us1, 421},
	} {
		body, h := twilioForm(twilioMessage(v.c), b.token, b.to.URL+b.path)
		if a := b.to.send(t, "POST", b.path, h, body); a.status != b.want {
			t.Errorf("%s: %v, want %d", b.what, a, b.want)
		}
	}
	unknown := v.c.collect(func() (m, string) { return m{v.c.text("name"): v.c.text("value")}, "" })
	body, h := twilioForm(unknown, token, ie1.URL+path)
	ie1.send(t, "POST", path, h, body).want(t, 200) // refused for good, and counted
}
