package programme

import (
	"strings"
	"time"
)

const eu = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"

// Expand returns the countries of a jurisdiction: those of the EU or the EEA, or the country alone.
// What a source's label calls a place doesn't count.
func Expand(jurisdiction string) []string {
	switch jurisdiction {
	case "EU":
		return strings.Fields(eu)
	case "EEA":
		return strings.Fields(eu + " IS LI NO")
	}
	return []string{jurisdiction}
}

// Day is a calendar day in UTC as days since 1970-01-01.
type Day int32

// Never is a day after all others.
const Never Day = 1<<31 - 1

// DayOf returns the day of an instant.
func DayOf(t time.Time) Day {
	s := t.Unix()
	return Day((s - ((s%86400)+86400)%86400) / 86400)
}

// FirstDay returns the day of d, the beginning of time when there is none.
func FirstDay(d Date) Day {
	if d == "" {
		return 0
	}
	return DayOf(d.Time())
}

// LastDay returns the day of d, Never when there is none.
func LastDay(d Date) Day {
	if d == "" {
		return Never
	}
	return DayOf(d.Time())
}

// Date returns the day as a date, "" for Never.
func (d Day) Date() Date {
	if d == Never {
		return ""
	}
	return Date(time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly))
}

// Over returns the first day after a period that begins on day from; without a period it is that day
// itself, and Never when it is unlimited. Hours are no days and count as none.
func (p Period) Over(from Day) Day {
	t := time.Unix(int64(from)*86400, 0).UTC()
	switch p.Unit {
	case Days:
		t = t.AddDate(0, 0, p.N)
	case BusinessDays: // without a calendar of holidays: weeks of five days, rounded up
		t = t.AddDate(0, 0, (p.N+4)/5*7)
	case Weeks:
		t = t.AddDate(0, 0, 7*p.N)
	case Months:
		t = t.AddDate(0, p.N, 0)
	case Years:
		t = t.AddDate(p.N, 0, 0)
	case Unlimited:
		return Never
	}
	return DayOf(t)
}
