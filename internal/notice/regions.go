package notice

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/phrase"
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
	d := other(p, "regions", ph(p, "Regions"), plan.LastUpdated)
	d.AsOf = asOf
	for _, s := range []Section{matrix(p), stays(p, plan), contracting(p, plan)} {
		if s.Table != nil || len(s.Entries)+len(s.Facts) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	if r := p.Region(plan.Primary); r != nil {
		d.Sections = append(d.Sections, Section{ID: "primary", Title: ph(p, "Where data is processed unless another region is chosen"), Text: []string{ph(p, "%s, in %s.", tx(p, r.Name), r.Country)}})
	}
	for i := range p.Regions {
		d.Sections = append(d.Sections, region(p, &p.Regions[i], checks))
	}
	if s := updates(p, plan); len(s.Facts) > 0 {
		d.Sections = append(d.Sections, s)
	}
	return d
}

// matrix has a row for each service that can be had in some region.
func matrix(p *programme.Programme) Section {
	t := &Table{Head: []string{ph(p, "Service")}}
	notes := on(p)
	for _, r := range p.Regions {
		t.Head = append(t.Head, tx(p, r.Name))
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
					cell = append(cell, availability(p, a))
					notes.named(x.ID+"."+r.ID, x.Name+", "+tx(p, r.Name), tx(p, a.Note))
				}
			}
			row = append(row, strings.Join(cell, ";\n"))
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		return Section{}
	}
	return Section{ID: "services", Title: ph(p, "Services by region"), Text: []string{ph(p, "What can be had where, with the channel or part where it is less than the whole service.")}, Table: t, Facts: notes.all}
}

func availability(p *programme.Programme, a programme.Availability) string {
	text := term(p, a.Status)
	if a.Feature != "" {
		text = tx(p, a.Feature) + ": " + text
	}
	if s := since(p, a); s != "" {
		text += " " + s
	}
	return text
}

// stays says what stays in its region: by the plan, and by the flows that the data path lets out.
func stays(p *programme.Programme, plan *programme.RegionalPlan) Section {
	s := Section{ID: "stays", Title: ph(p, "What stays in its region, and what does not yet")}
	for _, x := range plan.Data {
		f := on(p)
		if x.Stays {
			f.add("Stays", or(phrase.Join(regionNames(p, x.Regions)), ph(p, "in the region where it came in")))
		} else {
			f.add("Does not stay yet", ph(p, "it is in %s", phrase.Join(x.At)))
		}
		f.add("Planned for", date(p, x.Planned))
		f.add("Note", tx(p, x.Note))
		s.Entries = append(s.Entries, Entry{ID: "data-" + x.ID, Name: tx(p, x.Name), Facts: f.all})
	}
	if len(s.Entries) > 0 {
		s.Text = []string{ph(p, "By the published plan. What a node's data path lets out stands with each region, below: nothing leaves that no flow is declared for.")}
	}
	return s
}

func regionNames(p *programme.Programme, ids []string) (out []string) {
	for _, id := range ids {
		if r := p.Region(id); r != nil {
			out = append(out, tx(p, r.Name))
		}
	}
	return out
}

func contracting(p *programme.Programme, plan *programme.RegionalPlan) Section {
	s := Section{ID: "contracting", Title: ph(p, "Whom customers contract with")}
	if len(plan.Contracting) == 0 {
		return s
	}
	s.Text = []string{ph(p, "By billing country; the first line that fits counts.")}
	for i, c := range plan.Contracting {
		f := on(p)
		f.add("Billing country", or(phrase.Join(c.Billing), ph(p, "every other")))
		f.add("New customers since", date(p, c.Since))
		f.add("Others", tx(p, c.OnRequest))
		f.add("Seat", p.Entity(c.Entity).Country)
		f.add("Note", tx(p, c.Note))
		s.Entries = append(s.Entries, Entry{ID: fmt.Sprintf("contracting-%d", i+1), Name: p.Entity(c.Entity).Name, Facts: f.all})
	}
	return s
}

