// Package plan holds what sources send against the programme's tracking plans: which events and
// properties are planned, which are not, and which are but have another form. It is pure: it marks
// an event before it is split, and says what it found, never with a value.
//
// See docs/tracking-plans.md.
package plan

import (
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/programme"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Reasons of refusals. What is dropped is counted under the second.
const (
	ReasonEvent    = "plan.unplanned_event"
	ReasonProperty = "plan.unplanned_property"
	ReasonInvalid  = "plan.invalid"
)

// Source is what a plan knows a source by.
type Source struct{ Tenant, ID, Name, Adapter, Service string }

// Set is the plans of a programme, compiled. It is immutable.
type Set struct {
	base  ingest.Kinds
	plans []*compiled
}

// compiled is one plan: its selectors, and the kinds that it judges.
type compiled struct {
	base    ingest.Kinds
	sources []programme.PlanSource
	kinds   map[string]*judge // by the name of the kind
	under   map[[2]string]*ingest.Kind
}

// Compile compiles the plans of p over its kinds. The error is a fault of kind Invalid: a schema
// whose parts multiply too much.
func Compile(p *programme.Programme, kinds ingest.Kinds) (*Set, error) {
	s := &Set{base: kinds}
	places := newPlaces(p)
	for i := range p.Plans {
		plan := &p.Plans[i]
		c := &compiled{base: kinds, sources: plan.Sources, kinds: map[string]*judge{}, under: map[[2]string]*ingest.Kind{}}
		words := map[string]struct{}{}
		for j := range plan.Events {
			e := &plan.Events[j]
			k := c.kinds[e.Kind]
			if k == nil {
				k = newJudge(plan, e, words, places)
				c.kinds[e.Kind] = k
			}
			ev, err := compileEvent(e.Event, p.Compiled(e.Schema), words)
			if err != nil {
				return nil, err
			}
			k.events[e.Event] = ev
		}
		for kind := range p.KindRules() {
			if k := c.kinds[kind.Kind]; k != nil {
				key := [2]string{kind.Service, kind.Kind}
				c.under[key] = kinds.Kind(kind.Service, kind.Kind).Under(k)
			}
		}
		s.plans = append(s.plans, c)
	}
	return s, nil
}

// Kinds returns the kinds as the source's plan judges their events, those of the programme when it
// has none.
func (s *Set) Kinds(src Source) ingest.Kinds {
	for _, c := range s.plans {
		for i := range c.sources {
			if fits(&c.sources[i], &src) {
				return c
			}
		}
	}
	return s.base
}

func fits(want *programme.PlanSource, src *Source) bool {
	return (want.Tenant == "" || want.Tenant == src.Tenant) && (want.Source == "" || want.Source == src.Name || want.Source == src.ID) &&
		(want.Adapter == "" || want.Adapter == src.Adapter) && (want.Service == "" || want.Service == src.Service)
}

// Kind implements ingest.Kinds.
func (c *compiled) Kind(service, name string) *ingest.Kind {
	if k := c.under[[2]string{service, name}]; k != nil {
		return k
	}
	return c.base.Kind(service, name)
}

// event is one planned event.
type event struct {
	name   string
	schema *jsonschema.Schema
	shape  *shape
}

func compileEvent(name string, schema *jsonschema.Schema, words map[string]struct{}) (*event, error) {
	b := builder{shapes: map[string]*shape{}, words: words}
	root := b.of([]*jsonschema.Schema{schema})
	if b.full {
		return nil, fault.New(fault.Invalid, "plan.schema_too_wide", "the schemas of a planned event combine in more than %d ways", maxShapes)
	}
	return &event{name, schema, root}, nil
}

// judge judges the events of one kind. It implements ingest.Plan.
type judge struct {
	plan   *programme.Plan
	member string   // that names the event; "" when events of the kind have no names
	at     []string // path of the properties, nil for all of the data
	also   []string // another place where RudderStack's SDKs have them
	events map[string]*event
	words  map[string]struct{} // the plan's own
	places *places
}

func newJudge(p *programme.Plan, e *programme.PlanEvent, words map[string]struct{}, places *places) *judge {
	j := &judge{plan: p, events: map[string]*event{}, words: words, places: places}
	j.member, _ = programme.Named(e.Kind)
	switch {
	case e.At != "":
		j.at = strings.Split(e.At, ".")
	case j.member != "":
		j.at = []string{"properties"}
	case e.Kind == "identify" || e.Kind == "group":
		j.at = []string{"traits"}
		if e.Kind == "identify" {
			j.also = []string{"context", "traits"}
		}
	}
	for _, w := range append(append([]string{j.member}, j.at...), j.also...) {
		if w != "" {
			words[w] = struct{}{}
		}
	}
	return j
}

// Knows implements ingest.Plan: names in the plan, and those that suggestions go by.
func (j *judge) Knows(name string) bool {
	_, ok := j.words[name]
	return ok || knownName(name)
}

// Check says whether the plans of p can be compiled. The error is that of Compile.
func Check(p *programme.Programme) error {
	for i := range p.Plans {
		for j := range p.Plans[i].Events {
			if _, err := compileEvent("", p.Compiled(p.Plans[i].Events[j].Schema), map[string]struct{}{}); err != nil {
				return err
			}
		}
	}
	return nil
}
