package app

import (
	"domicile.dev/internal/consent"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/tenant"
)

// choices returns what the categories of a source's consent objects stand for, by the programme.
func (r *rules) choices(src *tenant.Source) (out []consent.Choice) {
	for i := range r.p.Consents {
		c := &r.p.Consents[i]
		if c.Adapter == src.Adapter && (c.Source == "" || c.Source == src.ID || c.Source == src.Name) {
			out = append(out, choiceOf(c))
		}
	}
	return out
}

func choiceOf(c *programme.Consent) consent.Choice {
	out := consent.Choice{Category: c.Category}
	for _, p := range c.Purposes {
		out.About = append(out.About, consent.Consent(p))
	}
	for _, o := range c.OptOuts {
		out.About = append(out.About, consent.OptOut(o))
	}
	return out
}

// purpose says whether the programme declares it.
func (r *rules) purpose(id string) bool { return r.p.Purpose(id) != nil }

// recipient says whether the programme declares it.
func (r *rules) recipient(id string) bool { return r.p.Recipient(id) != nil }
