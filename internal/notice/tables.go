package notice

import (
	"strings"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// categories has one section for each source.
func categories(p *programme.Programme) Section {
	s := Section{ID: "categories", Title: ph(p, "Data we process")}
	if p.Notice.LookbackMonths > 0 {
		s.Text = []string{ph(p, "The tables of data, purposes and recipients describe the last %d months.", p.Notice.LookbackMonths)}
	}
	for _, src := range p.Notice.SourceTypes {
		sub := Section{ID: "categories-" + src.ID, Title: capital(tx(p, src.Label))}
		if src.Context != "" {
			sub.Text = []string{sentence(p, src.Context)}
		}
		f := on(p)
		f.add("Supplied by", words(p, src.Suppliers)...)
		sub.Facts = f.all
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
	f := on(p)
	if parent := p.Category(c.Parent); parent != nil {
		f.add("Part of", tx(p, parent.Name))
	}
	f.add("Contains", names(p, c.Children)...)
	f.add("Elements", names(p, c.Elements)...)
	f.add("Values", words(p, c.StatusValues)...)
	f.add("Supplied by", words(p, c.Suppliers)...)
	f.add("Only in", c.Jurisdictions...)
	f.add("Why", tx(p, c.Reason))
	f.add("When", tx(p, c.Condition))
	f.add("For example for", tx(p, c.ExampleService))
	f.add("Not in it", words(p, c.Excludes)...)
	f.add("Never collected", words(p, c.NeverCollected)...)
	f.add("General location from", words(p, c.GeneralLocationContext)...)
	f.say(c.CombinedWithOtherData, "Combined", "with other data")
	f.add("Confidentiality", term(p, c.Confidentiality))
	f.add("Note", tx(p, c.Note))
	return Entry{ID: c.ID, Name: tx(p, c.Name), Facts: f.all}
}

func purposes(p *programme.Programme) Section {
	s := Section{ID: "purposes", Title: ph(p, "Purposes and legal bases")}
	if m := p.Notice.MinimisationPromise; m != "" {
		s.Text = []string{sentence(p, m)}
	}
	for _, u := range p.Purposes {
		f := on(p)
		f.add("Legal bases", terms(p, u.LegalBases)...)
		f.add("Data", uses(p, u.Categories)...)
		f.add("For example", words(p, u.Examples)...)
		f.add("Decided by machine", words(p, u.AutomatedDecisions)...)
		f.add("Promise", tx(p, u.AutomatedDecisionGuarantee))
		f.say(u.ModelTraining, "Models", "are trained on this data")
		e := Entry{ID: u.ID, Name: tx(p, u.Name), Facts: f.all}
		if !strings.EqualFold(u.Name, u.Statement) {
			e.Text = sentence(p, u.Statement)
		}
		s.Entries = append(s.Entries, e)
	}
	return s
}

// onlyWord is what stands between a category and the parts of it that are used.
func onlyWord(p *programme.Programme) string {
	_, rest, _ := strings.Cut(ph(p, "%s (only %s)", "\x00", "\x01"), "\x00")
	word, _, _ := strings.Cut(rest, "\x01")
	return word
}

func uses(p *programme.Programme, all []programme.CategoryUse) (out []string) {
	for _, u := range all {
		name := names(p, []string{u.ID})[0]
		if len(u.Only) > 0 {
			name = ph(p, "%s (only %s)", name, phrase.Join(names(p, u.Only)))
		}
		out = append(out, name)
	}
	return out
}

// recipients lists the classes; sub-processors have a page of their own.
func recipients(p *programme.Programme) Section {
	s := Section{ID: "recipients", Title: ph(p, "Who receives data")}
	n := &p.Notice
	f := on(p)
	if n.SaleOfData != nil {
		f.add("Sold to third parties", yesNo(p, n.SaleOfData.Sold))
	}
	f.add("Disclosed to", words(p, n.DisclosureTriggers)...)
	f.add("Data that identifies nobody", words(p, n.DeidentifiedData.States)...)
	f.add("Its use", tx(p, n.DeidentifiedData.Use))
	f.add("Promised of it", words(p, n.DeidentifiedData.Promises)...)
	f.add("Advertising", tx(p, n.USSupplement.TargetedAds))
	f.named("Disclosed for business purposes, "+n.USSupplement.Audience, ph(p, "Disclosed for business purposes, %s", tx(p, n.USSupplement.Audience)), words(p, n.USSupplement.Categories)...)
	s.Facts = f.all
	for i := range p.Recipients {
		if r := &p.Recipients[i]; r.Class == "" {
			s.Entries = append(s.Entries, recipient(p, r))
		}
	}
	return s
}

func recipient(p *programme.Programme, r *programme.Recipient) Entry {
	f := on(p)
	f.add("Who", words(p, r.Who)...)
	f.add("Role", roles(p, r)...)
	f.add("Why", words(p, r.Reasons)...)
	f.add("Data", names(p, r.Categories)...)
	f.add("Bound by", words(p, r.Safeguards)...)
	f.add("Only when", tx(p, r.Trigger))
	f.add("Limit", tx(p, r.Constraint))
	f.add("People are told", tx(p, r.Notify))
	f.add("We object when", tx(p, r.ObjectIf))
	f.add("Note", tx(p, r.Note))
	return Entry{ID: r.ID, Name: recipientName(p, r), Facts: f.all}
}

func roles(p *programme.Programme, r *programme.Recipient) (out []string) {
	for _, x := range r.Roles {
		text := term(p, x.Role)
		if x.For != "" {
			text = ph(p, "%s for %s", text, word(p, x.For))
		}
		out = append(out, text)
	}
	return out
}

func rights(p *programme.Programme) Section {
	s := Section{ID: "rights", Title: ph(p, "Your rights")}
	for _, g := range p.Rights.Groups {
		sub := Section{ID: "rights-" + g.Group, Title: capital(wordIn(p, "rights", g.Group))}
		f := on(p)
		f.add("Where to ask", words(p, g.Channels)...)
		f.add("Know first", tx(p, g.Warning))
		f.add("Taken by machine today", words(p, g.CurrentDecisions)...)
		if g.Deadline != nil {
			f.add("Deadline", ph(p, "%d days for: %s", g.Deadline.MaxDays, wordIn(p, "rights", g.Deadline.AppliesTo)))
		}
		if g.Continues != nil {
			f.named("Still sent until "+g.Continues.Until, ph(p, "Still sent until %s", word(p, g.Continues.Until)), words(p, g.Continues.Messages)...)
		}
		sub.Facts = f.all
		for _, r := range g.Items {
			f := on(p)
			f.add("Scope", tx(p, r.Scope))
			e := Entry{ID: r.ID, Name: capital(wordIn(p, "rights", r.ID)), Facts: f.all}
			if r.Text != "" {
				e.Text = sentence(p, r.Text)
			}
			sub.Entries = append(sub.Entries, e)
		}
		s.Sections = append(s.Sections, sub)
	}
	for _, o := range p.Rights.OptOuts {
		s.Sections = append(s.Sections, optOut(p, &o))
	}
	f := on(p)
	if x := p.Rights.SelfService; x != nil {
		f.add("By yourself", words(p, x.Actions)...)
		f.add("There", word(p, x.Where))
		f.add("Cost", tx(p, x.Cost))
		f.add("Also at", words(p, x.Others)...)
		f.add("All else", word(p, x.Default))
	}
	v, l := p.Rights.Verification, p.Rights.Limitations
	f.add("Who you are is checked for", tx(p, v.When))
	f.add("What counts as proof", words(p, v.Evidence)...)
	f.add("After the check", tx(p, v.Then))
	if agents := p.Rights.AuthorizedAgents; agents.Allowed {
		f.add("Somebody else may ask for you with", words(p, agents.Evidence)...)
	}
	f.add("They ask at", word(p, p.Rights.AuthorizedAgents.Channel))
	f.add("A request may be refused for", words(p, l.Grounds)...)
	f.add("Laid down in", tx(p, l.Reference))
	f.say(l.NonDiscrimination, "For asking", "nobody is treated worse")
	f.say(l.PriceUnchanged, "Price", "unchanged")
	f.add("Consequence", tx(p, l.Consequence))
	f.add("Data of our customers", tx(p, p.Rights.ProcessorRequests))
	s.Facts = f.all
	return s
}

// optOut is a choice about one category.
func optOut(p *programme.Programme, o *programme.OptOut) Section {
	f := on(p)
	f.add("About", names(p, []string{o.Category})...)
	f.add("Who may choose", words(p, o.Who)...)
	f.add("How", tx(p, o.Mechanism))
	f.add("Holds for", tx(p, o.Scope))
	f.add("Doesn't change", words(p, o.DoesNotAffect)...)
	f.add("Holds until", tx(p, o.ValidUntil))
	return Section{ID: "choice-" + o.ID, Title: tx(p, o.Name), Facts: f.all}
}

// recipientName is a class in the reader's language; the name of a recipient itself is its own.
func recipientName(p *programme.Programme, r *programme.Recipient) string {
	if r.Class == "" {
		return tx(p, r.Name)
	}
	return r.Name
}
