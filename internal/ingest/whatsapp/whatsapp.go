// Package whatsapp decodes the webhooks of Meta's WhatsApp Cloud API, messages and statuses, and
// checks their signature.
package whatsapp

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// The limits. The vendor sends at most 3 MB.
const (
	MaxBodyBytes    = 4 << 20
	MaxElementBytes = 256 << 10 // of a message or status
	MaxSharedBytes  = 8 << 10   // of a contact or the metadata, which each of the elements gets
	MaxElements     = 1000      // of a request
	MaxIDChars      = 256       // of a wamid
	MaxNameBytes    = 1024      // of an id of a person
)

// decoder is one decoding in progress.
type decoder struct {
	b        *ingest.Batch
	env      ingest.Env
	body     []byte
	utf8     bool // the whole body is valid UTF-8
	n        int  // elements so far
	contacts []contact
}

// Decode decodes the body of a webhook. It returns an event for each element of `messages` and of
// `statuses`, some of them refused, or a fault of kind Invalid when the body as a whole can't be
// read: then nothing of it was kept. Changes of other fields are refused events. The batch can
// hold views into body.
//
// A record's data is the element as it was sent, with two members more: `contact`, the contact that
// the element's person has in the same change, and `metadata`, the business number's. A member of
// that name in the element itself comes first. The records are of the service messaging, as the
// programme must call it, whatever the source's is, and of the kinds message and message.status.
// The body must have been verified; see Verify.
func Decode(body []byte, env ingest.Env) (*ingest.Batch, error) {
	if len(body) > MaxBodyBytes {
		return nil, fault.New(fault.Invalid, "body.too_large", "a request holds at most %d bytes", MaxBodyBytes)
	}
	d := decoder{b: ingest.NewBatch(), env: env, body: body, utf8: utf8.Valid(body)}
	d.b.Words = known
	if err := d.decode(); err != nil {
		d.b.Release()
		return nil, ingest.Unreadable(err)
	}
	return d.b, nil
}

// span is where a member's value lies in the body; to is 0 when it has none.
type span struct{ at, to int }

// members finds the named members of the object at body[at]; out is in the order of names. Of a
// name that comes twice nobody knows which was meant.
func (d *decoder) members(at int, names ...string) (out []span, end int, err error) {
	out = make([]span, len(names))
	end, err = scan.EachMember(d.body, at, func(name []byte, at int) (int, error) {
		to, err := scan.Skip(d.body, at)
		if err != nil {
			return 0, err
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			name, _ = scan.Unquote(nil, name)
		}
		for i := range names {
			if names[i] != string(name) {
				continue
			}
			if out[i].to > 0 {
				return 0, &scan.Error{Code: scan.Duplicate, Offset: at}
			}
			out[i] = span{at, to}
		}
		return to, nil
	})
	return out, end, err
}

// raw returns what lies at s.
func (d *decoder) raw(s span) []byte { return d.body[s.at:s.to] }

// each calls do for every element of the list called name at s. What should be one and isn't is a
// refused event, so that it is counted.
func (d *decoder) each(name string, s span, do func(at, to int) error) error {
	if raw := d.raw(s); len(raw) == 0 || string(raw) == "null" {
		return nil
	} else if raw[0] != '[' {
		d.refuse("event.not_list", name)
		return nil
	}
	_, err := scan.EachElement(d.body, s.at, func(_, at int) (int, error) {
		to, err := scan.Skip(d.body, at)
		if err != nil {
			return 0, err
		}
		return to, do(at, to)
	})
	return err
}

func (d *decoder) decode() error {
	at := scan.Space(d.body, 0)
	switch {
	case at == len(d.body):
		return fault.New(fault.Invalid, "body.empty", "the body holds no webhook")
	case d.body[at] != '{':
		return fault.New(fault.Invalid, "body.not_webhook", "the body is no webhook of a WhatsApp Business account")
	}
	top, end, err := d.members(at, "object", "entry")
	if err == nil && scan.Space(d.body, end) < len(d.body) {
		err = &scan.Error{Code: scan.Syntax, Offset: end}
	}
	if err != nil {
		return err
	}
	if string(d.raw(top[0])) != `"whatsapp_business_account"` || top[1].to == 0 || d.body[top[1].at] != '[' {
		return fault.New(fault.Invalid, "body.not_webhook", "the body is no webhook of a WhatsApp Business account")
	}
	return d.each("entry", top[1], func(at, _ int) error {
		if d.body[at] != '{' {
			d.refuse("event.not_object", "entry")
			return nil
		}
		entry, _, err := d.members(at, "changes")
		if err != nil {
			return d.ambiguous(err, "entry")
		}
		return d.each("changes", entry[0], d.change)
	})
}

// change decodes one change: the elements of a change to messages; any other is one refused event,
// since it is about the tenant's account.
func (d *decoder) change(at, _ int) error {
	if d.body[at] != '{' {
		d.refuse("event.not_object", "changes")
		return nil
	}
	change, _, err := d.members(at, "field", "value")
	if err != nil {
		return d.ambiguous(err, "changes")
	}
	if string(d.raw(change[0])) != `"messages"` || change[1].to == 0 || d.body[change[1].at] != '{' {
		d.refuse("event.unknown_kind", "field")
		return nil
	}
	value, _, err := d.members(change[1].at, "metadata", "contacts", "messages", "statuses")
	if err != nil {
		return d.ambiguous(err, "value")
	}
	d.contacts = d.contacts[:0]
	if err := d.each("contacts", value[1], d.contact); err != nil {
		return err
	}
	element := func(s shape) func(at, to int) error {
		return func(at, to int) error { d.element(s, span{at, to}, value[0]); return nil }
	}
	if err := d.each("messages", value[2], element(message)); err != nil {
		return err
	}
	return d.each("statuses", value[3], element(status))
}

// ambiguous refuses an entry or a change in which a name comes twice: what else the body holds is
// kept. Any other err is one of the body.
func (d *decoder) ambiguous(err error, path string) error {
	var broken *scan.Error
	if !errors.As(err, &broken) || broken.Code != scan.Duplicate {
		return err
	}
	d.refuse(eventReason[scan.Duplicate], path)
	return nil
}

// add returns the event for the next element, or nil past the limit, where all are one refusal.
func (d *decoder) add() *ingest.Event {
	d.n++
	switch {
	case d.n <= MaxElements:
		return d.b.Add(d.n - 1)
	case d.n == MaxElements+1:
		d.b.Refuse(d.b.Add(MaxElements), "batch.too_many_events", "")
	default:
		d.b.Events[MaxElements].Refused.More++
	}
	return nil
}

func (d *decoder) refuse(reason, path string) {
	if e := d.add(); e != nil {
		d.b.Refuse(e, reason, path)
	}
}

var eventReason = [...]string{scan.Syntax: "event.bad_json", scan.Truncated: "event.bad_json", scan.Duplicate: "event.duplicate_member",
	scan.TooDeep: "event.too_deep", scan.TooManyMembers: "event.too_many_members", scan.BadUTF8: "event.bad_utf8"}

// known are the protocol's own names that the path of a refusal may show.
func known(name string) bool {
	switch name {
	case "entry", "changes", "value", "contacts", "messages", "statuses", "field", "id", "status", "from", "from_user_id", "recipient_id", "contact", "metadata":
		return true
	}
	return false
}
