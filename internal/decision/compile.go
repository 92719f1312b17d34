package decision

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
)

// gate is one thing that must hold for a flow; as a policy, it forbids unless it does.
type gate struct {
	id     string
	scope  string // of a denial
	law    string // the law it belongs to; "" for all
	clear  bool   // it is about clear data only
	person bool   // it is about the subject
	manual bool   // failing it is for a person to look at
	cond   cond
	ok     Reason // said when it holds; no code, no reason
	leg    Leg
	isLeg  bool
	home   *law.Rule // by which the leg needs nothing, whatever the day
}

// plan is a compiled flow.
type plan struct {
	f           *programme.Flow
	base        []gate            // the same in every form
	laws        map[string][]gate // by law
	pin         gate
	people      []gate
	basis       string
	leaves      []string
	recipient   types.Entity // what requests to Cedar share
	recipientIn []types.EntityUID
	attributes  types.Record

	at        string   // where the flow is declared
	exporters []string // the laws that apply whoever the person is
	lawSet    types.Set

	terms register.Terms // what consents to its purpose are measured by

	least  Form                     // below it nothing is of use
	review map[string]programme.Day // when the law is looked at again
}

// compile returns the conditions of a flow under every law of the book.
func compile(p *programme.Programme, book *law.Book, f *programme.Flow, without ...string) *plan {
	c := &compiler{p: p, book: book, f: f, without: without, to: importers(p, f), at: at(p.At(f)), region: p.Region(f.From)}
	pl := &plan{f: f, at: c.at, laws: map[string][]gate{}, review: map[string]programme.Day{}, least: formOf(f.AtLeast)}
	for _, x := range f.Categories {
		pl.leaves = append(pl.leaves, p.Leaves(x)...)
	}
	c.leaves = pl.leaves
	c.purpose = p.Purpose(f.Purpose)
	if pl.basis = f.LegalBasis; pl.basis == "" && c.purpose != nil && len(c.purpose.LegalBases) == 1 {
		pl.basis = c.purpose.LegalBases[0]
	}
	pl.base = slices.Concat(c.declared(), c.recipients(), c.basis(pl.basis))
	pl.pin = c.pin()
	pl.exporters = lawsOf(p, book, &Question{Region: f.From})
	pl.lawSet = setOf(pl.exporters)
	pl.recipient, pl.recipientIn = recipientEntity(p, f.To, pl.pin.cond.set)
	pl.attributes = attributeRecord(f.Purpose, f.From, false, false)
	for _, l := range book.Profiles() {
		pl.laws[l.ID] = c.lawGates(l)
		pl.review[l.ID] = programme.LastDay(l.Review)
	}
	pl.people = c.people(pl.basis)
	for _, gates := range append([][]gate{pl.base, pl.people}, slices.Collect(maps.Values(pl.laws))...) {
		for i := range gates {
			require(&gates[i].cond)
		}
	}
	require(&pl.pin.cond)
	return pl
}

// require words what is asked as a requirement, so that it reads well beside "denies". What can never
// hold is a statement already.
func require(c *cond) {
	if c.says != "" && c.op != opNever {
		c.says = "required: " + c.says
	}
	for i := range c.subs {
		require(&c.subs[i])
	}
}

type compiler struct {
	p       *programme.Programme
	book    *law.Book
	f       *programme.Flow
	to      []importer
	purpose *programme.Purpose
	region  *programme.Region
	leaves  []string
	without []string // mechanisms left out
	at      string
}

func (c *compiler) gate(id, scope string, x cond) gate {
	if x.at == "" {
		x.at = c.at
	}
	return gate{id: c.f.ID + "/" + id, scope: scope, cond: x}
}

// declared is condition (a): within what the flow declares.
func (c *compiler) declared() []gate {
	f := c.f
	g := []gate{
		c.gate("recipient", WholeFlow, cond{op: opRecipient, key: f.To, code: "recipient.not_of_flow", says: "the flow goes to " + f.To + " only"}),
		c.gate("region", WholeFlow, cond{op: opRegion, key: f.From, code: "flow.other_region", says: "the flow leaves " + f.From + " only"}),
		c.gate("purpose", WholeFlow, cond{op: opPurpose, key: f.Purpose, code: "purpose.undeclared", says: "the flow is for " + f.Purpose + " only"}),
		c.gate("paused", WholeFlow, cond{op: opRunning, key: f.ID, code: "flow.paused", says: "the flow is not paused"}),
		c.gate("kind", OneRecord, cond{op: opKind, set: c.kinds(), code: "kind.undeclared", says: "the kind is mapped by the programme and declared by the flow"}),
		c.gate("unclassified", OneRecord, cond{op: opClassified, code: "category.unclassified", says: "what no category names never leaves"}),
		c.gate("asked", OneRecord, cond{op: opAsked, code: "category.none", says: "a question names the categories that would leave"}),
		c.gate("categories", OneRecord, cond{op: opCategories, set: c.leaves, code: "category.undeclared", says: "only categories that the flow declares leave: " + strings.Join(c.leaves, ", ")}),
		c.gate("form", WholeFlow, cond{op: opForm, form: formOf(f.Form), code: "form.beyond", says: "the flow asks for " + f.Form + " at most"}),
	}
	if f.AtLeast != "" {
		g = append(g, c.gate("use", WholeFlow, cond{op: opUse, form: formOf(f.AtLeast), code: "form.of_no_use", says: "less than " + f.AtLeast + " is of no use to the flow"}))
	}
	g[0].ok = Reason{Code: "flow.declared", Says: fmt.Sprintf("the flow %s is declared: %s from %s to %s for %s", f.ID, f.Form, f.From, f.To, f.Purpose), At: c.at}
	if r := c.p.Region(f.From); r == nil || !r.Running {
		g = append(g, c.gate("idle", WholeFlow, cond{op: opNever, code: "flow.idle_region", says: "the region doesn't run"}))
	}
	return g
}

