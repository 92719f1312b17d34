package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// vendor makes a source whose secret is a canary, too: the store has it sealed only. Of cloudevents
// it returns the key that the node made; of that the store has the SHA-256.
func (v *visit) vendor(t *testing.T, r *region, adapter string) (path, secret, key string) {
	t.Helper()
	if adapter != "cloudevents" {
		secret = v.c.text("a vendor's secret")
	}
	path, key = v.source(t, r, m{"adapter": adapter, "secret": secret})
	return path, secret, key
}

// source makes a source as body says.
func (v *visit) source(t *testing.T, r *region, body m) (path, key string) {
	t.Helper()
	var made struct {
		Source      struct{ Path string }
		WriteKey    string `json:"write_key"`
		VerifyToken string `json:"verify_token"`
	}
	r.api(t, "POST", "/tenants/"+r.Tenant+"/sources", body).want(t, 201).into(t, &made)
	if made.VerifyToken != "" {
		v.c.add("a verify token", made.VerifyToken)
	}
	return made.Source.Path, made.WriteKey
}

// sendPixel sends an event as the address of an image, and one that is refused.
func (v *visit) sendPixel(t *testing.T, ie1 *region) {
	t.Helper()
	event := func() call {
		return v.c.collect(func() (m, string) {
			id := v.c.text("pixel messageId")
			return m{"messageId": id, "anonymousId": v.c.text("pixel anonymousId"), "event": v.c.odd("pixel event"),
				"properties." + v.c.text("pixel name"): v.c.odd("pixel value"), "context.ip": v.c.ip("pixel context.ip")}, id
		})
	}
	send := func(c call, more string) answer {
		q := url.Values{"writeKey": {ie1.Sources["browser"].WriteKey}}
		for name, value := range c.body {
			q.Set(name, value.(string))
		}
		return ie1.send(t, "GET", "/pixel/v1/track?"+q.Encode()+more, nil, nil)
	}
	good := event()
	v.good = append(v.good, good)
	if a := send(good, "").want(t, 200); a.header.Get("Content-Type") != "image/gif" {
		t.Errorf("a pixel is answered with %s", a.header.Get("Content-Type"))
	}
	send(event(), "&event."+v.c.text("pixel name below")+"=1").want(t, 400)
}

// sendSendGrid sends an event, and one with a bad signature.
func (v *visit) sendSendGrid(t *testing.T, ie1 *region) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	path, _ := v.source(t, ie1, m{"adapter": "sendgrid", "secret": base64.StdEncoding.EncodeToString(spki)})
	event := func() call {
		return v.c.collect(func() (m, string) {
			id := v.c.text("sg_event_id")
			return m{"email": v.c.email("SendGrid email"), "timestamp": 1767607200, "event": "click", "sg_event_id": id, "sg_message_id": v.c.text("sg_message_id"),
				"url": v.c.odd("SendGrid url"), "ip": v.c.ip("SendGrid ip"), "useragent": v.c.text("SendGrid useragent"),
				"category": []string{v.c.text("SendGrid category")}, v.c.text("custom argument's name"): v.c.odd("custom argument")}, id
		})
	}
	send := func(c call, change string) answer {
		body := append(encode(t, []m{c.body}), "\r\n"...)
		at := strconv.FormatInt(time.Now().Unix(), 10)
		sum := sha256.Sum256(append([]byte(at+change), body...))
		sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return ie1.send(t, "POST", path, header{"Content-Type": "application/json", "X-Twilio-Email-Event-Webhook-Timestamp": at,
			"X-Twilio-Email-Event-Webhook-Signature": base64.StdEncoding.EncodeToString(sig)}, body)
	}
	good := event()
	v.good = append(v.good, good)
	send(good, "").want(t, 200)
	send(event(), "!").want(t, 403)
}

// sendWhatsApp sends a message as Meta does, and one with a bad signature.
func (v *visit) sendWhatsApp(t *testing.T, ie1 *region) {
	t.Helper()
	path, secret, _ := v.vendor(t, ie1, "whatsapp")
	message := func() call {
		return v.c.collect(func() (m, string) {
			id, from := "wamid."+v.c.text("wamid"), v.c.add("WhatsApp from", "35383"+digits(7))
			return m{"object": "whatsapp_business_account", "entry": []m{{"id": "1", "changes": []m{{"field": "messages", "value": m{
				"messaging_product": "whatsapp", "metadata": m{"display_phone_number": "447700900001", "phone_number_id": "2"},
				"contacts": []m{{"wa_id": from, "user_id": "IE." + digits(20), "profile": m{"name": v.c.odd("WhatsApp name")}}},
				"messages": []m{{"from": from, "id": id, "timestamp": "1767607200", "type": "text", "text": m{"body": v.c.odd("WhatsApp text")},
					v.c.text("WhatsApp key"): v.c.text("WhatsApp value")}}}}}}}}, id
		})
	}
	send := func(c call, secret string) answer {
		body := encode(t, c.body)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		return ie1.send(t, "POST", path, header{"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil))}, body)
	}
	good := message()
	v.good = append(v.good, good)
	send(good, secret).want(t, 200)
	send(good, secret).want(t, 200)
	send(message(), v.c.text("another secret")).want(t, 403)
	ie1.send(t, "GET", path+"?hub.mode=subscribe&hub.challenge=1&hub.verify_token="+v.c.text("a wrong verify token"), nil, nil).want(t, 403)
}

// sendCloudEvent sends an event in structured mode, and one without a key.
func (v *visit) sendCloudEvent(t *testing.T, ie1 *region) {
	t.Helper()
	path, _, key := v.vendor(t, ie1, "cloudevents")
	event := func() call {
		return v.c.collect(func() (m, string) {
			id := v.c.text("event id")
			return m{"specversion": "1.0", "id": id, "type": "com.example." + v.c.text("event type"), "source": "/" + v.c.text("event source"),
				"subject": v.c.email("event subject"), "data": m{v.c.text("event key"): v.c.odd("event value"), "n": v.c.number("event number")}}, id
		})
	}
	h := bearer(key)
	h["Content-Type"] = "application/cloudevents+json"
	good := event()
	v.good = append(v.good, good)
	ie1.send(t, "POST", path, h, encode(t, good.body)).want(t, 204)
	delete(h, "Authorization")
	ie1.send(t, "POST", path, h, encode(t, event().body)).want(t, 401)
}
