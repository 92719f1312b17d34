package e2e

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRetriesEndInOneRecord: whatever happens on the way, each event ends up stored once, however the
// sender repeats it: the SDKs as they are published, and the vendors by their rules.
func TestRetriesEndInOneRecord(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		ie1, person := w.region("ie1"), newCanaries().text("person")
		t.Run("analytics-node", func(t *testing.T) { sdkRetries(t, ie1, "segment", person) })
		t.Run("rudder-sdk-node", func(t *testing.T) { sdkRetries(t, ie1, "rudder", person) })
		for name, by := range map[string]func(t *testing.T, r *road, id string){
			"twilio": twilioRetries, "event streams": streamRetries, "sendgrid": sendGridRetries, "whatsapp": metaRetries,
			"cloudevents": cloudEventRetries, "native": nativeRetries,
		} {
			t.Run(name, func(t *testing.T) {
				for _, x := range troubles {
					id := strings.ReplaceAll(name, " ", "-") + "-" + person + "-" + x.name
					t.Run(x.name, func(t *testing.T) {
						t.Parallel()
						by(t, newRoad(t, ie1, x), id)
					})
				}
				t.Run("one after the other", func(t *testing.T) {
					t.Parallel()
					by(t, newRoad(t, ie1, troubles...), strings.ReplaceAll(name, " ", "-")+"-"+person+"-all")
				})
			})
		}
	})
}

// sdkRetries lets an SDK send on a road of its own for each trouble. rudder-sdk-node gives up on
// 408, 410 and its own timeouts, which span all of its tries: then it says so, and nothing is stored
// that did not arrive.
func sdkRetries(t *testing.T, ie1 *region, sdk, person string) {
	roads, hosts := map[string]*road{}, m{}
	for _, x := range troubles {
		r := newRoad(t, ie1, x)
		roads[x.name], hosts[x.name] = r, r.URL
	}
	several := newRoad(t, ie1, troubles[5], troubles[8], troubles[2]) // 503, an answer lost, 429
	roads["several"], hosts["several"] = several, several.URL
	var got map[string]struct {
		IDs      []string
		Failures []string
	}
	node(t, &got, "retries.mjs", "SDK="+sdk, "HOSTS="+string(encode(t, hosts)), "WRITE_KEY="+ie1.Sources["segment"].WriteKey, "PERSON="+person, "TIMEOUT=3000")
	for _, x := range append(troubles[:len(troubles):len(troubles)], trouble{name: "several", retryable: true}) {
		o, r := got[x.name], roads[x.name]
		if sdk == "segment" || x.retryable {
			if len(o.Failures) > 0 {
				t.Errorf("%s: the SDK says %q", x.name, o.Failures)
			}
			r.once(t, x.name, o.IDs...)
			continue
		}
		if len(o.Failures) == 0 {
			t.Errorf("%s: the SDK is known to give up, and says nothing", x.name)
		}
		r.once(t, x.name, o.IDs[1:]...) // these went out after the first
		want := 0
		if x.before {
			want = 1
		}
		if n := len(ie1.byClientID(t, o.IDs[0])); n != want {
			t.Errorf("%s: %d records of what the SDK gave up, want %d", x.name, n, want)
		}
	}
}

// twilioRetries sends a message as Twilio does when the URL has connection overrides (#rc=5&rp=all):
// the same request, signature and token again.
func twilioRetries(t *testing.T, r *road, id string) {
	s := r.to.Sources["twilio"]
	path := "/twilio/" + s.ID
	c := call{body: m{"MessageSid": id, "AccountSid": "AC00", "From": "+353831" + digits(6), "To": "+447700900001", "Body": "Hello", "NumMedia": "0", "SmsStatus": "received"}}
	body, h := twilioForm(c, s.AuthToken, r.URL+path)
	h["I-Twilio-Idempotency-Token"] = id
	r.resend(t, path, h, body)
	r.once(t, "the message", id)
}

// streamRetries sends a batch of Event Streams, which repeats for four hours.
func streamRetries(t *testing.T, r *road, id string) {
	s := r.to.Sources["twilio"]
	var events []m
	ids := []string{id + "-1", id + "-2"}
	for _, id := range ids {
		events = append(events, m{"specversion": "1.0", "type": "com.twilio.messaging.inbound-message.received", "source": "/2010-04-01/Accounts/AC00/Messages/" + id, "id": id,
			"time": time.Now().Add(-4 * time.Hour).UTC(), "data": m{"messageSid": id, "from": "+353831" + digits(6), "to": "+447700900001", "body": "Hello"}})
	}
	body := encode(t, events)
	path := "/twilio/" + s.ID + "?bodySHA256=" + sha256Hex(body)
	_, h := twilioForm(call{body: m{}}, s.AuthToken, r.URL+path)
	h["Content-Type"] = "application/json"
	r.resend(t, path, h, body)
	r.once(t, "the batch", ids...)
}

