package whatsapp

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// The field of changes that say under which id of WhatsApp's a person goes from now on, and before.
// Where a number changed, the system message has the new id alone; this is what links the two.
const idUpdate = "user_id_update"

// updated decodes one element of such a change. It is a record of the kind message, as the system
// message is, and its person is the sender.
func (d *decoder) updated(at, metadata span) {
	e := d.add()
	if e == nil {
		return
	}
	if reason, path := d.readUpdate(e, at, metadata); reason != "" {
		d.b.Refuse(e, reason, path)
	}
}

func (d *decoder) readUpdate(e *ingest.Event, at, metadata span) (reason, path string) {
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
	if e.Kind = d.env.Kinds.Kind(service, message.kind); e.Kind == nil {
		return "event.unknown_kind", ""
	}
	// The vendor gives it no id. The new one of the person names it, and its content tells it apart.
	if e.ClientID = d.below("user_id", "current"); len(e.ClientID) == 0 || utf8.RuneCount(e.ClientID) > MaxIDChars {
		return "event.bad_id", "user_id"
	}
	sum := sha256.Sum256(d.raw(at))
	e.Qualifier = idUpdate + "/" + hex.EncodeToString(sum[:16])
	e.OccurredAt, e.Skewed = d.b.SecondsAt("timestamp").Occurred(d.env.ReceivedAt.UnixMilli())
	number := d.text(0, "wa_id")
	c := d.contactOf(number, e.ClientID)
	for _, name := range [...]string{"user_id", "parent_user_id"} {
		d.id(e, term.RoleSender, d.below(name, "current"))
		d.id(e, term.RoleSender, d.below(name, "previous"))
	}
	d.number(e, term.RoleSender, number)
	e.Op = ingest.OpAlias
	if c != nil && len(c.raw) > MaxSharedBytes {
		return "event.too_large", "contact"
	}
	if reason, path = d.extend(at, c, metadata); reason != "" {
		return reason, path
	}
	return d.b.Split(e, 0)
}

// below returns the text called name in the object called object.
func (d *decoder) below(object, name string) []byte {
	n := d.b.Doc.Member(0, object)
	if n <= 0 || d.b.Doc.Nodes[n].Kind != scan.Object {
		return nil
	}
	return d.text(n, name)
}
