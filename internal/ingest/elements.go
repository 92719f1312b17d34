package ingest

import (
	"errors"
	"strconv"

	"domicile.dev/internal/scan"
)

// eventReason are the reasons for which one event among others can't be mapped.
var eventReason = [...]string{scan.Syntax: "event.bad_json", scan.Truncated: "event.bad_json", scan.Duplicate: "event.duplicate_member",
	scan.TooDeep: "event.too_deep", scan.TooManyMembers: "event.too_many_members", scan.BadUTF8: "event.bad_utf8"}

// EventReason returns the reason for which an event is refused that the scanner could not map, and
// "" when err isn't the scanner's.
func EventReason(err error) string {
	var e *scan.Error
	if !errors.As(err, &e) {
		return ""
	}
	return eventReason[e.Code]
}

// Read fills e from what Doc maps, or says why the event can't be kept, and where.
type Read func(e *Event) (reason, path string)

// Elements makes an event of each element of the array at body[at], by Element. It returns the index
// after the array, or the scanner's error when the array is broken.
func (b *Batch) Elements(body []byte, at, most int, whole bool, read Read) (end int, err error) {
	return scan.EachElement(body, at, func(n, at int) (int, error) { return b.Element(body, n, at, most, whole, read) })
}

// Element maps the value at body[at] into Doc and makes event n of it; whole says that the body is
// valid UTF-8. Of more events than most, all that follow are one refusal. What can be passed over
// costs only itself. It returns the index after the value, or the scanner's error when where it ends
// can't be told.
func (b *Batch) Element(body []byte, n, at, most int, whole bool, read Read) (end int, err error) {
	switch {
	case n == most:
		b.Refuse(b.Add(n), "batch.too_many_events", "")
	case n > most:
		b.Events[most].Refused.More++
	}
	if n >= most {
		return scan.Skip(body, at)
	}
	e := b.Add(n)
	end, err = b.Doc.Parse(body, at, scan.Limits{UTF8: whole})
	var broken *scan.Error
	if errors.As(err, &broken) {
		if !broken.Sound() {
			return 0, err
		}
		b.Refuse(e, eventReason[broken.Code], b.Doc.Path())
		return scan.Skip(body, at)
	}
	if reason, path := read(e); reason != "" {
		b.Refuse(e, reason, path)
	}
	return end, nil
}

// MaxSeconds is the end of the year 9999 in seconds since 1970, so that milliseconds don't overflow.
const MaxSeconds = 253_402_300_799

// SecondsAt reads the member called name of the object that Doc maps: seconds since 1970, as a number
// or in a text. It is as if nothing was said where there is none.
func (b *Batch) SecondsAt(name string) Times {
	n := b.Doc.Member(0, name)
	if n < 0 {
		return Times{}
	}
	raw := b.Doc.Raw(n)
	if b.Doc.Nodes[n].Kind == scan.String {
		raw = raw[1 : len(raw)-1]
	}
	seconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || seconds <= 0 || seconds > MaxSeconds {
		return Times{At: -1}
	}
	return Times{At: seconds * 1000}
}

// TextAt returns the content of the member called name of the object that Doc maps, when it is a
// text, else nil; one with half a surrogate pair, by which two could become the same, is none.
func (b *Batch) TextAt(name string) []byte {
	n := b.Doc.Member(0, name)
	if n < 0 || b.Doc.Nodes[n].Kind != scan.String {
		return nil
	}
	content, whole := b.Text(n)
	if !whole {
		return nil
	}
	return content
}
