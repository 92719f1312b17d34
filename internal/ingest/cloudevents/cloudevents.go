// Package cloudevents decodes CloudEvents 1.0 in the three modes of its HTTP binding: binary,
// structured and batched, the latter two as JSON. In each a record's data is the event as the JSON
// format writes it: the envelope's attributes, and beside them `data`.
package cloudevents

import (
	"errors"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// The limits. The specification wants 64 KiB to get through everywhere, and sets no upper bound.
const (
	MaxBodyBytes   = 8 << 20
	MaxEventBytes  = 1 << 20
	MaxEvents      = 10_000
	MaxIDChars     = 256
	MaxSourceBytes = 2048
)

// DefaultKind is the kind of an event of whose type the service has none.
const DefaultKind = "cloudevent"

// decoder is one decoding in progress.
type decoder struct {
	b     *ingest.Batch
	env   ingest.Env
	body  []byte
	utf8  bool     // the whole body is valid UTF-8
	inner scan.Doc // data on its own, or one of the people in it
}

// Decode decodes the body of a request, in the mode that its headers say. It returns an event for
// each that the body holds, some of them refused, or a fault of kind Invalid when the body as a
// whole can't be read: then nothing of it was kept. A content type of no mode is the fault
// cloudevents.bad_mode. The batch can hold views into body.
//
// The records are of the source's service, env.Service, and of the kind that is called like the
// event's type; of DefaultKind when the service has none. An event is known again by its source and
// id. Whom it is about, people.go says; what is about nobody is refused, unless all of its content
// is declared to be.
func Decode(header http.Header, body []byte, env ingest.Env) (*ingest.Batch, error) {
	if len(body) > MaxBodyBytes {
		return nil, fault.New(fault.Invalid, "body.too_large", "a request holds at most %d bytes", MaxBodyBytes)
	}
	d := decoder{b: ingest.NewBatch(), env: env, body: body, utf8: utf8.Valid(body)}
	d.b.Words = known
	if err := d.decode(header); err != nil {
		d.b.Release()
		return nil, ingest.Unreadable(err)
	}
	return d.b, nil
}

func (d *decoder) decode(header http.Header) error {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case media == "application/cloudevents+json":
		return d.structured()
	case media == "application/cloudevents-batch+json":
		return d.batch()
	case strings.HasPrefix(media, "application/cloudevents"), header.Get("Ce-Specversion") == "":
		return fault.New(fault.Invalid, "cloudevents.bad_mode", "the request is no CloudEvent in binary, structured or batched mode").
			WithHint("send application/cloudevents+json, application/cloudevents-batch+json, or the attributes as ce- headers")
	}
	return d.binary(header)
}

// structured decodes a body that is one event.
func (d *decoder) structured() error {
	if scan.Space(d.body, 0) == len(d.body) {
		return empty()
	}
	end, err := d.element(0, 0)
	return d.after(end, err)
}

// batch decodes a body that is an array of events.
func (d *decoder) batch() error {
	at := scan.Space(d.body, 0)
	if at == len(d.body) {
		return empty()
	}
	end, err := scan.EachElement(d.body, at, d.element)
	return d.after(end, err)
}

func empty() error { return fault.New(fault.Invalid, "body.empty", "the body holds no event") }

// after says that nothing but white space may follow.
func (d *decoder) after(end int, err error) error {
	if err == nil && scan.Space(d.body, end) < len(d.body) {
		err = &scan.Error{Code: scan.Syntax, Offset: end}
	}
	return err
}

// element decodes event n at body[at] and returns the index after it. Only what breaks the body is
// an error.
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
	d.settle(e)
	return end, nil
}

// settle fills e from the event that Doc maps, or refuses it.
func (d *decoder) settle(e *ingest.Event) {
	if reason, path := d.read(e); reason != "" {
		d.b.Refuse(e, reason, path)
	}
}

var eventReason = [...]string{scan.Syntax: "event.bad_data", scan.Truncated: "event.bad_data", scan.Duplicate: "event.duplicate_member",
	scan.TooDeep: "event.too_deep", scan.TooManyMembers: "event.too_many_members", scan.BadUTF8: "event.bad_utf8"}

// known are the protocol's own names that the path of a refusal may show.
func known(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64",
		"subjecttype", "subjectid", "subjects", "value", "role":
		return true
	}
	return false
}
