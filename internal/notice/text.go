package notice

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"domicile.dev/internal/programme"
)

func who(p *programme.Programme) Section {
	n := &p.Notice
	s := Section{ID: "who", Title: "Who we are and what this covers"}
	by := p.Organisation.Group
	if by == "" {
		by = p.Organisation.Name
	}
	s.Text = append(s.Text, "This notice is published by "+by+".")
	if n.PersonalDataDefinition != "" {
		s.Text = append(s.Text, "Personal data is "+n.PersonalDataDefinition+".")
	}
	var f facts
	for _, x := range n.DataSubjectTypes {
		text := x.Definition
		if x.Example != "" {
			text += ", for example: " + x.Example
		}
		if text == "" {
			text = "covered"
		}
		f.add(capital(Words(x.ID)), text)
	}
	f.add("Known to us directly by", words(n.Relationships.Direct)...)
	f.add("Known to us indirectly as", words(n.Relationships.Indirect)...)
	for _, r := range []struct {
		name string
		role programme.NoticeRole
	}{{"controller", n.Roles.Controller}, {"processor", n.Roles.Processor}} {
		applies := "this notice applies"
		if !r.role.ThisNoticeApplies {
			applies = "this notice does not apply"
		}
		f.add("We are "+r.name, r.role.When, applies)
		f.add("Also "+r.name+" for", r.role.AlsoFor)
		f.add("Instructions from", words(r.role.InstructionSources)...)
		f.add("As "+r.name+", requests", r.role.Requests)
	}
	for _, x := range n.Exclusions {
		f.add("Not covered: "+Words(x.ID), x.Text)
	}
	s.Facts = f
	return s
}

func transfers(p *programme.Programme) Section {
	s := Section{ID: "transfers", Title: "Transfers abroad"}
	t := p.Notice.Transfers
	var f facts
	f.add("Most processing happens in", t.PrimaryProcessingCountry)
	f.say(t.InternalAndExternal, "Covers", "transfers within the group and beyond it")
	f.add("Customers", t.Customers)
	f.add("Recipients abroad", words(t.Recipients)...)
	for _, n := range t.Notes {
		f.add(capital(Words(n.ID)), n.Text)
	}
	s.Facts = f
	for _, m := range p.Mechanisms {
		var f facts
		f.add("From", m.Origins...)
		f.add("To", m.Destinations...)
		f.add("Covers", m.Coverage)
		f.add("Rank", m.Rank)
		f.add("Approved by", m.ApprovedBy)
		f.add("Note", m.Note)
		s.Entries = append(s.Entries, Entry{ID: m.ID, Name: m.Name, Facts: f})
	}
	return s
}

func security(p *programme.Programme) Section {
	x := p.Notice.Security
	var f facts
	f.add("Against", words(x.Against)...)
	f.add("Scope", words(x.Scope)...)
	f.add("Measured by", words(x.ProportionalTo)...)
	f.add("Standards", x.Standards...)
	f.add("Governed by", x.GovernedBy)
	f.add("More", x.More)
	f.add("Supplementary measures", x.SupplementalMeasures)
	return Section{ID: "security", Title: "Security", Facts: f}
}

func retention(p *programme.Programme) Section {
	r := p.Retention
	var f facts
	f.add("Rule", r.Rule)
	f.add("Governed by", r.GovernedBy)
	for _, e := range r.Exceptions {
		f.add(names(p, []string{e.Category})[0], e.Keep)
		if e.DeletionSubjectTo != "" {
			f.add("Its deletion is subject to", e.DeletionSubjectTo)
		}
		f.add("Deleted on request, unless needed for", words(e.DeleteUnless)...)
	}
	f.add("When an account is closed", r.AfterClosure...)
	f.add("What you can do yourself", words(p.Notice.DataManagementTools)...)
	f.add("That depends on", words(p.Notice.DataManagementDepends)...)
	f.add("Described in", p.Notice.DocumentationHub)
	f.add("Documentation", p.Notice.Documentation...)
	s := Section{ID: "retention", Title: "How long data is kept", Facts: f}
	for _, c := range r.Classes {
		what := []string{"all services"}
		if x := p.Service(c.Service); x != nil {
			what[0] = x.Name
		}
		if c.Kind != "" {
			what = append(what, c.Kind)
		}
		if c.Category != "" {
			what = append(what, names(p, []string{c.Category})[0])
		}
		var f facts
		f.add("Kept", c.Keep.String())
		s.Entries = append(s.Entries, Entry{ID: strings.Join([]string{"keep", c.Service, c.Kind, c.Category}, "."), Name: strings.Join(what, ", "), Facts: f})
	}
	return s
}

func cookies(p *programme.Programme) Section {
	c := p.Notice.Cookies
	s := Section{ID: "cookies", Title: "Cookies and similar tools"}
	var f facts
	f.add("Tools", words(c.Tools)...)
	f.add("US state laws call it", words(c.USStateLabel)...)
	f.add("Last for", words(c.Lifetimes)...)
	f.say(c.FirstVisitBanner, "On a first visit", "a banner asks")
	f.add("Web beacons", c.WebBeacons.Form)
	f.add("Found in", c.WebBeacons.In)
	f.add("They record", words(c.WebBeacons.Records)...)
	s.Facts = f
	for _, x := range c.Categories {
		var f facts
		f.add("Can be declined", yesNo(x.OptOut))
		f.add("Uses", words(x.Uses)...)
		f.add("When declined", x.Effect)
		s.Entries = append(s.Entries, Entry{ID: "cookies-" + x.ID, Name: capital(Words(x.ID)) + " cookies", Facts: f})
	}
	for _, x := range c.Controls {
		var f facts
		f.add("Where", x.Where)
		f.add("Holds for", Words(x.Scope))
		f.add("Forgotten when", Words(x.ResetWhen))
		f.add("Declines", words(x.Categories)...)
		f.add("Signals", x.Signals...)
		f.add("Tools", x.Tools...)
		s.Entries = append(s.Entries, Entry{ID: "control-" + x.ID, Name: "Control: " + Words(x.ID), Facts: f})
	}
	return s
}