// sendGridRetries sends events as SendGrid does at the end of its day of retries, under the time of
// the first try, and then some of them again in another array.
func sendGridRetries(t *testing.T, r *road, id string) {
	s := r.to.Sources["sendgrid"]
	first := time.Now().Add(-24 * time.Hour)
	event := func(id string) m {
		return m{"email": id + "@retries.example", "timestamp": first.Unix(), "event": "delivered", "sg_event_id": id, "response": "250 OK"}
	}
	for _, ids := range [][]string{{id + "-1", id + "-2"}, {id + "-2", id + "-3"}} {
		body := append(encode(t, []m{event(ids[0]), event(ids[1])}), "\r\n"...)
		r.resend(t, "/sendgrid/"+s.ID, signSendGridAt(t, s, body, first), body)
	}
	r.once(t, "the events", id+"-1", id+"-2", id+"-3")
}

// metaRetries sends a message and a status as Meta does at the end of its seven days, and then the
// message again beside a newer one.
func metaRetries(t *testing.T, r *road, id string) {
	s := r.to.Sources["whatsapp"]
	at := strconv.FormatInt(time.Now().Add(-7*24*time.Hour).Unix(), 10)
	from := "35383" + digits(7)
	message := func(id string) m {
		return m{"from": from, "id": "wamid." + id, "timestamp": at, "type": "text", "text": m{"body": "Hello"}}
	}
	value := func(more m) m {
		v := m{"messaging_product": "whatsapp", "metadata": m{"display_phone_number": "447700900001", "phone_number_id": "2"}, "contacts": []m{{"wa_id": from, "profile": m{"name": "Aoife"}}}}
		for k, x := range more {
			v[k] = x
		}
		return v
	}
	for _, v := range []m{
		value(m{"messages": []m{message(id + "-1")}, "statuses": []m{{"id": "wamid." + id + "-2", "status": "read", "timestamp": at, "recipient_id": from}}}),
		value(m{"messages": []m{message(id + "-1"), message(id + "-3")}}),
	} {
		body := encode(t, m{"object": "whatsapp_business_account", "entry": []m{{"id": "1", "changes": []m{{"field": "messages", "value": v}}}}})
		r.resend(t, "/whatsapp/"+s.ID, signMeta(s, body), body)
	}
	r.once(t, "the messages and the status", "wamid."+id+"-1", "wamid."+id+"-2", "wamid."+id+"-3")
}

func cloudEventRetries(t *testing.T, r *road, id string) {
	made := r.to.make(t, "cloudevents", "")
	path, h := "/cloudevents/"+made.ID, bearer(made.WriteKey)
	h["Content-Type"] = "application/cloudevents+json"
	r.resend(t, path, h, encode(t, m{"specversion": "1.0", "id": id, "source": "/crm", "type": "com.example.seen", "subject": id, "data": m{"a": 1}}))
	r.once(t, "the event", id)
}

func nativeRetries(t *testing.T, r *road, id string) {
	rec := func(id string) m {
		return m{"id": id, "kind": "track", "service": "cdp", "subjects": []m{{"type": "user_id", "value": id}}, "data": m{"event": "Seen"}}
	}
	r.resend(t, "/v1/records", bearer(r.to.Sources["native"].Token), encode(t, []m{rec(id + "-1"), rec(id + "-2")}))
	r.once(t, "the records", id+"-1", id+"-2")
}

// signSendGrid returns the headers under which SendGrid sends body now.
func signSendGrid(t testing.TB, s source, body []byte) header {
	return signSendGridAt(t, s, body, time.Now())
}

func signSendGridAt(t testing.TB, s source, body []byte, at time.Time) header {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(s.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := sha256.Sum256(append([]byte(stamp), body...))
	sig, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return header{"Content-Type": "application/json; charset=utf-8", "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
		"X-Twilio-Email-Event-Webhook-Signature": base64.StdEncoding.EncodeToString(sig)}
}

// signMeta returns the headers under which Meta sends body.
func signMeta(s source, body []byte) header {
	mac := hmac.New(sha256.New, []byte(s.AppSecret))
	mac.Write(body)
	return header{"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil))}
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
