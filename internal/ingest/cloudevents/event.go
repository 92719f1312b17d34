package cloudevents

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// read fills e from the event that Doc maps, or says why it can't be kept.
func (d *decoder) read(e *ingest.Event) (reason, path string) {
	if d.b.Doc.Nodes[0].Kind != scan.Object {
		return "event.not_object", ""
	}
	if len(d.b.Doc.Raw(0)) > MaxEventBytes {
		return "event.too_large", ""
	}
	if string(d.text("specversion")) != "1.0" {
		return "event.bad_version", "specversion"
	}
	typ := d.text("type")
	if len(typ) == 0 || !d.kind(e, typ) {
		return "event.unknown_kind", "type"
	}
	if reason, path = d.name(e); reason != "" {
		return reason, path
	}
	e.OccurredAt, e.Skewed = d.times().Occurred(d.env.ReceivedAt.UnixMilli())
	if reason, path = d.unpack(); reason != "" {
		return reason, path
	}
	if reason, path = d.people(e); reason != "" {
		return reason, path
	}
	if reason, path = d.b.Split(e, 0); reason != "" {
		return reason, path
	}
	if !e.Owned() {
		return "event.no_subject", "subject"
	}
	return "", ""
}

// kind finds the kind that is called like the event's type, else the service's DefaultKind.
func (d *decoder) kind(e *ingest.Event, typ []byte) bool {
	if e.Kind = d.env.Kinds.Kind(d.env.Service, string(typ)); e.Kind == nil {
		e.Kind = d.env.Kinds.Kind(d.env.Service, DefaultKind)
	}
	return e.Kind != nil
}

// name gives the event its client id. An id is unique within its source only, so the source tells
// events apart, too: a digest of it, since a source is a URI that can name a person.
func (d *decoder) name(e *ingest.Event) (reason, path string) {
	id, source := d.text("id"), d.text("source")
	if len(id) == 0 || utf8.RuneCount(id) > MaxIDChars {
		return "event.bad_id", "id"
	}
	if len(source) == 0 || len(source) > MaxSourceBytes {
		return "event.bad_source", "source"
	}
	sum := sha256.Sum256(source)
	e.ClientID, e.Qualifier = id, hex.EncodeToString(sum[:16])
	return "", ""
}

func (d *decoder) times() ingest.Times {
	n := d.b.Doc.Member(0, "time")
	if n < 0 || d.b.Doc.Nodes[n].Kind == scan.Null {
		return ingest.Times{}
	}
	return ingest.Times{At: ingest.ParseTime(d.text("time"))}
}

// unpack puts JSON that came in base64 where other JSON is, so that rules find what is in it. Other
// data in base64 stays as it is.
func (d *decoder) unpack() (reason, path string) {
	doc := &d.b.Doc
	n := doc.Member(0, "data_base64")
	if n < 0 || doc.Nodes[n].Kind == scan.Null {
		return "", ""
	}
	if doc.Member(0, "data") >= 0 || doc.Nodes[n].Kind != scan.String {
		return "event.bad_data", "data_base64"
	}
	data, err := base64.StdEncoding.DecodeString(string(d.text("data_base64")))
	if err != nil {
		return "event.bad_data", "data_base64"
	}
	if !isJSON(string(d.text("datacontenttype"))) {
		return "", ""
	}
	if err := d.inner.ParseAll(data, scan.Limits{}); err != nil { // by itself: it must be one value
		return reasonOf(err), "data_base64"
	}
	root, node := doc.Nodes[0], doc.Nodes[n]
	event := d.b.Hold(doc.Src[root.At:node.KeyAt-1], []byte(`"data":`), data, doc.Src[node.End:root.End])
	if err := doc.ParseAll(event, scan.Limits{UTF8: true}); err != nil {
		return reasonOf(err), "data_base64"
	}
	return "", ""
}

func reasonOf(err error) string {
	var broken *scan.Error
	if !errors.As(err, &broken) {
		return "event.bad_data"
	}
	return eventReason[broken.Code]
}

// text returns the content of the attribute called name when it is a text; one with half a
// surrogate pair, by which two could become the same, is none.
func (d *decoder) text(name string) []byte {
	n := d.b.Doc.Member(0, name)
	if n < 0 || d.b.Doc.Nodes[n].Kind != scan.String {
		return nil
	}
	content, whole := d.b.Text(n)
	if !whole {
		return nil
	}
	return content
}