func children(p *programme.Programme) Section {
	c := p.Notice.Children
	var f facts
	f.add("Meant for children", yesNo(c.Directed))
	if c.Knowingly != nil {
		f.add("Knowingly permitted", yesNo(*c.Knowingly))
	}
	for _, place := range slices.Sorted(maps.Keys(c.AgeThresholds)) {
		f.add("A child in "+place, fmt.Sprintf("below %d", c.AgeThresholds[place]))
	}
	f.add("When we find a child's data", c.OnDiscovery)
	f.add("Report to", Words(c.ReportTo))
	f.add("Subject line", c.SubjectLine)
	return Section{ID: "children", Title: "Children", Facts: f}
}

// automated gathers what is decided by machine from where the notice says it.
func automated(p *programme.Programme) Section {
	s := Section{ID: "automated", Title: "Automated decisions"}
	a := &p.Notice.AutomatedDecisions
	var f facts
	f.add("What that is", a.Definition)
	f.add("Decided so", words(a.Uses)...)
	f.add("By data of", words(a.Signals)...)
	f.add("What we promise", a.Guarantee)
	f.add("Others only when", a.AllowedWhen...)
	s.Facts = f
	for _, u := range p.Purposes {
		if len(u.AutomatedDecisions) > 0 {
			var f facts
			f.add("Decisions", words(u.AutomatedDecisions)...)
			f.add("Promise", u.AutomatedDecisionGuarantee)
			s.Entries = append(s.Entries, Entry{ID: "automated-" + u.ID, Name: u.Name, Facts: f})
		}
	}
	for _, g := range p.Rights.Groups {
		if len(g.CurrentDecisions) > 0 {
			var f facts
			f.add("Taken today", words(g.CurrentDecisions)...)
			f.add("Where to object", words(g.Channels)...)
			s.Entries = append(s.Entries, Entry{ID: "automated-rights-" + g.Group, Name: "Your say", Facts: f})
		}
	}
	return s
}

func services(p *programme.Programme) Section {
	s := Section{ID: "services", Title: "What single services add"}
	for _, x := range p.Notice.ServiceNotices {
		sub := Section{ID: "service-" + x.ID, Title: x.Name, Text: []string{capital(x.What) + "."}}
		var f facts
		f.add("Previously", x.Previously)
		f.add("Our role", Words(x.Role))
		f.add("Terms", x.Terms)
		sub.Facts = f
		for _, d := range x.Data {
			var f facts
			f.add("Elements", words(d.Elements)...)
			f.add("Used for", words(d.Uses)...)
			f.add("When", d.Condition)
			sub.Entries = append(sub.Entries, Entry{ID: x.ID + "-" + d.ID, Name: capital(Words(d.ID)), Facts: f})
		}
		s.Sections = append(s.Sections, sub)
	}
	return s
}

func contacts(p *programme.Programme) Section {
	c, q := p.Organisation.Contacts, p.Notice.Complaints
	s := Section{ID: "contacts", Title: "Contacts and complaints"}
	var f facts
	f.add("Data protection officer", c.DPOEmail)
	f.add("Privacy team", c.PrivacyEmail)
	f.add("Support", c.SupportURL)
	for _, a := range []struct {
		label string
		at    programme.Address
	}{{"World headquarters", c.WorldHeadquarters}, {"EEA headquarters", c.EEAHeadquarters}} {
		f.add(a.label, seat(p, a.at))
	}
	f.add("Complaints", q.Procedure)
	f.add("First", words(q.FirstChannel)...)
	f.say(q.OthersAccepted, "Other ways", "count too")
	f.add("About our customers", q.AboutCustomers)
	s.Facts = f
	for _, x := range q.Escalation {
		var f facts
		f.add("Where", x.URL)
		f.add("Cost", x.Cost)
		f.add("For", x.Scope)
		f.add("When", x.Trigger)
		f.add("After that", x.Further)
		s.Entries = append(s.Entries, Entry{ID: "complaint-" + x.ID, Name: x.Provider, Facts: f})
	}
	return s
}

// seat is an address with whose it is, "" for none.
func seat(p *programme.Programme, at programme.Address) string {
	e := p.Entity(at.Entity)
	if e == nil {
		return ""
	}
	return e.Name + ", " + at.Address
}

func changes(p *programme.Programme) Section {
	c := p.Notice.Changes
	var f facts
	f.add("Reasons", words(c.Reasons)...)
	f.add("A significant one is announced by", words(c.SignificantChange.AdvanceNoticeVia)...)
	if a := c.SignificantChange.AdvanceNotice.String(); a != "" {
		f.add("It holds at the earliest", a+" after it is published")
	}
	f.add("Consent is asked", c.SignificantChange.Consent)
	f.add("Marked by", c.PublishedWith)
	return Section{ID: "changes", Title: "Changes to this notice", Facts: f}
}
