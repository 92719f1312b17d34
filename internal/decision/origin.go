package decision

import (
	"strings"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/residency"
)

// Brought returns the countries whose law a person brings, with what tells each, as Subject.Origins has
// them: words such as IE=residence and US=phone_country.
func Brought(all []residency.Origin) Set {
	if len(all) == 0 {
		return ""
	}
	words := make([]string, len(all))
	for i, o := range all {
		words[i] = o.Country + "=" + o.By
	}
	return NewSet(words...)
}

// broughtAny says whether the person brings a law, as far as the question goes.
func (q *Question) broughtAny() bool { return q.Origins != "" || q.Subject.Origins != "" }

// eachBrought calls f for the countries whose law the person brings, with what tells them: "" for those that
// whoever asks has named, which always count, and for the rest one of the signals that p counts.
func (q *Question) eachBrought(p *programme.Programme, f func(country, by string)) {
	q.Origins.each(func(c string) bool { f(c, ""); return true })
	q.Subject.Origins.each(func(w string) bool {
		if country, by, _ := strings.Cut(w, "="); p.CountsOrigin(by) {
			f(country, by)
		}
		return true
	})
}

// told are the signals in words.
var told = map[string]string{"": "as the question says", residency.ByResidence: "which they declared as their residence",
	residency.ByPhoneCountry: "which their phone number belongs to"}

// origins notes which laws are asked because of the person, and why.
func (j *judgement) origins(t *trace) {
	if !j.w.q.broughtAny() {
		return
	}
	j.w.q.eachBrought(j.e.p, func(country, by string) {
		says := "the person brings the law of " + country + ", " + told[by]
		if l := j.e.book.Of(country); l != nil {
			says += ": " + l.ID
		}
		t.reasons = append(t.reasons, Reason{Effect: Notes, Code: "law.person", Policy: j.pl.f.ID + "/laws", At: j.pl.at, Says: says})
	})
}

// why says what makes a law without a profile count, where it is the person: " and what tells it".
func (j *judgement) why(law string) (out string) {
	j.w.q.eachBrought(j.e.p, func(country, by string) {
		if "?"+country == law && out == "" {
			out = ", the person's country, " + told[by]
		}
	})
	return out
}
