package programme

import (
	"fmt"
	"slices"
	"strconv"

	"domicile.dev/internal/term"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Plan says what some sources may send: the events, and in each the properties.
//
// A plan judges the kinds that its events name, and no other. What it doesn't have, or what has
// another form than it says, is unplanned or invalid; the three settings say what becomes of it.
type Plan struct {
	ID      string       `yaml:"id" is:"required;id=plans" doc:"Short name; violations carry it."`
	Name    string       `yaml:"name" doc:"The name on pages."`
	Sources []PlanSource `yaml:"sources" is:"required" doc:"The sources that it is for. Of several plans that fit a source, the first holds."`

	UnplannedEvent    string `yaml:"unplanned_event" is:"enum=keep,refuse" doc:"An event that isn't in the plan: keep (default) keeps its content as unclassified, refuse refuses it."`
	UnplannedProperty string `yaml:"unplanned_property" is:"enum=keep,drop,refuse_event" doc:"A property that isn't in the plan: keep (default) keeps it as unclassified, drop drops it, refuse_event refuses the whole event."`
	Invalid           string `yaml:"invalid" is:"enum=keep,refuse_event" doc:"A planned property that its schema doesn't allow: keep (default) keeps it as unclassified, refuse_event refuses the whole event."`

	Events []PlanEvent `yaml:"events" is:"required" doc:"What may be sent."`
	Note   string      `yaml:"note" doc:"Anything that a reader should know."`
}

// PlanSource selects sources: those that all of its keys fit.
type PlanSource struct {
	Tenant  string `yaml:"tenant" doc:"The tenant's id."`
	Source  string `yaml:"source" doc:"The source's name or id."`
	Adapter string `yaml:"adapter" is:"enum=segment,native,twilio,sendgrid,whatsapp,cloudevents" doc:"The source's adapter."`
	Service string `yaml:"service" is:"ref=services" doc:"The source's service."`
}

// PlanEvent is one planned event of a kind.
type PlanEvent struct {
	Kind   string     `yaml:"kind" is:"required;word" doc:"The kind of record: track, identify, page, screen, group, or any other that a service has."`
	Event  string     `yaml:"event" doc:"The name of a track event, page or screen, exactly; any page or screen when left out."`
	At     string     `yaml:"at" is:"path" doc:"Where in the record's data the schema applies. Default: properties of track, page and screen, traits of identify and group, else all of the data."`
	Schema JSONSchema `yaml:"schema" is:"required" doc:"JSON Schema (2020-12, or draft-07 when $schema says so) of the properties. It refers to nothing outside itself."`
}

// Settings of a plan, as its keys have them.
const (
	PlanKeep        = "keep"
	PlanDrop        = "drop"
	PlanRefuse      = "refuse"
	PlanRefuseEvent = "refuse_event"
)

// named says which kinds have events with a name of their own.
var namedKinds = []string{"track", "page", "screen"}

// Named says whether events of the kind have a name of their own, and in which member: "event" of
// a track event, "name" of a page or screen.
func Named(kind string) (member string, ok bool) {
	switch {
	case kind == "track":
		return "event", true
	case slices.Contains(namedKinds, kind):
		return "name", true
	}
	return "", false
}

// Compiled returns a plan's schema, compiled when the programme was loaded. It is good for
// concurrent use.
func (p *Programme) Compiled(s JSONSchema) *jsonschema.Schema { return p.index.schemas[s] }

func (d *decoder) checkPlans(p *Programme) {
	selectors := map[PlanSource]*node{}
	for i := range p.Plans {
		plan := &p.Plans[i]
		for j := range plan.Sources {
			s := &plan.Sources[j]
			n := d.at[s]
			if n == nil {
				continue
			}
			if *s == (PlanSource{}) && d.sound(s) {
				d.contradicts(n, "tenant", "the selector selects nothing", "name a tenant, source, adapter or service")
			}
			if first := selectors[*s]; first != nil {
				d.fault(n, CodeDuplicate, fmt.Sprintf("the same selector is at %s:%d, whose plan holds", first.file, first.line), "remove one of the two")
			} else {
				selectors[*s] = n
			}
		}
		d.checkPlanEvents(p, plan)
	}
}

func (d *decoder) checkPlanEvents(p *Programme, plan *Plan) {
	seen := map[[2]string]*node{}
	at := map[string]string{}
	for i := range plan.Events {
		e := &plan.Events[i]
		n := d.at[e]
		if n == nil {
			continue
		}
		_, named := Named(e.Kind)
		switch {
		case e.Kind == "track" && e.Event == "" && d.sound(e):
			d.fault(n, CodeMissing, "event is missing in "+n.path, "add event: the name of the track event")
		case e.Event != "" && !named:
			d.contradicts(n, "event", "events of the kind "+quote(e.Kind)+" have no names", "remove it")
		}
		if e.Event != "" && !showable(e.Event) {
			d.fault(n.or("event"), CodeBadValue, "the name of an event is longer than "+strconv.Itoa(maxPlanName)+" bytes, or has control characters", "")
		}
		if e.Kind != "" && !p.hasKind(e.Kind) && d.sound(e) {
			d.contradicts(n, "kind", "no service has the kind "+quote(e.Kind), suggest(e.Kind, p.allKinds()))
		}
		key := [2]string{e.Kind, e.Event}
		if first := seen[key]; first != nil {
			d.fault(n, CodeDuplicate, fmt.Sprintf("the event is planned twice, first at %s:%d", first.file, first.line), "join the two")
			continue
		}
		seen[key] = n
		if have, ok := at[e.Kind]; ok && have != e.At {
			d.contradicts(n, "at", "events of one kind have their properties at one place, and another says "+quote(have), "give all of them the same")
		}
		if _, ok := at[e.Kind]; !ok {
			at[e.Kind] = e.At
		}
	}
}

func (p *Programme) hasKind(kind string) bool { return slices.Contains(p.allKinds(), kind) }

func (p *Programme) allKinds() (all []string) {
	for i := range p.Kinds {
		if !slices.Contains(all, p.Kinds[i].Kind) {
			all = append(all, p.Kinds[i].Kind)
		}
	}
	return all
}

// checkPlaces reports what contradicts the rule that exact places are in one category only.
func (d *decoder) checkPlaces(p *Programme) {
	first := ""
	for i := range p.Categories {
		c := &p.Categories[i]
		if !c.PreciseLocation {
			continue
		}
		n := d.at[c]
		switch {
		case first != "":
			d.contradicts(n, "precise_location", "exact places may be in one category only, and "+first+" has them", "leave it to customer content")
		case c.GroupHeading:
			d.contradicts(n, "precise_location", c.ID+" is a group heading, which no data has itself", "say so in one of its children")
		case slices.Contains(c.NeverCollected, NeverPrecise):
			d.contradicts(n, "precise_location", c.ID+" says that exact places are never collected", "remove one of the two")
		case c.ID == term.Unclassified:
			d.contradicts(n, "precise_location", "what nobody mapped has no exact places", "")
		}
		first = c.ID
	}
}

// NeverPrecise is what a category's never_collected says of exact places.
const NeverPrecise = "precise_geolocation"

// PreciseLocation says whether exact places may be in parts of the category.
func (p *Programme) PreciseLocation(category string) bool {
	c := p.Category(category)
	return c != nil && c.PreciseLocation
}
