// Package sendgrid decodes SendGrid's Event Webhook, a JSON array of what became of mails, and
// checks its signature. A record's data is the event as it was sent.
package sendgrid

import (
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// The limits. The vendor states none; these are well above what it sends.
const (
	MaxBodyBytes  = 4 << 20
	MaxEventBytes = 64 << 10
	MaxEvents     = 10_000
	MaxIDChars    = 256  // of an sg_event_id, which can pass 100
	MaxNameBytes  = 1024 // of an address
)

// decoder is one decoding in progress.
type decoder struct {
	b    *ingest.Batch
	env  ingest.Env
	body []byte
	utf8 bool // the whole body is valid UTF-8
}

// Decode decodes the body of a webhook, an array or a single object. It returns an event for each
// that the body holds, some of them refused, or a fault of kind Invalid when the body as a whole
// can't be read: then nothing of it was kept. The batch holds views into body.
//
// The records are of the service email, as the programme must call it, whatever the source's is,
// and of the kinds email.event and email.engagement; see kindOf. The body must have been verified;
// see Verify.
func Decode(body []byte, env ingest.Env) (*ingest.Batch, error) {
	if len(body) > MaxBodyBytes {
		return nil, fault.New(fault.Invalid, "body.too_large", "a request holds at most %d bytes", MaxBodyBytes)
	}
	d := decoder{b: ingest.NewBatch(), env: env, body: body, utf8: utf8.Valid(body)}
	d.b.Words = known
	if err := d.decode(); err != nil {
		d.b.Release()
		return nil, err
	}
	return d.b, nil
}

func (d *decoder) decode() (err error) {
	at, end := scan.Space(d.body, 0), 0
	switch {
	case at == len(d.body):
		return fault.New(fault.Invalid, "body.empty", "the body holds no event")
	case d.body[at] == '{':
		end, err = d.b.Element(d.body, 0, at, MaxEvents, d.utf8, d.read)
	case d.body[at] == '[':
		end, err = d.b.Elements(d.body, at, MaxEvents, d.utf8, d.read)
	default:
		return fault.New(fault.Invalid, "body.not_array", "the body is no JSON array of events")
	}
	if err == nil && scan.Space(d.body, end) < len(d.body) {
		err = &scan.Error{Code: scan.Syntax, Offset: end}
	}
	return ingest.Unreadable(err)
}

// known are the protocol's own names that the path of a refusal may show.
func known(name string) bool {
	switch name {
	case "email", "event", "sg_event_id", "timestamp":
		return true
	}
	return false
}
