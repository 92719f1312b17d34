package notice

import (
	"slices"
	"strings"

	"domicile.dev/internal/programme"
)

func categoriesOf(p *programme.Programme) (out []thing) {
	for _, x := range p.Categories {
		out = append(out, thing{x.ID, x.Name, tx(p, x.Name)})
	}
	return out
}

// categories compares categories, their places, elements and suppliers.
func (c *comparison) categories() {
	old, new := categoriesOf(c.old), categoriesOf(c.new)
	l := relate(old, new, c.prior.CategoryMap)
	c.tell("category", old, new, l, func(id string) bool { return !c.new.Category(id).GroupHeading }, never)
	before, after := elements(c.old), elements(c.new)
	var moved []string
	for i := range c.new.Categories {
		n := &c.new.Categories[i]
		from := l.from[n.ID]
		if len(from) == 1 {
			if o := c.old.Category(from[0]); o.Source != n.Source || o.Parent != n.Parent {
				c.add(false, "category", Moved, n.ID, []string{o.Source + "/" + o.Parent}, []string{n.Source + "/" + n.Parent},
					"category %q moved within the tables", tx(c.new, n.Name))
			}
		}
		if n.Parent != "" {
			from = append(slices.Clone(from), l.from[n.Parent]...)
		}
		var had []string
		for _, id := range from {
			had = append(had, c.old.Category(id).Elements...)
		}
		for _, e := range without(n.Elements, had) {
			if slices.Contains(before, e) {
				moved = append(moved, e)
				c.add(false, "element", Moved, n.ID+"."+e, nil, []string{e}, "%q lists %s, which stood elsewhere", tx(c.new, n.Name), c.element(c.new, e))
				continue
			}
			c.add(true, "element", Added, n.ID+"."+e, nil, []string{e}, "%q newly lists %s", tx(c.new, n.Name), c.element(c.new, e))
		}
	}
	for i := range c.old.Categories {
		o := &c.old.Categories[i]
		var has []string
		for _, id := range l.to[o.ID] {
			n := c.new.Category(id)
			has = append(has, n.Elements...)
			for _, child := range n.Children {
				has = append(has, c.new.Category(child).Elements...)
			}
		}
		for _, e := range without(o.Elements, append(has, moved...)) {
			if len(l.to[o.ID]) == 0 && slices.Contains(after, e) {
				continue // the category is gone, and another one lists it as before
			}
			c.add(false, "element", Removed, o.ID+"."+e, []string{e}, nil, "%q no longer lists %s", tx(c.old, o.Name), c.element(c.old, e))
		}
	}
	before, after = suppliers(c.old), suppliers(c.new)
	for _, s := range without(after, before) {
		c.add(true, "supplier", Added, s, nil, []string{s}, "%s newly supply data", word(c.new, s))
	}
	for _, s := range without(before, after) {
		c.add(false, "supplier", Removed, s, []string{s}, nil, "%s no longer supply data", word(c.old, s))
	}
}

func elements(p *programme.Programme) (out []string) {
	for _, x := range p.Categories {
		out = append(out, x.Elements...)
	}
	return out
}

func suppliers(p *programme.Programme) (out []string) {
	for _, x := range p.Categories {
		out = append(out, x.Suppliers...)
	}
	return out
}

func purposesOf(p *programme.Programme) (out []thing) {
	for _, x := range p.Purposes {
		out = append(out, thing{x.ID, x.Name, tx(p, x.Name)})
	}
	return out
}

// purposes compares purposes, bases, uses, activities and the training of models.
func (c *comparison) purposes() {
	old, new := purposesOf(c.old), purposesOf(c.new)
	l := relate(old, new, c.prior.PurposeMap)
	c.tell("purpose", old, new, l, always, never)
	kin := relate(categoriesOf(c.old), categoriesOf(c.new), c.prior.CategoryMap)
	said := c.said()
	for i := range c.new.Purposes {
		n := &c.new.Purposes[i]
		if len(l.from[n.ID]) == 0 {
			continue // new as a whole
		}
		c.bases(n, l.from[n.ID])
		c.uses(n, l.from[n.ID], kin)
		trained, did := false, []string{}
		for _, id := range l.from[n.ID] {
			o := c.old.Purpose(id)
			trained, did = trained || o.ModelTraining, append(did, o.Examples...)
		}
		if n.ModelTraining && !trained {
			c.add(true, "training", Added, n.ID, nil, []string{n.ID}, "that models are trained for %q is said for the first time", tx(c.new, n.Name))
		}
		if trained && !n.ModelTraining {
			c.add(false, "training", Removed, n.ID, []string{n.ID}, nil, "that models are trained for %q is no longer said", tx(c.new, n.Name))
		}
		for _, e := range without(did, n.Examples) {
			c.add(false, "activity", Removed, n.ID+"."+e, []string{e}, nil, "%q no longer names %s", tx(c.new, n.Name), word(c.old, e))
		}
		for _, e := range without(n.Examples, did) {
			c.add(!within(e, said), "activity", Added, n.ID+"."+e, nil, []string{e}, "%q newly names %s", tx(c.new, n.Name), word(c.new, e))
		}
	}
}

