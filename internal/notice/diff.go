package notice

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// How something differs between two versions.
const (
	Added   = "added"
	Removed = "removed"
	Renamed = "renamed"
	Moved   = "moved"
	Split   = "split"
	Merged  = "merged"
	Changed = "changed"
)

// Change is one semantic difference. Rules are named in docs/notice.md.
type Change struct {
	What     string   `json:"what"` // category, element, supplier, purpose, basis, use, activity, training, sale, recipient, role, right, retention, contact, service
	How      string   `json:"how"`
	ID       string   `json:"id"` // of what changed, in the newer version unless it is gone
	From     []string `json:"from,omitempty"`
	To       []string `json:"to,omitempty"`
	Material bool     `json:"material"`
	Text     string   `json:"text"`

	lead, item string // Text taken apart, where several changes can be told in one sentence
}

// Diff is the difference of two versions.
type Diff struct {
	From Version `json:"from"`
	To   Version `json:"to"`
	// Language is that of the texts.
	Language string   `json:"language"`
	Summary  string   `json:"summary"` // one paragraph in plain words
	Changes  []Change `json:"changes"`
	Lines    []Line   `json:"lines"` // side by side

	doc *Document
}

// Version is one side of a Diff, with how much it lists.
type Version struct {
	ID         string `json:"id"`
	Date       string `json:"date"`
	Programme  string `json:"programme"`
	Categories int    `json:"categories"`
	Purposes   int    `json:"purposes"`
	Recipients int    `json:"recipients"`
	Rights     int    `json:"rights"`
}

// Compare returns what changed from before to after. Where after supersedes before, its maps say what
// became of categories, purposes, recipients and rights; otherwise, and for what no map names, the same
// id is the same thing.
func Compare(before, after *programme.Programme) *Diff {
	c := comparison{old: before, new: after}
	if m := after.Notice.ChangesFromPrior; m != nil && after.Notice.Supersedes == before.Notice.ID {
		c.prior = *m
	}
	c.categories()
	c.purposes()
	c.sale()
	c.recipients()
	c.rights()
	c.retention()
	c.contacts()
	c.services()
	c.lines()
	d := &Diff{Language: after.Language(), From: version(before), To: version(after), Changes: c.out, Lines: beside(New(before), New(after), c.moved()), doc: New(after)}
	if d.Changes == nil {
		d.Changes = []Change{}
	}
	d.Summary = d.summary()
	return d
}

func version(p *programme.Programme) Version {
	v := Version{ID: p.Notice.ID, Date: string(p.Notice.LastUpdated), Programme: p.Hash, Categories: len(p.Categories), Purposes: len(p.Purposes),
		Recipients: len(classes(p)), Rights: len(allRights(p))}
	return v
}

// comparison compares what the two declare; old and new are said in the language that is shown.
type comparison struct {
	old, new *programme.Programme
	prior    programme.ChangesFromPrior
	out      []Change
}

// add enters a change; text is a phrase.
func (c *comparison) add(material bool, what, how, id string, from, to []string, text string, args ...any) {
	x := Change{What: what, How: how, ID: id, From: from, To: to, Material: material, Text: ph(c.new, text, args...)}
	if strings.HasSuffix(text, " %s") && len(args) > 1 { // in every language the last thing ends the sentence
		item := fmt.Sprint(args[len(args)-1])
		if lead, ok := strings.CutSuffix(x.Text, item); ok {
			x.lead, x.item = lead, item
		}
	}
	c.out = append(c.out, x)
}

// thing is what has an id and a name in one version, and the name that is shown.
type thing struct{ id, name, shown string }

// line says what became of the things of one sort.
type line struct{ to, from map[string][]string }

