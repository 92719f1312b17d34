package programme

import (
	"fmt"
	"slices"
	"strings"
)

// checkAssurance reports what controls, requirements, economies and documents say against each other.
func (d *decoder) checkAssurance(p *Programme) {
	d.checkCertifications(p)
	d.checkEconomies(p)
	d.checkControls(p)
	d.checkRequirements(p)
	d.checkDocuments(p)
}

func (d *decoder) checkCertifications(p *Programme) {
	for i := range p.Certifications {
		c := &p.Certifications[i]
		n := d.at[c]
		if c.Covers == "all_entities" {
			for _, e := range p.Entities {
				if e.ID != "" && !slices.Contains(c.Holders, e.ID) {
					d.contradicts(n, "holders", fmt.Sprintf("%s covers every entity, and %s is none of its holders", c.ID, e.ID), "review its scope: add it to holders, or leave covers out")
				}
			}
		}
		if c.Agent == "" && c.AgentEconomy != "" {
			d.contradicts(n, "agent_economy", c.ID+" has the economy of an agent and no agent", "")
		}
		lead := p.Entity(p.Organisation.LeadEntity)
		if c.AgentEconomy != "" && lead != nil && d.sound(lead) && c.AgentEconomy != lead.Country {
			d.contradicts(n, "agent_economy", fmt.Sprintf("the agent is of %s, and the seat of the organisation in %s", c.AgentEconomy, lead.Country), "apply to an agent of the economy where the seat is")
		}
		if e := p.Economy(c.AgentEconomy); len(p.Economies) > 0 && c.AgentEconomy != "" {
			status := ""
			if e != nil {
				status = map[string]string{"controller": e.CBPR, "processor": e.PRP}[c.Role]
			}
			if status != AgentOperational {
				d.contradicts(n, "agent_economy", fmt.Sprintf("no agent is at work in %s for that role, by economies", c.AgentEconomy), "")
			}
		}
		if c.PeriodFrom != "" && c.PeriodUntil != "" && c.PeriodUntil < c.PeriodFrom {
			d.contradicts(n, "period_until", "the period ends before it begins", "")
		}
	}
}

func (d *decoder) checkEconomies(p *Programme) {
	seen := map[string]*node{}
	for i := range p.Economies {
		e := &p.Economies[i]
		n := d.at[e]
		if n == nil {
			continue
		}
		if first := seen[e.Country]; first != nil && e.Country != "" {
			d.fault(n.or("country"), CodeDuplicate, fmt.Sprintf("the economy of %s is there twice, first at %s:%d", e.Country, first.file, first.line), "remove one of them")
		}
		seen[e.Country] = n
		if e.Since != "" && !TakesPart(e.CBPR) && !TakesPart(e.PRP) {
			d.contradicts(n, "since", e.ID+" takes part in nothing, and has a day since when", "")
		}
	}
	if len(p.Economies) == 0 {
		return
	}
	for i := range p.Mechanisms {
		m := &p.Mechanisms[i]
		if m.Kind != "cbpr_prp" {
			continue
		}
		for _, o := range m.Origins {
			if e := p.Economy(o); IsCountry(o) && (e == nil || !TakesPart(e.CBPR)) {
				d.contradicts(d.at[m], "origins", fmt.Sprintf("%s doesn't take part in the system, by economies", o), "remove it, or say there since when it does")
			}
		}
	}
}

func (d *decoder) checkControls(p *Programme) {
	for i := range p.Controls {
		c := &p.Controls[i]
		if c.Reviewed != "" && c.Review.Unit == "" {
			d.contradicts(d.at[c], "reviewed", c.ID+" was reviewed, and nothing says how often it has to be", "add review")
		}
		d.checkEvery(c, "review", c.Review)
	}
	if len(p.Controls) == 0 {
		return
	}
	for i := range p.Categories {
		c := &p.Categories[i]
		if c.Sensitivity == "high" || c.Sensitivity == "special" {
			own := slices.ContainsFunc(p.Controls, func(x Control) bool { return x.From != "" && x.From != "normal" && rank(x.From) <= rank(c.Sensitivity) })
			if !own {
				d.contradicts(d.at[c], "sensitivity", fmt.Sprintf("%s is more sensitive than others, and no control is for that", c.ID), "add a control with from: "+c.Sensitivity)
			}
		}
	}
	order := []string{"aggregated", "pseudonymised", "clear"}
	for i := range p.Flows {
		f := &p.Flows[i]
		for j := range p.Controls {
			c := &p.Controls[j]
			if c.FlowForm == "" || slices.Index(order, f.Form) <= slices.Index(order, c.FlowForm) {
				continue
			}
			for _, id := range f.Categories {
				for _, leaf := range p.Leaves(id) {
					if x := p.Category(leaf); x != nil && rank(x.Sensitivity) >= rank(c.From) {
						d.contradicts(d.at[f], "form", fmt.Sprintf("the control %s lets %s leave %s at most", c.ID, leaf, c.FlowForm), "ask for less, or leave the category out")
					}
				}
			}
		}
	}
}

