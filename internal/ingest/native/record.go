package native

import (
	"strconv"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
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
	if reason, path := d.subjects(e, f.subjects); reason != "" {
		return reason, path
	}
	if f.data == 0 || doc.Nodes[f.data].Kind != scan.Object {
		return "record.bad_data", "data"
	}
	d.b.Split(e, f.data)
	if !owned(e) {
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

// subjects reads the list of people. An array has no nodes, so each element is mapped on its own,
// in a second Doc, by offsets into the same body.
func (d *decoder) subjects(e *ingest.Event, n int) (reason, path string) {
	if n == 0 || d.b.Doc.Nodes[n].Kind == scan.Null {
		return "", ""
	}
	if d.b.Doc.Nodes[n].Kind != scan.Array {
		return "record.bad_subject", "subjects"
	}
	record := d.b.Doc
	d.b.Doc = d.element
	_, _ = scan.EachElement(record.Src, int(record.Nodes[n].At), func(i, at int) (int, error) {
		end, err := d.b.Doc.Parse(record.Src, at, scan.Limits{UTF8: true})
		if err != nil || reason != "" {
			return end, err
		}
		if i == MaxSubjects {
			reason, path = "record.too_many_subjects", "subjects"
		} else if member := d.subject(e); member != "" {
			reason, path = "record.bad_subject", "subjects."+strconv.Itoa(i)+"."+member
		}
		return end, nil
	})
	d.element, d.b.Doc = d.b.Doc, record
	return reason, path
}

// subject reads one {"type","value","role"} that Doc maps. It returns the member that is wrong.
func (d *decoder) subject(e *ingest.Event) (wrong string) {
	doc := &d.b.Doc
	if doc.Nodes[0].Kind != scan.Object {
		return "type"
	}
	var typ, value, role int
	for i := 1; i < len(doc.Nodes); i = int(doc.Nodes[i].Next) {
		switch string(doc.Key(i)) {
		case "type":
			typ = i
		case "value":
			value = i
		case "role":
			role = i
		default:
			return string(doc.Key(i))
		}
	}
	t, ok := d.text(typ)
	if !ok || !typeFits(t) {
		return "type"
	}
	v, ok := d.text(value)
	if !ok || len(v) == 0 || len(v) > MaxValueBytes {
		return "value"
	}
	r := term.RoleSubject
	if role > 0 {
		text, _ := d.text(role)
		if r = roleOf(text); r == "" {
			return "role"
		}
	}
	d.b.Identify(e, typeOf(t), r, v)
	return ""
}

// typeFits says whether t can name a type of identifier: [a-z][a-z0-9_]{0,31}.
func typeFits(t []byte) bool {
	if len(t) == 0 || len(t) > 32 || t[0] < 'a' || t[0] > 'z' {
		return false
	}
	for _, c := range t {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// typeOf spares the copy of a type that every tenant has.
func typeOf(t []byte) string {
	for _, known := range [...]string{term.Email, term.Phone, term.UserID, term.AnonymousID, term.DeviceID, term.WhatsAppID, term.Identity} {
		if known == string(t) {
			return known
		}
	}
	return string(t)
}

func roleOf(r []byte) string {
	for _, known := range [...]string{term.RoleSubject, term.RoleSender, term.RoleRecipient, term.RoleParticipant, term.RoleOwn} {
		if known == string(r) {
			return known
		}
	}
	return ""
}

// owned says whether everything in e that is about a person has one.
func owned(e *ingest.Event) bool {
	for i := range e.Identifiers {
		if e.Identifiers[i].Role != term.RoleOwn {
			return true
		}
	}
	for i := range e.Fragments {
		if e.Fragments[i].Owner != term.OwnerNobody {
			return false
		}
	}
	return true
}
