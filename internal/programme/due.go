package programme

import (
	"cmp"
	"slices"
)

// Due is something that the programme says comes again.
type Due struct {
	Kind  string `json:"kind"`  // certificate, plan, list, document, control, assessment
	ID    string `json:"id"`    // of the thing
	What  string `json:"what"`  // in words
	Last  string `json:"last"`  // when it was done last, as precisely as that is known; "" for never
	On    Date   `json:"on"`    // the first day on which it is late
	Days  int    `json:"days"`  // until then, below 1 when it is late
	Owner string `json:"owner"` // who answers for it, "" when nobody is named
}

// Calendar returns what comes again within so many days from a day, and what is late, the first first. A
// certificate's clock began when it was first granted and comes round each period: it is late on no day
// unless its last day of validity is over.
func (p *Programme) Calendar(today Day, within int) []Due {
	all := []Due{}
	add := func(x Due, on Day) {
		if x.Days = int(on - today); x.Days < within {
			x.On = on.Date()
			all = append(all, x)
		}
	}
	again := func(kind, id, what, owner string, last Date, every Period) {
		switch {
		case every.Unit == "" || every.Unit == Unlimited:
		case last == "":
			add(Due{Kind: kind, ID: id, What: what + " for the first time", Owner: owner}, today)
		default:
			add(Due{Kind: kind, ID: id, What: what, Last: string(last), Owner: owner}, every.Over(FirstDay(last)))
		}
	}
	for i := range p.Certifications {
		c := &p.Certifications[i]
		if c.ValidUntil != "" {
			add(Due{Kind: "certificate", ID: c.ID, What: "renew " + c.Name, Last: string(c.FirstCertified), Owner: c.Agent}, LastDay(c.ValidUntil)+1)
		} else if on, ok := c.NextRenewal(today); ok {
			add(Due{Kind: "certificate", ID: c.ID, What: "renew " + c.Name, Last: string(c.FirstCertified), Owner: c.Agent}, on)
		}
	}
	if r := p.RegionalPlan; r != nil {
		again("plan", "regional_plan", "publish an update of the regional plan", "", r.LastUpdated, r.Every)
	}
	if s := p.Notice.SubProcessorPage; s != nil {
		again("list", "sub_processors", "review the list of sub-processors", "", s.LastUpdated, s.Review)
	}
	for i := range p.Documents {
		if x := &p.Documents[i]; x.Retired == "" {
			again("document", x.ID, "look whether its address leads to "+x.Title, "", x.Checked, x.Check)
		}
	}
	for i := range p.Controls {
		c := &p.Controls[i]
		again("control", c.ID, "review the control "+c.Name, c.Owner, c.Reviewed, c.Review)
	}
	for i := range p.Recipients {
		r := &p.Recipients[i]
		by, why := r.TIA.Due, ""
		for j := range p.Events {
			if e := &p.Events[j]; e.ReassessBy != "" && e.Concerns(r) && r.TIA.Assessed < e.On && (by == "" || e.ReassessBy < by) {
				by, why = e.ReassessBy, ", because of "+e.Name
			}
		}
		if by != "" {
			add(Due{Kind: "assessment", ID: r.ID, What: "assess the transfer to " + r.Name + " anew" + why, Last: string(r.TIA.Assessed)}, FirstDay(by))
		}
	}
	slices.SortStableFunc(all, func(a, b Due) int {
		return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// NextRenewal returns when the clock that began with the first certification comes round next after a day.
func (c *Certification) NextRenewal(today Day) (Day, bool) {
	from := c.FirstCertified.Start()
	if from.IsZero() || c.Renewal.N == 0 || c.Renewal.Unit != Months && c.Renewal.Unit != Years {
		return 0, false
	}
	first := DayOf(from)
	for n := 1; n <= 400; n++ {
		if at := (Period{N: c.Renewal.N * n, Unit: c.Renewal.Unit}).Over(first); at > today {
			return at, true
		}
	}
	return 0, false
}
