package decision

import (
	"cmp"
	"slices"
	"strings"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/term"
)

// judgement is one question on its way to an answer.
type judgement struct {
	e  *Engine
	pl *plan
	w  *world
	d  *Decision

	seen *seen
}

// run judges what holds in every form, then climbs down the ladder.
func (j *judgement) run() {
	t := &trace{effect: Denies, until: programme.Never, reasons: make([]Reason, 0, 8)}
	j.origins(t)
	first := j.w.q.Most
	j.w.form = first
	base := j.all(t, j.pl.base, nil)
	base = j.all(t, j.pl.people, nil) && base
	base = j.unknownLaws(t) && base
	if !base {
		j.deny(t)
		return
	}
	var denied []Reason
	for f := first; f <= j.pl.least; f++ {
		rung := *t
		rung.reasons, rung.form = make([]Reason, 0, 4), f.String()
		rung.drop = slices.Clone(t.drop)
		j.w.form = f
		var legs []Leg
		ok := f != Clear || j.one(&rung, &j.pl.pin, nil)
		for _, l := range j.w.laws {
			ok = j.all(&rung, j.pl.laws[l], &legs) && ok
			rung.lasts(j.pl.review[l])
		}
		ok = j.forbidden(&rung) && ok
		if ok {
			t.reasons = append(append(t.reasons, denied...), rung.reasons...)
			j.allow(t, &rung, f, legs)
			return
		}
		denied = append(denied, rung.reasons...)
	}
	t.reasons = append(t.reasons, denied...)
	j.deny(t)
}

func (j *judgement) all(t *trace, gates []gate, legs *[]Leg) bool {
	ok := true
	for i := range gates {
		ok = j.one(t, &gates[i], legs) && ok
	}
	return ok
}

func (j *judgement) one(t *trace, g *gate, legs *[]Leg) bool {
	t.policy, t.mech, t.mechAt, t.rule, t.next, t.nextBy = g.id, "", "", nil, "", nil
	if !g.cond.holds(j.w, t) {
		return false
	}
	if g.ok.Code != "" {
		r := g.ok
		r.Effect, r.Policy = Permits, g.id
		t.reasons = append(t.reasons, r)
	}
	if g.isLeg && legs != nil {
		j.leg(t, g, legs)
	}
	return true
}

// leg notes what carries data to one destination, and what would if that fell.
func (j *judgement) leg(t *trace, g *gate, legs *[]Leg) {
	l := g.leg
	if t.rule == nil {
		t.rule = g.home
	}
	if l.Mechanism, l.Fallback = t.mech, t.next; t.nextBy != nil {
		l.FallbackRule, l.FallbackMark = t.nextBy.ID, t.nextBy.Mark
	}
	r := Reason{Effect: Permits, Code: "mechanism.holds", Form: t.form, Policy: g.id, At: cmp.Or(t.mechAt, g.cond.at)}
	switch {
	case t.mech == "" && t.rule != nil:
		r.Code, r.Says = "mechanism.not_needed", "to "+l.Importer+" in "+l.Country+" under "+l.Law+": "+t.rule.Says
	default:
		r.Says = t.mech + " carries it to " + l.Importer + " in " + l.Country + " under " + l.Law
	}
	if t.rule != nil {
		l.Rule, l.Mark = t.rule.ID, t.rule.Mark
		r.Rule, r.RuleAt, r.Source, r.Mark = t.rule.ID, t.rule.At(), t.rule.Source, t.rule.Mark
		if t.rule.Review != "" {
			t.lasts(programme.LastDay(t.rule.Review))
		}
	}
	t.reasons = append(t.reasons, r)
	if t.rule != nil && t.rule.FallbackWanted && l.Fallback == "" {
		t.reasons = append(t.reasons, Reason{Effect: Notes, Code: "fallback.none", Form: t.form, Policy: g.id, Rule: t.rule.ID, RuleAt: t.rule.At(), At: t.mechAt,
			Says: "nothing else carries it to " + l.Importer + " in " + l.Country + " in this form: it rests on " + t.rule.ID + " alone"})
	}
	*legs = append(*legs, l)
}

// unknownLaws denies what falls under a law that nobody wrote down: a person has to look.
func (j *judgement) unknownLaws(t *trace) bool {
	ok := true
	for _, l := range j.w.laws {
		if strings.HasPrefix(l, "?") {
			ok, j.d.Manual = false, true
			t.reasons = append(t.reasons, Reason{Effect: Denies, Code: "law.manual_review", Says: "there is no profile for the law of " + l[1:] + j.why(l), Policy: j.pl.f.ID + "/laws", At: j.pl.at})
		}
	}
	return ok
}

