package decision

import "domicile.dev/internal/register"

// consent returns whether the person consents to what the flow is for, and what of that was published
// since and changes it: from that version's first day on the consent doesn't count any more.
func (pl *plan) consent(s *Subject) (given bool, unmet *register.Asking) {
	c := s.to(pl.f.Purpose)
	if c == nil || !pl.terms.Any() {
		return c != nil, nil
	}
	return true, pl.terms.Unmet(c.At, c.Text)
}

// outdated says whether the consent has stopped counting.
func (w *world) outdated() bool { return w.unmet != nil && w.unmet.From <= w.day }

// counts says whether there is a consent that counts on the day.
func (w *world) counts() bool { return w.consents && !w.outdated() }

// consent judges opConsent. One that will have to be asked for again counts, and the decision says until when.
func (c *cond) consent(w *world, t *trace) bool {
	switch {
	case w.q.anybody:
		return true
	case !w.consents:
		return t.fail(c, c.code, "")
	case w.outdated():
		return t.fail(c, "consent.outdated", w.unmet.Version+" changed what it was given for, from "+string(w.unmet.From.Date())+" on")
	case w.unmet != nil:
		t.lasts(w.unmet.From - 1)
		t.reasons = append(t.reasons, Reason{Effect: Notes, Code: "consent.ask_again", Says: w.unmet.Version + " changes what it was given for: it counts until the day before " + string(w.unmet.From.Date()),
			Form: t.form, Policy: t.policy, At: c.at})
	}
	return true
}
