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
	return &Document{ID: id, Title: title, Language: p.Language(), LastUpdated: string(updated), Publisher: p.Organisation.Name,
		Statement: tx(p, p.Organisation.Statement), Programme: p.Hash}
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
	d := other(p, "sub-processors", ph(p, "Sub-processors"), page.LastUpdated)
	if len(page.Commitments) > 0 {
		s := Section{ID: "commitments", Title: ph(p, "What is promised of them")}
		for _, c := range page.Commitments {
			s.Text = append(s.Text, sentence(p, c.Text))
		}
		d.Sections = append(d.Sections, s)
	}
	for _, table := range []struct{ id, title string }{{"third_party", ph(p, "Third parties")}, {"group", ph(p, "Printed as companies of the group")}} {
		s := Section{ID: table.id, Title: table.title}
		for i := range p.Recipients {
			if r := &p.Recipients[i]; r.SubProcessor != nil && r.SubProcessor.Section == table.id {
				s.Entries = append(s.Entries, Entry{ID: r.ID, Name: r.Name, Facts: subProcessor(p, page, r, seen[r.ID]).all})
			}
		}
		if len(s.Entries) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	return d
}

// selectable says who chooses the region.
func selectable(p *programme.Programme, by string) string {
	switch by {
	case "none":
		return ph(p, "nobody")
	case "customer_choice":
		return ph(p, "the customer")
	case "regional_product":
		return ph(p, "the regional product")
	}
	return ""
}

func subProcessor(p *programme.Programme, page *programme.SubProcessorPage, r *programme.Recipient, seen Row) facts {
	s := r.SubProcessor
	f := on(p)
	f.add("Services", printed(p, s)...)
	f.add("Subject matter", tx(p, s.SubjectMatter))
	f.add("Nature and purpose", tx(p, s.Nature))
	f.add("Tools", s.Tools...)
	f.add("Places", places(p, r)...)
	f.add("Region chosen by", selectable(p, s.RegionSelectable))
	for _, n := range s.Footnotes {
		f.add("Footnote", tx(p, page.Footnotes[n]))
	}
	for _, m := range r.Mechanisms {
		f.add("Transfer mechanism", tx(p, p.Mechanism(m).Name))
	}
	f.add("Company", map[bool]string{true: ph(p, "of the group"), false: ph(p, "outside the group")}[s.GroupCompany])
	f.add("Belongs to", s.ParentCompany)
	f.say(s.AI, "Artificial intelligence", "yes")
	f.say(p.NeedsEnabling(r), "Gets data", "only where the customer enabled it")
	if s.Condition != nil {
		f.named("When", ph(p, "When %s", tx(p, s.Condition.When)), tx(p, s.Condition.Then), tx(p, s.Condition.Example))
	}
	f.add("More", txs(p, append(append([]string{}, s.Links...), page.LinkSets[s.LinkSet]...))...)
	f.add("Since", date(p, or(seen.Announced, r.Announced)))
	if seen.Running {
		f.add("Notice until", ph(p, "%s; customers may object, and nothing flows before it is over", date(p, seen.Until)))
	}
	f.add("Transfer impact assessment", assessment(p, &r.TIA), seen.Assessment)
	f.add("Oddity of the source", tx(p, r.Quirk))
	f.add("How the source was read", tx(p, s.Interpretation))
	return f
}

// assessment is what the programme states of one.
func assessment(p *programme.Programme, t *programme.TIA) string {
	if !t.Stated {
		return ""
	}
	text := ph(p, "stated")
	if t.Assessed != "" {
		text += ph(p, ", of %s", date(p, t.Assessed))
	}
	if t.Due != "" {
		text += ph(p, ", due again on %s", date(p, t.Due))
	}
	return text
}

func printed(p *programme.Programme, s *programme.SubProcessor) []string {
	if len(s.ServicesPrinted) > 0 {
		return txs(p, s.ServicesPrinted)
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

func places(p *programme.Programme, r *programme.Recipient) (out []string) {
	for _, l := range r.Locations {
		text := l.Country + tx(p, l.Area)
		for _, more := range []string{tx(p, l.Label), word(p, l.Role)} {
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
					if f.key == col {
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

func since(p *programme.Programme, a programme.Availability) string {
	text := ""
	if a.Since != "" {
		text = ph(p, "since %s", date(p, a.Since))
	}
	if a.AltSince != "" {
		text += ph(p, " (elsewhere in the source %s)", date(p, a.AltSince))
	}
	return text
}

func or[T ~string](s, otherwise T) T {
	if s == "" {
		return otherwise
	}
	return s
}
