package ingest

import "time"

// farOff is how many milliseconds a client's clock may differ from ours before events are flagged.
const farOff = int64(24 * time.Hour / time.Millisecond)

// earliest is the first time that is taken for one: before it lie clocks that were reset.
var earliest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// Times are what a client said, in Unix milliseconds; 0 means it said nothing, negative that it
// could not be read.
type Times struct {
	At   int64 // when it happened, by the client's clock
	Sent int64 // when it was sent, by the same clock
}

// Occurred returns when an event happened by our clock: as long before received as, by the
// client's clock, it happened before it was sent. So a clock that is a year off changes nothing,
// and an event of last year that is imported today keeps its date. Without a time of sending the
// client's clock is believed. The answer is never after received and never before 1990: a time
// that would be is taken as received. Skewed says that this was so, that a time could not be
// read, or that the client's clock is a day or more from ours.
func (t Times) Occurred(received int64) (at int64, skewed bool) {
	if t.At == 0 {
		return received, t.Sent < 0
	}
	if t.At < 0 {
		return received, true
	}
	at = t.At
	if t.Sent > 0 {
		at = received - max(0, t.Sent-t.At)
		off := t.Sent - received
		skewed = off > farOff || off < -farOff || t.At-t.Sent > farOff
	}
	if at > received {
		return received, skewed || at-received > farOff
	}
	if at < earliest {
		return received, true
	}
	return at, skewed || t.Sent < 0
}

// ParseTime reads an ISO 8601 date or time as SDKs write it: "2026-11-22T06:45:14.789Z", with any
// number of decimals or none, an offset, or, meaning UTC, no zone. It returns Unix milliseconds,
// which are positive, or -1.
func ParseTime(s []byte) int64 {
	if len(s) < len("2006-01-02") || s[4] != '-' || s[7] != '-' {
		return -1
	}
	year, month, day := two(s)*100+two(s[2:]), two(s[5:]), two(s[8:])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return -1
	}
	ms := int64(daysFromEpoch(year, month, day)) * 86_400_000
	if s = s[10:]; len(s) > 0 {
		clock, ok := parseClock(s)
		if !ok {
			return -1
		}
		ms += clock
	}
	if ms <= 0 {
		return -1
	}
	return ms
}

// parseClock reads "T06:45:14.789+01:00" as milliseconds since midnight UTC.
func parseClock(s []byte) (ms int64, ok bool) {
	if len(s) < len("T15:04") || (s[0]|0x20 != 't' && s[0] != ' ') || s[3] != ':' {
		return 0, false
	}
	hour, minute, second := two(s[1:]), two(s[4:]), 0
	s = s[6:]
	if len(s) >= 3 && s[0] == ':' {
		second, s = two(s[1:]), s[3:]
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return 0, false
	}
	ms = int64(hour*3600+minute*60+second) * 1000
	if len(s) > 1 && (s[0] == '.' || s[0] == ',') && s[1]-'0' <= 9 {
		unit := int64(100)
		for s = s[1:]; len(s) > 0 && s[0]-'0' <= 9; s = s[1:] {
			ms += int64(s[0]-'0') * unit
			unit /= 10
		}
	}
	zone, ok := parseZone(s)
	return ms - zone, ok
}

// parseZone reads "Z", "+01:00", "+0100", "+01" or nothing as milliseconds east of UTC.
func parseZone(s []byte) (ms int64, ok bool) {
	if len(s) == 0 || len(s) == 1 && s[0]|0x20 == 'z' {
		return 0, true
	}
	sign := int64(60_000)
	if s[0] == '-' {
		sign = -sign
	} else if s[0] != '+' {
		return 0, false
	}
	if len(s) == 6 && s[3] == ':' {
		s = append(append(make([]byte, 0, 5), s[:3]...), s[4:]...)
	}
	hour, minute := -1, 0
	switch len(s) {
	case 5:
		hour, minute = two(s[1:]), two(s[3:])
	case 3:
		hour = two(s[1:])
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	return sign * int64(hour*60+minute), true
}

// two reads two digits; anything else is well below zero.
func two(s []byte) int {
	if len(s) < 2 || s[0]-'0' > 9 || s[1]-'0' > 9 {
		return -1_000_000
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}

func daysIn(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month>>3)&1
}

// daysFromEpoch counts days from 1970-01-01 in the Gregorian calendar, with years that begin in
// March so that the leap day is the last.
func daysFromEpoch(year, month, day int) int {
	if month <= 2 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 719_469
}
