package drift

import (
	"fmt"
	"slices"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/term"
)

// paper is what was published, beside what runs.
type paper struct{ published, running *programme.Programme }

// kind finds categories that a kind collects and the notice doesn't list.
func (p *paper) kind(k *programme.Kind) (all []Finding) {
	var told []string
	for _, f := range p.running.Rules(k.Service, k.Kind) {
		if p.lists(f.Category) || slices.Contains(told, f.Category) {
			continue
		}
		told = append(told, f.Category)
		all = append(all, Finding{Code: Category, Service: k.Service, Kind: k.Kind, Path: f.Path, Category: f.Category, At: p.running.At(k).String(),
			Says: fmt.Sprintf("records %s of %s are to have the category %s, which the published notice doesn't list", k.Kind, k.Service, f.Category),
			Hint: "publish a notice that lists the category, or map the data to one that it lists"})
	}
	return all
}

func (p *paper) lists(category string) bool {
	return category == term.Unclassified || p.published.Category(category) != nil
}

// flow finds what a flow would disclose, to whom, where and why, that isn't published.
func (p *paper) flow(f *programme.Flow) (all []Finding) {
	add := func(code, hint, says string, args ...any) *Finding {
		all = append(all, Finding{Code: code, Flow: f.ID, Purpose: f.Purpose, Recipient: f.To, At: p.running.At(f).String(),
			Says: "the flow " + f.ID + " " + fmt.Sprintf(says, args...), Hint: hint})
		return &all[len(all)-1]
	}
	for _, c := range f.Categories {
		if !p.lists(c) {
			add(Category, "publish a notice that lists the category", "takes the category %s, which the published notice doesn't list", c).Category = c
		}
	}
	p.why(f, add)
	for _, r := range reached(p.running, f.To) {
		p.who(r, add)
	}
	return all
}

// why judges the flow's purpose, its legal basis and what it takes for it.
func (p *paper) why(f *programme.Flow, add func(code, hint, says string, args ...any) *Finding) {
	u := p.published.Purpose(f.Purpose)
	if u == nil {
		add(Purpose, "publish a notice that names the purpose", "is for %s, which the published notice doesn't name", f.Purpose)
		return
	}
	switch {
	case f.LegalBasis != "" && !slices.Contains(u.LegalBases, f.LegalBasis):
		add(Basis, "publish the basis, or rest the flow on one that is", "rests on %s, which the published notice doesn't name for %s", f.LegalBasis, f.Purpose)
	case f.LegalBasis == "" && len(u.LegalBases) != 1:
		add(Basis, "say on which basis the flow rests: legal_basis", "doesn't say on which of %d published legal bases of %s it rests", len(u.LegalBases), f.Purpose)
	}
	for _, c := range f.Categories {
		if p.lists(c) && !uses(p.published, u, c) {
			add(Use, "publish that the purpose uses the category, or leave it out of the flow", "takes %s for %s, for which the published notice doesn't list it", c, f.Purpose).Category = c
		}
	}
}

// uses says whether the purpose lists the category, or the group heading above it.
func uses(p *programme.Programme, u *programme.Purpose, category string) bool {
	for _, use := range u.Categories {
		leaves := use.Only
		if len(leaves) == 0 {
			leaves = p.Leaves(use.ID)
		}
		if use.ID == category || slices.Contains(leaves, category) {
			return true
		}
	}
	return false
}

// who judges one who gets the data, and where.
func (p *paper) who(r *programme.Recipient, add func(code, hint, says string, args ...any) *Finding) {
	known := p.published.Recipient(r.ID)
	if known == nil || p.published.EntityName(known) != p.running.EntityName(r) {
		add(Recipient, "publish the list with the recipient on it, and wait out its notice period", "reaches %s, whom the published list doesn't name", r.ID).Recipient = r.ID
		return
	}
	published, _ := places(p.published, known)
	now, area := places(p.running, r)
	for _, c := range now {
		if !slices.Contains(published, c) {
			f := add(Place, "publish the list with the place on it", "reaches %s in %s, which the published list doesn't say", r.ID, c)
			f.Recipient, f.Country = r.ID, c
		}
	}
	if area {
		add(Unknowable, "declare the countries", "reaches %s in a place that is no country", r.ID).Recipient = r.ID
	}
}

// reached are a recipient and all that it passes data on to, each once.
func reached(p *programme.Programme, id string) (all []*programme.Recipient) {
	queue, seen := []string{id}, map[string]bool{}
	for len(queue) > 0 {
		r := p.Recipient(queue[0])
		if queue = queue[1:]; r == nil || seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		all, queue = append(all, r), append(queue, r.Onward...)
	}
	return all
}

// places are the countries in which a recipient has data, and whether one of its places is none.
func places(p *programme.Programme, r *programme.Recipient) (countries []string, area bool) {
	add := func(c string) {
		if c != "" && !slices.Contains(countries, c) {
			countries = append(countries, c)
		}
	}
	for _, l := range r.Locations {
		add(l.Country)
		area = area || l.Country == ""
	}
	for _, c := range r.RemoteAccess {
		add(c)
	}
	add(r.Country)
	if e := p.Entity(r.Entity); e != nil {
		add(e.Country)
	}
	return countries, area
}
