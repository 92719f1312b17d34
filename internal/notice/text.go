package notice

import (
	"maps"
	"slices"
	"strings"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

func who(p *programme.Programme) Section {
	n := &p.Notice
	s := Section{ID: "who", Title: ph(p, "Who we are and what this covers")}
	by := p.Organisation.Group
	if by == "" {
		by = p.Organisation.Name
	}
	s.Text = append(s.Text, ph(p, "This notice is published by %s.", strings.TrimSuffix(tx(p, by), ".")))
	if n.PersonalDataDefinition != "" {
		s.Text = append(s.Text, ph(p, "Personal data is %s.", tx(p, n.PersonalDataDefinition)))
	}
	f := on(p)
	for _, x := range n.DataSubjectTypes {
		text := tx(p, x.Definition)
		if x.Example != "" {
			text = ph(p, "%s, for example: %s", text, tx(p, x.Example))
		}
		if text == "" {
			text = ph(p, "covered")
		}
		f.named(x.ID, capital(word(p, x.ID)), text)
	}
	f.add("Known to us directly by", words(p, n.Relationships.Direct)...)
	f.add("Known to us indirectly as", words(p, n.Relationships.Indirect)...)
	for _, r := range []struct {
		id, name, also, asked string
		role                  programme.NoticeRole
	}{{"controller", ph(p, "We are controller"), ph(p, "Also controller for"), ph(p, "As controller, requests"), n.Roles.Controller},
		{"processor", ph(p, "We are processor"), ph(p, "Also processor for"), ph(p, "As processor, requests"), n.Roles.Processor}} {
		applies := ph(p, "this notice applies")
		if !r.role.ThisNoticeApplies {
			applies = ph(p, "this notice does not apply")
		}
		f.named("We are "+r.id, r.name, tx(p, r.role.When), applies)
		f.named("Also "+r.id+" for", r.also, tx(p, r.role.AlsoFor))
		f.add("Instructions from", words(p, r.role.InstructionSources)...)
		f.named("As "+r.id+", requests", r.asked, tx(p, r.role.Requests))
	}
	for _, x := range n.Exclusions {
		f.named("Not covered: "+x.ID, ph(p, "Not covered: %s", word(p, x.ID)), tx(p, x.Text))
	}
	s.Facts = f.all
	return s
}

func transfers(p *programme.Programme) Section {
	s := Section{ID: "transfers", Title: ph(p, "Transfers abroad")}
	t := p.Notice.Transfers
	f := on(p)
	f.add("Most processing happens in", t.PrimaryProcessingCountry)
	f.say(t.InternalAndExternal, "Covers", "transfers within the group and beyond it")
	f.add("Customers", tx(p, t.Customers))
	f.add("Recipients abroad", words(p, t.Recipients)...)
	for _, n := range t.Notes {
		f.named(n.ID, capital(word(p, n.ID)), tx(p, n.Text))
	}
	s.Facts = f.all
	for _, m := range p.Mechanisms {
		f := on(p)
		f.add("From", m.Origins...)
		f.add("To", m.Destinations...)
		f.add("Covers", tx(p, m.Coverage))
		f.add("Rank", tx(p, m.Rank))
		f.add("Approved by", tx(p, m.ApprovedBy))
		f.add("Note", tx(p, m.Note))
		s.Entries = append(s.Entries, Entry{ID: m.ID, Name: tx(p, m.Name), Facts: f.all})
	}
	return s
}

func security(p *programme.Programme) Section {
	x := p.Notice.Security
	f := on(p)
	f.add("Against", words(p, x.Against)...)
	f.add("Scope", words(p, x.Scope)...)
	f.add("Measured by", words(p, x.ProportionalTo)...)
	f.add("Standards", x.Standards...)
	f.add("Governed by", tx(p, x.GovernedBy))
	f.add("More", tx(p, x.More))
	f.add("Supplementary measures", tx(p, x.SupplementalMeasures))
	return Section{ID: "security", Title: ph(p, "Security"), Facts: f.all}
}

func retention(p *programme.Programme) Section {
	r := p.Retention
	f := on(p)
	f.add("Rule", tx(p, r.Rule))
	f.add("Governed by", tx(p, r.GovernedBy))
	for _, e := range r.Exceptions {
		f.named(e.Category, names(p, []string{e.Category})[0], tx(p, e.Keep))
		if e.DeletionSubjectTo != "" {
			f.add("Its deletion is subject to", tx(p, e.DeletionSubjectTo))
		}
		f.add("Deleted on request, unless needed for", words(p, e.DeleteUnless)...)
	}
	f.add("When an account is closed", txs(p, r.AfterClosure)...)
	f.add("What you can do yourself", words(p, p.Notice.DataManagementTools)...)
	f.add("That depends on", words(p, p.Notice.DataManagementDepends)...)
	f.add("Described in", tx(p, p.Notice.DocumentationHub))
	f.add("Documentation", p.Notice.Documentation...)
	s := Section{ID: "retention", Title: ph(p, "How long data is kept"), Facts: f.all}
	for _, c := range r.Classes {
		what := []string{ph(p, "all services")}
		if x := p.Service(c.Service); x != nil {
			what[0] = x.Name
		}
		if c.Kind != "" {
			what = append(what, c.Kind)
		}
		if c.Category != "" {
			what = append(what, names(p, []string{c.Category})[0])
		}
		f := on(p)
		f.add("Kept", phrase.Period(p.Language(), c.Keep.String()))
		s.Entries = append(s.Entries, Entry{ID: strings.Join([]string{"keep", c.Service, c.Kind, c.Category}, "."), Name: strings.Join(what, ", "), Facts: f.all})
	}
	return s
}

func cookies(p *programme.Programme) Section {
	c := p.Notice.Cookies
	s := Section{ID: "cookies", Title: ph(p, "Cookies and similar tools")}
	f := on(p)
	f.add("Tools", words(p, c.Tools)...)
	f.add("US state laws call it", words(p, c.USStateLabel)...)
	f.add("Last for", words(p, c.Lifetimes)...)
	f.say(c.FirstVisitBanner, "On a first visit", "a banner asks")
	f.add("Web beacons", tx(p, c.WebBeacons.Form))
	f.add("Found in", tx(p, c.WebBeacons.In))
	f.add("They record", words(p, c.WebBeacons.Records)...)
	s.Facts = f.all
	for _, x := range c.Categories {
		f := on(p)
		f.add("Can be declined", yesNo(p, x.OptOut))
		f.add("Uses", words(p, x.Uses)...)
		f.add("When declined", tx(p, x.Effect))
		s.Entries = append(s.Entries, Entry{ID: "cookies-" + x.ID, Name: ph(p, "%s cookies", capital(word(p, x.ID))), Facts: f.all})
	}
	for _, x := range c.Controls {
		f := on(p)
		f.add("Where", tx(p, x.Where))
		f.add("Holds for", word(p, x.Scope))
		f.add("Forgotten when", word(p, x.ResetWhen))
		f.add("Declines", words(p, x.Categories)...)
		f.add("Signals", x.Signals...)
		f.add("Tools", x.Tools...)
		s.Entries = append(s.Entries, Entry{ID: "control-" + x.ID, Name: ph(p, "Control: %s", word(p, x.ID)), Facts: f.all})
	}
	return s
}

func children(p *programme.Programme) Section {
	c := p.Notice.Children
	f := on(p)
	f.add("Meant for children", yesNo(p, c.Directed))
	if c.Knowingly != nil {
		f.add("Knowingly permitted", yesNo(p, *c.Knowingly))
	}
	for _, place := range slices.Sorted(maps.Keys(c.AgeThresholds)) {
		f.named("A child in "+place, ph(p, "A child in %s", place), ph(p, "below %d", c.AgeThresholds[place]))
	}
	f.add("When we find a child's data", tx(p, c.OnDiscovery))
	f.add("Report to", word(p, c.ReportTo))
	f.add("Subject line", tx(p, c.SubjectLine))
	return Section{ID: "children", Title: ph(p, "Children"), Facts: f.all}
}

// automated gathers what is decided by machine from where the notice says it.
func automated(p *programme.Programme) Section {
	s := Section{ID: "automated", Title: ph(p, "Automated decisions")}
	a := &p.Notice.AutomatedDecisions
	f := on(p)
	f.add("What that is", tx(p, a.Definition))
	f.add("Decided so", words(p, a.Uses)...)
	f.add("By data of", words(p, a.Signals)...)
	f.add("What we promise", tx(p, a.Guarantee))
	f.add("Others only when", txs(p, a.AllowedWhen)...)
	s.Facts = f.all
	for _, u := range p.Purposes {
		if len(u.AutomatedDecisions) > 0 {
			f := on(p)
			f.add("Decisions", words(p, u.AutomatedDecisions)...)
			f.add("Promise", tx(p, u.AutomatedDecisionGuarantee))
			s.Entries = append(s.Entries, Entry{ID: "automated-" + u.ID, Name: tx(p, u.Name), Facts: f.all})
		}
	}
	for _, g := range p.Rights.Groups {
		if len(g.CurrentDecisions) > 0 {
			f := on(p)
			f.add("Taken today", words(p, g.CurrentDecisions)...)
			f.add("Where to object", words(p, g.Channels)...)
			s.Entries = append(s.Entries, Entry{ID: "automated-rights-" + g.Group, Name: ph(p, "Your say"), Facts: f.all})
		}
	}
	return s
}

func services(p *programme.Programme) Section {
	s := Section{ID: "services", Title: ph(p, "What single services add")}
	for _, x := range p.Notice.ServiceNotices {
		sub := Section{ID: "service-" + x.ID, Title: x.Name, Text: []string{sentence(p, x.What)}}
		f := on(p)
		f.add("Previously", x.Previously)
		f.add("Our role", word(p, x.Role))
		f.add("Terms", tx(p, x.Terms))
		sub.Facts = f.all
		for _, d := range x.Data {
			f := on(p)
			f.add("Elements", words(p, d.Elements)...)
			f.add("Used for", words(p, d.Uses)...)
			f.add("When", tx(p, d.Condition))
			sub.Entries = append(sub.Entries, Entry{ID: x.ID + "-" + d.ID, Name: capital(word(p, d.ID)), Facts: f.all})
		}
		s.Sections = append(s.Sections, sub)
	}
	return s
}

func contacts(p *programme.Programme) Section {
	c, q := p.Organisation.Contacts, p.Notice.Complaints
	s := Section{ID: "contacts", Title: ph(p, "Contacts and complaints")}
	f := on(p)
	f.add("Data protection officer", c.DPOEmail)
	f.add("Privacy team", c.PrivacyEmail)
	f.add("Support", c.SupportURL)
	for _, a := range []struct {
		label string
		at    programme.Address
	}{{"World headquarters", c.WorldHeadquarters}, {"EEA headquarters", c.EEAHeadquarters}} {
		f.add(a.label, seat(p, a.at))
	}
	f.add("Complaints", tx(p, q.Procedure))
	f.add("First", words(p, q.FirstChannel)...)
	f.say(q.OthersAccepted, "Other ways", "count too")
	f.add("About our customers", tx(p, q.AboutCustomers))
	s.Facts = f.all
	for _, x := range q.Escalation {
		f := on(p)
		f.add("Where", x.URL)
		f.add("Cost", tx(p, x.Cost))
		f.add("For", tx(p, x.Scope))
		f.add("When", tx(p, x.Trigger))
		f.add("After that", tx(p, x.Further))
		s.Entries = append(s.Entries, Entry{ID: "complaint-" + x.ID, Name: tx(p, x.Provider), Facts: f.all})
	}
	return s
}

// seat is an address with whose it is, "" for none.
func seat(p *programme.Programme, at programme.Address) string {
	e := p.Entity(at.Entity)
	if e == nil {
		return ""
	}
	return e.Name + ", " + tx(p, at.Address)
}

func changes(p *programme.Programme) Section {
	c := p.Notice.Changes
	f := on(p)
	f.add("Reasons", words(p, c.Reasons)...)
	f.add("A significant one is announced by", words(p, c.SignificantChange.AdvanceNoticeVia)...)
	if a := c.SignificantChange.AdvanceNotice.String(); a != "" {
		f.add("It holds at the earliest", ph(p, "%s after it is published", phrase.Period(p.Language(), a)))
	}
	f.add("Consent is asked", tx(p, c.SignificantChange.Consent))
	f.add("Marked by", tx(p, c.PublishedWith))
	return Section{ID: "changes", Title: ph(p, "Changes to this notice"), Facts: f.all}
}
