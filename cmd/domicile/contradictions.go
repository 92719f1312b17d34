package main

import (
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
