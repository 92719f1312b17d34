// Package phrase holds the fixed words of public documents, forms and mail by language: what the software says
// itself, beside what a programme says.
//
// A phrase is asked for by its English text, which is the key of the catalogues of the other languages. A test
// reads the sources and holds that every catalogue has every phrase, and no other.
package phrase

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
)

// English is the language of the keys.
const English = "en"

//go:embed de.json fr.json
var files embed.FS

// translated are the languages that have a catalogue.
var translated = []string{"de", "fr"}

var catalogues = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, l := range translated {
		b, err := files.ReadFile(l + ".json")
		var c map[string]string
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err != nil {
			panic("phrase: " + l + ".json: " + err.Error()) // it is embedded, and a test reads it
		}
		all[l] = c
	}
	return all
})

// Languages are those that the software speaks, as BCP 47 tags.
func Languages() []string { return append([]string{English}, translated...) }

// Speaks says whether there is a catalogue for a language, or for the one that it is a variety of.
func Speaks(lang string) bool { return base(lang) == English || catalogues()[base(lang)] != nil }

// base is the language of a tag, without region and script.
func base(lang string) string {
	b, _, _ := strings.Cut(lang, "-")
	return strings.ToLower(b)
}

// Say returns a phrase in a language, with its arguments, in their order. In a language that has no catalogue it is English.
func Say(lang, english string, args ...any) string {
	text := english
	if t := catalogues()[base(lang)][english]; t != "" {
		text = t
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Join puts things one after another: "a, b".
func Join(all []string) string { return strings.Join(all, ", ") }

// And joins things in words: "a and b".
func And(lang string, all []string) string {
	return strings.Join(all, " "+Say(lang, "and")+" ")
}

// Quoted returns names in the quotation marks of the language, one after another.
func Quoted(lang string, names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = Say(lang, "%q", n)
	}
	return Join(out)
}

// Own is the name of a language in itself.
func Own(lang string) string {
	if name := map[string]string{"en": "English", "de": "Deutsch", "fr": "Français"}[lang]; name != "" {
		return name
	}
	return lang
}

// Date writes a date or a period of the calendar as programmes have it: 2026-04-09, 2026-04, 2021-Q4, 2022-H1 or 2021.
// In English, and where it is none of these, it stays as it is.
func Date(lang, date string) string {
	if base(lang) == English || !Speaks(lang) {
		return date
	}
	if t, err := time.Parse(time.DateOnly, date); err == nil {
		day := strconv.Itoa(t.Day())
		if base(lang) == "fr" && day == "1" {
			day = "1er"
		}
		return Say(lang, "%s %s %d", day, month(lang, t.Month()), t.Year())
	}
	if t, err := time.Parse("2006-01", date); err == nil {
		return month(lang, t.Month()) + " " + strconv.Itoa(t.Year())
	}
	year, part, _ := strings.Cut(date, "-")
	if len(part) == 2 && (part[0] == 'Q' || part[0] == 'H') {
		return Say(lang, map[byte]string{'Q': "quarter %s of %s", 'H': "half %s of %s"}[part[0]], part[1:], year)
	}
	return date
}

func month(lang string, m time.Month) string { return Say(lang, m.String()) }

// Instant writes a moment to the second, in UTC; "" for none.
func Instant(lang string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	if base(lang) == English || !Speaks(lang) {
		return t.Format("2006-01-02 15:04:05 UTC")
	}
	return Date(lang, t.Format(time.DateOnly)) + ", " + t.Format("15:04:05 UTC")
}

// units of a period as programmes write it, one and many.
var units = []string{"%d day", "%d days", "%d business day", "%d business days", "%d week", "%d weeks", "%d month", "%d months", "%d year", "%d years",
	"%d hour", "%d hours"}

// Period writes a number of days, weeks, months or years: "30 days", "unlimited".
func Period(lang, period string) string {
	number, unit, _ := strings.Cut(period, " ")
	n, err := strconv.Atoi(number)
	if err != nil || !slices.Contains(units, "%d "+unit) {
		if period == "unlimited" {
			return Say(lang, "unlimited")
		}
		return period
	}
	return Say(lang, "%d "+unit, n)
}

// Match returns which of the languages a reader gets that have sent an Accept-Language header, the first one where
// nothing fits. have is not empty.
func Match(accept, have []string) string {
	var tags []language.Tag
	for _, h := range have {
		tags = append(tags, language.Make(h))
	}
	wanted, _, err := language.ParseAcceptLanguage(strings.Join(accept, ","))
	if err != nil || len(wanted) == 0 {
		return have[0]
	}
	_, i, sure := language.NewMatcher(tags).Match(wanted...)
	if sure < language.High { // somebody who reads Danish is not given Norwegian unasked
		return have[0]
	}
	return have[i]
}
