package programme

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/term"
)

// check reports declarations that contradict each other. It runs on values that may have faults
// of their own, so it looks up nothing that may be missing.
func (d *decoder) check(p *Programme) {
	p.buildIndex()
	d.checkRegions(p)
	d.checkServices(p)
	d.checkCategories(p)
	d.checkPlaces(p)
	d.checkKinds(p)
	d.checkPlans(p)
	d.checkPurposes(p)
	d.checkConsents(p)
	d.checkRecipients(p)
	d.checkFlows(p)
	d.checkTreatments(p)
	d.checkOrigins(p)
	d.checkRetention(p)
	d.checkDates(p)
	d.checkAssurance(p)
	d.checkTranslations(p)
	if n := d.at[&p.Notice]; n != nil && p.Notice.Supersedes != "" && p.Notice.Supersedes == p.Notice.ID {
		d.contradicts(n, "supersedes", "the notice supersedes itself", "name the version before it")
	}
}

// contradicts reports at the value of key in n.
func (d *decoder) contradicts(n *node, key, message, hint string) {
	if n == nil {
		return
	}
	d.fault(n.or(key), CodeInconsistent, message, hint)
}

func (d *decoder) checkRegions(p *Programme) {
	running := false
	for i := range p.Regions {
		running = running || p.Regions[i].Running || !d.sound(&p.Regions[i])
	}
	if n := d.at[p]; n != nil && len(p.Regions) > 0 && !running {
		d.contradicts(n, "regions", "no region is running", "set running: true on at least one")
	}
}

func (d *decoder) checkServices(p *Programme) {
	for i := range p.Services {
		s := &p.Services[i]
		n := d.at[s]
		if s.PartOf != "" && s.PartOf == s.ID {
			d.contradicts(n, "part_of", s.ID+" is part of itself", "")
		}
		for _, k := range s.Kinds {
			if p.Kind(s.ID, k) == nil {
				d.contradicts(n, "kinds", fmt.Sprintf("the kind %s has no mapping", quote(k)), fmt.Sprintf("add {service: %s, kind: %s, fields: […]} to kinds", s.ID, k))
			}
		}
	}
}

func (d *decoder) checkCategories(p *Programme) {
	for i := range p.Categories {
		c := &p.Categories[i]
		n := d.at[c]
		switch {
		case c.GroupHeading && len(c.Children) == 0:
			d.contradicts(n, "group_heading", c.ID+" is a group heading without children", "list its children")
		case c.GroupHeading && len(c.Elements) > 0:
			d.contradicts(n, "elements", c.ID+" is a group heading and has elements of its own", "move them to one of its children")
		case c.GroupHeading && c.Parent != "":
			d.contradicts(n, "parent", c.ID+" is a group heading under a group heading", "there are two levels")
		case !c.GroupHeading && len(c.Children) > 0:
			d.contradicts(n, "children", c.ID+" has children and is no group heading", "set group_heading: true")
		case !c.GroupHeading && len(c.Elements) == 0:
			d.contradicts(n, "elements", c.ID+" has no elements", "say what is in it")
		}
		if c.ID == term.Unclassified {
			d.contradicts(n, "id", "unclassified is what no category names", "choose another id")
		}
		if parent := p.Category(c.Parent); parent != nil && !slices.Contains(parent.Children, c.ID) {
			d.contradicts(n, "parent", fmt.Sprintf("%s names %s as its parent, which doesn't list it", c.ID, parent.ID), "add it to the children of "+parent.ID)
		}
		for _, id := range c.Children {
			if child := p.Category(id); child != nil && child.Parent != c.ID {
				d.contradicts(n, "children", fmt.Sprintf("%s lists %s, which doesn't name it as its parent", c.ID, id), "write parent: "+c.ID+" there")
			}
		}
	}
}

func (d *decoder) checkKinds(p *Programme) {
	seen := map[[2]string]*node{}
	for i := range p.Kinds {
		k := &p.Kinds[i]
		n := d.at[k]
		if n == nil {
			continue
		}
		key := [2]string{k.Service, k.Kind}
		if first := seen[key]; first != nil {
			d.fault(n, CodeDuplicate, fmt.Sprintf("the kind %s of %s is mapped twice, first at %s:%d", k.Kind, k.Service, first.file, first.line), "join the two")
		}
		seen[key] = n
		if s := p.Service(k.Service); s != nil && k.Kind != "" && !slices.Contains(s.Kinds, k.Kind) {
			d.contradicts(n, "kind", fmt.Sprintf("the service %s has no kind %s", s.ID, quote(k.Kind)), suggestKind(k.Kind, s))
		}
		if len(k.Fields) == 0 && len(k.FieldSets) == 0 {
			d.contradicts(n, "kind", k.Kind+" maps nothing, so all of it would be unclassified", "give it fields or field_sets")
		}
		d.checkFields(p, k.Fields)
	}
	for i := range p.FieldSets {
		d.checkFields(p, p.FieldSets[i].Fields)
	}
}

func suggestKind(kind string, s *Service) string {
	if hint := didYouMean(kind, s.Kinds); hint != "" {
		return hint
	}
	return "add it to the kinds of that service"
}

