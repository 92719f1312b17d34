package notice

import (
	"fmt"
	"strings"

	"domicile.dev/internal/programme"
)

// categories has one section for each source.
func categories(p *programme.Programme) Section {
	s := Section{ID: "categories", Title: "Data we process"}
	if p.Notice.LookbackMonths > 0 {
		s.Text = []string{fmt.Sprintf("The tables of data, purposes and recipients describe the last %d months.", p.Notice.LookbackMonths)}
	}
	for _, src := range p.Notice.SourceTypes {
		sub := Section{ID: "categories-" + src.ID, Title: capital(src.Label)}
		if src.Context != "" {
			sub.Text = []string{capital(src.Context) + "."}
		}
		var f facts
		f.add("Supplied by", words(src.Suppliers)...)
		sub.Facts = f
		for i := range p.Categories {
			if p.Categories[i].Source == src.ID {
				sub.Entries = append(sub.Entries, category(p, &p.Categories[i]))
			}
		}
		s.Sections = append(s.Sections, sub)
	}
	return s
}

func category(p *programme.Programme, c *programme.Category) Entry {
	var f facts
	if parent := p.Category(c.Parent); parent != nil {
		f.add("Part of", parent.Name)
	}
	f.add("Contains", names(p, c.Children)...)
	f.add("Elements", names(p, c.Elements)...)
	f.add("Values", words(c.StatusValues)...)
	f.add("Supplied by", words(c.Suppliers)...)
	f.add("Only in", c.Jurisdictions...)
	f.add("Why", c.Reason)
	f.add("When", c.Condition)
	f.add("For example for", c.ExampleService)
	f.add("Not in it", words(c.Excludes)...)
	f.add("Never collected", words(c.NeverCollected)...)
	f.add("General location from", words(c.GeneralLocationContext)...)
	f.say(c.CombinedWithOtherData, "Combined", "with other data")
	f.say(c.Confidentiality != "", "Confidentiality", c.Confidentiality)
	f.add("Note", c.Note)
	return Entry{ID: c.ID, Name: c.Name, Facts: f}
}

func purposes(p *programme.Programme) Section {
	s := Section{ID: "purposes", Title: "Purposes and legal bases"}
	if m := p.Notice.MinimisationPromise; m != "" {
		s.Text = []string{capital(m) + "."}
	}
	for _, u := range p.Purposes {
		var f facts
		f.add("Legal bases", words(u.LegalBases)...)
		f.add("Data", uses(p, u.Categories)...)
		f.add("For example", words(u.Examples)...)
		f.add("Decided by machine", words(u.AutomatedDecisions)...)
		f.add("Promise", u.AutomatedDecisionGuarantee)
		f.say(u.ModelTraining, "Models", "are trained on this data")
		e := Entry{ID: u.ID, Name: u.Name, Facts: f}
		if !strings.EqualFold(u.Name, u.Statement) {
			e.Text = capital(u.Statement) + "."
		}
		s.Entries = append(s.Entries, e)
	}
	return s
}

// onlyWord stands between a category and the parts of it that are used.
const onlyWord = " (only "

func uses(p *programme.Programme, all []programme.CategoryUse) (out []string) {
	for _, u := range all {
		name := names(p, []string{u.ID})[0]
		if len(u.Only) > 0 {
			name += onlyWord + strings.Join(names(p, u.Only), ", ") + ")"
		}
		out = append(out, name)
	}
	return out
}

// recipients lists the classes; sub-processors have a page of their own.
func recipients(p *programme.Programme) Section {
	s := Section{ID: "recipients", Title: "Who receives data"}
	n := &p.Notice
	var f facts
	if n.SaleOfData != nil {
		f.add("Sold to third parties", yesNo(n.SaleOfData.Sold))
	}
	f.add("Disclosed to", words(n.DisclosureTriggers)...)
	f.add("Data that identifies nobody", words(n.DeidentifiedData.States)...)
	f.add("Its use", n.DeidentifiedData.Use)
	f.add("Promised of it", words(n.DeidentifiedData.Promises)...)
	f.add("Advertising", n.USSupplement.TargetedAds)
	f.add("Disclosed for business purposes, "+n.USSupplement.Audience, words(n.USSupplement.Categories)...)
	s.Facts = f
	for i := range p.Recipients {
		if r := &p.Recipients[i]; r.Class == "" {
			s.Entries = append(s.Entries, recipient(p, r))
		}
	}
	return s
}