// relate follows old things to new ones, by the map where it names one and by id otherwise.
func relate(old, new []thing, by map[string][]string) line {
	l := line{map[string][]string{}, map[string][]string{}}
	for _, o := range old {
		targets, mapped := by[o.id]
		if !mapped && slices.ContainsFunc(new, func(n thing) bool { return n.id == o.id }) {
			targets = []string{o.id}
		}
		for _, t := range targets {
			l.to[o.id], l.from[t] = append(l.to[o.id], t), append(l.from[t], o.id)
		}
	}
	return l
}

// tell enters what was added, removed, renamed, split and merged. material says whether an addition,
// and whether a removal, is.
func (c *comparison) tell(what string, old, new []thing, l line, addition, removal func(id string) bool) {
	called, named := map[string]string{}, map[string]string{}
	for _, n := range new {
		called[n.id], named[n.id] = n.shown, n.name
	}
	was := map[string]string{}
	for _, o := range old {
		was[o.id] = o.shown
		switch to := l.to[o.id]; {
		case len(to) == 0:
			c.add(removal(o.id), what, Removed, o.id, []string{o.id}, nil, "%s %q is no longer listed", ph(c.new, what), o.shown)
		case len(to) > 1:
			c.add(false, what, Split, o.id, []string{o.id}, to, "%s %q became %s", ph(c.new, what), o.shown, c.quoted(to, called))
		case len(l.from[to[0]]) == 1 && (o.name != named[to[0]] || o.id != to[0]):
			c.add(false, what, Renamed, to[0], []string{o.id}, to, "%s %q is now %q", ph(c.new, what), o.shown, called[to[0]])
		}
	}
	for _, n := range new {
		switch from := l.from[n.id]; {
		case len(from) == 0:
			c.add(addition(n.id), what, Added, n.id, nil, []string{n.id}, "%s %q is new", ph(c.new, what), n.shown)
		case len(from) > 1:
			c.add(false, what, Merged, n.id, from, []string{n.id}, "%s became %s %q", c.quoted(from, was), ph(c.new, what), n.shown)
		}
	}
}

func (c *comparison) quoted(ids []string, names map[string]string) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = names[id]
	}
	return phrase.Quoted(c.new.Language(), out)
}

func always(string) bool { return true }
func never(string) bool  { return false }

// without returns what of all is not in some.
func without(all, some []string) (out []string) {
	for _, s := range all {
		if !slices.Contains(some, s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (d *Diff) summary() string {
	l, material := d.Language, 0
	count := map[string]int{}
	for _, c := range d.Changes {
		count[c.What]++
		if c.Material {
			material++
		}
	}
	if len(d.Changes) == 0 {
		return phrase.Say(l, "Nothing that these versions, %s and %s, list differs.", phrase.Date(l, d.From.Date), phrase.Date(l, d.To.Date))
	}
	var parts []string
	for _, x := range []struct{ what, one, many string }{{"category", "change to categories", "changes to categories"}, {"element", "change to their elements", "changes to their elements"},
		{"purpose", "change to purposes", "changes to purposes"}, {"basis", "change to legal bases", "changes to legal bases"}, {"use", "change to what a purpose uses", "changes to what a purpose uses"},
		{"recipient", "change to recipients", "changes to recipients"}, {"right", "change to rights", "changes to rights"},
		{"retention", "change to retention", "changes to retention"}, {"contact", "change to contacts", "changes to contacts"}} {
		switch n := count[x.what]; {
		case n == 1:
			parts = append(parts, phrase.Say(l, "1 "+x.one))
		case n > 1:
			parts = append(parts, phrase.Say(l, "%d "+x.many, n))
		}
	}
	text := phrase.Say(l, "From the version of %s to that of %s, %d things changed, %d of them material", phrase.Date(l, d.From.Date), phrase.Date(l, d.To.Date), len(d.Changes), material)
	if len(parts) > 0 {
		text = phrase.Say(l, "%s: among others %s", text, phrase.Join(parts))
	}
	return phrase.Say(l, "%s. The notice listed %d purposes and lists %d; it listed %d categories and lists %d.", text, d.From.Purposes, d.To.Purposes,
		d.From.Categories, d.To.Categories)
}