func region(p *programme.Programme, r *programme.Region, checks map[string]RegionCheck) Section {
	f := on(p)
	f.add("Country", r.Country)
	f.add("Run by", p.Entity(r.Entity).Name)
	f.add("Declared", map[bool]string{true: ph(p, "running"), false: ph(p, "not running")}[r.Running])
	f.add("Note", tx(p, r.Note))
	if checks != nil {
		checked(&f, p, r, checks[r.ID])
	}
	s := Section{ID: r.ID, Title: tx(p, r.Name) + " (" + r.ID + ")", Facts: f.all}
	for _, x := range p.Flows {
		if x.From == r.ID {
			s.Entries = append(s.Entries, leaves(p, &x))
		}
	}
	if len(s.Entries) == 0 {
		s.Text = []string{ph(p, "No flow is declared to leave this region.")}
	} else {
		s.Text = []string{ph(p, "What may leave this region stands below, flow by flow; each record leaves by a decision of its own.")}
	}
	return s
}

// checked says what the region's node answered, and what of it isn't as the programme claims.
func checked(f *facts, p *programme.Programme, r *programme.Region, c RegionCheck) {
	switch {
	case c.Self:
		f.add("Checked", ph(p, "this page comes from a node of this region; it runs"))
	case !c.At.IsZero() && !c.Fails:
		f.add("Checked", ph(p, "its node answered at %s (%s)", instant(p, c.At), c.URL))
	case !c.At.IsZero():
		f.add("Checked", ph(p, "its node didn't answer at %s; it did at %s (%s)", instant(p, c.Asked), instant(p, c.At), c.URL))
	case !c.Asked.IsZero():
		f.add("Checked", ph(p, "its node didn't answer at %s (%s)", instant(p, c.Asked), c.URL))
	default:
		f.add("Checked", ph(p, "not from here: this node wasn't told where it is"))
		return
	}
	f.add("It says", contradictions(p, r, c)...)
}

func contradictions(p *programme.Programme, r *programme.Region, c RegionCheck) (says []string) {
	if c.At.IsZero() && !c.Self {
		if r.Running {
			return []string{ph(p, "nothing, though it is declared as running")}
		}
		return nil
	}
	if c.Region != r.ID {
		says = append(says, ph(p, "it is %s, not %s", or(c.Region, ph(p, "nobody")), r.ID))
	} else if c.Country != r.Country {
		says = append(says, ph(p, "it is in %s, not in %s", or(c.Country, ph(p, "no country")), r.Country))
	} else {
		says = append(says, ph(p, "it is %s, in %s", c.Region, c.Country))
	}
	if !r.Running && !c.Fails {
		says = append(says, ph(p, "it runs, though it is declared not to"))
	}
	if c.Programme == p.Hash {
		return append(says, ph(p, "it enforces the programme of this page"))
	}
	return append(says, ph(p, "it enforces another programme, %s", or(c.Programme, ph(p, "none"))))
}

func flowName(p *programme.Programme, x *programme.Flow) string {
	if x.Name != "" {
		return tx(p, x.Name)
	}
	return capital(word(p, x.ID))
}

func leaves(p *programme.Programme, x *programme.Flow) Entry {
	f := on(p)
	r := p.Recipient(x.To)
	f.add("To", recipientName(p, r))
	f.add("In", places(p, r)...)
	f.add("For", tx(p, p.Purpose(x.Purpose).Name))
	f.add("Data", names(p, x.Categories)...)
	f.add("At most", term(p, x.Form))
	return Entry{ID: "flow-" + x.ID, Name: flowName(p, x), Facts: f.all}
}

// updates lists the newest first.
func updates(p *programme.Programme, plan *programme.RegionalPlan) Section {
	s := Section{ID: "updates", Title: ph(p, "Updates of the plan")}
	if n := plan.Every.String(); n != "" {
		s.Text = []string{ph(p, "Promised every %s.", phrase.Period(p.Language(), n))}
	}
	all := slices.Clone(plan.Updates)
	slices.SortStableFunc(all, func(a, b programme.PlanUpdate) int { return b.Dated.Start().Compare(a.Dated.Start()) })
	f := on(p)
	for _, u := range all {
		f.named(string(u.Dated), date(p, u.Dated), tx(p, u.Text))
	}
	s.Facts = f.all
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
