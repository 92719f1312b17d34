package cloudevents

import (
	"bytes"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// people adds whom the event is about: the people in the list `subjects` of its data, as records of
// Domicile's own have it; else whom the extension attributes subjecttype and subjectid name; else
// the attribute subject, when it is an e-mail address or a phone number, or any name where the kind
// says what type of identifier that is. Nothing is guessed without: a subject can be any thing that
// the event's source has.
func (d *decoder) people(e *ingest.Event) (reason, path string) {
	if n := d.list(); n > 0 {
		if wrong, path := d.b.Subjects(e, n); wrong != "" {
			return "event." + wrong, "data." + path
		}
		e.List = "data." + e.List
		join(e)
		return "", ""
	}
	typ, value := d.scalar("subjecttype"), d.scalar("subjectid")
	if typ != nil || value != nil {
		if !ingest.TypeFits(typ) {
			return "event.bad_subject", "subjecttype"
		}
		if len(value) == 0 || len(value) > ingest.MaxValueBytes {
			return "event.bad_subject", "subjectid"
		}
		d.b.Identify(e, ingest.TypeOf(typ), term.RoleSubject, value)
		return "", ""
	}
	switch subject := d.b.TextAt("subject"); {
	case isEmail(subject):
		d.b.Identify(e, term.Email, term.RoleSubject, subject)
	case isNumber(subject):
		d.b.Identify(e, term.Phone, term.RoleSubject, subject)
	case e.Kind.SubjectType == "" || len(subject) == 0:
	case len(subject) > ingest.MaxValueBytes:
		return "event.bad_subject", "subject"
	default:
		d.b.Identify(e, e.Kind.SubjectType, term.RoleSubject, subject)
	}
	return "", ""
}

// join makes several identifiers of the subject, or of the sender, one person's: as in a record of
// Domicile's own, whoever names them in one breath says that they are.
func join(e *ingest.Event) {
	count := map[string]int{}
	for i := range e.Identifiers {
		role := e.Identifiers[i].Role
		if count[role]++; count[role] > 1 && (role == term.RoleSubject || role == term.RoleSender) {
			e.Op = ingest.OpIdentify
		}
	}
}

// list returns the node of the list of people in the event's data, 0 when there is none. A list
// called subjects in which nothing has a type and a value is something else.
func (d *decoder) list() (node int) {
	doc := &d.b.Doc
	data := doc.Member(0, "data")
	if data < 0 {
		return 0
	}
	n := doc.Member(data, "subjects")
	if n < 0 || doc.Nodes[n].Kind != scan.Array {
		return 0
	}
	_, _ = scan.EachElement(doc.Src, int(doc.Nodes[n].At), func(_, at int) (int, error) {
		end, err := d.inner.Parse(doc.Src, at, scan.Limits{UTF8: true})
		if err == nil && d.inner.Member(0, "type") > 0 && d.inner.Member(0, "value") > 0 {
			node = n
		}
		return end, err
	})
	return node
}

// scalar returns the attribute called name: a text, or a number as it is written. It is nil without
// the attribute, and empty when it is anything else.
func (d *decoder) scalar(name string) []byte {
	n := d.b.Doc.Member(0, name)
	if n < 0 || d.b.Doc.Nodes[n].Kind == scan.Null {
		return nil
	}
	if d.b.Doc.Nodes[n].Kind == scan.Number {
		return d.b.Doc.Raw(n)
	}
	return append([]byte{}, d.b.TextAt(name)...)
}

// isEmail says whether v is an e-mail address and can be nothing else, such as a path or a URI.
func isEmail(v []byte) bool {
	local, domain, ok := bytes.Cut(v, []byte("@"))
	if !ok || len(local) == 0 || len(v) > ingest.MaxValueBytes || bytes.ContainsAny(local, " \t\r\n\"(),:;<>[]\\/") {
		return false
	}
	dot := bytes.LastIndexByte(domain, '.')
	if dot <= 0 || dot == len(domain)-1 {
		return false
	}
	for _, c := range domain {
		if c < 0x80 && c != '.' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// isNumber says whether v is in E.164: a plus and 7 to 15 digits, the first not 0.
func isNumber(v []byte) bool {
	if len(v) < 8 || len(v) > 16 || v[0] != '+' || v[1] == '0' {
		return false
	}
	for _, c := range v[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