// forbidden asks the operator's own policies.
func (j *judgement) forbidden(t *trace) bool {
	if j.e.policies == nil {
		return true
	}
	found := j.e.policies.forbids(j.e.p, j.pl, j.w, j.seen)
	for _, r := range found {
		r.Form = t.form
		t.reasons = append(t.reasons, r)
	}
	return len(found) == 0
}

func (j *judgement) deny(t *trace) {
	j.d.Reasons = t.reasons
	scopes := []string{OnePerson, OneRecord, OneTenant, WholeFlow}
	worst := -1
	for _, r := range t.reasons {
		if r.Effect == Denies {
			worst = max(worst, slices.Index(scopes, j.scopeOf(r)))
		}
	}
	if worst >= 0 {
		j.d.Scope = scopes[worst]
	}
	j.d.Review = reviewed(t.until)
}

// scopeOf says how far a denial reaches. One under a law that only the person brings, or by a policy
// of the operator's, is of this record.
func (j *judgement) scopeOf(r Reason) string {
	switch {
	case r.Policy == j.pl.pin.id:
		return OneTenant
	case strings.HasPrefix(r.Policy, ownPrefix):
		return OneRecord
	case r.Code == "law.manual_review":
		if slices.ContainsFunc(j.pl.exporters, func(l string) bool { return l[0] == '?' }) {
			return WholeFlow
		}
		return OneRecord
	}
	for _, gates := range [][]gate{j.pl.base, j.pl.people} {
		for i := range gates {
			if gates[i].id == r.Policy {
				return gates[i].scope
			}
		}
	}
	exporters := j.pl.exporters
	for l, gates := range j.pl.laws {
		for i := range gates {
			if gates[i].id == r.Policy && !slices.Contains(exporters, l) {
				return OneRecord
			}
		}
	}
	return WholeFlow
}

func (j *judgement) allow(t, rung *trace, f Form, legs []Leg) {
	d := j.d
	d.Allowed, d.Form, d.Scope, d.Reasons = true, f, "", t.reasons
	if legs != nil {
		d.Legs = legs
	}
	for _, l := range legs {
		if l.Mechanism != "" {
			d.Mechanism, d.Fallback = l.Mechanism, l.Fallback
			break
		}
	}
	d.Review = reviewed(min(t.until, rung.until))
	d.Obligations = j.obligations(rung, f)
}

// reviewed is the day after the last one on which everything holds.
func reviewed(until programme.Day) programme.Date {
	if until == programme.Never {
		return ""
	}
	return (until + 1).Date()
}

func (j *judgement) obligations(t *trace, f Form) []Obligation {
	out := make([]Obligation, 0, 3)
	switch f {
	case Pseudonymised:
		out = append(out, Obligation{Do: "pseudonymise"})
	case Aggregated:
		least := j.pl.f.MinGroup
		if least == 0 {
			least = 20
		}
		out = append(out, Obligation{Do: "aggregate", Least: least})
	}
	if drop := j.drops(t); len(drop) > 0 {
		out = append(out, Obligation{Do: "drop", What: drop})
	}
	tls := j.pl.f.MinimumTLS
	if tls == "" {
		tls = "1.2"
	}
	if t.tls13 {
		tls = "1.3"
	}
	return append(out, Obligation{Do: "minimum_tls", What: []string{tls}})
}

// drops are the categories of the kind that were not asked for, what no category names, and what an
// assessment demands.
func (j *judgement) drops(t *trace) []string {
	q := j.w.q
	drop := append(append(make([]string, 0, 8), term.Unclassified), t.drop...)
	for _, c := range j.e.categoriesOf(q.Service, q.Kind) {
		if !q.Categories.has(c) {
			drop = append(drop, c)
		}
	}
	slices.Sort(drop)
	return slices.Compact(drop)
}

// categoriesOf returns the categories that the programme maps a kind to, in order.
func (e *Engine) categoriesOf(service, kind string) []string {
	return e.mapped[[2]string{service, kind}]
}

// CategoriesFor returns those categories of a kind that a flow declares: what a question about it asks
// for when nobody says otherwise.
func (e *Engine) CategoriesFor(flow, service, kind string) Set {
	pl := e.plans[flow]
	if pl == nil {
		return ""
	}
	var out []string
	for _, c := range e.categoriesOf(service, kind) {
		if slices.Contains(pl.leaves, c) {
			out = append(out, c)
		}
	}
	return NewSet(out...)
}
