// Package sendgrid decodes SendGrid's Event Webhook, a JSON array of what became of mails, and
// checks its signature. A record's data is the event as it was sent.
package sendgrid

import (
	"errors"
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
		end, err = d.element(0, at)
	case d.body[at] == '[':
		end, err = scan.EachElement(d.body, at, d.element)
	default:
		return fault.New(fault.Invalid, "body.not_array", "the body is no JSON array of events")
	}
	if err == nil && scan.Space(d.body, end) < len(d.body) {
		err = &scan.Error{Code: scan.Syntax, Offset: end}
	}
	return ingest.Unreadable(err)
}

// element decodes event n at body[at] and returns the index after it. Only what breaks the array
// is an error.
func (d *decoder) element(n, at int) (end int, err error) {
	switch {
	case n == MaxEvents:
		d.b.Refuse(d.b.Add(n), "batch.too_many_events", "")
	case n > MaxEvents:
		d.b.Events[MaxEvents].Refused.More++
	}
	if n >= MaxEvents {
		return scan.Skip(d.body, at)
	}
	e := d.b.Add(n)
	end, err = d.b.Doc.Parse(d.body, at, scan.Limits{UTF8: d.utf8})
	var broken *scan.Error
	if errors.As(err, &broken) {
		if !broken.Sound() {
			return 0, err
		}
		d.b.Refuse(e, eventReason[broken.Code], d.b.Doc.Path())
		return scan.Skip(d.body, at)
	}
	if reason, path := d.read(e); reason != "" {
		d.b.Refuse(e, reason, path)
	}
	return end, nil
}

var eventReason = [...]string{scan.Duplicate: "event.duplicate_member", scan.TooDeep: "event.too_deep",
	scan.TooManyMembers: "event.too_many_members", scan.BadUTF8: "event.bad_utf8"}

// known are the protocol's own names that the path of a refusal may show.
func known(name string) bool {
	switch name {
	case "email", "event", "sg_event_id", "timestamp":
		return true
	}
	return false
}
