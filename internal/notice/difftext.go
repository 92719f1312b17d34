package notice

import (
	"encoding/json"
	"slices"
	"strings"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// Reordered says that the same is listed in another order.
const Reordered = "reordered"

// statement is one line of a document, under what it is about: as its own language has it, by which it is
// compared, and as the reader's has it.
type statement struct {
	section, sort  string // the section that it stands in, and the topmost one
	subject, label string // the entry, "" for the section itself; what the line says of it
	values         []string

	of, shown string   // the entry's name, or the section's title, and the label: in the reader's language
	said      []string // the values
}

func (s *statement) text() string { return strings.Join(s.values, ", ") }

// topics are what a change of a line is a change of, by section. Retention is compared by its own rule.
var topics = map[string]string{"": "document", "who": "scope", "categories": "category", "purposes": "purpose", "recipients": "recipient", "transfers": "transfer",
	"security": "security", "rights": "right", "cookies": "cookie", "children": "children", "automated": "automated", "services": "service",
	"contacts": "contact", "changes": "announcement"}

// topic is what a change of s is a change of.
func (s *statement) topic() string {
	if slices.Contains([]string{"Decided by machine", "Promise", "Taken by machine today"}, s.label) {
		return "automated"
	}
	return topics[s.sort]
}

// sortName is what is new or gone as a whole.
func (s *statement) sortName() string {
	if s.subject == "" {
		return "the section"
	}
	return s.topic()
}

// judged are lines that another rule goes by: each difference of theirs but of order is a change already.
var judged = map[string][]string{
	"categories": {nameLabel, "Part of", "Contains", "Elements", "Supplied by"},
	"purposes":   {nameLabel, "Legal bases", "Data", "For example", "Models"},
	"recipients": {nameLabel, "Role", "Sold to third parties"},
	"rights":     {nameLabel},
	"services":   {nameLabel, "Previously"},
	"contacts":   {"Data protection officer", "Privacy team", "Support", "World headquarters", "EEA headquarters"},
}

// wording are lines that may be said otherwise without changing what is done with data.
var wording = map[string][]string{
	"":           {nameLabel, "Publisher", "Statement", "Language"},
	"who":        {nameLabel},
	"categories": {nameLabel, "Note", "For example for"},
	"recipients": {"Note"},
	"transfers":  {nameLabel, "Note", "Rank"},
	"security":   {"More"},
	"rights":     {"Where to ask", "Laid down in"},
	"cookies":    {nameLabel, "Where", "Tools"},
	"children":   {"Report to", "Subject line"},
	"services":   {"Terms"},
	"changes":    {"Marked by"},
}

// Labels of what has none on the page.
const (
	nameLabel = "Name"
	textLabel = "the text itself"
)

// statements takes a document apart. in is the same document in the reader's language. Left out are retention, and of
// automated decisions what is repeated there of purposes and rights.
func statements(d, in *Document) (out []statement) {
	add := func(s, sort, subject, of, label, shown string, values, said []string) {
		if len(values) > 0 && (len(values) > 1 || values[0] != "") {
			out = append(out, statement{section: s, sort: sort, subject: subject, label: label, values: values, of: of, shown: shown, said: said})
		}
	}
	one := func(s string) []string { return []string{s} }
	fact := func(s, sort, subject, of string, f, g *Fact) {
		add(s, sort, subject, of, f.id(), g.Label, f.Values, g.Values)
	}
	name, text := phrase.Say(in.Language, nameLabel), phrase.Say(in.Language, textLabel)
	add("document", "", "", in.Title, "Language", phrase.Say(in.Language, "Language"), one(d.Language), one(d.Language))
	add("document", "", "", in.Title, nameLabel, name, one(d.Title), one(in.Title))
	add("document", "", "", in.Title, "Publisher", phrase.Say(in.Language, "Publisher"), one(d.Publisher), one(in.Publisher))
	add("document", "", "", in.Title, "Statement", phrase.Say(in.Language, "Statement"), one(d.Statement), one(in.Statement))
	var walk func(s, t *Section, sort string)
	walk = func(s, t *Section, sort string) {
		if s.ID == "retention" {
			return
		}
		if sort != "services" || s.ID == sort { // the service's own name
			add(s.ID, sort, "", t.Title, nameLabel, name, one(s.Title), one(t.Title))
		}
		add(s.ID, sort, "", t.Title, textLabel, text, s.Text, t.Text)
		for i := range s.Facts {
			fact(s.ID, sort, "", t.Title, &s.Facts[i], &t.Facts[i])
		}
		for i := range s.Entries {
			e, g := &s.Entries[i], &t.Entries[i]
			if strings.HasPrefix(e.ID, "automated-") {
				continue
			}
			add(s.ID, sort, e.ID, g.Name, nameLabel, name, one(e.Name), one(g.Name))
			add(s.ID, sort, e.ID, g.Name, textLabel, text, one(e.Text), one(g.Text))
			for j := range e.Facts {
				fact(s.ID, sort, e.ID, g.Name, &e.Facts[j], &g.Facts[j])
			}
		}
		for i := range s.Sections {
			walk(&s.Sections[i], &t.Sections[i], sort)
		}
	}
	for i := range d.Sections { // a text is empty in every language or in none
		walk(&d.Sections[i], &in.Sections[i], d.Sections[i].ID)
	}
	return out
}

// statementsOf are those of a programme.
func statementsOf(p *programme.Programme) []statement { return statements(New(source(p)), New(p)) }

// kinship says which subjects of the newer version a subject of the older one became.
type kinship struct {
	categories, purposes, recipients, rights, services line
}

func (c *comparison) kin() kinship {
	return kinship{relate(categoriesOf(c.old), categoriesOf(c.new), c.prior.CategoryMap), relate(purposesOf(c.old), purposesOf(c.new), c.prior.PurposeMap),
		relate(classes(c.old), classes(c.new), c.prior.RecipientMap), relate(allRights(c.old), allRights(c.new), c.prior.RightMap), servicesOf(c.old, c.new)}
}

// moved says under which key of the newer version an entry of the older one stands: where it became one
// other that came from nothing else, there.
func (c *comparison) moved() func(top, section, entry string) string {
	k := c.kin()
	by := map[string]line{"categories": k.categories, "purposes": k.purposes, "recipients": k.recipients, "rights": k.rights}
	stands := map[string]string{} // where an entry stands now
	for _, s := range statementsOf(c.new) {
		if s.subject != "" {
			stands[s.sort+" "+s.subject] = s.section
		}
	}
	return func(top, section, entry string) string {
		l := by[top]
		to := l.to[entry]
		if len(to) != 1 || len(l.from[to[0]]) != 1 || stands[top+" "+to[0]] == "" {
			return section + "/" + entry
		}
		return stands[top+" "+to[0]] + "/" + to[0]
	}
}

func (k *kinship) heirs(s *statement) []string {
	in := func(l line, prefix string) (out []string) {
		id := strings.TrimPrefix(s.subject, prefix)
		for _, t := range l.to[id] {
			out = append(out, prefix+t)
		}
		return out
	}
	switch {
	case s.subject == "" && s.sort == "services" && s.section != "services":
		var out []string
		for _, t := range k.services.to[strings.TrimPrefix(s.section, "service-")] {
			out = append(out, "service-"+t)
		}
		return out
	case s.subject == "":
		return []string{s.section}
	case s.sort == "categories":
		return in(k.categories, "")
	case s.sort == "purposes":
		return in(k.purposes, "")
	case s.sort == "recipients":
		return in(k.recipients, "")
	case s.sort == "rights":
		return in(k.rights, "")
	case s.sort == "services":
		for o, targets := range k.services.to {
			if rest, ok := strings.CutPrefix(s.subject, o+"-"); ok && s.section == "service-"+o && len(targets) > 0 {
				return []string{targets[0] + "-" + rest}
			}
		}
		return nil
	}
	return []string{s.subject}
}

// place is where a line stands, with the subject that it is about.
type place struct{ sort, subject, label string }

func at(s *statement, subject string) place {
	if s.subject == "" {
		return place{s.sort, "section " + subject, s.label}
	}
	return place{s.sort, subject, s.label}
}

func (s *statement) about() string {
	if s.subject == "" {
		return s.section
	}
	return s.subject
}

// told says that a subject as a whole was added, removed, or is accounted for by a rule.
func told(sort string, subject string) bool {
	switch sort {
	case "categories", "purposes", "recipients", "rights":
		return subject != ""
	}
	return false
}

// lines enters what no other rule enters: every line of the notice that is new, gone, or said otherwise.
// So whatever differs on the page is a change.
func (c *comparison) lines() {
	k := c.kin()
	old, new := New(source(c.old)), New(source(c.new))
	was, has := statements(old, New(c.old)), statements(new, New(c.new))
	called := c.called()
	for i := range was {
		if was[i].label != nameLabel {
			was[i].values = each(was[i].values, called)
		}
	}

	before := map[place][]*statement{} // by where the line would stand now
	known := map[place]bool{}          // subjects that are not new
	for i := range was {
		for _, heir := range k.heirs(&was[i]) {
			p := at(&was[i], heir)
			before[p] = append(before[p], &was[i])
			known[place{p.sort, p.subject, ""}] = true
		}
	}
	after := map[place]bool{}
	remains := map[place]bool{}
	for i := range has {
		p := at(&has[i], has[i].about())
		after[p], remains[place{p.sort, p.subject, ""}] = true, true
	}
	for i := range has {
		s := &has[i]
		p := at(s, s.about())
		from := before[p]
		switch {
		case len(from) > 0:
			c.differs(s, from)
		case !known[place{p.sort, p.subject, ""}]:
			if s.label == nameLabel && !told(s.sort, s.subject) {
				c.add(c.matters(s, true), s.topic(), Added, s.about(), nil, []string{s.of}, "%s %q is new", term(c.new, s.sortName()), s.of)
			}
		case slices.Contains(judged[s.sort], s.label) && c.entered(s, s.values):
		default:
			c.add(c.matters(s, false), s.topic(), Changed, s.about()+"."+slug(s.label), nil, s.said, "%q newly says: %s", s.of, s.shown)
		}
	}
	for i := range was {
		s := &was[i]
		heirs := k.heirs(s)
		there, said := false, false
		for _, h := range heirs {
			p := at(s, h)
			there = there || remains[place{p.sort, p.subject, ""}]
			said = said || after[p]
		}
		switch {
		case said:
		case !there:
			if s.label == nameLabel && !told(s.sort, s.subject) {
				c.add(c.missed(s), s.topic(), Removed, s.about(), []string{s.of}, nil, "%s %q is gone", term(c.new, s.sortName()), s.of)
			}
		case slices.Contains(judged[s.sort], s.label) && c.entered(s, s.values):
		default:
			c.add(c.matters(s, false), s.topic(), Changed, s.about()+"."+slug(s.label), s.said, nil, "%q no longer says: %s", s.of, s.shown)
		}
	}
	c.order(old, new)
}

// differs enters a line that says what none of its forerunners said.
func (c *comparison) differs(s *statement, from []*statement) {
	var texts []string
	for _, o := range from {
		if o.text() == s.text() {
			return
		}
		texts = append(texts, strings.Join(o.said, ", "))
	}
	about := s.about()
	if len(from) == 1 && same(from[0].values, s.values) {
		c.add(false, s.topic(), Reordered, about+"."+slug(s.label), from[0].said, s.said, "%q lists in another order: %s", s.of, s.shown)
		return
	}
	if slices.Contains(judged[s.sort], s.label) && c.entered(s, differing(from, s.values)) {
		return
	}
	c.add(c.matters(s, false), s.topic(), Changed, about+"."+slug(s.label), texts, s.said, "%q says otherwise: %s", s.of, s.shown)
}

// differing returns the values that s and those before it don't share.
func differing(from []*statement, values []string) []string {
	var old []string
	for _, o := range from {
		old = append(old, o.values...)
	}
	return append(without(old, values), without(values, old)...)
}

// entered says whether another rule has entered a change that shows in a line which it goes by; values are what differs.
func (c *comparison) entered(s *statement, values []string) bool {
	about := s.about()
	switch s.label {
	case "Supplied by":
		return !slices.ContainsFunc(values, func(v string) bool {
			return !slices.ContainsFunc(c.out, func(x Change) bool { return x.What == "supplier" && Words(x.ID) == v })
		})
	case "Contains":
		return slices.ContainsFunc(c.out, func(x Change) bool { return x.What == "category" })
	case "Sold to third parties":
		return slices.ContainsFunc(c.out, func(x Change) bool { return x.What == "sale" })
	}
	return slices.ContainsFunc(c.out, func(x Change) bool {
		return x.ID == about || strings.HasPrefix(x.ID, about+".") || slices.Contains(x.From, about) || slices.Contains(x.To, about) ||
			x.What == "contact" && s.sort == "contacts"
	})
}

// matters says whether a line that differs is a material change; whole says that its subject is new.
func (c *comparison) matters(s *statement, whole bool) bool {
	switch {
	case s.sort == "contacts":
		return false
	case whole:
		return s.sort != "rights" && s.sort != "security"
	}
	return !slices.Contains(wording[s.sort], s.label)
}

// missed says whether it is material that something is gone: a mechanism that protects a transfer, a way to
// decline cookies, somebody to complain to.
func (c *comparison) missed(s *statement) bool {
	switch s.sort {
	case "transfers", "children", "security", "changes":
		return true
	case "cookies":
		return strings.HasPrefix(s.subject, "control-")
	case "contacts":
		return strings.HasPrefix(s.subject, "complaint-")
	}
	return false
}

// order enters what stands in another order. A list whose things changed is not looked at.
func (c *comparison) order(old, new *Document) {
	before, after, shown := places2(old), places2(new), places2(New(c.new)).title
	for _, id := range after.ids {
		a, b := before.of[id], after.of[id]
		if len(a) == len(b) && !slices.Equal(a, b) && same(a, b) {
			c.add(false, "document", Reordered, id, a, b, "%q lists the same in another order", shown[id])
		}
	}
	if len(c.out) > 0 {
		return
	}
	// What is left is neither a line nor an order that is known here; it is not passed over.
	x, errA := json.Marshal([]any{old.Title, old.Language, old.Publisher, old.Statement, old.Sections})
	y, errB := json.Marshal([]any{new.Title, new.Language, new.Publisher, new.Statement, new.Sections})
	if errA != nil || errB != nil || string(x) != string(y) {
		c.add(false, "document", Changed, c.new.Notice.ID, nil, nil, "the notice is laid out otherwise")
	}
}

// sequences are the things that sections list, by section.
type sequences struct {
	ids   []string
	of    map[string][]string
	title map[string]string
}

func places2(d *Document) sequences {
	s := sequences{of: map[string][]string{}, title: map[string]string{}}
	var walk func(x *Section)
	walk = func(x *Section) {
		s.ids, s.title[x.ID] = append(s.ids, x.ID), x.Title
		for _, f := range x.Facts {
			s.of[x.ID] = append(s.of[x.ID], "fact "+f.id())
		}
		for _, e := range x.Entries {
			s.of[x.ID] = append(s.of[x.ID], e.ID)
		}
		for i := range x.Sections {
			s.of[x.ID] = append(s.of[x.ID], "section "+x.Sections[i].ID)
			walk(&x.Sections[i])
		}
	}
	for i := range d.Sections {
		walk(&d.Sections[i])
	}
	return s
}

// called says how the newer version calls the older one's categories, so that a new name is told once and not
// wherever it is printed.
func (c *comparison) called() func(string) string {
	l, by := relate(categoriesOf(c.old), categoriesOf(c.new), c.prior.CategoryMap), map[string]string{}
	for _, o := range c.old.Categories {
		if to := l.to[o.ID]; len(to) == 1 && len(l.from[to[0]]) == 1 {
			by[o.Name] = c.new.Category(to[0]).Name
		}
	}
	name := func(s string) string {
		if now, ok := by[s]; ok {
			return now
		}
		return s
	}
	between := onlyWord(source(c.new))
	return func(s string) string {
		whole, only, ok := strings.Cut(strings.TrimSuffix(s, ")"), between)
		if !ok || !strings.HasSuffix(s, ")") {
			return name(s)
		}
		parts := strings.Split(only, ", ")
		for i := range parts {
			parts[i] = name(parts[i])
		}
		return name(whole) + between + strings.Join(parts, ", ") + ")"
	}
}

// same says whether two lists hold the same, in any order.
func same(a, b []string) bool {
	x, y := slices.Clone(a), slices.Clone(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

func each(all []string, f func(string) string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = f(s)
	}
	return out
}

// slug writes a label as a part of an id.
func slug(label string) string { return strings.ReplaceAll(strings.ToLower(label), " ", "_") }