func formOf(s string) Form {
	f, ok := ParseForm(s)
	if !ok {
		return Aggregated
	}
	return f
}

// kinds are the service/kind pairs of the flow that the programme maps.
func (c *compiler) kinds() (out []string) {
	for _, s := range c.f.Services {
		x := c.p.Service(s)
		if x == nil {
			continue
		}
		for _, k := range x.Kinds {
			if c.p.Kind(s, k) != nil && (len(c.f.Kinds) == 0 || slices.Contains(c.f.Kinds, k)) {
				out = append(out, s+"/"+k)
			}
		}
	}
	return out
}

// recipients is the rest of (a): who gets it, since when, under which contract.
func (c *compiler) recipients() (g []gate) {
	if len(c.to) == 0 {
		return []gate{c.gate("registered", WholeFlow, cond{op: opNever, code: "recipient.unregistered", says: "the recipient is not registered"})}
	}
	for n := range c.to {
		i := &c.to[n]
		name := "recipient/" + i.id + "/"
		switch {
		case i.areas:
			g = append(g, c.gate(name+"places", WholeFlow, cond{op: opNever, at: i.at, code: "place.not_a_country", says: i.name + " is in an area that is no country, so no law can be judged"}))
		case len(i.places) == 0:
			g = append(g, c.gate(name+"places", WholeFlow, cond{op: opNever, at: i.at, code: "recipient.no_places", says: "nobody declared where " + i.name + " processes"}))
		}
		if i.role == "" {
			g = append(g, c.gate(name+"role", WholeFlow, cond{op: opNever, at: i.at, code: "recipient.role_undeclared", says: "nobody declared in which role " + i.name + " gets the data"}))
		}
		x := c.gate(name+"contract", WholeFlow, cond{op: opFact, key: contractKey(i), at: i.at, code: "contract", says: "a contract with " + i.name + " is in force"})
		x.ok = Reason{Code: "contract.in_force", Says: "a contract with " + i.name + " is in force", At: i.at}
		g = append(g, x, c.gate(name+"objection", OneTenant, cond{op: opNoObjection, key: i.r.ID, at: i.at, code: "recipient.objected", says: "the customer has not objected to " + i.r.ID}))
		if day, ok := c.noticeOver(i.r); i.r.SubProcessor != nil {
			g = append(g, c.gate(name+"notice", WholeFlow, cond{op: opAnnounced, key: register.KeyAnnounced(i.r.ID), day: day, at: i.at, code: "notice.running",
				says: "customers were told of " + i.r.ID + " and the time to object is over", other: i.r.ID + " is on the published list of sub-processors"}))
		} else if ok {
			g = append(g, c.gate(name+"notice", WholeFlow, cond{op: opFrom, day: day, at: i.at, code: "notice.running", says: "customers could object to " + i.r.ID + " until " + string((day - 1).Date()) + " and that is over"}))
		}
	}
	for n := range c.to {
		i := &c.to[n]
		if !c.p.NeedsEnabling(i.r) {
			continue
		}
		id := "enabled"
		if n > 0 {
			id = "recipient/" + i.id + "/enabled"
		}
		g = append(g, c.gate(id, OneTenant, cond{op: opEnabled, key: i.r.ID, at: i.at, code: "recipient.not_enabled", says: "the customer enabled " + i.r.ID}))
	}
	return g
}

// noticeOver returns the first day after the notice period. A row of the list that doesn't say when it
// was announced was announced with the list.
func (c *compiler) noticeOver(r *programme.Recipient) (programme.Day, bool) {
	var page programme.SubProcessorPage // without one there is no notice period, and the day itself counts
	if c.p.Notice.SubProcessorPage != nil {
		page = *c.p.Notice.SubProcessorPage
	}
	announced := r.Announced
	if announced == "" && r.SubProcessor != nil {
		announced = page.LastUpdated
	}
	if announced == "" {
		return 0, false
	}
	return page.NoticePeriod.Over(programme.DayOf(announced.Time())), true
}
