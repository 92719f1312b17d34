package ingest

import (
	"strconv"

	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// The limits of a list of subjects.
const (
	MaxValueBytes = 1024 // of an identifier
	MaxSubjects   = 64   // of one record
)

// Subjects adds to e the people whom the list at node n of Doc names, each
// {"type","value","role"}; without a role it is the subject. Null is no list and names nobody. It
// returns what is wrong, "bad_subject" or "too_many_subjects", and where.
//
// An array has no nodes, so each element is mapped on its own, in a second Doc, by offsets into the
// same text.
func (b *Batch) Subjects(e *Event, n int) (wrong, path string) {
	switch b.Doc.Nodes[n].Kind {
	case scan.Null:
		return "", ""
	case scan.Array:
	default:
		return "bad_subject", "subjects"
	}
	e.List = "subjects"
	record := b.Doc
	b.Doc = b.element
	_, _ = scan.EachElement(record.Src, int(record.Nodes[n].At), func(i, at int) (int, error) {
		end, err := b.Doc.Parse(record.Src, at, scan.Limits{UTF8: true})
		if err != nil || wrong != "" {
			return end, err
		}
		if i == MaxSubjects {
			wrong, path = "too_many_subjects", "subjects"
		} else if member, ok := b.subject(e); !ok {
			wrong, path = "bad_subject", "subjects."+strconv.Itoa(i)+"."+member
		} else if last := len(e.Identifiers) - 1; e.Identifiers[last].Listed == 0 {
			e.Identifiers[last].Listed = uint8(i + 1) // at most MaxSubjects
		}
		return end, nil
	})
	b.element, b.Doc = b.Doc, record
	return wrong, path
}

// subject reads one {"type","value","role"} that Doc maps. When it isn't ok
// it returns the member that is wrong, whose name may be empty.
func (b *Batch) subject(e *Event) (wrong string, ok bool) {
	doc := &b.Doc
	if doc.Nodes[0].Kind != scan.Object {
		return "type", false
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
			return string(doc.Key(i)), false
		}
	}
	t, ok := b.plainText(typ)
	if !ok || !TypeFits(t) {
		return "type", false
	}
	v, ok := b.plainText(value)
	if !ok || len(v) == 0 || len(v) > MaxValueBytes {
		return "value", false
	}
	r := term.RoleSubject
	if role > 0 {
		text, _ := b.plainText(role)
		if r = roleOf(text); r == "" {
			return "role", false
		}
	}
	b.Identify(e, TypeOf(t), r, v)
	return "", true
}

// plainText returns the content of the string at node n; ok is false when it is none, or when it
// holds half a surrogate pair, by which two texts could become the same.
func (b *Batch) plainText(n int) (content []byte, ok bool) {
	if n == 0 || b.Doc.Nodes[n].Kind != scan.String {
		return nil, false
	}
	return b.Text(n)
}

// TypeFits says whether t can name a type of identifier: [a-z][a-z0-9_]{0,31}.
func TypeFits(t []byte) bool {
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

// TypeOf returns t as a type of identifier and spares the copy of one that every tenant has.
func TypeOf(t []byte) string {
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

// Owned says whether everything in e that is about a person has one.
func (e *Event) Owned() bool {
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