func (d *decoder) checkFields(p *Programme, fields []Field) {
	seen := map[string]*node{}
	for i := range fields {
		f := &fields[i]
		n := d.at[f]
		if n == nil {
			continue
		}
		if first := seen[f.Path]; first != nil && f.Path != "" {
			d.fault(n.or("path"), CodeDuplicate, fmt.Sprintf("the path %s is mapped twice, first on line %d", quote(f.Path), first.line), "remove one of them")
		}
		seen[f.Path] = n
		if c := p.Category(f.Category); c != nil && slices.Contains(c.ExcludedKeys, f.Path[strings.LastIndexByte(f.Path, '.')+1:]) {
			d.contradicts(n, "category", fmt.Sprintf("%s is expressly not in %s", quote(f.Path), c.ID), "map it to the category that has it")
		}
		if c := p.Category(f.Category); c != nil && c.GroupHeading {
			d.contradicts(n, "category", c.ID+" is a group heading, which no data has itself", "one of: "+strings.Join(c.Children, ", "))
		}
	}
}

func (d *decoder) checkPurposes(p *Programme) {
	for i := range p.Purposes {
		seen := map[string]bool{}
		for j := range p.Purposes[i].Categories {
			u := &p.Purposes[i].Categories[j]
			n := d.at[u]
			if n == nil {
				continue
			}
			if seen[u.ID] {
				d.fault(n.or("id"), CodeDuplicate, fmt.Sprintf("%s is used twice", quote(u.ID)), "remove one of them")
			}
			seen[u.ID] = true
			c := p.Category(u.ID)
			for _, only := range u.Only {
				if c != nil && p.Category(only) != nil && !slices.Contains(c.Children, only) {
					d.contradicts(n, "only", fmt.Sprintf("%s is not a child of %s", only, u.ID), suggest(only, c.Children))
				}
			}
		}
	}
}

func (d *decoder) checkRecipients(p *Programme) {
	for i := range p.Recipients {
		r := &p.Recipients[i]
		n := d.at[r]
		if class := p.Recipient(r.Class); class != nil && class.Class != "" {
			d.contradicts(n, "class", r.Class+" is not a class of the notice, it belongs to "+class.Class, "write class: "+class.Class)
		}
		if r.SubProcessor != nil && len(r.Locations) == 0 {
			d.contradicts(n, "sub_processor", r.ID+" is a sub-processor without a location", "list where it processes")
		}
		if r.SubProcessor != nil && r.Class == "" {
			d.contradicts(n, "sub_processor", r.ID+" is a sub-processor without a class", "name the class of recipients that it belongs to")
		}
		for _, o := range r.Onward {
			switch onward := p.Recipient(o); {
			case o == r.ID:
				d.contradicts(n, "onward", r.ID+" is its own sub-processor", "")
			case onward != nil && onward.Class == "":
				d.contradicts(n, "onward", o+" is a class of recipients, not a recipient", "name one member of it")
			}
		}
		for j := range r.Locations {
			l := &r.Locations[j]
			switch at := d.at[l]; {
			case l.Country != "" && l.Area != "":
				d.contradicts(at, "area", "a location is a country or an area, not both", "use label for what the source prints")
			case l.Country == "" && l.Area == "":
				d.contradicts(at, "country", "a location names a country or an area", "")
			case isCountry(l.Area) || confused[strings.ToLower(l.Area)] != "":
				d.contradicts(at, "area", quote(l.Area)+" is a country, not an area", countryHint(l.Area))
			}
		}
	}
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func (d *decoder) checkRetention(p *Programme) {
	seen := map[[3]string]*node{}
	for i := range p.Retention.Classes {
		c := &p.Retention.Classes[i]
		n := d.at[c]
		if n == nil {
			continue
		}
		key := [3]string{c.Service, c.Kind, c.Category}
		if first := seen[key]; first != nil {
			d.fault(n, CodeDuplicate, fmt.Sprintf("the same selectors are on line %d of %s", first.line, first.file), "remove one of the two")
		}
		seen[key] = n
		if c.Kind != "" && c.Service == "" {
			d.contradicts(n, "kind", "a kind needs its service", "add service")
		}
		if s := p.Service(c.Service); s != nil && c.Kind != "" && !slices.Contains(s.Kinds, c.Kind) {
			d.contradicts(n, "kind", fmt.Sprintf("the service %s has no kind %s", s.ID, quote(c.Kind)), suggest(c.Kind, s.Kinds))
		}
		if _, ok := c.Keep.RetentionDays(); !ok && c.Keep.Unit != "" {
			d.contradicts(n, "keep", "records are kept for days, weeks, months or years, at most 65535 days", "or unlimited")
		}
	}
}

func (d *decoder) checkDates(p *Programme) {
	for i := range p.Mechanisms {
		m := &p.Mechanisms[i]
		switch {
		case m.Kind == "bcr" && m.Scheme == "":
			d.contradicts(d.at[m], "kind", m.ID+" doesn't say which rules it is", "scheme: bcr-c for the group's own data, bcr-p for what it was entrusted with")
		case m.Kind != "bcr" && m.Scheme != "":
			d.contradicts(d.at[m], "scheme", "only binding corporate rules have a scheme", "")
		}
		if m.ValidFrom != "" && m.ValidUntil != "" && m.ValidUntil < m.ValidFrom {
			d.contradicts(d.at[m], "valid_until", "it ends before it begins", "")
		}
	}
	for i := range p.Recipients {
		t := &p.Recipients[i].TIA
		if t.Assessed != "" && t.Due != "" && t.Due < t.Assessed {
			d.contradicts(d.at[t], "due", "it is due again before it was done", "")
		}
	}
}
