package sendgrid

import (
	"regexp"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

const (
	service        = "email"
	kindEvent      = "email.event"      // a mail on its way: `ip` is the sending server's
	kindEngagement = "email.engagement" // something the person did: `ip` and `useragent` are theirs
	accountChange  = "account_status_change"
)

// kindOf tells whose `ip` an event has by what it is. What the vendor may add one day counts as the
// person's doing, since a server's address among a person's data harms nobody.
func kindOf(event []byte) string {
	switch string(event) {
	case "processed", "deferred", "delivered", "bounce", "dropped", accountChange:
		return kindEvent
	}
	return kindEngagement
}

// read fills e from the event that Doc maps, or says why it can't be kept.
func (d *decoder) read(e *ingest.Event) (reason, path string) {
	doc := &d.b.Doc
	if doc.Nodes[0].Kind != scan.Object {
		return "event.not_object", ""
	}
	if len(doc.Raw(0)) > MaxEventBytes {
		return "event.too_large", ""
	}
	event := d.b.TextAt("event")
	if len(event) == 0 {
		return "event.unknown_kind", "event"
	}
	if e.Kind = d.env.Kinds.Kind(service, kindOf(event)); e.Kind == nil {
		return "event.unknown_kind", "event"
	}
	if e.ClientID = d.b.TextAt("sg_event_id"); len(e.ClientID) == 0 || utf8.RuneCount(e.ClientID) > MaxIDChars {
		return "event.bad_id", "sg_event_id"
	}
	e.OccurredAt, e.Skewed = d.b.SecondsAt("timestamp").Occurred(d.env.ReceivedAt.UnixMilli())
	email := d.b.TextAt("email")
	switch {
	case len(email) > MaxNameBytes:
		return "event.bad_identifier", "email"
	case len(email) > 0:
		d.b.Identify(e, term.Email, term.RoleRecipient, email)
	case string(event) != accountChange || !d.impersonal():
		return "event.no_subject", "email"
	}
	if e.Choices = choicesOf(event); len(email) == 0 {
		e.Choices = nil
	}
	return d.b.Split(e, 0)
}

// impersonal says whether an event about the tenant's own account is about nobody else: what it holds
// would be under nobody's key, where no erasure finds it, and any further member can be an argument
// of the tenant's.
func (d *decoder) impersonal() bool {
	doc := &d.b.Doc
	for n := range doc.Members(0) {
		switch string(doc.Key(n)) {
		case "event", "sg_event_id": // read before
		case "timestamp":
			if d.b.SecondsAt("timestamp").At <= 0 {
				return false
			}
		case "type":
			if doc.Nodes[n].Kind != scan.String || !word.Match(d.b.TextAt("type")) {
				return false
			}
		case "email":
			if raw := string(doc.Raw(n)); raw != `""` && raw != "null" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// word is what the vendor says of an account, such as compliance_suspend.
var word = regexp.MustCompile(`^[a-z][a-z_]{0,63}$`)
