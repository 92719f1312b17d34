package decision

import (
	"slices"
	"strings"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// op is what a condition asks.
type op uint8

const (
	opAll op = iota
	opAny    // of mechanisms: the first that holds carries, the next one is the fallback
	opNever
	opFact       // the register says yes to key on that day
	opTIA        // the same, by form
	opFrom       // day is reached
	opUntil      // day is not over
	opOutside    // before day or after last: a bar that isn't in force
	opForm       // the form is at most form
	opUse        // the form is at least form
	opKind       // service/kind is in set
	opCategories // all of the question's categories are in set
	opClassified // none of them is unclassified
	opAsked      // there is one at least
	opNoCategory // none of them is in set
	opAnnounced  // on the published list, and the time to object is over; where none is published, from day on
	opRecipient
	opPurpose
	opRegion
	opRunning // the flow is not paused
	opNoObjection
	opEnabled
	opPin
	opCase
	opLaws // every law that applies is in set
	opKnown
	opState
	opNotObjecting
	opNoOptOut
	opConsent
)

// cond is one node of a compiled condition.
type cond struct {
	op     op
	subs   []cond
	key    string // opFact, opTIA (clear); the one word of ops that compare
	other  string // opTIA: the key when the form isn't clear; opAnnounced: what a published list is asked
	maxAge programme.Day
	day    programme.Day
	last   programme.Day
	set    []string
	bits   uint8
	form   Form
	mech   string // of an alternative of opAny
	quiet  bool   // an alternative that nobody misses when it doesn't hold
	rule   *law.Rule
	code   string // of the reason when it fails
	says   string // what it asks
	at     string // file:line
}

// world is what conditions are judged against.
type world struct {
	q     *Question
	form  Form
	day   programme.Day
	facts *register.Facts
	laws  []string

	consents bool             // the person consents to what the flow is for
	unmet    *register.Asking // that this consent doesn't meet
}

// trace collects what was seen on the way.
type trace struct {
	reasons []Reason
	policy  string
	effect  string // of what fails
	form    string
	until   programme.Day // the last day on which everything used holds
	tls13   bool
	drop    []string
	mech    string // what carries
	mechAt  string // where it is declared
	rule    *law.Rule
	next    string // the fallback
	nextBy  *law.Rule
}

func (t *trace) fail(c *cond, code, seen string) bool {
	r := Reason{Effect: t.effect, Code: code, Says: c.says, Seen: seen, Form: t.form, Policy: t.policy, At: c.at}
	if c.rule != nil {
		r.Rule, r.RuleAt, r.Source, r.Mark = c.rule.ID, c.rule.At(), c.rule.Source, c.rule.Mark
	}
	t.reasons = append(t.reasons, r)
	return false
}

func (t *trace) lasts(day programme.Day) { t.until = min(t.until, day) }

// holds judges the condition and notes why it fails. Every branch of an opAll is judged, so that all
// reasons are there and not the first only.
func (c *cond) holds(w *world, t *trace) bool {
	switch c.op {
	case opAll:
		ok := true
		for i := range c.subs {
			ok = c.subs[i].holds(w, t) && ok
		}
		return ok
	case opAny:
		return c.any(w, t)
	case opFact, opTIA:
		return c.fact(w, t)
	case opFrom:
		if w.day >= c.day {
			return true
		}
	case opUntil:
		if w.day <= c.day {
			t.lasts(c.day)
			return true
		}
	case opOutside:
		if w.day > c.last {
			return true
		}
		if w.day < c.day {
			t.lasts(c.day - 1)
			return true
		}
	case opAnnounced:
		return c.announced(w, t)
	case opConsent:
		return c.consent(w, t)
	default:
		if c.simple(w) {
			t.lasts(c.until(w))
			return true
		}
		if c.op == opRunning {
			return t.fail(c, c.code, w.facts.Paused[c.key].Says)
		}
	}
	return t.fail(c, c.code, "")
}

// any tries the alternatives in order. The first that holds is what carries; what comes before it was
// passed over; the next that holds is the fallback, which is named before it is needed.
func (c *cond) any(w *world, t *trace) bool {
	found := false
	var branch trace
	for i := range c.subs {
		s := &c.subs[i]
		branch = trace{reasons: branch.reasons[:0], policy: t.policy, effect: PassedOver, form: t.form, until: programme.Never}
		ok := s.holds(w, &branch)
		switch {
		case !ok && !found && !s.quiet:
			t.reasons = append(t.reasons, slices.DeleteFunc(branch.reasons, func(r Reason) bool { return r.Effect == Notes })...)
		case ok && !found:
			found = true
			t.reasons = append(t.reasons, branch.reasons...)
			t.lasts(branch.until)
			t.tls13, t.drop = t.tls13 || branch.tls13, append(t.drop, branch.drop...)
			if t.mech, t.mechAt, t.rule = s.mech, s.at, s.rule; t.rule == nil { // it has several rules itself
				t.rule = branch.rule
			}
		case ok && t.next == "" && t.mech != "" && s.mech != t.mech:
			by := s.rule
			if by == nil {
				by = branch.rule
			}
			if !fallTogether(t.rule, by) {
				t.next, t.nextBy = s.mech, by
			}
		}
	}
	if !found {
		return t.fail(c, c.code, "")
	}
	return true
}

// fallTogether says whether the ruling that may take the first rule away takes the second, too.
func fallTogether(first, second *law.Rule) bool {
	if first == nil || second == nil || !first.FallbackWanted {
		return false
	}
	return first.ID == second.ID || first.ID == second.StandsOn || first.StandsOn != "" && (first.StandsOn == second.ID || first.StandsOn == second.StandsOn)
}

// until is the last day of what the register says with a last day and a simple condition asks.
func (c *cond) until(w *world) programme.Day {
	switch {
	case c.op == opCase:
		return w.facts.ByKey[register.KeyCase(w.q.Case, c.key)].Until
	case c.op == opEnabled && !w.q.anybody:
		return w.facts.Tenants[w.q.Tenant].Until[c.key]
	}
	return programme.Never
}

func (c *cond) fact(w *world, t *trace) bool {
	key := c.key
	if c.op == opTIA && w.form != Clear {
		key = c.other
	}
	f, said := w.facts.ByKey[key]
	switch {
	case !said:
		return t.fail(c, c.code+".missing", "")
	case !f.Holds:
		return t.fail(c, c.code+".negative", f.Says)
	case w.day < f.From:
		return t.fail(c, c.code+".not_yet", f.Says)
	case w.day > f.Until, c.maxAge > 0 && w.day-f.From > c.maxAge:
		return t.fail(c, c.code+".expired", f.Says)
	}
	t.lasts(f.Until)
	if c.maxAge > 0 {
		t.lasts(f.From + c.maxAge)
	}
	t.tls13 = t.tls13 || f.TLS13
	t.drop = append(t.drop, f.Drop...)
	if f.TLS13 || len(f.Drop) > 0 {
		t.demands(c, f)
	}
	return true
}

// demands notes what an assessment asks for beside the form.
func (t *trace) demands(c *cond, f register.Fact) {
	says := "the assessment lets it go"
	if len(f.Drop) > 0 {
		says += " without " + strings.Join(f.Drop, ", ")
	}
	if f.TLS13 {
		says += " over TLS 1.3 or later"
	}
	t.reasons = append(t.reasons, Reason{Effect: Notes, Code: "tia.demands", Says: says, Seen: f.Says, Form: t.form, Policy: t.policy, At: c.at})
}

// announced judges by the published list where there is one, and by what the programme declares where not.
func (c *cond) announced(w *world, t *trace) bool {
	if !w.facts.ByKey[register.KeyPublished].Holds {
		return w.day >= c.day || t.fail(c, c.code, "declared: until "+string((c.day-1).Date()))
	}
	switch f, said := w.facts.ByKey[c.key]; {
	case !said || !f.Holds:
		missing := *c
		missing.says = c.other
		return t.fail(&missing, "recipient.unpublished", f.Says)
	case w.day < f.From:
		return t.fail(c, c.code, f.Says)
	}
	return true
}

func at(p programme.Position) string { return p.String() }
