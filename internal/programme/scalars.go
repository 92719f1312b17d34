package programme

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Date is a calendar day, YYYY-MM-DD; "" is none.
type Date string

// Time returns the start of the day in UTC, the zero time when there is none.
func (d Date) Time() time.Time {
	t, _ := time.Parse(time.DateOnly, string(d))
	return t
}

// When is a day or a coarser time as documents give it: 2021-11-30, 2021-11, 2021-Q4, 2022-H1 or
// 2021; "" is none.
type When string

var whenForm = regexp.MustCompile(`^\d{4}(-(\d{2}(-\d{2})?|Q[1-4]|H[12]))?$`)

func validWhen(s string) bool {
	if !whenForm.MatchString(s) {
		return false
	}
	switch len(s) {
	case 10:
		_, err := time.Parse(time.DateOnly, s)
		return err == nil
	case 7:
		if s[5] == 'Q' || s[5] == 'H' {
			return true
		}
		_, err := time.Parse("2006-01", s)
		return err == nil
	}
	return true
}

// Start returns the first instant of the time in UTC, the zero time when there is none.
func (w When) Start() time.Time {
	s := string(w)
	if !validWhen(s) {
		return time.Time{}
	}
	year, _ := strconv.Atoi(s[:4])
	month, day := 1, 1
	switch {
	case len(s) == 10:
		day, _ = strconv.Atoi(s[8:])
		month, _ = strconv.Atoi(s[5:7])
	case len(s) == 7 && s[5] == 'Q':
		month = int(s[6]-'1')*3 + 1
	case len(s) == 7 && s[5] == 'H':
		month = int(s[6]-'1')*6 + 1
	case len(s) == 7:
		month, _ = strconv.Atoi(s[5:7])
	}
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}

// Unit is the unit of a Period.
type Unit string

// Units of a Period. A month of a legal clock is a calendar month; one of retention is 30 days.
const (
	Hours        Unit = "hour"
	Days         Unit = "day"
	BusinessDays Unit = "business day"
	Weeks        Unit = "week"
	Months       Unit = "month"
	Years        Unit = "year"
	Unlimited    Unit = "unlimited"
)

// Period is a duration in the law's words, such as "30 days" or "10 business days"; the zero
// value is none.
type Period struct {
	N    int
	Unit Unit
}

var periodForm = regexp.MustCompile(`^([1-9]\d{0,4}) (hour|day|business day|week|month|year)s?$`)

// ParsePeriod parses "30 days" or "unlimited".
func ParsePeriod(s string) (Period, error) {
	if s == string(Unlimited) {
		return Period{Unit: Unlimited}, nil
	}
	m := periodForm.FindStringSubmatch(s)
	if m == nil {
		return Period{}, fmt.Errorf("programme: %s is no period", quote(s))
	}
	n, _ := strconv.Atoi(m[1]) // at most five digits
	return Period{n, Unit(m[2])}, nil
}

// String returns the form that ParsePeriod reads, "" for none.
func (p Period) String() string {
	switch {
	case p.Unit == Unlimited:
		return string(Unlimited)
	case p.Unit == "":
		return ""
	case p.N == 1:
		return "1 " + string(p.Unit)
	}
	return fmt.Sprintf("%d %ss", p.N, p.Unit)
}

// RetentionDays returns the period in days, 0 for unlimited: a week is 7, a month 30, a year 365.
// ok is false for hours and business days, and past 65,535.
func (p Period) RetentionDays() (days uint16, ok bool) {
	each := map[Unit]int{Days: 1, Weeks: 7, Months: 30, Years: 365, Unlimited: 0}
	n, known := each[p.Unit]
	if n *= p.N; !known || n > 1<<16-1 {
		return 0, false
	}
	return uint16(n), true
}

// badBytes returns the line of the first byte that is no UTF-8 or a control character other than
// tab and line ends, 0 when there is none.
func badBytes(src []byte) (line int) {
	line = 1
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			return line
		case r == '\n':
			line++
		}
		i += size
	}
	return 0
}

// oneLine says whether s has no line ends or tabs.
func oneLine(s string) bool { return !strings.ContainsAny(s, "\n\r\t") }