func recipient(p *programme.Programme, r *programme.Recipient) Entry {
	var f facts
	f.add("Who", words(r.Who)...)
	f.add("Role", roles(r)...)
	f.add("Why", words(r.Reasons)...)
	f.add("Data", names(p, r.Categories)...)
	f.add("Bound by", words(r.Safeguards)...)
	f.add("Only when", r.Trigger)
	f.add("Limit", r.Constraint)
	f.add("People are told", r.Notify)
	f.add("We object when", r.ObjectIf)
	f.add("Note", r.Note)
	return Entry{ID: r.ID, Name: r.Name, Facts: f}
}

func roles(r *programme.Recipient) (out []string) {
	for _, x := range r.Roles {
		text := Words(x.Role)
		if x.For != "" {
			text += " for " + Words(x.For)
		}
		out = append(out, text)
	}
	return out
}

func rights(p *programme.Programme) Section {
	s := Section{ID: "rights", Title: "Your rights"}
	for _, g := range p.Rights.Groups {
		sub := Section{ID: "rights-" + g.Group, Title: capital(Words(g.Group))}
		var f facts
		f.add("Where to ask", words(g.Channels)...)
		f.add("Know first", g.Warning)
		f.add("Taken by machine today", words(g.CurrentDecisions)...)
		if g.Deadline != nil {
			f.add("Deadline", fmt.Sprintf("%d days for: %s", g.Deadline.MaxDays, Words(g.Deadline.AppliesTo)))
		}
		if g.Continues != nil {
			f.add("Still sent until "+Words(g.Continues.Until), words(g.Continues.Messages)...)
		}
		sub.Facts = f
		for _, r := range g.Items {
			var f facts
			f.add("Scope", r.Scope)
			e := Entry{ID: r.ID, Name: capital(Words(r.ID)), Facts: f}
			if r.Text != "" {
				e.Text = capital(r.Text) + "."
			}
			sub.Entries = append(sub.Entries, e)
		}
		s.Sections = append(s.Sections, sub)
	}
	for _, o := range p.Rights.OptOuts {
		s.Sections = append(s.Sections, optOut(p, &o))
	}
	var f facts
	if x := p.Rights.SelfService; x != nil {
		f.add("By yourself", words(x.Actions)...)
		f.add("There", Words(x.Where))
		f.add("Cost", x.Cost)
		f.add("Also at", words(x.Others)...)
		f.add("All else", Words(x.Default))
	}
	v, l := p.Rights.Verification, p.Rights.Limitations
	f.add("Who you are is checked for", v.When)
	f.add("What counts as proof", words(v.Evidence)...)
	f.add("After the check", v.Then)
	f.say(p.Rights.AuthorizedAgents.Allowed, "Somebody else may ask for you with", strings.Join(words(p.Rights.AuthorizedAgents.Evidence), ", "))
	f.add("They ask at", Words(p.Rights.AuthorizedAgents.Channel))
	f.add("A request may be refused for", words(l.Grounds)...)
	f.add("Laid down in", l.Reference)
	f.say(l.NonDiscrimination, "For asking", "nobody is treated worse")
	f.say(l.PriceUnchanged, "Price", "unchanged")
	f.add("Consequence", l.Consequence)
	f.add("Data of our customers", p.Rights.ProcessorRequests)
	s.Facts = f
	return s
}

// optOut is a choice about one category.
func optOut(p *programme.Programme, o *programme.OptOut) Section {
	var f facts
	f.add("About", names(p, []string{o.Category})...)
	f.add("Who may choose", words(o.Who)...)
	f.add("How", o.Mechanism)
	f.add("Holds for", o.Scope)
	f.add("Doesn't change", words(o.DoesNotAffect)...)
	f.add("Holds until", o.ValidUntil)
	return Section{ID: "choice-" + o.ID, Title: o.Name, Facts: f}
}
