package form

import (
	"slices"

	"domicile.dev/internal/programme"
)

// Check returns what a valid programme's flows contradict in its table: a pseudonymised flow all of whose
// records would be empty, or with a category that no treatment names, not even to drop it.
func Check(p *programme.Programme) (faults programme.Faults) {
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
