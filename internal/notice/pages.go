package notice

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"

	"domicile.dev/internal/programme"
)

// other starts a document of p that isn't the notice.
func other(p *programme.Programme, id, title string, updated programme.Date) *Document {
	return &Document{ID: id, Title: title, Language: p.Notice.Language, LastUpdated: string(updated), Publisher: p.Organisation.Name,
		Statement: p.Organisation.Statement, Programme: p.Hash}
}

// SubProcessors makes the page of sub-processors, one entry for each row of the list, in its order and
// in the tables that the source prints them in.
func SubProcessors(p *programme.Programme) *Document { return SubProcessorsSeen(p, nil) }

// Row is what was seen of a row of the list, beside what is declared.
type Row struct {
	Announced, Until programme.Date // when customers were told, and the last day to object
	Running          bool           // they still may
	Assessment       string         // what a register says of its transfer impact assessment
}

// SubProcessorsSeen is SubProcessors with what was seen of rows, by id.
func SubProcessorsSeen(p *programme.Programme, seen map[string]Row) *Document {
	page := p.Notice.SubProcessorPage
	if page == nil {
		page = &programme.SubProcessorPage{LastUpdated: p.Notice.LastUpdated}
	}
	d := other(p, "sub-processors", "Sub-processors", page.LastUpdated)
	if len(page.Commitments) > 0 {
		s := Section{ID: "commitments", Title: "What is promised of them"}
		for _, c := range page.Commitments {
			s.Text = append(s.Text, capital(c.Text)+".")
		}
		d.Sections = append(d.Sections, s)
	}
	for _, table := range []struct{ id, title string }{{"third_party", "Third parties"}, {"group", "Printed as companies of the group"}} {
		s := Section{ID: table.id, Title: table.title}
		for i := range p.Recipients {
			if r := &p.Recipients[i]; r.SubProcessor != nil && r.SubProcessor.Section == table.id {
				s.Entries = append(s.Entries, Entry{ID: r.ID, Name: r.Name, Facts: subProcessor(p, page, r, seen[r.ID])})
			}
		}
		if len(s.Entries) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	return d
}

// selectable says who chooses the region.
var selectable = map[string]string{"none": "nobody", "customer_choice": "the customer", "regional_product": "the regional product"}

func subProcessor(p *programme.Programme, page *programme.SubProcessorPage, r *programme.Recipient, seen Row) facts {
	s := r.SubProcessor
	var f facts
	f.add("Services", printed(p, s)...)
	f.add("Subject matter", s.SubjectMatter)
	f.add("Nature and purpose", s.Nature)
	f.add("Tools", s.Tools...)
	f.add("Places", places(r)...)
	f.add("Region chosen by", selectable[s.RegionSelectable])
	for _, n := range s.Footnotes {
		f.add("Footnote", page.Footnotes[n])
	}
	for _, m := range r.Mechanisms {
		f.add("Transfer mechanism", p.Mechanism(m).Name)
	}
	f.add("Company", map[bool]string{true: "of the group", false: "outside the group"}[s.GroupCompany])
	f.add("Belongs to", s.ParentCompany)
	f.say(s.AI, "Artificial intelligence", "yes")
	f.say(p.NeedsEnabling(r), "Gets data", "only where the customer enabled it")
	if s.Condition != nil {
		f.add("When "+s.Condition.When, s.Condition.Then, s.Condition.Example)
	}
	f.add("More", append(append([]string{}, s.Links...), page.LinkSets[s.LinkSet]...)...)
	f.add("Since", string(or(seen.Announced, r.Announced)))
	if seen.Running {
		f.add("Notice until", string(seen.Until)+"; customers may object, and nothing flows before it is over")
	}
	f.add("Transfer impact assessment", assessment(&r.TIA), seen.Assessment)
	f.add("Oddity of the source", r.Quirk)
	f.add("How the source was read", s.Interpretation)
	return f
}

// assessment is what the programme states of one.
func assessment(t *programme.TIA) string {
	if !t.Stated {
		return ""
	}
	text := "stated"
	if t.Assessed != "" {
		text += ", of " + string(t.Assessed)
	}
	if t.Due != "" {
		text += ", due again on " + string(t.Due)
	}
	return text
}

func printed(p *programme.Programme, s *programme.SubProcessor) []string {
	if len(s.ServicesPrinted) > 0 {
		return s.ServicesPrinted
	}
	var out []string
	for _, id := range s.Services {
		if x := p.Service(id); x != nil {
			id = x.Name
		}
		out = append(out, id)
	}
	return out
}

func places(r *programme.Recipient) (out []string) {
	for _, l := range r.Locations {
		text := l.Country + l.Area
		for _, more := range []string{l.Label, Words(l.Role)} {
			if more != "" {
				text += " (" + more + ")"
			}
		}
		out = append(out, text)
	}
	return out
}

// csvColumns are the columns of the list as CSV, the first ones an entry's own.
var csvColumns = []string{"Services", "Subject matter", "Nature and purpose", "Tools", "Places", "Region chosen by", "Transfer mechanism",
	"Company", "Belongs to", "Artificial intelligence", "Gets data", "Since", "Notice until", "Transfer impact assessment", "Oddity of the source"}

// SubProcessorsCSV writes the rows of SubProcessors as CSV, RFC 4180. A value that a spreadsheet would
// take for a formula is led by an apostrophe.
func SubProcessorsCSV(d *Document) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	_ = w.Write(append([]string{"id", "name", "table"}, csvColumns...))
	for _, s := range d.Sections {
		for _, e := range s.Entries {
			row := []string{e.ID, plainCell(e.Name), s.ID}
			for _, col := range csvColumns {
				var all []string
				for _, f := range e.Facts {
					if f.Label == col {
						all = append(all, f.Values...)
					}
				}
				row = append(row, plainCell(strings.Join(all, "; ")))
			}
			_ = w.Write(row)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("write the list: %w", err)
	}
	return b.Bytes(), nil
}

func plainCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func since(a programme.Availability) string {
	text := ""
	if a.Since != "" {
		text = "since " + string(a.Since)
	}
	if a.AltSince != "" {
		text += " (elsewhere in the source " + string(a.AltSince) + ")"
	}
	return text
}

func or[T ~string](s, otherwise T) T {
	if s == "" {
		return otherwise
	}
	return s
}
