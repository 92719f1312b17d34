package wire_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/wire"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 500_000_000, time.UTC)

func TestRetryAfter(t *testing.T) {
	for v, want := range map[string]int{
		"": 0, "0": 0, "7": 7, "-1": 0, "86400": 86400, "86401": 86400, "9223372036854775808": 86400, "-9223372036854775809": 0, "1.5": 0, "soon": 0, " 7": 0,
		"Wed, 25 Nov 2026 12:00:01 GMT":      1,
		"Wed, 25 Nov 2026 12:02:00 GMT":      120, // and not 119, which would be before it
		"Wed, 25 Nov 2026 11:59:59 GMT":      0,
		"Wednesday, 25-Nov-26 12:00:10 GMT":  10,
		"Wed Nov 25 12:00:10 2026":           10,
		"Tue, 25 Nov 2036 12:00:00 GMT":      86400,
		"Wed, 25 Nov 2026 12:00:10 +0100":    0,
		"Wed, 32 Nov 2026 12:00:10 GMT":      0,
		"Sat, 01 Jan 0000 00:00:00 GMT":      0,
		"Fri, 31 Dec 9999 23:59:59 GMT":      86400,
		"Wed, 25 Nov 2026 12:00:10 GMT junk": 0,
	} {
		if got := wire.RetryAfter(v, now); got != want {
			t.Errorf("RetryAfter(%q) = %d, want %d", v, got, want)
		}
	}
}

// FuzzRetryAfter: whatever it says, nobody waits longer than a day or less than nothing.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "7", "-1", "Wed, 25 Nov 2026 12:02:00 GMT", "9999999999999999999", "Sat, 01 Jan 0000 00:00:00 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		got := wire.RetryAfter(v, now)
		if got < 0 || got > 86400 {
			t.Fatalf("RetryAfter(%q) = %d", v, got)
		}
		if n, err := strconv.Atoi(v); err == nil && n >= 0 && n <= 86400 && got != n {
			t.Fatalf("RetryAfter(%q) = %d", v, got)
		}
		if at, err := http.ParseTime(v); err == nil && got > 0 && got < 86400 && now.Add(time.Duration(got)*time.Second).Before(at) {
			t.Fatalf("RetryAfter(%q) = %d, which is before it", v, got)
		}
	})
}

// Every status that there may be is success, for another time, or a refusal, and only what is about
// the batch parks it.
func TestClassify(t *testing.T) {
	parks := map[fault.Kind]bool{fault.Invalid: true, fault.Forbidden: true}
	for status := range 1000 {
		err := wire.Classify(status, 5)
		switch {
		case status >= 200 && status <= 299:
			if err != nil {
				t.Errorf("%d: %v", status, err)
			}
			continue
		case err == nil:
			t.Errorf("%d is taken for success", status)
			continue
		}
		f, _ := fault.As(err)
		if parks[f.Kind] && (status < 400 || status > 499) {
			t.Errorf("%d parks a batch: %v", status, err)
		}
		if !parks[f.Kind] && f.Kind != fault.Unavailable && f.Kind != fault.RateLimited {
			t.Errorf("%d: a kind that no flow knows: %v", status, err)
		}
		if f.Kind == fault.RateLimited && f.RetryAfterSeconds != 5 {
			t.Errorf("%d: RetryAfterSeconds = %d", status, f.RetryAfterSeconds)
		}
		if f.Reason == "destination.redirect" != (status >= 300 && status <= 399) {
			t.Errorf("%d: %v", status, err)
		}
	}
	for _, status := range []int{401, 404, 405, 410, 421} {
		if f, _ := fault.As(wire.Classify(status, 0)); f.Kind != fault.Unavailable || f.Hint == "" || f.RetryAfterSeconds < 60 {
			t.Errorf("%d: %+v, want to be held with what to do", status, f)
		}
	}
}

func TestARefusalByRecordIsRead(t *testing.T) {
	want := flow.Refused{Records: []string{"r_1", "r_2"}, Reasons: map[string]int{"record.bad_id": 2}}
	err := error(flow.NewRefused(want, 5))
	got, ok := flow.RefusedIn(err)
	if !ok || len(got.Records) != 2 || got.Records[1] != "r_2" || got.Reasons["record.bad_id"] != 2 || fault.KindOf(err) != fault.Invalid {
		t.Errorf("RefusedIn: %+v, %v", got, ok)
	}
	for _, err := range []error{nil, errors.New("x"), wire.Classify(400, 0)} {
		if _, ok := flow.RefusedIn(err); ok {
			t.Errorf("%v is taken for a refusal by record", err)
		}
	}
}
