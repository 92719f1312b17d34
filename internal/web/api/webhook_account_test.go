package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"testing"

	"domicile.dev/internal/tenant"
)

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

// Another node gave the sources new secrets, and this one has not heard of it.
func TestASecretOfAMomentAgoHolds(t *testing.T) {
	for _, vendor := range []string{"twilio", "sendgrid", "whatsapp"} {
		d := newDoor(t)
		sid := "src_ie1_" + vendor
		path, known := "/"+vendor+"/"+sid, d.hooks[sid]
		stale := *known
		stale.Secrets = []tenant.Secrets{{Secret: oldHookToken, VerifyToken: "dwv_ie1_older"}}
		if vendor == "sendgrid" {
			stale.Secrets[0].Secret = otherSendGridKey
		}
		d.hooks[sid], d.fresh = &stale, map[string]*tenant.Hook{sid: known}
		if w := d.signed(t, vendor, path, bodyOf(vendor)); w.Code != 200 || len(d.took()) != 1 || d.looks != 1 {
			t.Errorf("%s: %d %s after %d looks", vendor, w.Code, w.Body, d.looks)
		}
		if vendor == "whatsapp" {
			const ask = "?hub.mode=subscribe&hub.challenge=7&hub.verify_token="
			if w := d.ask(t, "GET", path+ask+"dwv_ie1_new", ""); w.Code != 200 || w.Body.String() != "7" {
				t.Errorf("the handshake: %d %s", w.Code, w.Body)
			}
			if w := d.ask(t, "GET", path+ask+"dwv_ie1_nobody", ""); w.Code != 403 {
				t.Errorf("a handshake of a stranger: %d %s", w.Code, w.Body)
			}
		}
		d.fresh = nil
		if w := d.signed(t, vendor, path, bodyOf(vendor)); w.Code != 403 || reason(w) != "signature.mismatch" || len(d.took()) != 0 {
			t.Errorf("%s, nothing new: %d %s", vendor, w.Code, w.Body)
		}
	}
}

// otherSendGridKey is a public key that signs nothing here.
var otherSendGridKey = func() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(spki)
}()
