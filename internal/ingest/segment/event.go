package segment

import (
	"errors"
	"unicode/utf8"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// fields are the nodes of the members that mean something to us; 0, the root, is absent.
type fields struct {
	typ, messageID, userID, anonymousID, previousID, timestamp, originalTimestamp, sentAt, writeKey, traits, context int
}

// event decodes the event at body[at] and returns the index after it. It fails only when the
// text itself is broken; whatever else is wrong is the event's own refusal.
func (d *decoder) event(c call, index, at int) (end int, err error) {
	e := d.b.Add(index)
	d.times = append(d.times, ingest.Times{})
	doc := &d.b.Doc
	end, err = doc.Parse(d.body, at, scan.Limits{UTF8: d.utf8})
	if err != nil {
		var fault *scan.Error
		if !errors.As(err, &fault) || !fault.Sound() {
			return 0, err
		}
		reason := ingest.EventReason(err)
		if end, err = scan.Skip(d.body, at); err == nil {
			d.b.Refuse(e, reason, doc.Path())
		}
		return end, err
	}
	if reason, path := d.read(e, c); reason != "" {
		d.b.Refuse(e, reason, path)
	}
	return end, nil
}

// read fills e from the event that Doc maps, or says why it can't be kept.
func (d *decoder) read(e *ingest.Event, c call) (reason, path string) {
	doc := &d.b.Doc
	if doc.Nodes[0].Kind != scan.Object {
		return "event.not_object", ""
	}
	if len(doc.Raw(0)) > MaxEventBytes {
		return "event.too_large", ""
	}
	if d.share {
		d.merged += len(doc.Raw(0)) + len(d.common.Src)
		if d.merged > maxMergedBytes {
			return "event.context_too_large", "context"
		}
		if reason := d.merge(&d.common); reason != "" {
			return reason, "context"
		}
	}
	f := find(doc)
	if d.lacksPeer(f) {
		if reason := d.merge(d.peerDoc()); reason != "" {
			return reason, "context"
		}
		f = find(doc)
	}
	if c == batch {
		if c = d.callOf(f.typ); c == batch {
			return "event.bad_type", "type"
		}
	}
	if e.Kind = d.kinds[c]; e.Kind == nil {
		return "event.unknown_kind", "type"
	}
	if f.writeKey > 0 && !d.sameKey(f.writeKey) {
		return "event.key_mismatch", "writeKey"
	}
	if reason, path := d.b.Split(e, 0); reason != "" {
		return reason, path
	}
	if len(e.Findings) > 0 { // something may be gone, and then it names nobody either
		f = find(doc)
	}
	if path := d.identifiers(e, c, f); path != "" {
		return "event.bad_identifier", path
	}
	if !someone(e) {
		return "event.no_subject", ""
	}
	id, ok := d.name(f.messageID)
	if !ok || utf8.RuneCount(id) > MaxIDChars {
		return "event.bad_message_id", "messageId"
	}
	e.ClientID = id
	t := &d.times[len(d.times)-1]
	t.Sent = d.time(doc, f.sentAt)
	if t.At = d.time(doc, f.originalTimestamp); t.At <= 0 && f.timestamp > 0 {
		t.At = d.time(doc, f.timestamp)
	}
	return "", ""
}

// find looks through the members of the event once.
func find(doc *scan.Doc) (f fields) {
	for i := 1; i < len(doc.Nodes); i = int(doc.Nodes[i].Next) {
		switch string(doc.Key(i)) {
		case "type":
			f.typ = i
		case "messageId":
			f.messageID = i
		case "userId":
			f.userID = i
		case "anonymousId":
			f.anonymousID = i
		case "previousId":
			f.previousID = i
		case "timestamp":
			f.timestamp = i
		case "originalTimestamp":
			f.originalTimestamp = i
		case "sentAt":
			f.sentAt = i
		case "writeKey":
			f.writeKey = i
		case "traits":
			f.traits = i
		case "context":
			f.context = i
		}
	}
	return f
}

// callOf reads the type of an event in a batch, as SDKs spell it.
func (d *decoder) callOf(n int) call {
	if n > 0 && d.b.Doc.Nodes[n].Kind == scan.String {
		text, _ := d.b.Text(n)
		for c := track; c < calls; c++ {
			if callNames[c] == string(text) {
				return c
			}
		}
	}
	return batch
}

// sameKey takes the write key out of the event and compares it with that of the request: one event
// with another's costs no other. Where the request's isn't known, it is that of the first event.
func (d *decoder) sameKey(n int) bool {
	d.b.Doc.Nodes[n].Dropped = true
	key := keyOf(d.b.Doc.Raw(n))
	if key == nil {
		return true
	}
	if d.many && d.env.Key != "" {
		return string(key) == d.env.Key
	}
	if d.eventKey == nil {
		d.eventKey = key
		if d.share {
			d.eventKey = d.b.Hold(key)
		}
	}
	return string(key) == string(d.eventKey)
}

// identifiers gives e the identifiers that the event names, or returns the path of one that can't
// be used. E-mail and phone are taken from an identify's traits alone: there they are the word of
// whoever sends it on who this is, elsewhere they are content. One that is no text is no identifier.
func (d *decoder) identifiers(e *ingest.Event, c call, f fields) (bad string) {
	user, ok := d.name(f.userID)
	if !ok {
		return "userId"
	}
	anonymous, ok := d.name(f.anonymousID)
	if !ok {
		return "anonymousId"
	}
	d.add(e, term.UserID, user)
	d.add(e, term.AnonymousID, anonymous)
	doc := &d.b.Doc
	traits, consent, management := -1, 0, 0
	if f.context > 0 {
		for i := f.context + 1; i < int(doc.Nodes[f.context].Next); i = int(doc.Nodes[i].Next) {
			switch string(doc.Key(i)) {
			case "device":
				d.addText(e, term.DeviceID, doc.Member(i, "id"))
			case "traits":
				traits = i
			case "consent":
				consent = i
			case "consentManagement":
				management = i
			}
		}
	}
	if consent > 0 || management > 0 {
		d.choose(e, c, consent, management)
	}
	switch c {
	case identify:
		e.Op = ingest.OpIdentify
		d.addTraits(e, f.traits)
		d.addTraits(e, traits)
	case alias:
		e.Op = ingest.OpAlias
		previous, ok := d.name(f.previousID)
		if !ok {
			return "previousId"
		}
		if len(previous) > 0 && string(previous) != string(user) {
			d.b.Identify(e, term.AnonymousID, ingest.RolePrevious, previous)
		}
	}
	return ""
}

// someone says whether the event names a person by an id that the API calls one.
func someone(e *ingest.Event) bool {
	for i := range e.Identifiers {
		if id := &e.Identifiers[i]; id.Role == term.RoleSubject && (id.Type == term.UserID || id.Type == term.AnonymousID) {
			return true
		}
	}
	return false
}

func (d *decoder) addTraits(e *ingest.Event, traits int) {
	if traits > 0 {
		d.addText(e, term.Email, d.b.Doc.Member(traits, "email"))
		d.addText(e, term.Phone, d.b.Doc.Member(traits, "phone"))
	}
}

func (d *decoder) addText(e *ingest.Event, typ string, n int) {
	if n > 0 && d.b.Doc.Nodes[n].Kind == scan.String {
		if value, whole := d.b.Text(n); whole && len(value) <= MaxNameBytes {
			d.add(e, typ, value)
		}
	}
}

func (d *decoder) add(e *ingest.Event, typ string, value []byte) {
	if len(value) > 0 {
		d.b.Identify(e, typ, term.RoleSubject, value)
	}
}

// name reads an id: null and "" are none, a number is its digits. One that is neither, is too
// long, or holds half a surrogate pair, by which two ids could become the same, is not ok.
func (d *decoder) name(n int) (value []byte, ok bool) {
	if n == 0 {
		return nil, true
	}
	switch d.b.Doc.Nodes[n].Kind {
	case scan.Null:
		return nil, true
	case scan.String:
		value, ok = d.b.Text(n)
	case scan.Number:
		value, ok = d.b.Doc.Raw(n), true
	}
	return value, ok && len(value) <= MaxNameBytes
}

// time reads the time at node n as ingest.Times has it.
func (d *decoder) time(doc *scan.Doc, n int) int64 {
	node := &doc.Nodes[n]
	switch {
	case n == 0 && doc != &d.common, node.Kind == scan.Null:
		return 0
	case node.Kind != scan.String || node.Escaped:
		return -1
	}
	return ingest.ParseTime(doc.Src[node.At+1 : node.End-1])
}
