package decision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// Compile prints the programme's flows as Cedar policies: one permit a flow, and one forbid for each
// thing that must hold. flows narrows it to some; none means all.
//
// A request's context is what Request builds. Facts are the register's, by key, with their first and
// last day, as days since 1970-01-01.
func Compile(p *programme.Programme, book *law.Book, flows ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "// Compiled from the programme %s\n// and the laws %s.\n// Whatever no policy permits is denied; one forbid is enough to deny.\n", p.Hash, book.Version)
	known := make([]string, 0, 16)
	for _, l := range book.Profiles() {
		known = append(known, l.ID)
	}
	for i := range p.Flows {
		f := &p.Flows[i]
		if len(flows) > 0 && !slices.Contains(flows, f.ID) {
			continue
		}
		printPlan(&b, compile(p, book, f), at(p.At(f)), known)
	}
	return b.String()
}

func printPlan(b *strings.Builder, pl *plan, place string, known []string) {
	f := pl.f
	fmt.Fprintf(b, "\n@id(%s)\n@at(%s)\npermit (principal == Recipient::%s, action == Action::\"transfer\", resource in Flow::%s);\n",
		text(f.ID+"/permit"), text(place), text(f.To), text(f.ID))
	for _, gates := range [][]gate{pl.base, pl.people, {pl.pin}} {
		for i := range gates {
			printGate(b, f.ID, &gates[i])
		}
	}
	unknown := gate{id: f.ID + "/laws", cond: cond{op: opLaws, set: known, code: "law.manual_review", at: place}}
	printGate(b, f.ID, &unknown)
	for _, l := range known {
		for i := range pl.laws[l] {
			printGate(b, f.ID, &pl.laws[l][i])
		}
	}
}

func printGate(b *strings.Builder, flow string, g *gate) {
	if g.cond.op == opAll && len(g.cond.subs) == 0 {
		return // it asks for nothing: it only tells
	}
	fmt.Fprintf(b, "\n@id(%s)\n@code(%s)\n@at(%s)\n", text(g.id), text(g.cond.code), text(g.cond.at))
	if g.cond.says != "" {
		fmt.Fprintf(b, "@says(%s)\n", text(g.cond.says))
	}
	fmt.Fprintf(b, "forbid (principal, action == Action::\"transfer\", resource in Flow::%s)\n", text(flow))
	if g.clear {
		b.WriteString("when { context.form == \"clear\" }\n")
	}
	if g.law != "" {
		fmt.Fprintf(b, "when { context.laws.contains(%s) }\n", text(g.law))
	}
	b.WriteString("unless {\n")
	printCond(b, &g.cond, 1)
	b.WriteString("\n};\n")
}

// printCond prints one condition without a line end.
func printCond(b *strings.Builder, c *cond, depth int) {
	in := strings.Repeat("  ", depth)
	if c.op != opAll && c.op != opAny {
		b.WriteString(in + expression(c))
		return
	}
	word := map[op]string{opAll: " &&\n", opAny: " ||\n"}[c.op]
	fmt.Fprintf(b, "%s(%s\n", in, label(c))
	for i := range c.subs {
		if i > 0 {
			b.WriteString(word)
		}
		printCond(b, &c.subs[i], depth+1)
	}
	if len(c.subs) == 0 {
		fmt.Fprintf(b, "%s  %t", in, c.op == opAll)
	}
	fmt.Fprintf(b, "\n%s)", in)
}

// label names the mechanism and the rule that a branch is about, as a comment.
func label(c *cond) string {
	s := c.mech
	if c.rule != nil {
		if s != "" {
			s += ": "
		}
		s += c.rule.ID + ", mark " + c.rule.Mark
	}
	if s == "" {
		return ""
	}
	return " // " + s
}

// expression is a condition that has none below it, in Cedar.
func expression(c *cond) string {
	switch c.op {
	case opFact:
		return fact(c.key, c.maxAge)
	case opTIA:
		return fmt.Sprintf("(if context.form == \"clear\" then %s else %s)", fact(c.key, c.maxAge), fact(c.other, c.maxAge))
	case opFrom:
		return fmt.Sprintf("context.day >= %d", c.day)
	case opUntil:
		return fmt.Sprintf("context.day <= %d", c.day)
	case opOutside:
		return fmt.Sprintf("(context.day < %d || context.day > %d)", c.day, c.last)
	case opForm:
		return texts(formNames[c.form:forms]) + ".contains(context.form)"
	case opUse:
		return texts(formNames[:c.form+1]) + ".contains(context.form)"
	case opKind:
		return texts(c.set) + ".contains(context.kind)"
	case opCategories:
		return texts(c.set) + ".containsAll(context.categories)"
	case opClassified:
		return `!context.categories.contains("unclassified")`
	case opAsked:
		return "!context.categories.isEmpty()"
	case opNoCategory:
		return "!" + texts(c.set) + ".containsAny(context.categories)"
	case opRecipient:
		return "principal == Recipient::" + text(c.key)
	case opPurpose:
		return "resource.purpose == " + text(c.key)
	case opRegion:
		return "resource.region == " + text(c.key)
	case opRunning:
		return "!resource.paused"
	case opNoObjection:
		return "!context.tenant.objects.contains(" + text(c.key) + ")"
	case opEnabled:
		return "context.tenant.enabled.contains(" + text(c.key) + ")"
	case opPin:
		return "(!context.tenant.pinned || context.tenant.pin.containsAll(" + texts(c.set) + "))"
	case opCase:
		return "resource.case_open"
	case opLaws:
		return texts(c.set) + ".containsAll(context.laws)"
	case opKnown:
		return "context.subject.known"
	case opState:
		return none("context.subject.states", StateNames, c.bits)
	case opNoOptOut:
		return none("context.subject.opt_outs", OptOutNames, c.bits)
	case opNotObjecting:
		return "!context.subject.objects"
	case opAnnounced:
		return fmt.Sprintf("(if context.facts has %s then %s else context.day >= %d)", text(register.KeyPublished), fact(c.key, 0), c.day)
	case opConsent:
		return "context.subject.consents"
	}
	return "false"
}

func fact(key string, maxAge programme.Day) string {
	k := text(key)
	s := fmt.Sprintf("(context.facts has %[1]s && context.facts[%[1]s].from <= context.day && context.day <= context.facts[%[1]s].until", k)
	if maxAge > 0 {
		s += fmt.Sprintf(" && context.day - context.facts[%s].from <= %d", k, maxAge)
	}
	return s + ")"
}

func none(set string, names []string, bits uint8) string {
	var words []string
	for i, n := range names {
		if bits&(1<<i) != 0 {
			words = append(words, n)
		}
	}
	return "!" + set + ".containsAny(" + texts(words) + ")"
}

func text(s string) string { return string(types.String(s).MarshalCedar()) }

func texts(all []string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = text(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}
