package whatsapp

import (
	"bytes"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// contact is one of a change's contacts.
type contact struct {
	raw                      []byte
	number, userID, parentID []byte
}

// contact adds the contact in body[at:to]. One that can't be read is nobody's.
func (d *decoder) contact(at, to int) error {
	raw := d.body[at:to]
	if raw[0] != '{' || len(d.contacts) == MaxContacts || d.b.Doc.ParseAll(raw, scan.Limits{UTF8: d.utf8}) != nil {
		return nil
	}
	d.contacts = append(d.contacts, contact{raw, d.text(0, "wa_id"), d.text(0, "user_id"), d.text(0, "parent_user_id")})
	return nil
}

// people adds whom the element is about, and returns the contact they have in the same change.
//
// The person has a number, or ids of WhatsApp's, or both, and the vendor says that they are one
// person's: so they are joined, and whoever asks by either finds everything. The business's own
// number is in the metadata alone, and no subject.
func (d *decoder) people(e *ingest.Event, s shape) *contact {
	number, userID, parentID := d.text(0, s.number), d.text(0, s.userID), d.text(0, s.parentID)
	c := d.contactOf(number, userID)
	system := d.b.Doc.Member(0, "system")
	var former []byte
	if moved := d.text(max(system, 0), "type"); system > 0 && (s.kind == message.kind) && changed(moved) {
		d.successor(e, system)
		if string(moved) != "user_changed_user_id" {
			former = d.former(system, number)
		}
	}
	d.id(e, s.role, userID)
	d.id(e, s.role, parentID)
	if c != nil {
		d.id(e, s.role, c.userID)
		d.id(e, s.role, c.parentID)
	}
	if d.number(e, ingest.RoleFormer, former); !bytes.Equal(number, former) {
		d.number(e, s.role, number)
	}
	if c != nil && !bytes.Equal(c.number, former) {
		d.number(e, s.role, c.number)
	}
	if e.Op == ingest.OpNone && len(e.Identifiers) > 1 {
		e.Op = ingest.OpIdentify
	}
	return c
}

// changed says whether a system message of that type gives a person another number or id.
func changed(typ []byte) bool {
	switch string(typ) {
	case "user_changed_number", "customer_changed_number", "user_changed_user_id":
		return true
	}
	return false
}

// successor adds the numbers and ids that the person has from now on, and those the system message
// says they had. The old ids need no role of their own: unlike an alias of Segment's, it says of
// what type they are, and all are the sender's.
func (d *decoder) successor(e *ingest.Event, system int) {
	e.Op = ingest.OpAlias
	for _, name := range [...]string{"user_id", "parent_user_id", "previous_user_id", "previous_parent_user_id"} {
		d.id(e, term.RoleSender, d.text(system, name))
	}
	for _, name := range [...]string{"wa_id", "new_wa_id"} {
		d.number(e, term.RoleSender, d.text(system, name))
	}
}

// former returns the number that the person had until the change: the one that the message came from, or
// that the system message says; nil when either is the new one, too, or there is no new one. The old
// ids of WhatsApp's are given to nobody else, and stay the person's.
func (d *decoder) former(system int, number []byte) []byte {
	next := [2][]byte{d.text(system, "wa_id"), d.text(system, "new_wa_id")}
	if len(next[0])+len(next[1]) == 0 {
		return nil
	}
	for _, old := range [...][]byte{number, d.text(system, "customer")} {
		if isNumber(bytes.TrimPrefix(old, []byte("+"))) && !bytes.Equal(old, next[0]) && !bytes.Equal(old, next[1]) {
			return old
		}
	}
	return nil
}

// contactOf returns the contact that has the number or the id, nil when there is none.
func (d *decoder) contactOf(number, userID []byte) *contact {
	for i := range d.contacts {
		c := &d.contacts[i]
		if len(userID) > 0 && bytes.Equal(c.userID, userID) || len(number) > 0 && bytes.Equal(c.number, number) {
			return c
		}
	}
	return nil
}

// id adds a person by an id of WhatsApp's, such as IE.1000.
func (d *decoder) id(e *ingest.Event, role string, v []byte) {
	if len(v) > 0 && len(v) <= MaxNameBytes {
		d.b.Identify(e, term.WhatsAppID, role, v)
	}
}

// number adds a person by a number, which has no plus here. What is no number is an id.
func (d *decoder) number(e *ingest.Event, role string, v []byte) {
	switch {
	case len(v) == 0:
	case isNumber(v):
		d.b.Identify(e, term.Phone, role, d.b.Hold([]byte("+"), v))
	case len(v) > 1 && v[0] == '+' && isNumber(v[1:]):
		d.b.Identify(e, term.Phone, role, v)
	default:
		d.id(e, role, v)
	}
}

// isNumber says whether v is E.164 without its plus: 7 to 15 digits, the first not 0.
func isNumber(v []byte) bool {
	if len(v) < 7 || len(v) > 15 || v[0] == '0' {
		return false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
