package native

import (
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// fields are the nodes of a record's members; 0 is absent.
type fields struct{ id, kind, service, occurredAt, subjects, data int }

// read fills e from the record that Doc maps, or says why it can't be kept.
func (d *decoder) read(e *ingest.Event) (reason, path string) {
	doc := &d.b.Doc
	if doc.Nodes[0].Kind != scan.Object {
		return "record.not_object", ""
	}
	if len(doc.Raw(0)) > MaxRecordBytes {
		return "record.too_large", ""
	}
	f, stranger := find(doc)
	if stranger > 0 {
		return "record.unknown_member", string(doc.Key(stranger))
	}
	if !d.kind(e, f) {
		return "record.unknown_kind", "kind"
	}
	id, ok := d.text(f.id)
	if !ok || len(id) == 0 || utf8.RuneCount(id) > MaxIDChars {
		return "record.bad_id", "id"
	}
	e.ClientID = id
	if !d.time(e, f.occurredAt) {
		return "record.bad_time", "occurred_at"
	}
	if f.subjects > 0 {
		if bad, path := d.b.Subjects(e, f.subjects); bad != "" {
			return "record." + bad, path
		}
	}
	if f.data == 0 || doc.Nodes[f.data].Kind != scan.Object {
		return "record.bad_data", "data"
	}
	if reason, path = d.b.Split(e, f.data); reason != "" {
		return reason, path
	}
	if !e.Owned() {
		return "record.no_subject", "subjects"
	}
	return "", ""
}

// find looks through the members of the record once. Stranger is one that has no meaning.
func find(doc *scan.Doc) (f fields, stranger int) {
	for i := 1; i < len(doc.Nodes); i = int(doc.Nodes[i].Next) {
		switch string(doc.Key(i)) {
		case "id":
			f.id = i
		case "kind":
			f.kind = i
		case "service":
			f.service = i
		case "occurred_at":
			f.occurredAt = i
		case "subjects":
			f.subjects = i
		case "data":
			f.data = i
		default:
			return f, i
		}
	}
	return f, 0
}

// kind finds the record's kind. A record that names no service is of the source's.
func (d *decoder) kind(e *ingest.Event, f fields) bool {
	service, name, ok := d.service, []byte(nil), true
	if f.service > 0 {
		service, ok = d.text(f.service)
	}
	if name, _ = d.text(f.kind); !ok || len(name) == 0 {
		return false
	}
	if last := d.last; last != nil && last.Service == string(service) && last.Name == string(name) {
		e.Kind = last
		return true
	}
	e.Kind = d.env.Kinds.Kind(string(service), string(name))
	d.last = e.Kind
	return e.Kind != nil
}

// time reads when the record occurred: without a time, when it was received.
func (d *decoder) time(e *ingest.Event, n int) bool {
	var t ingest.Times
	if n > 0 && d.b.Doc.Nodes[n].Kind != scan.Null {
		text, _ := d.text(n)
		if t.At = ingest.ParseTime(text); t.At < 0 {
			return false
		}
	}
	e.OccurredAt, e.Skewed = t.Occurred(d.env.ReceivedAt.UnixMilli())
	return true
}

// text returns the content of the string at node n; ok is false when it is none, or when it holds
// half a surrogate pair, by which two texts could become the same.
func (d *decoder) text(n int) (content []byte, ok bool) {
	if n == 0 || d.b.Doc.Nodes[n].Kind != scan.String {
		return nil, false
	}
	return d.b.Text(n)
}
