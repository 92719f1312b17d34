package whatsapp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

const service = "messaging"

// shape is what an element can be: the kind of its record, and the members that name its person.
type shape struct {
	kind, role               string
	number, userID, parentID string
}

// All identifiers of a sender are one person's, while each recipient is a person of their own. So
// whom a status is about, under a number and an id, is its subject.
var (
	message = shape{"message", term.RoleSender, "from", "from_user_id", "from_parent_user_id"}
	status  = shape{"message.status", term.RoleSubject, "recipient_id", "recipient_user_id", "recipient_parent_user_id"}
	// of one of a group's people: recipient_id is the group's then
	groupStatus = shape{"message.status", term.RoleSubject, "recipient_participant_id", "recipient_participant_user_id", "recipient_participant_parent_user_id"}
)

// element decodes one message or status.
func (d *decoder) element(s shape, at, metadata span) {
	e := d.add()
	if e == nil {
		return
	}
	reason, path := d.read(e, s, at, metadata)
	if reason != "" {
		d.b.Refuse(e, reason, path)
	}
}

// read fills e from the element at s, or says why it can't be kept.
func (d *decoder) read(e *ingest.Event, s shape, at, metadata span) (reason, path string) {
	switch {
	case d.body[at.at] != '{':
		return "event.not_object", ""
	case at.to-at.at > MaxElementBytes:
		return "event.too_large", ""
	case metadata.to-metadata.at > MaxSharedBytes:
		return "event.too_large", "metadata"
	}
	if reason, path = d.parse(d.raw(at)); reason != "" {
		return reason, path
	}
	if e.Kind = d.env.Kinds.Kind(service, s.kind); e.Kind == nil {
		return "event.unknown_kind", ""
	}
	if e.ClientID = d.text(0, "id"); len(e.ClientID) == 0 || utf8.RuneCount(e.ClientID) > MaxIDChars {
		return "event.bad_id", "id"
	}
	if s == status {
		state := d.text(0, "status")
		if !word(state) {
			return "event.bad_status", "status"
		}
		e.Qualifier = string(state)
		if who := d.participant(); who != "" {
			s, e.Qualifier = groupStatus, e.Qualifier+"/"+who
		}
	}
	e.OccurredAt, e.Skewed = d.times().Occurred(d.env.ReceivedAt.UnixMilli())
	c := d.people(e, s)
	if len(e.Identifiers) == 0 {
		return "event.no_subject", s.number
	}
	if c != nil && len(c.raw) > MaxSharedBytes {
		return "event.too_large", "contact"
	}
	if reason, path = d.extend(at, c, metadata); reason != "" {
		return reason, path
	}
	return d.b.Split(e, 0)
}

// participant tells the statuses that the people of a group give one message apart: a digest, since
// it is made of a number or an id. It is "" in a status that names no participant.
func (d *decoder) participant() string {
	var names []byte
	for _, name := range [...]string{groupStatus.number, groupStatus.userID, groupStatus.parentID} {
		names = append(append(names, d.text(0, name)...), 0)
	}
	if len(names) == 3 {
		return ""
	}
	sum := sha256.Sum256(names)
	return hex.EncodeToString(sum[:16])
}

// parse maps src. What the scanner that found its end let pass, it may not.
func (d *decoder) parse(src []byte) (reason, path string) {
	err := d.b.Doc.ParseAll(src, scan.Limits{UTF8: d.utf8})
	var broken *scan.Error
	if errors.As(err, &broken) {
		return eventReason[broken.Code], d.b.Doc.Path()
	}
	return "", ""
}

// extend maps the element at s with the contact and the metadata beside its members.
func (d *decoder) extend(at span, c *contact, metadata span) (reason, path string) {
	element := d.raw(at)
	parts := [][]byte{element[:len(element)-1]}
	put := func(name string, value []byte) {
		if value == nil || d.b.Doc.Member(0, name) > 0 {
			return
		}
		if len(parts) > 1 || len(d.b.Doc.Nodes) > 1 {
			parts = append(parts, []byte(","))
		}
		parts = append(parts, []byte(`"`+name+`":`), value)
	}
	if c != nil {
		put("contact", c.raw)
	}
	if metadata.to > 0 {
		put("metadata", d.raw(metadata))
	}
	return d.parse(d.b.Hold(append(parts, []byte("}"))...))
}

// times reads the timestamp: seconds since 1970, in a text or as a number.
func (d *decoder) times() ingest.Times {
	n := d.b.Doc.Member(0, "timestamp")
	if n < 0 {
		return ingest.Times{}
	}
	raw := d.b.Doc.Raw(n)
	if d.b.Doc.Nodes[n].Kind == scan.String {
		raw = raw[1 : len(raw)-1]
	}
	seconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || seconds <= 0 || seconds > maxSeconds {
		return ingest.Times{At: -1}
	}
	return ingest.Times{At: seconds * 1000}
}

// maxSeconds is the year 9999, so that milliseconds don't overflow.
const maxSeconds = 253_402_300_799

// word says whether v is a name such as "delivered" and nothing a person could be called by.
func word(v []byte) bool {
	for _, c := range v {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return len(v) > 0 && len(v) <= 32
}

// text returns the content of the member of object that is called name when it is a text; one with
// half a surrogate pair, by which two could become the same, is none.
func (d *decoder) text(object int, name string) []byte {
	n := d.b.Doc.Member(object, name)
	if n < 0 || d.b.Doc.Nodes[n].Kind != scan.String {
		return nil
	}
	content, whole := d.b.Text(n)
	if !whole {
		return nil
	}
	return content
}
