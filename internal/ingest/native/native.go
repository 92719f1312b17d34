// Package native decodes Domicile's own protocol: records as lines of JSON or as one JSON array,
// each {"id","kind","service","occurred_at","subjects":[{"type","value","role"}],"data":{…}}.
package native

import (
	"bytes"
	"errors"
	"mime"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// The protocol's limits.
const (
	MaxBodyBytes   = 8 << 20 // uncompressed
	MaxRecordBytes = 1 << 20
	MaxRecords     = 10_000
	MaxIDChars     = 256
	MaxValueBytes  = ingest.MaxValueBytes
	MaxSubjects    = ingest.MaxSubjects
)

// decoder is one decoding in progress.
type decoder struct {
	b    *ingest.Batch
	env  ingest.Env
	body []byte
	utf8 bool // the whole body is valid UTF-8

	last    *ingest.Kind // of the record before
	service []byte       // the source's
}

// Decode decodes a body that begins with "[" as one array, any other as lines; one that media, its
// Content-Type, calls lines is lines in any case. It returns an event for each record, some of them
// refused, or a fault of kind Invalid when the body as a whole can't be read: then nothing of it was
// kept. A bad line is one refused record; records are counted from 0, empty lines are not. The batch
// holds views into body.
//
// A record needs an id, by which it is de-duplicated, and a subject that is not the tenant's own
// side, unless all its content is declared to be about nobody. Members beyond the six refuse it.
func Decode(media string, body []byte, env ingest.Env) (*ingest.Batch, error) {
	if len(body) > MaxBodyBytes {
		return nil, fault.New(fault.Invalid, "body.too_large", "a request holds at most %d bytes", MaxBodyBytes)
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff")) // RFC 8259, section 8.1: it may be ignored
	d := decoder{b: ingest.NewBatch(), env: env, body: body, utf8: utf8.Valid(body), service: []byte(env.Service)}
	d.b.Words = known
	var err error
	switch at := scan.Space(body, 0); {
	case at == len(body):
		err = fault.New(fault.Invalid, "body.empty", "the body holds no record")
	case body[at] == '[' && !isLines(media):
		err = d.array(at)
	default:
		d.lines()
	}
	if err != nil {
		d.b.Release()
		return nil, err
	}
	return d.b, nil
}

// isLines says whether a Content-Type is one of those by which lines of JSON go.
func isLines(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	switch media {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines":
		return true
	}
	return false
}

// lines decodes one record a line.
func (d *decoder) lines() {
	n := 0
	for from := 0; from < len(d.body); {
		to := len(d.body)
		if i := bytes.IndexByte(d.body[from:], '\n'); i >= 0 {
			to = from + i
		}
		if scan.Space(d.body[:to], from) < to {
			if e := d.add(n); e != nil {
				d.line(e, from, to)
			}
			n++
		}
		from = to + 1
	}
}

// line decodes the record in body[from:to].
func (d *decoder) line(e *ingest.Event, from, to int) {
	doc := &d.b.Doc
	end, err := doc.Parse(d.body[:to], from, scan.Limits{UTF8: d.utf8})
	if err == nil && scan.Space(d.body[:to], end) < to {
		d.b.Refuse(e, "record.bad_json", "")
		return
	}
	d.settle(e, err)
}

// array decodes all records of one array.
func (d *decoder) array(at int) error {
	end, err := scan.EachElement(d.body, at, func(n, at int) (int, error) {
		e := d.add(n)
		if e == nil {
			return scan.Skip(d.body, at)
		}
		end, err := d.b.Doc.Parse(d.body, at, scan.Limits{UTF8: d.utf8})
		if err != nil && !sound(err) {
			return 0, err
		}
		if d.settle(e, err); err != nil {
			return scan.Skip(d.body, at)
		}
		return end, nil
	})
	if err == nil && scan.Space(d.body, end) < len(d.body) {
		err = &scan.Error{Code: scan.Syntax, Offset: end}
	}
	var broken *scan.Error
	if errors.As(err, &broken) {
		reason := "body.not_json"
		if broken.Code == scan.Truncated {
			reason = "body.truncated"
		}
		return fault.New(fault.Invalid, reason, "the body can't be read from byte %d on", broken.Offset).
			WithHint("send one record a line, and a bad one costs only itself").Because(err)
	}
	return err
}

func sound(err error) bool {
	var broken *scan.Error
	return errors.As(err, &broken) && broken.Sound()
}

// add returns the event for record n, or nil past the limit, where all are one refusal.
func (d *decoder) add(n int) *ingest.Event {
	switch {
	case n < MaxRecords:
		return d.b.Add(n)
	case n == MaxRecords:
		d.b.Refuse(d.b.Add(n), "batch.too_many_records", "")
	default:
		d.b.Events[MaxRecords].Refused.More++
	}
	return nil
}

// settle fills e from the record that Doc maps, or refuses it: because of err, when it could not
// be mapped, or because of what it says.
func (d *decoder) settle(e *ingest.Event, err error) {
	if err != nil {
		var broken *scan.Error
		errors.As(err, &broken)
		d.b.Refuse(e, reasons[broken.Code], d.b.Doc.Path())
		return
	}
	if reason, path := d.read(e); reason != "" {
		d.b.Refuse(e, reason, path)
	}
}

var reasons = [...]string{scan.Syntax: "record.bad_json", scan.Truncated: "record.bad_json", scan.Duplicate: "record.duplicate_member",
	scan.TooDeep: "record.too_deep", scan.TooManyMembers: "record.too_many_members", scan.BadUTF8: "record.bad_utf8"}

// known are the protocol's own names, which the path of a refusal may show.
func known(name string) bool {
	switch name {
	case "id", "kind", "service", "occurred_at", "subjects", "type", "value", "role", "data":
		return true
	}
	return false
}
