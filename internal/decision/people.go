package decision

import (
	"fmt"
	"slices"
	"strings"
)

// basis is condition (b).
func (c *compiler) basis(basis string) []gate {
	u := c.purpose
	if u == nil || basis == "" || !slices.Contains(u.LegalBases, basis) {
		return []gate{c.gate("basis", WholeFlow, cond{op: opNever, code: "basis.undeclared", says: "the flow doesn't say on which of its purpose's legal bases it rests"})}
	}
	g := c.gate("basis", WholeFlow, cond{op: opAll})
	g.ok = Reason{Code: "basis.declared", Says: fmt.Sprintf("the purpose %s rests on %s", u.ID, strings.ReplaceAll(basis, "_", " ")), At: at(c.p.At(u))}
	return []gate{g}
}

// pin is condition (d): for clear data it beats every mechanism.
func (c *compiler) pin() gate {
	var places []string
	for i := range c.to {
		for _, x := range c.to[i].places {
			if !slices.Contains(places, x) {
				places = append(places, x)
			}
		}
	}
	g := c.gate("pin", OneTenant, cond{op: opPin, set: places, code: "pin.outside", says: "clear data stays in the places that the customer pinned, if any; this goes to " + strings.Join(places, ", ")})
	g.clear = true
	return g
}

// people is condition (c), and the consent of (b).
func (c *compiler) people(basis string) []gate {
	f := c.f
	person := func(id string, x cond) gate {
		g := c.gate("subject/"+id, OnePerson, x)
		g.person = true
		return g
	}
	g := []gate{
		person("known", cond{op: opKnown, code: "subject.unknown", says: "the person's state was looked up"}),
		person("erased", cond{op: opState, bits: uint8(Erased), code: "subject.erased", says: "the person was not erased"}),
		person("suppressed", cond{op: opState, bits: uint8(Suppressed), code: "subject.suppressed", says: "the person is not suppressed"}),
		person("restricted", cond{op: opState, bits: uint8(Restricted), code: "subject.restricted", says: "the person's data is not restricted (GDPR art. 18)"}),
		person("objects", cond{op: opNotObjecting, key: f.Purpose, code: "subject.objects", says: "the person has not objected to " + f.Purpose + " (GDPR art. 21)"}),
	}
	if bits := optOutBits(f.OptOuts); bits != 0 {
		g = append(g, person("opted_out", cond{op: opNoOptOut, bits: bits, code: "subject.opted_out", says: "the person has not opted out of " + strings.Join(f.OptOuts, ", ")}))
	}
	if basis == "consent" {
		g = append(g, person("consent", cond{op: opConsent, key: f.Purpose, code: "consent.missing", says: "the person consents to " + f.Purpose}))
	}
	return g
}

func optOutBits(names []string) (bits uint8) {
	for i, n := range OptOutNames {
		if slices.Contains(names, n) {
			bits |= 1 << i
		}
	}
	if bits&uint8(TargetedAdvertising|SaleOrSharing) != 0 {
		bits |= uint8(GPC)
	}
	return bits
}