// checkEvery reports a period that no calendar can count.
func (d *decoder) checkEvery(of any, key string, p Period) {
	switch p.Unit {
	case "", Days, Weeks, Months, Years:
		return
	}
	d.contradicts(d.at[of], key, "what comes again comes after days, weeks, months or years", "")
}

func (d *decoder) checkRequirements(p *Programme) {
	of := map[string]*node{}
	for i := range p.RequirementSets {
		s := &p.RequirementSets[i]
		n := d.at[s]
		if n == nil {
			continue
		}
		if first := of[s.Certification]; first != nil && s.Certification != "" {
			d.fault(n.or("certification"), CodeDuplicate, fmt.Sprintf("%s has its requirements at %s:%d", s.Certification, first.file, first.line), "join the two")
		}
		of[s.Certification] = n
		for j := range s.Items {
			r := &s.Items[j]
			for k := 1; k < len(r.Reviews); k++ {
				if r.Reviews[k].On.Start().After(r.Reviews[k-1].On.Start()) {
					d.contradicts(d.at[r], "reviews", "the reviews aren't in order, the newest first", "")
					break
				}
			}
		}
	}
}

func (d *decoder) checkDocuments(p *Programme) {
	paths := map[string]*node{}
	for i := range p.Documents {
		x := &p.Documents[i]
		n := d.at[x]
		if n == nil {
			continue
		}
		switch {
		case x.Successor == x.ID && x.ID != "":
			d.contradicts(n, "successor", x.ID+" is its own successor", "")
		case x.Supersedes == x.ID && x.ID != "":
			d.contradicts(n, "supersedes", x.ID+" supersedes itself", "")
		case x.PartOf == x.ID && x.ID != "":
			d.contradicts(n, "part_of", x.ID+" is part of itself", "")
		case x.Path != "" && !documentPath(x.Path):
			d.contradicts(n, "path", quote(x.Path)+" is no path of the privacy centre", "write /privacy/ and lower-case letters, digits, dots, dashes and slashes")
		case x.Retired != "" && x.Path != "" && x.Successor == "":
			d.contradicts(n, "retired", x.ID+" is retired, and nothing stands in its place", "name its successor, so that its address leads there")
		case x.Retired == "" && x.Successor != "":
			d.contradicts(n, "successor", x.ID+" has a successor, and isn't retired", "say when it was")
		}
		if to := p.Document(x.Successor); to != nil && to.URL == "" && to.Path == "" {
			d.contradicts(n, "successor", to.ID+" has no address", "give it a url or a path")
		}
		if x.Path != "" {
			if first := paths[x.Path]; first != nil {
				d.fault(n.or("path"), CodeDuplicate, fmt.Sprintf("the path is that of another document, at %s:%d", first.file, first.line), "an address is one document's for good")
			}
			paths[x.Path] = n
		}
		d.checkEvery(x, "check", x.Check)
		if x.succeedsItself(p) {
			d.contradicts(n, "successor", x.ID+" comes after itself", "the last of a row of successors has none")
		}
	}
}

// succeedsItself says whether the row of successors leads back.
func (x *LegalDocument) succeedsItself(p *Programme) bool {
	at := p.Document(x.Successor)
	for range p.Documents {
		if at == nil {
			return false
		}
		if at.ID == x.ID {
			return x.Successor != x.ID
		}
		at = p.Document(at.Successor)
	}
	return true
}

var documentPathForm = matches(`^/privacy/[a-z0-9][a-z0-9./-]{0,127}$`)

func documentPath(s string) bool {
	return documentPathForm(s) && !strings.Contains(s, "..") && !strings.Contains(s, "//")
}
