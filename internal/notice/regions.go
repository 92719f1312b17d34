package notice

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/programme"
)

// RegionCheck is what a region's running node said of itself.
type RegionCheck struct {
	Self  bool      // it is this very node
	URL   string    // where it was asked
	Asked time.Time // when it was asked last, zero for never
	At    time.Time // when it answered last, zero for never
	// Region, Country and Programme are what it answered.
	Region, Country, Programme string
	// Fails says that it didn't answer when it was asked last.
	Fails bool
}

// Regions makes the page of regions, without a look at any node.
func Regions(p *programme.Programme) *Document { return RegionsSeen(p, nil, "") }

// RegionsSeen makes the regional plan: which service is where since when, what stays and what doesn't, whom
// customers contract with, and of each region what the programme claims and what its node says. checks are
// by region; nil leaves them out. asOf is an instant, "" when nothing was looked at.
func RegionsSeen(p *programme.Programme, checks map[string]RegionCheck, asOf string) *Document {
	plan := p.RegionalPlan
	if plan == nil {
		plan = &programme.RegionalPlan{LastUpdated: p.Notice.LastUpdated}
	}
	d := other(p, "regions", "Regions", plan.LastUpdated)
	d.AsOf = asOf
	for _, s := range []Section{matrix(p), stays(p, plan), contracting(p, plan)} {
		if s.Table != nil || len(s.Entries)+len(s.Facts) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	if r := p.Region(plan.Primary); r != nil {
		d.Sections = append(d.Sections, Section{ID: "primary", Title: "Where data is processed unless another region is chosen", Text: []string{r.Name + ", in " + r.Country + "."}})
	}
	for i := range p.Regions {
		d.Sections = append(d.Sections, region(p, &p.Regions[i], checks))
	}
	if s := updates(plan); len(s.Facts) > 0 {
		d.Sections = append(d.Sections, s)
	}
	return d
}

// matrix has a row for each service that can be had in some region.
func matrix(p *programme.Programme) Section {
	t := &Table{Head: []string{"Service"}}
	var notes facts
	for _, r := range p.Regions {
		t.Head = append(t.Head, r.Name)
	}
	for _, x := range p.Services {
		if len(x.Availability) == 0 {
			continue
		}
		row := []string{x.Name}
		for _, r := range p.Regions {
			var cell []string
			for _, a := range x.Availability {
				if a.Region == r.ID {
					cell = append(cell, availability(a))
					notes.add(x.Name+", "+r.Name, a.Note)
				}
			}
			row = append(row, strings.Join(cell, ";\n"))
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		return Section{}
	}
	return Section{ID: "services", Title: "Services by region", Text: []string{"What can be had where, with the channel or part where it is less than the whole service."}, Table: t, Facts: notes}
}

func availability(a programme.Availability) string {
	text := a.Status
	if a.Feature != "" {
		text = a.Feature + ": " + text
	}
	if s := since(a); s != "" {
		text += " " + s
	}
	return text
}

// stays says what stays in its region: by the plan, and by the flows that the data path lets out.
func stays(p *programme.Programme, plan *programme.RegionalPlan) Section {
	s := Section{ID: "stays", Title: "What stays in its region, and what does not yet"}
	for _, x := range plan.Data {
		var f facts
		if x.Stays {
			f.add("Stays", or(strings.Join(regionNames(p, x.Regions), ", "), "in the region where it came in"))
		} else {
			f.add("Does not stay yet", "it is in "+strings.Join(x.At, ", "))
		}
		f.add("Planned for", string(x.Planned))
		f.add("Note", x.Note)
		s.Entries = append(s.Entries, Entry{ID: "data-" + x.ID, Name: x.Name, Facts: f})
	}
	if len(s.Entries) > 0 {
		s.Text = []string{"By the published plan. What a node's data path lets out stands with each region, below: nothing leaves that no flow is declared for."}
	}
	return s
}

func regionNames(p *programme.Programme, ids []string) (out []string) {
	for _, id := range ids {
		if r := p.Region(id); r != nil {
			out = append(out, r.Name)
		}
	}
	return out
}

func contracting(p *programme.Programme, plan *programme.RegionalPlan) Section {
	s := Section{ID: "contracting", Title: "Whom customers contract with"}
	if len(plan.Contracting) == 0 {
		return s
	}
	s.Text = []string{"By billing country; the first line that fits counts."}
	for i, c := range plan.Contracting {
		var f facts
		f.add("Billing country", or(strings.Join(c.Billing, ", "), "every other"))
		f.add("New customers since", string(c.Since))
		f.add("Others", c.OnRequest)
		f.add("Seat", p.Entity(c.Entity).Country)
		f.add("Note", c.Note)
		s.Entries = append(s.Entries, Entry{ID: fmt.Sprintf("contracting-%d", i+1), Name: p.Entity(c.Entity).Name, Facts: f})
	}
	return s
}

func region(p *programme.Programme, r *programme.Region, checks map[string]RegionCheck) Section {
	var f facts
	f.add("Country", r.Country)
	f.add("Run by", p.Entity(r.Entity).Name)
	f.add("Declared", map[bool]string{true: "running", false: "not running"}[r.Running])
	f.add("Note", r.Note)
	if checks != nil {
		checked(&f, p, r, checks[r.ID])
	}
	s := Section{ID: r.ID, Title: r.Name + " (" + r.ID + ")", Facts: f}
	for _, x := range p.Flows {
		if x.From == r.ID {
			s.Entries = append(s.Entries, leaves(p, &x))
		}
	}
	if len(s.Entries) == 0 {
		s.Text = []string{"No flow is declared to leave this region."}
	} else {
		s.Text = []string{"What may leave this region stands below, flow by flow; each record leaves by a decision of its own."}
	}
	return s
}

// checked says what the region's node answered, and what of it isn't as the programme claims.
func checked(f *facts, p *programme.Programme, r *programme.Region, c RegionCheck) {
	switch {
	case c.Self:
		f.add("Checked", "this page comes from a node of this region; it runs")
	case !c.At.IsZero() && !c.Fails:
		f.add("Checked", "its node answered at "+instant(c.At)+" ("+c.URL+")")
	case !c.At.IsZero():
		f.add("Checked", "its node didn't answer at "+instant(c.Asked)+"; it did at "+instant(c.At)+" ("+c.URL+")")
	case !c.Asked.IsZero():
		f.add("Checked", "its node didn't answer at "+instant(c.Asked)+" ("+c.URL+")")
	default:
		f.add("Checked", "not from here: this node wasn't told where it is")
		return
	}
	f.add("It says", contradictions(p, r, c)...)
}

func contradictions(p *programme.Programme, r *programme.Region, c RegionCheck) (says []string) {
	if c.At.IsZero() && !c.Self {
		if r.Running {
			return []string{"nothing, though it is declared as running"}
		}
		return nil
	}
	if c.Region != r.ID {
		says = append(says, "it is "+or(c.Region, "nobody")+", not "+r.ID)
	} else if c.Country != r.Country {
		says = append(says, "it is in "+or(c.Country, "no country")+", not in "+r.Country)
	} else {
		says = append(says, "it is "+c.Region+", in "+c.Country)
	}
	if !r.Running && !c.Fails {
		says = append(says, "it runs, though it is declared not to")
	}
	if c.Programme == p.Hash {
		return append(says, "it enforces the programme of this page")
	}
	return append(says, "it enforces another programme, "+or(c.Programme, "none"))
}

func leaves(p *programme.Programme, x *programme.Flow) Entry {
	var f facts
	r := p.Recipient(x.To)
	f.add("To", r.Name)
	f.add("In", places(r)...)
	f.add("For", p.Purpose(x.Purpose).Name)
	f.add("Data", names(p, x.Categories)...)
	f.add("At most", x.Form)
	return Entry{ID: "flow-" + x.ID, Name: or(x.Name, capital(Words(x.ID))), Facts: f}
}

// updates lists the newest first.
func updates(plan *programme.RegionalPlan) Section {
	s := Section{ID: "updates", Title: "Updates of the plan"}
	if n := plan.Every.String(); n != "" {
		s.Text = []string{"Promised every " + n + "."}
	}
	all := slices.Clone(plan.Updates)
	slices.SortStableFunc(all, func(a, b programme.PlanUpdate) int { return b.Dated.Start().Compare(a.Dated.Start()) })
	var f facts
	for _, u := range all {
		f.add(string(u.Dated), u.Text)
	}
	s.Facts = f
	return s
}

// Here is what a node says of itself to whoever asks.
type Here struct {
	Region    string `json:"region"`
	Country   string `json:"country"`
	Programme string `json:"programme"` // hash of the one that it enforces
}

// HereOf is what the node of a region says that enforces p.
func HereOf(p *programme.Programme, region string) Here {
	h := Here{Region: region, Programme: p.Hash}
	if r := p.Region(region); r != nil {
		h.Country = r.Country
	}
	return h
}

var (
	saidRegion    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,15}$`)
	saidProgramme = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Sound says whether it is something that a node would say; only that is shown.
func (h Here) Sound() bool {
	return saidRegion.MatchString(h.Region) && programme.IsCountry(h.Country) && saidProgramme.MatchString(h.Programme)
}
