package form

import (
	"slices"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/programme"
)

// Check returns what a valid programme's flows contradict in its table: a pseudonymised flow all of whose
// records would be empty, or with a category that no treatment names, not even to drop it; and two flows that
// count the same kind for the same recipient, whose numbers can be taken from each other.
func Check(p *programme.Programme) (faults programme.Faults) {
	faults = checkCounts(p)
	for i := range p.Flows {
		f := &p.Flows[i]
		if f.Form != programme.FormPseudonymised {
			continue
		}
		at := p.At(f)
		report := func(message, hint string) {
			faults = append(faults, programme.Fault{File: at.File, Line: at.Line, Column: at.Column, Path: "flows[" + f.ID + "]",
				Code: programme.CodeInconsistent, Message: message, Suggestion: hint})
		}
		left := false
		for _, k := range p.KindsOf(f) {
			for _, t := range p.Treatments(k.Service, k.Kind) {
				left = left || slices.Contains(p.LeavesOf(f), t.Category)
			}
		}
		for _, c := range p.LeavesOf(f) {
			if !slices.ContainsFunc(p.PseudonymisedAs, func(t programme.Treatment) bool { return t.Category == c }) {
				report("the flow is pseudonymised, and nothing says what happens to "+c, "name its elements in pseudonymised_as, also those that are dropped")
			}
		}
		if !left {
			report("the flow is pseudonymised, and nothing would be left of its records", "name what is kept in pseudonymised_as")
		}
	}
	return faults
}

// checkCounts: each flow's numbers are about enough people, and so are the differences of one flow's numbers. Of two
// flows with other categories, dimensions, windows or minimums they needn't be.
func checkCounts(p *programme.Programme) (faults programme.Faults) {
	type counted struct{ from, to, service, kind string }
	first := map[counted]string{}
	for i := range p.Flows {
		f := &p.Flows[i]
		if f.Form != decision.Aggregated.String() {
			continue
		}
		at := p.At(f)
		reported := map[string]bool{}
		for _, k := range p.KindsOf(f) {
			x := counted{f.From, f.To, k.Service, k.Kind}
			other, known := first[x]
			if !known {
				first[x] = f.ID
			} else if !reported[other] {
				reported[other] = true
				faults = append(faults, programme.Fault{File: at.File, Line: at.Line, Column: at.Column, Path: "flows[" + f.ID + "]", Code: programme.CodeInconsistent,
					Message:    "the flow counts " + k.Service + "/" + k.Kind + " for " + f.To + ", and so does " + other + ": a difference of their numbers can be about few people",
					Suggestion: "let one flow count it, with the dimensions of both"})
			}
		}
	}
	return faults
}
