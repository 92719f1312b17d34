// Package twilio decodes the webhooks of Twilio's products, and its Event Streams, and checks their
// signature. A record's data are the parameters under the names that the vendor gave them.
package twilio

import (
	"errors"
	"mime"
	"strings"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// The limits. The vendor states none; these are well above what it sends.
const (
	MaxBodyBytes  = 1 << 20
	MaxParameters = 1000 // of a form
	MaxEvents     = 1000 // of a request of Event Streams
	MaxIDChars    = 256  // of a SID or an event's id
	MaxNameBytes  = 1024 // of an address or identity
)

// decoder is one decoding in progress.
type decoder struct {
	b          *ingest.Batch
	env        ingest.Env
	body       []byte
	attributes scan.Doc // of a task
}

// Decode decodes the body of a webhook: a form, a JSON object, or the JSON array of Event Streams,
// as contentType says or, when it says neither, as the body begins. It returns an event for each
// that the body holds, some of them refused, or a fault of kind Invalid when the body as a whole
// can't be read: then nothing of it was kept. The batch can hold views into body.
//
// The service of a record is told by its parameters and not by the source, since one URL takes the
// webhooks of all products: messaging, voice, chat, video, verify or flex, as the programme must
// call them. The body must have been verified; see Verify.
func Decode(contentType string, body []byte, env ingest.Env) (*ingest.Batch, error) {
	if len(body) > MaxBodyBytes {
		return nil, fault.New(fault.Invalid, "body.too_large", "a request holds at most %d bytes", MaxBodyBytes)
	}
	d := decoder{b: ingest.NewBatch(), env: env, body: body}
	d.b.Words = known
	if err := d.decode(contentType); err != nil {
		d.b.Release()
		return nil, err
	}
	return d.b, nil
}

func (d *decoder) decode(contentType string) error {
	at := scan.Space(d.body, 0)
	switch {
	case at == len(d.body):
		return fault.New(fault.Invalid, "body.empty", "the body holds no webhook")
	case !isJSON(contentType, d.body):
		return d.form()
	case d.body[at] == '[':
		return d.stream(at)
	case !utf8.Valid(d.body):
		return fault.New(fault.Invalid, "body.bad_utf8", "the body is not UTF-8")
	}
	return d.object(at)
}

// isJSON says whether a body is to be read as JSON rather than as a form.
func isJSON(contentType string, body []byte) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case strings.HasSuffix(media, "json"):
		return true
	case media == "application/x-www-form-urlencoded":
		return false
	}
	at := scan.Space(body, 0)
	return at < len(body) && (body[at] == '{' || body[at] == '[')
}

// form decodes the one webhook that a form is.
func (d *decoder) form() error {
	pairs, reason := parseForm(d.body)
	if reason == "" && !valid(pairs) {
		reason = "body.bad_utf8"
	}
	switch {
	case reason != "":
		return fault.New(fault.Invalid, reason, "the body is no form that can be read")
	case len(pairs) == 0:
		return fault.New(fault.Invalid, "body.empty", "the body holds no webhook")
	}
	if err := d.b.Doc.ParseAll(appendJSON(nil, pairs), scan.Limits{UTF8: true}); err != nil {
		return ingest.Unreadable(err)
	}
	e := d.b.Add(0)
	w := webhook{d: d, e: e, p: params{b: d.b, doc: &d.b.Doc}, print: func() string { return fingerprint(pairs) }}
	d.settle(e, w.read)
	return nil
}

// object decodes a body that is one JSON object: one event of Event Streams, or a webhook.
func (d *decoder) object(at int) error {
	end, err := d.b.Doc.Parse(d.body, at, scan.Limits{UTF8: true})
	if err == nil && scan.Space(d.body, end) < len(d.body) {
		err = &scan.Error{Code: scan.Syntax, Offset: end}
	}
	switch {
	case err != nil:
		return ingest.Unreadable(err)
	case d.b.Doc.Nodes[0].Kind != scan.Object:
		return fault.New(fault.Invalid, "body.not_object", "the body is no JSON object and no array of them")
	}
	e := d.b.Add(0)
	if d.b.Doc.Member(0, "specversion") > 0 {
		d.settle(e, func() (string, string) { return d.event(e) })
		return nil
	}
	w := webhook{d: d, e: e, p: params{b: d.b, doc: &d.b.Doc, loose: true}, print: func() string { return digest(d.b.Doc.Raw(0)) }}
	d.settle(e, w.read)
	return nil
}

// stream decodes the array of Event Streams.
func (d *decoder) stream(at int) error {
	whole := utf8.Valid(d.body) // if not, it is asked of each event
	end, err := scan.EachElement(d.body, at, func(n, at int) (int, error) {
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
		end, err := d.b.Doc.Parse(d.body, at, scan.Limits{UTF8: whole})
		var broken *scan.Error
		if errors.As(err, &broken) {
			if !broken.Sound() {
				return 0, err
			}
			d.b.Refuse(e, eventReason[broken.Code], d.b.Doc.Path())
			return scan.Skip(d.body, at)
		}
		d.settle(e, func() (string, string) { return d.event(e) })
		return end, nil
	})
	if err == nil && scan.Space(d.body, end) < len(d.body) {
		err = &scan.Error{Code: scan.Syntax, Offset: end}
	}
	switch {
	case err != nil:
		return ingest.Unreadable(err)
	case len(d.b.Events) == 0:
		return fault.New(fault.Invalid, "body.empty", "the body holds no event")
	}
	return nil
}

// settle lets read fill e from the record that Doc maps, and refuses it when that can't be.
func (d *decoder) settle(e *ingest.Event, read func() (reason, path string)) {
	if reason, path := read(); reason != "" {
		d.b.Refuse(e, reason, path)
	}
}

var eventReason = [...]string{scan.Duplicate: "event.duplicate_member", scan.TooDeep: "event.too_deep",
	scan.TooManyMembers: "event.too_many_members", scan.BadUTF8: "event.bad_utf8"}

// known are the names that the path of a refusal may show.
func known(name string) bool {
	switch name {
	case "id", "type", "source", "data", "MessageSid", "CallSid", "RecordingSid", "TranscriptionSid", "RoomSid", "ConversationSid",
		"ParticipantSid", "UserSid", "TaskSid", "ResourceSid", "transcript_sid":
		return true
	}
	return false
}
