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
