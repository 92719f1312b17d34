package decision

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// A purpose whose consents have to be asked for again, on one day or another, to one person or another: never does
// more leave than before.
func TestAskingAgainNeverAllowsMore(t *testing.T) {
	text, less, total := base(t), 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p, reg := randomProgramme(t, text), randomRegister(t)
		before := New(p, builtin(), reg, nil)
		more := *reg
		since := programme.Date(of(t, "published", someDays))
		more.Askings.All = append(slices.Clone(reg.Askings.All), register.Asking{Purpose: of(t, "purpose", []string{"support", "analytics", "analytics", "analytics"}), N: 9, Version: "v9",
			Since: since.Time().UnixMilli(), From: programme.FirstDay(programme.Date(of(t, "effective", someDays)))})
		after := New(p, builtin(), &more, nil)
		for range 8 {
			q, at := randomQuestion(t, before), programme.Date(of(t, "day", someDays)).Time().Add(12*time.Hour)
			if rapid.Bool().Draw(t, "long ago") {
				q.Subject.Consents = []Consent{{Purpose: "analytics", At: 1}, {Purpose: "support", At: 1}}
			}
			was, is := before.Decide(&q, at), after.Decide(&q, at)
			total++
			if rank(is) < rank(was) {
				less++
			}
			if rank(is) > rank(was) {
				t.Fatalf("%+v on %s\nbefore %v %s\nafter %v %s %+v", q, at, was.Allowed, was.Form, is.Allowed, is.Form, is.Reasons)
			}
			if is.Allowed && is.Review != "" && was.Review != "" && is.Review > was.Review {
				t.Fatalf("%+v: reviewed on %s, and without the asking on %s", q, is.Review, was.Review)
			}
		}
	})
	if less == 0 {
		t.Errorf("none of %d questions was denied for it", total)
	}
}
