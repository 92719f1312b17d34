package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"strconv"
	"testing"
	"time"
)

// A said is one event of somebody who is known to each channel by its own identifier: what they said
// and the name under which the client will know it. The node may know it by that name alone.
type said struct {
	id, words          string
	user, email, phone string // phone is E.164
}

// A sender is one adapter, as its clients speak to it.
type sender struct {
	adapter string
	by      string // the type of the identifier by which it knows people
	most    int    // events a request
	// clientID is what the node calls the event that the client calls id; nil: the same.
	clientID func(id string) string
	request  func(t testing.TB, r *region, all []said) (path string, h header, body []byte)
}

// senders are all adapters that take events as they happen.
var senders = []sender{
	{adapter: "segment", by: "user_id", most: 40, request: func(t testing.TB, r *region, all []said) (string, header, []byte) {
		return segmentBatch(t, r.Sources["segment"].WriteKey, all)
	}},
	{adapter: "rudderstack", by: "user_id", most: 40, request: func(t testing.TB, r *region, all []said) (string, header, []byte) {
		return segmentBatch(t, r.Sources["rudderstack"].WriteKey, all)
	}},
	{adapter: "native", by: "user_id", most: 40, request: func(t testing.TB, r *region, all []said) (string, header, []byte) {
		var list []m
		for _, s := range all {
			list = append(list, m{"id": s.id, "kind": "track", "service": "cdp", "subjects": []m{{"type": "user_id", "value": s.user}}, "data": m{"text": s.words}})
		}
		return "/v1/records", bearer(r.Sources["native"].Token), encode(t, list)
	}},
	{adapter: "twilio", by: "phone", most: 1, request: func(_ testing.TB, r *region, all []said) (string, header, []byte) {
		path, s := "/twilio/"+r.Sources["twilio"].ID, all[0]
		body, h := twilioForm(call{body: m{"MessageSid": s.id, "From": s.phone, "To": "+447700900001", "Body": s.words, "NumMedia": "0", "SmsStatus": "received"}},
			r.Sources["twilio"].AuthToken, r.URL+path)
		return path, h, body
	}},
	{adapter: "sendgrid", by: "email", most: 20, request: func(t testing.TB, r *region, all []said) (string, header, []byte) {
		var list []m
		for _, s := range all {
			list = append(list, m{"email": s.email, "timestamp": time.Now().Unix(), "event": "delivered", "sg_event_id": s.id, "response": s.words})
		}
		body := append(encode(t, list), "\r\n"...)
		return "/sendgrid/" + r.Sources["sendgrid"].ID, signSendGrid(t, r.Sources["sendgrid"], body), body
	}},
	{adapter: "whatsapp", by: "phone", most: 20, clientID: func(id string) string { return "wamid." + id }, request: func(t testing.TB, r *region, all []said) (string, header, []byte) {
		var messages, contacts []m
		for _, s := range all {
			messages = append(messages, m{"from": s.phone[1:], "id": "wamid." + s.id, "timestamp": strconv.FormatInt(time.Now().Unix(), 10), "type": "text", "text": m{"body": s.words}})
			contacts = append(contacts, m{"wa_id": s.phone[1:], "profile": m{"name": "Aoife"}})
		}
		body := encode(t, m{"object": "whatsapp_business_account", "entry": []m{{"id": "1", "changes": []m{{"field": "messages", "value": m{
			"messaging_product": "whatsapp", "metadata": m{"display_phone_number": "447700900001", "phone_number_id": "2"}, "contacts": contacts, "messages": messages}}}}}})
		return "/whatsapp/" + r.Sources["whatsapp"].ID, signMeta(r.Sources["whatsapp"], body), body
	}},
	{adapter: "cloudevents", by: "user_id", most: 20, request: func(t testing.TB, r *region, all []said) (string, header, []byte) {
		var list []m
		for _, s := range all {
			list = append(list, m{"specversion": "1.0", "id": s.id, "source": "/shop", "type": "com.example.said", "subject": s.user, "data": m{"text": s.words}})
		}
		s := r.Sources["cloudevents"]
		h := bearer(s.WriteKey)
		h["Content-Type"] = "application/cloudevents-batch+json"
		return "/cloudevents/" + s.ID, h, encode(t, list)
	}},
}

// named is what the node calls the event that the client calls id.
func (s sender) named(id string) string {
	if s.clientID != nil {
		return s.clientID(id)
	}
	return id
}

func segmentBatch(t testing.TB, key string, all []said) (string, header, []byte) {
	var batch []m
	for _, s := range all {
		batch = append(batch, m{"type": "track", "event": "Said", "userId": s.user, "messageId": s.id, "properties": m{"text": s.words}})
	}
	return "/v1/batch", basic(key), encode(t, m{"batch": batch, "sentAt": time.Now().UTC()})
}

// withCloudEvents makes a source of CloudEvents, which up.json doesn't have.
func (r *region) withCloudEvents(t testing.TB) {
	t.Helper()
	r.make(t, "cloudevents", "")
}

// withVendors makes a source of each vendor, with secrets of the tenant's own.
func (r *region) withVendors(t testing.TB) {
	t.Helper()
	r.withCloudEvents(t)
	token, secret := digits(32), digits(32)
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&pair.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for adapter, s := range map[string]source{"twilio": {AuthToken: token}, "whatsapp": {AppSecret: secret}, "sendgrid": {PrivateKey: base64.StdEncoding.EncodeToString(private)}} {
		known := s.AuthToken + s.AppSecret
		if s.PrivateKey != "" {
			known = base64.StdEncoding.EncodeToString(public)
		}
		s.ID = r.make(t, adapter, known).ID
		r.Sources[adapter] = s
	}
}

// make makes a source. secret is what the vendor signs with, or "".
func (r *region) make(t testing.TB, adapter, secret string) source {
	t.Helper()
	var made struct {
		Source   struct{ ID string }
		WriteKey string `json:"write_key"`
	}
	r.api(t, "POST", "/tenants/"+r.Tenant+"/sources", m{"adapter": adapter, "secret": secret}).want(t, 201).into(t, &made)
	r.Sources[adapter] = source{ID: made.Source.ID, WriteKey: made.WriteKey}
	return r.Sources[adapter]
}
