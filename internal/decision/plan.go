package decision

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
)

// What a change does to a flow, worst first.
const (
	Stops     = "stops"
	Narrows   = "narrows" // another form, fewer kinds or fewer categories
	Rests     = "rests"   // goes on, on another mechanism
	Widens    = "widens"
	Starts    = "starts"
	Unchanged = "unchanged"
)

// Change is what a change does to one flow. It is about the flow as such: what stands against single
// persons or customers is left out, and so is how much flows.
type Change struct {
	Flow       string   `json:"flow"`
	What       string   `json:"what"`
	Was        string   `json:"was"` // the best form of any kind, denied, or undeclared
	Is         string   `json:"is"`
	Mechanisms []string `json:"mechanisms,omitempty"` // what it rests on now, by destination
	Before     []string `json:"before,omitempty"`     // what it rested on, where that differs
	Lost       []string `json:"lost,omitempty"`       // kinds and categories that don't flow any more
	Gained     []string `json:"gained,omitempty"`
	Reasons    []Reason `json:"reasons,omitempty"` // why it stops or narrows
}

// Plan compares what two engines let flow at now, for every flow of either. A nil old one lets nothing.
func Plan(old, e *Engine, now time.Time) (changes []Change) { return PlanSince(old, now, e, now) }

// PlanSince is Plan of what old let flow at another time: what lapses between the two is among it.
func PlanSince(old *Engine, then time.Time, e *Engine, now time.Time) (changes []Change) {
	ids := []string{}
	for _, x := range []*Engine{e, old} {
		if x == nil {
			continue
		}
		for i := range x.p.Flows {
			if id := x.p.Flows[i].ID; !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		changes = append(changes, compare(id, old.survey(id, then), e.survey(id, now)))
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return weigh(a) - weigh(b) })
	return changes
}

func weigh(c Change) int {
	return slices.Index([]string{Stops, Narrows, Rests, Widens, Starts, Unchanged}, c.What)
}

// survey is what a flow may do at a time: the best answer of each of its kinds.
type survey struct {
	declared   bool
	categories []string
	kinds      map[string]*Decision
	order      []string
}

func (e *Engine) survey(flow string, now time.Time) survey {
	s := survey{kinds: map[string]*Decision{}}
	if e == nil || e.plans[flow] == nil {
		return s
	}
	pl := e.plans[flow]
	s.declared, s.categories = true, pl.leaves
	for i := range pl.base {
		if c := &pl.base[i].cond; c.op == opKind {
			s.order = c.set
		}
	}
	seen := e.see(programme.DayOf(now))
	for _, k := range s.order {
		service, kind, _ := strings.Cut(k, "/")
		q := Question{Flow: flow, Service: service, Kind: kind, Categories: e.CategoriesFor(flow, service, kind), anybody: true}
		if q.Categories == "" { // the kind has nothing that the flow declares
			continue
		}
		s.kinds[k] = e.judge(pl, &q, seen)
	}
	return s
}

// best is the most that any kind may do.
func (s survey) best() (name string, most int) {
	if !s.declared {
		return "undeclared", 0
	}
	name = "denied"
	for _, d := range s.kinds {
		if r := height(d); r > most {
			name, most = d.Form.String(), r
		}
	}
	return name, most
}

// height orders answers: denied, aggregated, pseudonymised, clear.
func height(d *Decision) int {
	if d == nil || !d.Allowed {
		return 0
	}
	return forms - int(d.Form)
}

// rests are the mechanisms of what may flow, by destination.
func (s survey) rests() (out []string) {
	to := map[[2]string][]string{} // law, mechanism → countries
	for _, k := range s.order {
		d := s.kinds[k]
		if height(d) == 0 {
			continue
		}
		for _, l := range d.Legs {
			m := [2]string{l.Law, cmp.Or(l.Mechanism, "none needed")}
			if l.Mark == law.FromMemory {
				m[1] += " [from memory: check it]"
			}
			if !slices.Contains(to[m], l.Country) {
				to[m] = append(to[m], l.Country)
			}
		}
	}
	for m, countries := range to {
		slices.Sort(countries)
		out = append(out, m[0]+" → "+strings.Join(countries, ",")+": "+m[1])
	}
	slices.Sort(out)
	return out
}

func compare(flow string, was, is survey) Change {
	c := Change{Flow: flow, What: Unchanged}
	var before, after int
	c.Was, before = was.best()
	c.Is, after = is.best()
	c.Mechanisms = is.rests()
	if rested := was.rests(); before > 0 && !slices.Equal(rested, c.Mechanisms) {
		c.Before = rested
	}
	if before > 0 {
		c.lost(was, is)
	}
	if after > 0 {
		c.gained(was, is)
	}
	switch {
	case before > 0 && after == 0:
		c.What = Stops
	case before == 0 && after > 0:
		c.What, c.Gained = Starts, nil
	case len(c.Lost) > 0:
		c.What = Narrows
	case len(c.Gained) > 0:
		c.What = Widens
	case before > 0 && len(c.Before) > 0:
		c.What = Rests
	}
	if c.What == Stops || c.What == Narrows {
		c.Reasons = is.denials()
	}
	return c
}

func (c *Change) lost(was, is survey) {
	for _, k := range was.order {
		if height(is.kinds[k]) < height(was.kinds[k]) {
			c.Lost = append(c.Lost, k)
		}
	}
	for _, x := range was.categories {
		if is.declared && !slices.Contains(is.categories, x) {
			c.Lost = append(c.Lost, x)
		}
	}
	c.Lost = append(c.Lost, less(was, is)...)
}

func (c *Change) gained(was, is survey) {
	for _, k := range is.order {
		if height(is.kinds[k]) > height(was.kinds[k]) {
			c.Gained = append(c.Gained, k)
		}
	}
	for _, x := range is.categories {
		if was.declared && !slices.Contains(was.categories, x) {
			c.Gained = append(c.Gained, x)
		}
	}
	c.Gained = append(c.Gained, less(is, was)...)
}

// less are the categories of a kind that one lets go and the other drops, as an assessment demands; both flow.
func less(more, fewer survey) (out []string) {
	for _, k := range more.order {
		a, b := more.kinds[k], fewer.kinds[k]
		if height(a) == 0 || height(b) == 0 {
			continue
		}
		for _, x := range more.categories {
			if slices.Contains(fewer.categories, x) && !a.drops(x) && b.drops(x) {
				out = append(out, k+": "+x)
			}
		}
	}
	return out
}

// drops says whether a category has to be left out.
func (d *Decision) drops(category string) bool {
	return slices.ContainsFunc(d.Obligations, func(o Obligation) bool { return o.Do == "drop" && slices.Contains(o.What, category) })
}

// denials are the reasons of all kinds, each once. What was passed over is among them: it says what
// fell.
func (s survey) denials() (out []Reason) {
	if !s.declared {
		return []Reason{{Effect: Denies, Code: "flow.undeclared", Says: "the flow is not declared any more", Policy: "undeclared"}}
	}
	for _, k := range s.order {
		d := s.kinds[k]
		if d == nil {
			continue
		}
		for _, r := range d.Reasons {
			same := func(x Reason) bool { return x.Policy == r.Policy && x.Code == r.Code && x.Says == r.Says }
			if (r.Effect == Denies || r.Effect == PassedOver || r.Code == "tia.demands") && !slices.ContainsFunc(out, same) {
				out = append(out, r)
			}
		}
	}
	return out
}