// bases enters each basis that one of the purposes that n was did not list: what was done for that
// purpose may now rest on it.
func (c *comparison) bases(n *programme.Purpose, from []string) {
	for _, b := range n.LegalBases {
		var lacked []string
		for _, id := range from {
			if !slices.Contains(c.old.Purpose(id).LegalBases, b) {
				lacked = append(lacked, id)
			}
		}
		if len(lacked) > 0 {
			c.add(true, "basis", Added, n.ID+"."+b, lacked, []string{n.ID}, "%q newly rests on %s", tx(c.new, n.Name), term(c.new, b))
		}
	}
	for _, id := range from {
		for _, b := range without(c.old.Purpose(id).LegalBases, n.LegalBases) {
			c.add(true, "basis", Removed, n.ID+"."+b, []string{id}, []string{n.ID}, "what was %q no longer rests on %s", tx(c.old, c.old.Purpose(id).Name), term(c.new, b))
		}
	}
}

// uses enters each category that n uses and that no purpose which n was used under any name.
func (c *comparison) uses(n *programme.Purpose, from []string, kin line) {
	var used []string
	for _, id := range from {
		used = append(used, c.old.CategoriesOf(id)...)
	}
	now := c.new.CategoriesOf(n.ID)
	for _, id := range now {
		before := kin.from[id]
		if parent := c.new.Category(id).Parent; len(before) == 0 && parent != "" {
			before = kin.from[parent]
		}
		if !slices.ContainsFunc(before, func(o string) bool { return slices.Contains(used, o) }) {
			c.add(true, "use", Added, n.ID+"."+id, nil, []string{id}, "%q newly uses %s", tx(c.new, n.Name), tx(c.new, c.new.Category(id).Name))
		}
	}
	for _, o := range without(used, nil) {
		if !slices.ContainsFunc(kin.to[o], func(t string) bool {
			return slices.ContainsFunc(c.new.Leaves(t), func(leaf string) bool { return slices.Contains(now, leaf) })
		}) {
			c.add(false, "use", Removed, n.ID+"."+o, []string{o}, nil, "%q no longer uses %s", tx(c.new, n.Name), tx(c.old, c.old.Category(o).Name))
		}
	}
}

// said is every word of the older version's purposes.
func (c *comparison) said() map[string]bool {
	words := map[string]bool{}
	for _, u := range c.old.Purposes {
		for _, w := range strings.FieldsFunc(strings.ToLower(u.Name+" "+u.Statement+" "+Words(strings.Join(u.Examples, "_"))), func(r rune) bool { return r < 'a' || r > 'z' }) {
			words[w] = true
		}
	}
	return words
}

// within says whether all words of an activity were said.
func within(activity string, said map[string]bool) bool {
	for _, w := range strings.FieldsFunc(strings.ToLower(activity), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if !said[w] {
			return false
		}
	}
	return true
}

func (c *comparison) sale() {
	o, n := c.old.Notice.SaleOfData, c.new.Notice.SaleOfData
	switch {
	case o == nil && n != nil:
		c.add(true, "sale", Added, "sale_of_data", nil, []string{plainYesNo(n.Sold)}, "whether data is sold is said for the first time: %s", yesNo(c.new, n.Sold))
	case o != nil && n == nil:
		c.add(true, "sale", Removed, "sale_of_data", []string{plainYesNo(o.Sold)}, nil, "whether data is sold is no longer said")
	case o != nil && o.Sold != n.Sold:
		c.add(true, "sale", Changed, "sale_of_data", []string{plainYesNo(o.Sold)}, []string{plainYesNo(n.Sold)}, "whether data is sold changed to %s", yesNo(c.new, n.Sold))
	}
}

func classes(p *programme.Programme) (out []thing) {
	for _, r := range p.Recipients {
		if r.Class == "" {
			out = append(out, thing{r.ID, r.Name, recipientName(p, &r)})
		}
	}
	return out
}

func (c *comparison) recipients() {
	old, new := classes(c.old), classes(c.new)
	l := relate(old, new, c.prior.RecipientMap)
	c.tell("recipient", old, new, l, always, never)
	for _, n := range new {
		if from := l.from[n.id]; len(from) == 1 {
			old, new := source(c.old), source(c.new)
			a, b := roles(old, old.Recipient(from[0])), roles(new, new.Recipient(n.id))
			if !slices.Equal(a, b) {
				c.add(true, "role", Changed, n.id, a, b, "the role of %q changed or is said otherwise", n.shown)
			}
		}
	}
}

func allRights(p *programme.Programme) (out []thing) {
	for _, g := range p.Rights.Groups {
		for _, r := range g.Items {
			out = append(out, thing{r.ID, r.ID, capital(wordIn(p, "rights", r.ID))})
		}
	}
	return out
}

