package notice

import (
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// Holding is what the newest look-up in a directory said of an entity's certificate.
type Holding struct {
	Checked programme.Date // the day of the look-up, "" when there was none
	Status  string         // what the directory said
	Until   programme.Date // the last day that the directory printed
	Last    programme.Date // the last day on which it counts in decisions, "" for ever
	Counts  bool           // it counts today
}

// Directory finds the newest look-up. key names a scheme of certificates, or a row of the DPF.
type Directory func(scheme, entity string) Holding

// Certifications makes the page of certificates: what the organisation says, and what a look-up in the
// public directory found, on a day. Only what was looked up counts in decisions.
func Certifications(p *programme.Programme, look Directory, today programme.Day, asOf string) *Document {
	d := other(p, "certifications", ph(p, "Certifications"), p.Notice.LastUpdated)
	d.AsOf = asOf
	for i := range p.Certifications {
		c := &p.Certifications[i]
		s := Section{ID: c.ID, Title: c.Name, Facts: certification(p, c, today).all}
		if c.Directory != "" {
			for _, h := range c.Holders {
				s.Entries = append(s.Entries, holding(p, c.ID+"-"+h, p.Entity(h).Name, look(c.ID, p.Entity(h).Name), today))
			}
		}
		d.Sections = append(d.Sections, s)
	}
	return frameworks(p, d, look, today)
}

func certification(p *programme.Programme, c *programme.Certification, today programme.Day) facts {
	f := on(p)
	f.add("Role", term(p, c.Role))
	f.add("Scope", tx(p, c.Scope))
	f.add("Agent", c.Agent)
	f.add("Enforced by", tx(p, c.Authority))
	f.add("First certified", date(p, c.FirstCertified))
	f.add("Renewed every", phrase.Period(p.Language(), c.Renewal.String()))
	f.add("Valid until", date(p, c.ValidUntil))
	if c.ValidUntil != "" && programme.LastDay(c.ValidUntil) < today {
		f.add("State", ph(p, "lapsed"))
	}
	if next := nextYear(c, today); next != "" && c.ValidUntil == "" {
		f.add("Next renewal", ph(p, "by %s, counted from the first certification", date(p, next)))
	}
	f.add("Directory", c.Directory)
	if c.Directory == "" {
		f.add("Checked", ph(p, "in no directory: it is what the organisation says, and counts in no decision"))
	}
	f.add("Note", tx(p, c.Note))
	return f
}

// nextYear is when the clock that began with the first certification comes round next, as precisely as
// its beginning is known.
func nextYear(c *programme.Certification, today programme.Day) string {
	at, ok := c.NextRenewal(today)
	if !ok {
		return ""
	}
	return string(at.Date())[:min(len(c.FirstCertified), len("2006-01-02"))]
}

func holding(p *programme.Programme, id, name string, h Holding, today programme.Day) Entry {
	f := on(p)
	if h.Checked == "" {
		f.add("Last look-up", ph(p, "none yet"))
		f.add("In decisions", ph(p, "doesn't count"))
		return Entry{ID: id, Name: name, Facts: f.all}
	}
	f.add("Last look-up", date(p, h.Checked)+": "+term(p, h.Status))
	f.add("Valid until", date(p, h.Until))
	switch last := programme.LastDay(h.Last); {
	case h.Counts && last != programme.Never:
		f.add("In decisions", ph(p, "counts until %s, when it has to be looked up again or renewed", date(p, h.Last)))
	case h.Counts:
		f.add("In decisions", ph(p, "counts"))
	case h.Status != "active" && h.Status != "recertifying":
		f.add("In decisions", ph(p, "doesn't count: the directory doesn't list it as active"))
	case h.Until != "" && programme.LastDay(h.Until) < today:
		f.add("In decisions", ph(p, "lapsed: it stopped counting after %s", date(p, h.Until)))
	default:
		f.add("In decisions", ph(p, "stopped counting after %s: the look-up is too old", date(p, h.Last)))
	}
	return Entry{ID: id, Name: name, Facts: f.all}
}

// frameworks adds the rows of the Data Privacy Framework that entities say they are in.
func frameworks(p *programme.Programme, d *Document, look Directory, today programme.Day) *Document {
	s := Section{ID: "dpf", Title: ph(p, "Data Privacy Framework"), Text: []string{ph(p, "Which rows of the framework the organisation's entities say they are listed in, and what the look-ups found.")}}
	for _, e := range p.Entities {
		for _, m := range e.Memberships {
			row := map[string]string{"dpf": "eu-us", "dpf-uk": "uk-extension", "dpf-ch": "swiss-us"}[m]
			if row == "" {
				continue
			}
			s.Entries = append(s.Entries, holding(p, "dpf-"+e.ID+"-"+row, e.Name+", "+ph(p, rowNames[row]), look(row, e.Name), today))
		}
	}
	if len(s.Entries) > 0 {
		d.Sections = append(d.Sections, s)
	}
	return d
}

var rowNames = map[string]string{"eu-us": "EU-US", "uk-extension": "UK extension", "swiss-us": "Swiss-US"}
