package api

import (
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"regexp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/cloudevents"
	"domicile.dev/internal/ingest/sendgrid"
	"domicile.dev/internal/ingest/twilio"
	"domicile.dev/internal/ingest/whatsapp"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// TwilioWebhook takes the webhooks of all of Twilio's products and its Event Streams.
func TwilioWebhook() Webhook {
	return Webhook{Adapter: term.AdapterTwilio, MaxBodyBytes: twilio.MaxBodyBytes, Answer: answerTwilio,
		Verify: func(d *Delivery, s tenant.Secrets) (err error) {
			for _, u := range d.URLs {
				if err = twilio.Verify(s.Secret, u, d.Header.Get("X-Twilio-Signature"), d.ContentType(), d.Body); err == nil {
					return nil
				}
			}
			return err
		},
		Decode: func(d *Delivery, env ingest.Env) (*ingest.Batch, error) {
			return twilio.Decode(d.ContentType(), d.Body, env)
		}}
}

// emptyTwiML tells Twilio to say and send nothing. Messaging and voice take no other media type.
const emptyTwiML = `<?xml version="1.0" encoding="UTF-8"?><Response/>`

// answerTwilio answers as the product wants it that sent: TwiML to messaging and voice, 204 to
// TaskRouter, and nothing to the others, some of which would take an answer for a change.
func answerTwilio(w http.ResponseWriter, d *Delivery, _ *plane.Result) error {
	media, _, _ := mime.ParseMediaType(d.ContentType())
	form := url.Values{}
	if media == "application/x-www-form-urlencoded" {
		form, _ = url.ParseQuery(string(d.Body)) // what can't be read of it was refused before
	}
	h := w.Header()
	switch {
	case form.Has("WorkspaceSid"):
		h["Content-Type"] = jsonType
		w.WriteHeader(http.StatusNoContent)
	case form.Has("ConversationSid"), form.Has("RoomSid"):
	case form.Has("MessageSid"), form.Has("SmsSid"), form.Has("CallSid"):
		h.Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = w.Write([]byte(emptyTwiML))
	}
	return nil
}

// SendGridWebhook takes SendGrid's event webhook.
func SendGridWebhook() Webhook {
	const header = "X-Twilio-Email-Event-Webhook-"
	return Webhook{Adapter: term.AdapterSendGrid, MaxBodyBytes: sendgrid.MaxBodyBytes,
		Verify: func(d *Delivery, s tenant.Secrets) error {
			key, err := sendgrid.ParseKey(s.Secret)
			if err != nil {
				return err
			}
			return sendgrid.Verify(key, d.Header.Get(header+"Timestamp"), d.Header.Get(header+"Signature"), d.Body, d.Now)
		},
		Decode: func(d *Delivery, env ingest.Env) (*ingest.Batch, error) { return sendgrid.Decode(d.Body, env) }}
}

// WhatsAppWebhook takes the webhooks of Meta's WhatsApp Cloud API.
func WhatsAppWebhook() Webhook {
	return Webhook{Adapter: term.AdapterWhatsApp, MaxBodyBytes: whatsapp.MaxBodyBytes, GreetMethod: http.MethodGet, Greet: greetMeta,
		Verify: func(d *Delivery, s tenant.Secrets) error {
			return whatsapp.Verify(s.Secret, d.Header.Get("X-Hub-Signature-256"), d.Body)
		},
		Decode: func(d *Delivery, env ingest.Env) (*ingest.Batch, error) { return whatsapp.Decode(d.Body, env) }}
}

// challenge is what Meta wants to read again: a number so far.
var challenge = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)

// greetMeta answers Meta's set-up of a webhook: whoever knows the source's verify token reads the
// challenge again.
func greetMeta(w http.ResponseWriter, r *http.Request, h *tenant.Hook) error {
	q := r.URL.Query()
	match := 0
	for _, s := range h.Secrets {
		if s.VerifyToken != "" {
			match |= subtle.ConstantTimeCompare([]byte(s.VerifyToken), []byte(q.Get("hub.verify_token")))
		}
	}
	if match == 0 || q.Get("hub.mode") != "subscribe" {
		return fault.New(fault.Forbidden, "webhook.bad_verify_token", "this is no subscription with the source's verify token").
			WithHint("enter the source's verify token at Meta, or rotate the source to get another")
	}
	c := q.Get("hub.challenge")
	if !challenge.MatchString(c) {
		return fault.New(fault.Invalid, "webhook.bad_challenge", "hub.challenge is missing, or no word of at most 256 characters")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(c))
	return nil
}

// CloudEventsWebhook takes events in the HTTP binding of CloudEvents, with the source's key as
// bearer token.
func CloudEventsWebhook() Webhook {
	return Webhook{Adapter: term.AdapterCloudEvents, MaxBodyBytes: cloudevents.MaxBodyBytes, GreetMethod: http.MethodOptions, Greet: greetCloudEvents,
		Decode: func(d *Delivery, env ingest.Env) (*ingest.Batch, error) {
			return cloudevents.Decode(d.Header, d.Body, env)
		},
		Answer: answerCloudEvents}
}

// answerCloudEvents answers 204 where all is well, and 400 to a lone event that was not kept, which its
// sender can mend. Of a batch it names those that were not kept; it is 200 then, too, so that
// nobody sends the good ones again.
func answerCloudEvents(w http.ResponseWriter, d *Delivery, result *plane.Result) error {
	media, _, _ := mime.ParseMediaType(d.ContentType())
	if media != "application/cloudevents-batch+json" {
		if err := notKept(result, nil); err != nil {
			return err
		}
	} else if len(result.Refused) > 0 {
		tell(w, result)
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// origin is a system's name as the handshake of CloudEvents has it: a DNS name.
var origin = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,253}$`)

// greetCloudEvents answers the handshake of the webhook binding, section 4: events of any origin are
// welcome, as fast as they come, for each brings the source's key.
func greetCloudEvents(w http.ResponseWriter, r *http.Request, _ *tenant.Hook) error {
	h := w.Header()
	h.Set("Allow", "OPTIONS, POST")
	if asked := r.Header.Get("WebHook-Request-Origin"); origin.MatchString(asked) {
		h.Set("WebHook-Allowed-Origin", asked)
		if r.Header.Get("WebHook-Request-Rate") != "" {
			h.Set("WebHook-Allowed-Rate", "*")
		}
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
