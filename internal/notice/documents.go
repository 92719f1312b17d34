package notice

import (
	"slices"
	"strings"

	"domicile.dev/internal/programme"
)

// documentTypes are the headings of types of documents, in order.
var documentTypes = []struct{ id, title string }{{"notice", "Notices"}, {"addendum", "Addenda"}, {"terms", "Terms"}, {"policy", "Policies"}, {"guidelines", "Guidelines"},
	{"appendix", "Appendices"}, {"annex", "Annexes"}, {"overview", "Overviews"}, {"supplementary_measures", "Supplementary measures"}, {"report", "Reports"}, {"law_enforcement", "For law enforcement"},
	{"civil_requests", "Civil requests"}, {"conduct", "Conduct"}, {"sector_code", "Codes of sectors"}, {"documentation", "Documentation"}, {"tool", "Tools"}, {"site", "Sites"},
	{"security", "Security"}, {"privacy", "Privacy"}, {"gdpr", "On the GDPR"}, {"dpia", "For impact assessments"}, {"compliance", "Compliance"}, {"blog", "Blogs"}}

// Documents makes the page of documents: the organisation's by type, then what recipients publish, by recipient.
func Documents(p *programme.Programme, today programme.Day) *Document {
	d := other(p, "documents", "Documents", p.Notice.LastUpdated)
	for _, t := range documentTypes {
		s := Section{ID: "type-" + t.id, Title: t.title}
		for i := range p.Documents {
			if x := &p.Documents[i]; x.Type == t.id && len(x.Of) == 0 {
				s.Entries = append(s.Entries, legalDocument(p, x, today))
			}
		}
		if len(s.Entries) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	vendors := Section{ID: "recipients", Title: "What recipients publish"}
	for i := range p.Recipients {
		r := &p.Recipients[i]
		t := plain{}
		for j := range p.Documents {
			if x := &p.Documents[j]; slices.Contains(x.Of, r.ID) {
				t.put(capital(Words(x.Type)), x.Title+documentAt(x)+lookedAt(x, today))
			}
		}
		if len(t) > 0 {
			vendors.Entries = append(vendors.Entries, Entry{ID: "of-" + r.ID, Name: r.Name, Facts: t})
		}
	}
	if len(vendors.Entries) > 0 {
		d.Sections = append(d.Sections, vendors)
	}
	return d
}

func legalDocument(p *programme.Programme, x *programme.LegalDocument, today programme.Day) Entry {
	var f plain
	f.put("Address", or(x.URL, x.Path))
	f.put("Version", x.Version)
	f.put("Since", string(x.Effective))
	f.put("Before it", documentTitles(p, list(x.Supersedes))...)
	f.put("Retired", string(x.Retired))
	f.put("In its place", documentTitles(p, list(x.Successor))...)
	f.put("Part of", documentTitles(p, list(x.PartOf))...)
	for _, m := range x.Mechanisms {
		f.put("For", p.Mechanism(m).Name)
	}
	for _, a := range x.Approvals {
		f.put("Approved", a.By+", "+string(a.On))
	}
	f.put("Kept to", x.Adherence)
	f.put("Link looked at", strings.TrimPrefix(lookedAt(x, today), ", "))
	f.putIf(!x.Public, "Access", "on request")
	f.put("Note", x.Note)
	return Entry{ID: "document-" + x.ID, Name: x.Title, Facts: f}
}

func list(id string) []string {
	if id == "" {
		return nil
	}
	return []string{id}
}

// lookedAt says when somebody last looked whether the address leads there, and whether that is too long ago.
func lookedAt(x *programme.LegalDocument, today programme.Day) string {
	due := x.Check.Unit != "" && (x.Checked == "" || x.Check.Over(programme.FirstDay(x.Checked)) <= today)
	switch {
	case x.Checked == "" && due:
		return ", nobody has looked yet"
	case x.Checked == "":
		return ""
	case due:
		return ", looked at on " + string(x.Checked) + ", which is too long ago"
	}
	return ", looked at on " + string(x.Checked)
}

// Transfers makes the page of what made transfers be judged anew, what each recipient's transfer rests on and
// how it was assessed, and of the bodies that people can turn to.
func Transfers(p *programme.Programme, seen map[string]Row) *Document {
	d := other(p, "transfers", "Transfers and authorities", p.Notice.LastUpdated)
	events := Section{ID: "events", Title: "What made transfers be judged anew"}
	for i := range p.Events {
		x := &p.Events[i]
		var f plain
		f.put("On", string(x.On))
		f.put("Found in", x.Cites)
		for _, m := range x.Mechanisms {
			f.put("Judged anew", p.Mechanism(m).Name)
		}
		f.put("By", string(x.ReassessBy))
		f.put("Note", x.Note)
		events.Entries = append(events.Entries, Entry{ID: "event-" + x.ID, Name: x.Name, Facts: f})
	}
	tia := Section{ID: "assessments", Title: "Transfer impact assessments"}
	for i := range p.Recipients {
		if r := &p.Recipients[i]; r.Class != "" && (r.TIA.Stated || seen[r.ID].Assessment != "") {
			tia.Entries = append(tia.Entries, transferOf(p, r, seen[r.ID]))
		}
	}
	mechanisms := Section{ID: "mechanisms", Title: "Mechanisms"}
	for i := range p.Mechanisms {
		m := &p.Mechanisms[i]
		var f plain
		f.put("From", strings.Join(m.Origins, ", "))
		f.put("Approved by", m.ApprovedBy)
		for j := range p.Documents {
			if x := &p.Documents[j]; slices.Contains(x.Mechanisms, m.ID) {
				f.put(map[bool]string{true: "Security annex", false: "Laid down in"}[x.Type == "annex"], x.Title+documentAt(x))
			}
		}
		mechanisms.Entries = append(mechanisms.Entries, Entry{ID: "mechanism-" + m.ID, Name: m.Name, Facts: f})
	}
	for _, s := range []Section{events, mechanisms, tia, authorities(p), exporters(p)} {
		if len(s.Entries) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	return d
}

func transferOf(p *programme.Programme, r *programme.Recipient, seen Row) Entry {
	var f plain
	f.put("In", places(p, r)...)
	for _, m := range r.Mechanisms {
		f.put("Rests on", p.Mechanism(m).Name)
	}
	f.put("Assessment", assessment(p, &r.TIA), seen.Assessment)
	for i := range p.Events {
		if x := &p.Events[i]; x.Concerns(r) {
			f.put("Judged anew because", x.Name+", "+string(x.On))
		}
	}
	return Entry{ID: "transfer-" + r.ID, Name: r.Name, Facts: f}
}

func authorities(p *programme.Programme) Section {
	s := Section{ID: "authorities", Title: "Authorities, and who settles disputes"}
	for i := range p.Authorities {
		a := &p.Authorities[i]
		var f plain
		f.put("What", Words(a.Kind))
		f.put("Seat", a.Country)
		for _, m := range a.For {
			f.put("For", p.Mechanism(m).Name)
		}
		for _, id := range a.Schemes {
			for j := range p.Certifications {
				if p.Certifications[j].ID == id {
					f.put("For", p.Certifications[j].Name)
				}
			}
		}
		f.put("Address", a.URL)
		f.putIf(a.Free, "Cost", "none")
		f.put("Note", a.Note)
		s.Entries = append(s.Entries, Entry{ID: "authority-" + a.ID, Name: a.Name, Facts: f})
	}
	return s
}

// exporters says of each entity which authority is over it.
func exporters(p *programme.Programme) Section {
	s := Section{ID: "exporters", Title: "Whom to complain to, by exporting company"}
	if len(p.Authorities) == 0 {
		return s
	}
	for _, e := range p.Entities {
		var f plain
		f.put("Country", e.Country)
		for _, a := range p.AuthorityOver(e.ID) {
			f.put("Authority", a.Name)
		}
		f.putIf(len(p.AuthorityOver(e.ID)) == 0, "Authority", "none is declared")
		s.Entries = append(s.Entries, Entry{ID: "exporter-" + e.ID, Name: e.Name, Facts: f})
	}
	return s
}
