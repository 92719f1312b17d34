package plan

import (
	"slices"
	"strings"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/programme"
)

// places say where a programme has each thing.
type places struct{ by map[Thing]ingest.Place }

func newPlaces(p *programme.Programme) *places {
	all := &places{by: make(map[Thing]ingest.Place, len(things))}
	for i := range things {
		t := &things[i]
		if place, ok := placeIn(p, t.thing, strings.Split(t.elements, ","), strings.Split(t.keys, ",")); ok {
			all.by[t.thing] = place
		}
	}
	return all
}

func (p *places) of(t Thing) ingest.Place { return p.by[t] }

// Suggest says in which category of p, and which element of it, a thing is; ok is false when p
// declares no such data, so that it should not be collected before it does.
func Suggest(p *programme.Programme, t Thing) (place ingest.Place, ok bool) {
	place, ok = newPlaces(p).by[t]
	return place, ok
}

// placeIn looks for the category that lists one of the elements, the best first, then for the one
// that has one of the Fideslang keys.
func placeIn(p *programme.Programme, t Thing, elements, keys []string) (ingest.Place, bool) {
	if t == Thing(ingest.FoundCoordinates) { // there is one category that may have them, if any
		for i := range p.Categories {
			if p.Categories[i].PreciseLocation {
				return ingest.Place{Category: p.Categories[i].ID}, true
			}
		}
		return ingest.Place{}, false
	}
	for _, e := range elements {
		for i := range p.Categories {
			if c := &p.Categories[i]; e != "" && slices.Contains(c.Elements, e) {
				return ingest.Place{Category: c.ID, Element: e}, true
			}
		}
	}
	for _, key := range keys {
		for i := range p.Categories {
			if c := &p.Categories[i]; key != "" && !c.GroupHeading && slices.Contains(c.Fideslang, key) {
				return ingest.Place{Category: c.ID}, true
			}
		}
	}
	return ingest.Place{}, false
}
