package twilio

import (
	"strconv"
	"time"

	"domicile.dev/internal/ingest"
)

// times reads when a webhook's event happened. A carrier's time has no zone and is taken as UTC.
func (w *webhook) times() ingest.Times {
	if v := w.p.text("Timestamp", "DateUpdated", "DateRemoved", "DateCreated", "CreatedAt"); v != nil {
		return ingest.Times{At: parseTime(v)}
	}
	if v := w.p.text("RawDlrDoneDate"); v != nil {
		return ingest.Times{At: parseLayout("0601021504", v)}
	}
	return ingest.Times{}
}

// parseTime reads ISO 8601, RFC 2822, or seconds or milliseconds since 1970, as Unix milliseconds;
// -1 is none of them.
func parseTime(v []byte) int64 {
	switch {
	case allDigits(v) && len(v) >= 9 && len(v) <= 13:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil || n <= 0 {
			return -1
		}
		if len(v) <= 11 {
			n *= 1000
		}
		return n
	case len(v) > 0 && v[0]-'0' <= 9:
		if at := ingest.ParseTime(v); at > 0 {
			return at
		}
	}
	return parseLayout("Mon, 2 Jan 2006 15:04:05 -0700", v)
}

func parseLayout(layout string, v []byte) int64 {
	at, err := time.Parse(layout, string(v))
	if err != nil || at.UnixMilli() <= 0 {
		return -1
	}
	return at.UnixMilli()
}
