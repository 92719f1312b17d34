package wire

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"domicile.dev/internal/fault"
)

// mostRetryAfter is as long as anybody means it, in seconds.
const mostRetryAfter = 24 * 60 * 60

// The pauses, in seconds, after answers that only a person can mend: the recipient has moved, or the
// credential is wrong. The batch isn't at fault, so it waits, and everything behind it.
const (
	mendPause = 60
	gonePause = 60 * 60
)

// RetryAfter reads a header of that name, seconds or a date (RFC 9110, section 10.2.3), as seconds
// from now, at most a day: 0 when it says neither, or that the time is over.
func RetryAfter(v string, now time.Time) int {
	seconds, err := strconv.ParseInt(v, 10, 64) // what overflows is the largest number of all
	if errors.Is(err, strconv.ErrSyntax) {
		at, err := http.ParseTime(v)
		if err != nil {
			return 0
		}
		wait := min(at.Sub(now), mostRetryAfter*time.Second)    // Sub ends at the longest duration there is
		seconds = int64((wait + time.Second - 1) / time.Second) // not before the date
	}
	return int(min(max(seconds, 0), mostRetryAfter))
}

// Classify returns what a recipient's status means for a batch, nil for 2xx. asked is what RetryAfter
// read of the answer.
//
//   - It may pass: 408, 409 (the same delivery is being taken already), 423, 424, 425, 429 and 5xx.
//     Unavailable, 429 RateLimited.
//   - The address or the credential is wrong: 3xx, 401, 402, 404, 405, 407, 410, 421, 426. Unavailable
//     with a pause that gives time to mend it, since every batch would be answered so, and parking them
//     one after the other would empty the flow into the parked ones.
//   - It is about this batch: 403 Forbidden, every other 4xx Invalid.
func Classify(status, asked int) error {
	code := strconv.Itoa(status)
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status >= 300 && status <= 399:
		return held("destination.redirect", "the recipient sends on to another address, where nothing is ever sent",
			"give the address at which the recipient takes data in the configuration", max(mendPause, asked))
	case status == http.StatusTooManyRequests:
		f := fault.New(fault.RateLimited, "destination.busy", "the recipient asks for a pause")
		f.RetryAfterSeconds = asked
		return f
	case status == http.StatusUnauthorized, status == http.StatusPaymentRequired, status == http.StatusProxyAuthRequired:
		return held("destination.credential", "the recipient answers "+code+": it doesn't know us",
			"check the destination's secret and headers in the configuration", max(mendPause, asked))
	case status == http.StatusGone:
		return held("destination.gone", "the recipient answers 410: it takes no more",
			"give another address, or pause the flow", max(gonePause, asked))
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusMisdirectedRequest, status == http.StatusUpgradeRequired:
		return held("destination.address", "the recipient answers "+code+": nobody takes data at this address",
			"check the destination's url in the configuration", max(mendPause, asked))
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusLocked, status == http.StatusFailedDependency,
		status == http.StatusTooEarly, status >= 500 && status <= 599:
		f := fault.New(fault.Unavailable, "destination.trouble", "the recipient answers "+code)
		f.RetryAfterSeconds = asked
		return f
	case status == http.StatusForbidden:
		return fault.New(fault.Forbidden, "destination.refused", "the recipient answers 403: it doesn't take this batch")
	case status >= 400 && status <= 499:
		return fault.New(fault.Invalid, "destination.refused", "the recipient answers "+code+": it doesn't take this batch")
	}
	return fault.New(fault.Unavailable, "destination.bad_answer", "the recipient's answer is no HTTP")
}

// held is a fault that a person must mend before any batch gets through.
func held(reason, public, hint string, pause int) error {
	f := fault.New(fault.Unavailable, reason, public).WithHint(hint)
	f.RetryAfterSeconds = pause
	return f
}
