package programme

import (
	"fmt"
	"slices"
	"strings"
)

func (d *decoder) checkFlows(p *Programme) {
	for i := range p.Flows {
		f := &p.Flows[i]
		d.checkFlowPlaces(p, f)
		d.checkFlowData(p, f)
		d.checkFlowBasis(p, f)
	}
}

func (d *decoder) checkFlowPlaces(p *Programme, f *Flow) {
	n := d.at[f]
	if r := p.Region(f.From); r != nil && !r.Running && d.sound(r) {
		d.contradicts(n, "from", "the region "+f.From+" is not running", "")
	}
	r := p.Recipient(f.To)
	switch {
	case r == nil:
		return
	case r.Class == "":
		d.contradicts(n, "to", f.To+" is a class of recipients, not a recipient", "name one member of it")
		return
	}
	if r.SubProcessor != nil {
		for _, s := range f.Services {
			if !p.engagedFor(r.SubProcessor.Services, s) {
				d.contradicts(n, "services", fmt.Sprintf("%s is not engaged for %s", r.ID, s), "it is for: "+strings.Join(r.SubProcessor.Services, ", "))
			}
		}
	}
	roles := p.RolesOf(r)
	has := slices.ContainsFunc(roles, func(x RecipientRole) bool { return x.Role == f.Role })
	switch {
	case f.Role != "" && !has:
		d.contradicts(n, "recipient_role", fmt.Sprintf("%s is no role of %s", f.Role, r.ID), "")
	case f.Role == "" && len(roles) > 1:
		d.contradicts(n, "to", r.ID+" has several roles", "say in recipient_role in which of them it gets the data")
	}
}

// engagedFor says whether services name s, what s is part of, or all.
func (p *Programme) engagedFor(services []string, s string) bool {
	if slices.Contains(services, s) || slices.Contains(services, "all") {
		return true
	}
	x := p.Service(s)
	return x == nil || x.PartOf != "" && slices.Contains(services, x.PartOf)
}

func (d *decoder) checkFlowData(p *Programme, f *Flow) {
	n := d.at[f]
	allowed := p.CategoriesOf(f.Purpose)
	for _, c := range f.Categories {
		if leaves := p.Leaves(c); leaves != nil && allowed != nil && !containsAll(allowed, leaves) {
			d.contradicts(n, "categories", fmt.Sprintf("the purpose %s does not use %s", f.Purpose, c), "one of: "+strings.Join(allowed, ", "))
		}
	}
	order := []string{"aggregated", "pseudonymised", "clear"}
	if most, least := slices.Index(order, f.Form), slices.Index(order, f.AtLeast); most >= 0 && least > most {
		d.contradicts(n, "at_least", fmt.Sprintf("the flow asks for %s at most, and %s is more", f.Form, f.AtLeast), "")
	}
	for _, k := range f.Kinds {
		if !slices.ContainsFunc(f.Services, func(s string) bool { return p.Kind(s, k) != nil }) {
			d.contradicts(n, "kinds", fmt.Sprintf("none of the flow's services has the kind %s", quote(k)), "")
		}
	}
}

func (d *decoder) checkFlowBasis(p *Programme, f *Flow) {
	u := p.Purpose(f.Purpose)
	if u == nil {
		return
	}
	switch {
	case f.LegalBasis == "" && len(u.LegalBases) > 1:
		d.contradicts(d.at[f], "purpose", fmt.Sprintf("the purpose %s has several legal bases", u.ID), "say in legal_basis which of them: "+strings.Join(u.LegalBases, ", "))
	case f.LegalBasis != "" && !slices.Contains(u.LegalBases, f.LegalBasis):
		d.contradicts(d.at[f], "legal_basis", fmt.Sprintf("the purpose %s does not rest on %s", u.ID, f.LegalBasis), "one of: "+strings.Join(u.LegalBases, ", "))
	}
}
