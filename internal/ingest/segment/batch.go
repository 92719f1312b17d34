package segment

import (
	"slices"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// batch decodes {"batch":[…],"writeKey","sentAt","context","integrations"}. SDKs put what is
// common to the events behind them, so that events are decoded as they come, times are settled at
// the end, and only a batch with a context behind its events is gone through twice.
func (d *decoder) batch() error {
	var room [16][]byte
	names, events, late := room[:0], -1, false
	var context, integrations []byte
	end, err := scan.EachMember(d.body, 0, func(name []byte, at int) (end int, err error) {
		if name, err = d.plainName(name, at, names); err != nil {
			return 0, err
		}
		names = append(names, name)
		if string(name) == "batch" && d.body[min(at, len(d.body)-1)] == '[' {
			events = at
			if err := d.shareAll(context, integrations); err != nil {
				return 0, err
			}
			return d.events(at)
		}
		if end, err = d.common.Parse(d.body, at, scan.Limits{UTF8: d.utf8, Members: maxContext}); err != nil {
			return 0, err
		}
		switch string(name) {
		case "writeKey":
			d.b.WriteKey = keyOf(d.body[at:end])
		case "sentAt":
			d.sentAt = d.time(&d.common, 0)
		case "context":
			context = d.object(at, end)
			late = late || events >= 0 && context != nil
		case "integrations":
			integrations = d.object(at, end)
			late = late || events >= 0 && integrations != nil
		}
		return end, nil
	})
	if err != nil {
		return err
	}
	if end = scan.Space(d.body, end); end < len(d.body) {
		return &scan.Error{Code: scan.Syntax, Offset: end}
	}
	if events < 0 {
		return fault.New(fault.Invalid, "body.no_batch", `the body has no list of events called "batch"`)
	}
	if late {
		if err := d.again(events, context, integrations); err != nil {
			return err
		}
	}
	return d.finish()
}

// plainName unescapes the name of a member of the batch and refuses one that comes twice.
func (d *decoder) plainName(raw []byte, at int, before [][]byte) ([]byte, error) {
	name, _ := scan.Unquote(nil, raw)
	switch {
	case !d.utf8 && !utf8.Valid(raw):
		return nil, &scan.Error{Code: scan.BadUTF8, Offset: at}
	case len(before) == maxContext:
		return nil, &scan.Error{Code: scan.TooManyMembers, Offset: at}
	case slices.ContainsFunc(before, func(b []byte) bool { return string(b) == string(name) }):
		return nil, &scan.Error{Code: scan.Duplicate, Offset: at}
	}
	return name, nil
}

// object returns the value that d.common mapped when it is an object with something in it.
func (d *decoder) object(at, end int) []byte {
	if d.common.Nodes[0].Kind != scan.Object || len(d.common.Nodes) == 1 {
		return nil
	}
	return d.body[at:end]
}

// events decodes the list of events at body[at]. Those past the limit are one refusal.
func (d *decoder) events(at int) (end int, err error) {
	return scan.EachElement(d.body, at, func(n, at int) (int, error) {
		if n < MaxEvents {
			return d.event(batch, n, at)
		}
		if n == MaxEvents {
			d.b.Refuse(d.b.Add(n), "batch.too_many_events", "")
			d.times = append(d.times, ingest.Times{})
		} else {
			d.b.Events[MaxEvents].Refused.More++
		}
		return scan.Skip(d.body, at)
	})
}

// again decodes the events anew, now that what they have in common is known.
func (d *decoder) again(events int, context, integrations []byte) error {
	if err := d.shareAll(context, integrations); err != nil {
		return err
	}
	d.b.Restart()
	d.times, d.merged, d.eventKey = d.times[:0], 0, nil
	_, err := d.events(events)
	return err
}

// finish holds the keys that the batch and its events name against each other.
func (d *decoder) finish() error {
	if d.eventKey != nil && d.b.WriteKey != nil && string(d.eventKey) != string(d.b.WriteKey) {
		return fault.New(fault.Unauthenticated, "source.key_mismatch", "the batch and its events name different write keys")
	}
	if d.b.WriteKey == nil {
		d.b.WriteKey = d.eventKey
	}
	d.settle()
	return nil
}
