package main

import (
	"fmt"
	"os"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/subprocessor"
)

// contradictions returns what in the programme's recipients can't all be true, by the customers' pins of
// the register beside it.
func contradictions(dir string, p *programme.Programme) []subprocessor.Warning {
	var pins []subprocessor.Pin
	if r, err := openRules(dir, ""); err == nil && r.reg != nil { // a faulty register is reported by itself
		for _, x := range r.reg.Pins {
			pins = append(pins, subprocessor.Pin{Tenant: x.Tenant, Places: x.Places})
		}
	}
	return subprocessor.Contradictions(p, pins)
}

// strayPolicies warns of operators' policies about what the programme doesn't declare.
func strayPolicies(dir string, p *programme.Programme) (all []subprocessor.Warning) {
	policies, err := decision.LoadPolicies(os.DirFS(dir))
	if err != nil {
		return nil // a faulty policy is reported by itself
	}
	for _, s := range policies.Strays(p) {
		w := subprocessor.Warning{File: s.File, Line: s.Line, Column: 1, Code: "policy.stray", ID: s.ID, Message: fmt.Sprintf("the programme declares no %s %s, so the policy forbids nothing", s.Type, s.ID), Hint: s.Hint}
		if s.Hint != "" {
			w.Message += "; " + s.Hint
		}
		all = append(all, w)
	}
	return all
}
