package notice

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// Assurance makes the page for customers and vendors' buyers: by role, which certificates there are and what
// look-ups found, what they ask for and what is done for it, and which economies take part.
func Assurance(p *programme.Programme, look Directory, today programme.Day, asOf string) *Document {
	d := other(p, "assurance", "Assurance", p.Notice.LastUpdated)
	d.AsOf = asOf
	for _, role := range []struct{ id, title, text string }{
		{"controller", "As a controller", "Where the organisation decides why and how data is used."},
		{"processor", "As a processor", "Where it processes data for customers, and what they may rely on."}} {
		s := Section{ID: "as-" + role.id, Title: role.title, Text: []string{role.text}}
		for i := range p.Certifications {
			if c := &p.Certifications[i]; c.Role == role.id {
				s.Entries = append(s.Entries, assured(p, c, look, today))
			}
		}
		if len(s.Entries) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	if s := attestations(p); len(s.Entries) > 0 {
		d.Sections = append(d.Sections, s)
	}
	for i := range p.RequirementSets {
		d.Sections = append(d.Sections, requirements(p, &p.RequirementSets[i]))
	}
	if s := economies(p); s.Table != nil {
		d.Sections = append(d.Sections, s)
	}
	return d
}

// assured is a certificate with its state of today.
func assured(p *programme.Programme, c *programme.Certification, look Directory, today programme.Day) Entry {
	var f plain
	counts := 0
	var held []string
	for _, h := range c.Holders {
		e := p.Entity(h)
		if x := look(c.ID, e.Name); x.Counts {
			counts++
			held = append(held, e.Name+", looked up on "+string(x.Checked))
		}
	}
	f.put("State", map[bool]string{true: "listed", false: "no look-up counts today"}[counts > 0])
	f.put("Holders listed", held...)
	f.put("Covers", map[bool]string{true: "every company of the group", false: c.Scope}[c.Covers == "all_entities"])
	f.put("Agent", c.Agent)
	f.put("Recognised in", c.AgentEconomy)
	f.put("Next renewal", nextYear(c, today))
	f.put("Evidence", documentTitles(p, c.Evidence)...)
	return Entry{ID: "assured-" + c.ID, Name: c.Name, Facts: f}
}

// attestations are certificates of single services.
func attestations(p *programme.Programme) Section {
	s := Section{ID: "attestations", Title: "Attestations by service"}
	for i := range p.Certifications {
		c := &p.Certifications[i]
		if len(c.Services) == 0 {
			continue
		}
		var f plain
		for _, id := range c.Services {
			f.put("Service", p.Service(id).Name)
		}
		f.put("Period", strings.Trim(string(c.PeriodFrom)+" to "+string(c.PeriodUntil), " to"))
		f.put("Evidence", documentTitles(p, c.Evidence)...)
		f.put("Note", c.Note)
		s.Entries = append(s.Entries, Entry{ID: "attested-" + c.ID, Name: c.Name, Facts: f})
	}
	return s
}

// requirements are what a certificate asks for, and how far each is.
func requirements(p *programme.Programme, set *programme.RequirementSet) Section {
	s := Section{ID: "requirements-" + set.ID, Title: set.Name}
	n := map[string]int{}
	t := &Table{Head: []string{"No.", "Asked", "Principle", "State", "Owner", "Done for it", "Also serves"}}
	for i := range set.Items {
		r := &set.Items[i]
		n[r.Status()]++
		state := Words(r.Status())
		if len(r.Reviews) > 0 {
			state += ", " + r.Reviews[0].By + ", " + string(r.Reviews[0].On)
		}
		var done []string
		for _, id := range r.Controls {
			done = append(done, p.Control(id).Name)
		}
		t.Rows = append(t.Rows, []string{r.ID, r.Says, p.Principle(r.Principle).Name, state, or(r.Owner, set.Owner),
			strings.Join(append(done, documentTitles(p, r.Evidence)...), "; "), strings.Join(r.Laws, "; ")})
	}
	var f plain
	f.put("Requirements", fmt.Sprint(len(set.Items)))
	for _, state := range []string{"met", "met_in_part", "not_met", "not_applicable", "covered", "open"} {
		f.putIf(n[state] > 0, capital(Words(state)), fmt.Sprint(n[state]))
	}
	f.put("Note", set.Note)
	s.Facts, s.Table = f, t
	return s
}

// economies is the table of those that endorsed, take part, or are on their way.
func economies(p *programme.Programme) Section {
	s := Section{ID: "economies", Title: "Economies"}
	if len(p.Economies) == 0 {
		return s
	}
	s.Text = []string{"A candidate satisfies no rule: the certificates carry data from economies that take part, and from no others. Taking part in one system is not taking part in the other."}
	s.Table = &Table{Head: []string{"Economy", "Controllers (CBPR)", "Processors (PRP)", "Since", "As of"}}
	for _, e := range p.Economies {
		none := map[bool]string{true: "endorsed", false: ""}[e.Endorsed]
		s.Table.Rows = append(s.Table.Rows, []string{e.Name, or(partIn[e.CBPR], none), or(partIn[e.PRP], none), string(e.Since), string(e.AsOf)})
	}
	return s
}

var partIn = map[string]string{"candidate": "candidate", "joined": "takes part", "agent_operational": "takes part, with an agent"}

func documentTitles(p *programme.Programme, ids []string) (out []string) {
	for _, id := range ids {
		if x := p.Document(id); x != nil {
			out = append(out, x.Title+documentAt(x))
		}
	}
	return out
}

// documentAt is where a document is, in brackets.
func documentAt(x *programme.LegalDocument) string {
	if at := or(x.URL, x.Path); at != "" {
		return " (" + at + ")"
	}
	return ""
}

// Controls makes the page of what is done to protect data: each control with its state where the node looked,
// by sensitivity, by framework, and the measures beside transfer mechanisms.
func Controls(p *programme.Programme, st *State) *Document {
	d := other(p, "controls", "Controls and measures", p.Notice.LastUpdated)
	d.AsOf = instantZ(st)
	beside := Section{ID: "supplementary", Title: "Measures beside the transfer mechanisms", Text: []string{"What protects data where a mechanism alone is not enough, for customers in countries that ask for such information. Made from the controls, with what this node found when it looked."}}
	all := Section{ID: "controls", Title: "Controls"}
	for i := range p.Controls {
		e := control(p, &p.Controls[i], st)
		all.Entries = append(all.Entries, e)
		if p.Controls[i].Supplementary {
			e.ID = "beside-" + e.ID
			e.Facts = slices.DeleteFunc(slices.Clone(e.Facts), func(f Fact) bool { return f.Label != "State" && f.Label != "Helps to keep" })
			beside.Entries = append(beside.Entries, e)
		}
	}
	for _, s := range []Section{beside, bySensitivity(p), all, byFramework(p), byPrinciple(p)} {
		if s.Table != nil || len(s.Entries) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	return d
}

func control(p *programme.Programme, c *programme.Control, st *State) Entry {
	var f plain
	f.put("Kind", c.Kind)
	f.put("Owner", c.Owner)
	f.put("State", st.measured(c.Measured))
	f.put("For", map[string]string{"high": "categories of high or special sensitivity", "special": "categories of special sensitivity"}[c.From])
	f.putIf(c.FlowForm != "", "A flow may ask for", c.FlowForm+" at most")
	f.put("Helps to keep", c.Laws...)
	f.put("Evidence", documentTitles(p, c.Evidence)...)
	f.put("Reviewed", string(c.Reviewed))
	f.put("Reviewed every", c.Review.String())
	f.put("Note", c.Note)
	return Entry{ID: "control-" + c.ID, Name: c.Name, Text: c.Says, Facts: f}
}

// measured is what the node found, "" for what it doesn't look at.
func (s *State) measured(what string) string {
	switch what {
	case "tls":
		if s.TLS == nil {
			return "this node speaks plain HTTP, to this machine alone"
		}
		return "this node accepted TLS " + strings.Join(s.TLS.Accepted, ", ") + " and refused " + or(strings.Join(s.TLS.Refused, ", "), "no version")
	case "rest":
		return fmt.Sprintf("keys of epoch %d, apart from the store", s.Rest.Epoch)
	case "erasure":
		return "who is erased now is beyond every copy by " + phrase.Instant(phrase.English, s.Rest.Unrecoverable)
	case "ledger":
		return fmt.Sprintf("%d leaves signed, %d entries read back that don't fit", max(s.Log.Size, 0), s.Log.Defects)
	}
	return ""
}

func instantZ(s *State) string { return s.At.UTC().Format("2006-01-02T15:04:05Z") }

// bySensitivity says which controls are for which class, and which categories are in it.
func bySensitivity(p *programme.Programme) Section {
	s := Section{ID: "sensitivity", Title: "By sensitivity"}
	if len(p.Controls) == 0 {
		return s
	}
	s.Text = []string{"A class has its own controls and those of the classes before it."}
	s.Table = &Table{Head: []string{"Class", "Categories", "Controls of its own", "In all"}}
	for _, class := range []string{"normal", "high", "special"} {
		var cats, own []string
		for _, c := range p.Categories {
			if !c.GroupHeading && or(c.Sensitivity, "normal") == class {
				cats = append(cats, c.Name)
			}
		}
		all := p.ControlsFor(class)
		for _, c := range all {
			if or(c.From, "normal") == class {
				own = append(own, c.Name)
			}
		}
		s.Table.Rows = append(s.Table.Rows, []string{capital(class), strings.Join(cats, ", "), strings.Join(own, "; "), fmt.Sprint(len(all))})
	}
	return s
}

// byFramework maps controls to standards.
func byFramework(p *programme.Programme) Section {
	s := Section{ID: "frameworks", Title: "By framework"}
	for _, w := range p.Frameworks {
		var f plain
		for _, c := range p.Controls {
			for _, m := range c.Maps {
				if m.Framework == w.ID {
					f.put(strings.Join(m.At, ", "), c.Name)
				}
			}
		}
		f.put("Note", w.Note)
		s.Entries = append(s.Entries, Entry{ID: "framework-" + w.ID, Name: w.Name, Facts: f})
	}
	return s
}

// byPrinciple lists each principle with its controls.
func byPrinciple(p *programme.Programme) Section {
	s := Section{ID: "principles", Title: "By principle"}
	for _, x := range p.Principles {
		var f plain
		var all []string
		for _, c := range p.Controls {
			if slices.Contains(c.Principles, x.ID) {
				all = append(all, c.Name)
			}
		}
		f.put("Controls", all...)
		f.putIf(len(all) == 0, "Controls", "none")
		s.Entries = append(s.Entries, Entry{ID: "principle-" + x.ID, Name: x.Name, Text: x.Says, Facts: f})
	}
	return s
}
