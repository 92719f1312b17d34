package sendgrid

import (
	"strconv"
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
	event := d.text("event")
	if len(event) == 0 {
		return "event.unknown_kind", "event"
	}
	if e.Kind = d.env.Kinds.Kind(service, kindOf(event)); e.Kind == nil {
		return "event.unknown_kind", "event"
	}
	if e.ClientID = d.text("sg_event_id"); len(e.ClientID) == 0 || utf8.RuneCount(e.ClientID) > MaxIDChars {
		return "event.bad_id", "sg_event_id"
	}
	e.OccurredAt, e.Skewed = d.times().Occurred(d.env.ReceivedAt.UnixMilli())
	email := d.text("email")
	switch {
	case len(email) > MaxNameBytes:
		return "event.bad_identifier", "email"
	case len(email) > 0:
		d.b.Identify(e, term.Email, term.RoleRecipient, email)
	case string(event) != accountChange: // which is about the tenant's own account, and nobody
		return "event.no_subject", "email"
	}
	return d.b.Split(e, 0)
}

// text returns the content of the member called name when it is a text; one with half a surrogate
// pair, by which two could become the same, is none.
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

// times reads the timestamp: seconds since 1970, as a number or in a text.
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
