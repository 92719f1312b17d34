package decision

import (
	"slices"

	"domicile.dev/internal/register"
	"domicile.dev/internal/term"
)

// simple judges the conditions that have one answer and no day.
func (c *cond) simple(w *world) bool {
	q := w.q
	if q.anybody && c.op >= opKnown || q.anybody && (c.op == opNoObjection || c.op == opEnabled || c.op == opPin) {
		return true
	}
	switch c.op {
	case opForm:
		return w.form >= c.form
	case opUse:
		return w.form <= c.form
	case opKind:
		return slices.Contains(c.set, q.Service+"/"+q.Kind)
	case opCategories:
		return q.Categories.within(c.set)
	case opClassified:
		return !q.Categories.has(term.Unclassified)
	case opAsked:
		return q.Categories != ""
	case opNoCategory:
		return q.Categories.each(func(x string) bool { return !slices.Contains(c.set, x) })
	case opRecipient:
		return q.Recipient == c.key
	case opPurpose:
		return q.Purpose == c.key
	case opRegion:
		return q.Region == c.key
	case opRunning:
		return !w.facts.Paused[c.key].Holds
	case opNoObjection:
		return !slices.Contains(w.facts.Tenants[q.Tenant].Objects, c.key)
	case opEnabled:
		return slices.Contains(w.facts.Tenants[q.Tenant].Enabled, c.key)
	case opPin:
		t := w.facts.Tenants[q.Tenant]
		return !t.Pinned || !slices.ContainsFunc(c.set, func(x string) bool { return !slices.Contains(t.Pin, x) })
	case opCase:
		if q.Case == "" {
			return false
		}
		f, said := w.facts.ByKey[register.KeyCase(q.Case, c.key)]
		return said && w.day <= f.Until
	case opLaws:
		return !slices.ContainsFunc(w.laws, func(x string) bool { return !slices.Contains(c.set, x) })
	case opKnown:
		return q.Subject.Known
	case opState:
		return uint8(q.Subject.States)&c.bits == 0
	case opNotObjecting:
		return !slices.Contains(q.Subject.Objects, c.key)
	case opNoOptOut:
		return uint8(q.Subject.OptOuts)&c.bits == 0
	case opConsent:
		return w.counts()
	}
	return false // opNever
}