// rights compares rights and the groups that they stand in. A right that goes is material, one that
// comes is not.
func (c *comparison) rights() {
	old, new := allRights(c.old), allRights(c.new)
	l := relate(old, new, c.prior.RightMap)
	c.tell("right", old, new, l, never, always)
	group := func(p *programme.Programme, id string) string {
		for _, g := range p.Rights.Groups {
			if slices.ContainsFunc(g.Items, func(r programme.Right) bool { return r.ID == id }) {
				return g.Group
			}
		}
		return ""
	}
	for _, n := range new {
		if from := l.from[n.id]; len(from) == 1 && from[0] == n.id {
			if a, b := group(c.old, n.id), group(c.new, n.id); a != b {
				c.add(false, "right", Moved, n.id, []string{a}, []string{b}, "right %q moved to the group %q", n.shown, wordIn(c.new, "rights", b))
			}
		}
	}
}

// retention compares the section's lines: any change to how long is material.
func (c *comparison) retention() {
	said, says := flatten(nil, c.kept(source(c.old), c.called())), flatten(nil, retention(source(c.new)))
	before, after := flatten(nil, c.kept(c.old, func(s string) string { return s })), flatten(nil, retention(c.new))
	for _, k := range after.keys {
		switch was, ok := before.text[k]; {
		case !ok:
			c.add(true, "retention", Added, k, nil, []string{after.text[k]}, "on retention, %q is new: %s", after.label[k], after.text[k])
		case said.text[k] != says.text[k]:
			c.add(true, "retention", Changed, k, []string{was}, []string{after.text[k]}, "on retention, %q was %q and is %q", after.label[k], was, after.text[k])
		}
	}
	for _, k := range before.keys {
		if _, ok := after.text[k]; !ok {
			c.add(true, "retention", Removed, k, []string{before.text[k]}, nil, "on retention, %q is no longer said", before.label[k])
		}
	}
}

// kept is the older version's section, with categories that were renamed under what they are called now.
func (c *comparison) kept(old *programme.Programme, called func(string) string) Section {
	out, l := retention(old), relate(categoriesOf(c.old), categoriesOf(c.new), c.prior.CategoryMap)
	for i := range out.Facts {
		f := &out.Facts[i]
		if to := l.to[f.key]; len(to) == 1 && len(l.from[to[0]]) == 1 {
			f.key = to[0]
		}
		f.Label = called(f.Label)
	}
	for i := range out.Entries {
		out.Entries[i].Name = strings.Join(each(strings.Split(out.Entries[i].Name, ", "), called), ", ")
	}
	return out
}

func (c *comparison) contacts() {
	a, b := c.old.Organisation.Contacts, c.new.Organisation.Contacts
	for _, x := range []struct{ id, from, to string }{{"dpo_email", a.DPOEmail, b.DPOEmail}, {"privacy_email", a.PrivacyEmail, b.PrivacyEmail},
		{"support_url", a.SupportURL, b.SupportURL}} {
		if x.from != x.to {
			c.add(false, "contact", Changed, x.id, []string{x.from}, []string{x.to}, "contact %s was %q and is %q", term(c.new, x.id), x.from, x.to)
		}
	}
	for _, x := range []struct {
		id       string
		from, to programme.Address
	}{{"world_headquarters", a.WorldHeadquarters, b.WorldHeadquarters}, {"eea_headquarters", a.EEAHeadquarters, b.EEAHeadquarters}} {
		if seat(source(c.old), x.from) != seat(source(c.new), x.to) {
			from, to := seat(c.old, x.from), seat(c.new, x.to)
			c.add(false, "contact", Changed, x.id, []string{from}, []string{to}, "contact %s was %q and is %q", term(c.new, x.id), from, to)
		}
	}
}

func (c *comparison) services() {
	c.tell("service", serviceNotices(c.old), serviceNotices(c.new), servicesOf(c.old, c.new), always, never)
}

func serviceNotices(p *programme.Programme) (out []thing) {
	for _, s := range p.Notice.ServiceNotices {
		out = append(out, thing{s.ID, s.Name, s.Name})
	}
	return out
}

// servicesOf follows services with text of their own, by the earlier names that the newer version gives.
func servicesOf(before, after *programme.Programme) line {
	old, by := serviceNotices(before), map[string][]string{}
	for _, s := range after.Notice.ServiceNotices {
		for _, o := range old {
			if o.name == s.Previously {
				by[o.id] = []string{s.ID}
			}
		}
	}
	return relate(old, serviceNotices(after), by)
}

// source is p said in its own language.
func source(p *programme.Programme) *programme.Programme { return p.In(p.Notice.Language) }

func plainYesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// element is a name as a category lists it: of another category, or of its own.
func (c *comparison) element(p *programme.Programme, id string) string {
	return names(p, []string{id})[0]
}
