package notice

import (
	"encoding/json"
	"slices"
	"strings"
)

// Reordered says that the same is listed in another order.
const Reordered = "reordered"

// sentence is one line of a document, under what it is about.
type sentence struct {
	section, sort  string // the section that it stands in, and the topmost one
	subject, label string // the entry, "" for the section itself; what the line says of it
	of             string // the entry's name, or the section's title
	values         []string
}

func (s *sentence) text() string { return strings.Join(s.values, ", ") }

// topics are what a change of a line is a change of, by section. Retention is compared by its own rule.
var topics = map[string]string{"": "document", "who": "scope", "categories": "category", "purposes": "purpose", "recipients": "recipient", "transfers": "transfer",
	"security": "security", "rights": "right", "cookies": "cookie", "children": "children", "automated": "automated", "services": "service",
	"contacts": "contact", "changes": "announcement"}

// topic is what a change of s is a change of.
func (s *sentence) topic() string {
	if slices.Contains([]string{"Decided by machine", "Promise", "Taken by machine today"}, s.label) {
		return "automated"
	}
	return topics[s.sort]
}

// sortName is what is new or gone as a whole.
func (s *sentence) sortName() string {
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

// sentences takes a document apart. Left out are retention, and of automated decisions what is repeated there of
// purposes and rights.
func sentences(d *Document) (out []sentence) {
	add := func(s, sort, subject, of, label string, values ...string) {
		if len(values) > 0 && (len(values) > 1 || values[0] != "") {
			out = append(out, sentence{s, sort, subject, label, of, values})
		}
	}
	for label, v := range map[string]string{nameLabel: d.Title, "Publisher": d.Publisher, "Statement": d.Statement, "Language": d.Language} {
		add("document", "", "", d.Title, label, v)
	}
	slices.SortFunc(out, func(a, b sentence) int { return strings.Compare(a.label, b.label) })
	var walk func(s *Section, sort string)
	walk = func(s *Section, sort string) {
		if s.ID == "retention" {
			return
		}
		if sort != "services" || s.ID == sort { // the service's own name
			add(s.ID, sort, "", s.Title, nameLabel, s.Title)
		}
		add(s.ID, sort, "", s.Title, textLabel, s.Text...)
		for _, f := range s.Facts {
			add(s.ID, sort, "", s.Title, f.Label, f.Values...)
		}
		for _, e := range s.Entries {
			if strings.HasPrefix(e.ID, "automated-") {
				continue
			}
			add(s.ID, sort, e.ID, e.Name, nameLabel, e.Name)
			add(s.ID, sort, e.ID, e.Name, textLabel, e.Text)
			for _, f := range e.Facts {
				add(s.ID, sort, e.ID, e.Name, f.Label, f.Values...)
			}
		}
		for i := range s.Sections {
			walk(&s.Sections[i], sort)
		}
	}
	for i := range d.Sections {
		walk(&d.Sections[i], d.Sections[i].ID)
	}
	return out
}

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
	for _, s := range sentences(New(c.new)) {
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

func (k *kinship) heirs(s *sentence) []string {
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

func at(s *sentence, subject string) place {
	if s.subject == "" {
		return place{s.sort, "section " + subject, s.label}
	}
	return place{s.sort, subject, s.label}
}

func (s *sentence) about() string {
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
	old, new := New(c.old), New(c.new)
	was, has := sentences(old), sentences(new)
	called := c.called()
	for i := range was {
		if was[i].label != nameLabel {
			was[i].values = each(was[i].values, called)
		}
	}

	before := map[place][]*sentence{} // by where the line would stand now
	known := map[place]bool{}         // subjects that are not new
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
				c.add(c.matters(s, true), s.topic(), Added, s.about(), nil, []string{s.of}, "%s %q is new", s.sortName(), s.of)
			}
		case slices.Contains(judged[s.sort], s.label) && c.entered(s, s.values):
		default:
			c.add(c.matters(s, false), s.topic(), Changed, s.about()+"."+slug(s.label), nil, s.values, "%q newly says: %s", s.of, s.label)
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
				c.add(c.missed(s), s.topic(), Removed, s.about(), []string{s.of}, nil, "%s %q is gone", s.sortName(), s.of)
			}
		case slices.Contains(judged[s.sort], s.label) && c.entered(s, s.values):
		default:
			c.add(c.matters(s, false), s.topic(), Changed, s.about()+"."+slug(s.label), s.values, nil, "%q no longer says: %s", s.of, s.label)
		}
	}
	c.order(old, new)
}

// differs enters a line that says what none of its forerunners said.
func (c *comparison) differs(s *sentence, from []*sentence) {
	var texts []string
	for _, o := range from {
		if o.text() == s.text() {
			return
		}
		texts = append(texts, o.text())
	}
	about := s.about()
	if len(from) == 1 && same(from[0].values, s.values) {
		c.add(false, s.topic(), Reordered, about+"."+slug(s.label), from[0].values, s.values, "%q lists in another order: %s", s.of, s.label)
		return
	}
	if slices.Contains(judged[s.sort], s.label) && c.entered(s, differing(from, s.values)) {
		return
	}
	c.add(c.matters(s, false), s.topic(), Changed, about+"."+slug(s.label), texts, s.values, "%q says otherwise: %s", s.of, s.label)
}

// differing returns the values that s and those before it don't share.
func differing(from []*sentence, values []string) []string {
	var old []string
	for _, o := range from {
		old = append(old, o.values...)
	}
	return append(without(old, values), without(values, old)...)
}

// entered says whether another rule has entered a change that shows in a line which it goes by; values are what differs.
func (c *comparison) entered(s *sentence, values []string) bool {
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
func (c *comparison) matters(s *sentence, whole bool) bool {
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
func (c *comparison) missed(s *sentence) bool {
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
	before, after := places2(old), places2(new)
	for _, id := range after.ids {
		a, b := before.of[id], after.of[id]
		if len(a) == len(b) && !slices.Equal(a, b) && same(a, b) {
			c.add(false, "document", Reordered, id, a, b, "%q lists the same in another order", after.title[id])
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
			s.of[x.ID] = append(s.of[x.ID], "fact "+f.Label)
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
	return func(s string) string {
		whole, only, ok := strings.Cut(strings.TrimSuffix(s, ")"), onlyWord)
		if !ok || !strings.HasSuffix(s, ")") {
			return name(s)
		}
		parts := strings.Split(only, ", ")
		for i := range parts {
			parts[i] = name(parts[i])
		}
		return name(whole) + onlyWord + strings.Join(parts, ", ") + ")"
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
