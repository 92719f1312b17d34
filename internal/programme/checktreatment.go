package programme

import (
	"fmt"
	"slices"
	"strings"
)

// Last names of paths whose values are places or what somebody wrote, whatever a treatment says.
var (
	placeNames = []string{"lat", "latitude", "lng", "lon", "long", "longitude", "coordinates", "geo", "geohash", "geolocation", "gps", "location", "altitude"}
	textNames  = []string{"body", "text", "html", "subject", "content", "caption", "transcript", "comment", "comments", "description", "query", "search", "speechresult"}
)

func (d *decoder) checkTreatments(p *Programme) {
	d.kindRules = map[*Kind][]Field{}
	for i := range p.Kinds {
		if k := &p.Kinds[i]; p.soundSets(k) {
			d.kindRules[k] = p.rulesOf(k)
		}
	}
	for i := range p.PseudonymisedAs {
		t := &p.PseudonymisedAs[i]
		d.checkTreatment(p, t)
		d.checkTreatmentPaths(p, t)
	}
	for i := range p.Kinds {
		d.checkTreatedKind(p, &p.Kinds[i])
	}
	for i := range p.Flows {
		d.checkDimensions(p, &p.Flows[i])
	}
}

func (d *decoder) checkTreatment(p *Programme, t *Treatment) {
	n := d.at[t]
	treat := t.TreatOrDrop()
	if c := p.Category(t.Category); c != nil && !slices.Contains(c.Elements, t.Element) && t.Element != "" {
		hint := suggest(t.Element, c.Elements)
		if c.GroupHeading {
			hint = "name one of its children: " + strings.Join(c.Children, ", ")
		}
		d.contradicts(n, "element", fmt.Sprintf("%s has no element %s", t.Category, quote(t.Element)), hint)
	}
	if allowed, known := treatsOf[t.Is]; known && treat != TreatDrop && !slices.Contains(allowed, treat) {
		hint := "one of: " + strings.Join(append([]string{TreatDrop}, allowed...), ", ")
		if len(allowed) == 0 {
			hint = "it can only be dropped"
		}
		d.contradicts(n, "treat", fmt.Sprintf("%s is nothing that happens to %s", treat, t.Is), hint)
	}
	if treat != TreatDrop && len(t.Paths) == 0 {
		d.contradicts(n, "treat", "nothing says where the element is", "list its paths")
	}
	if c := p.Category(t.Category); c != nil && c.PreciseLocation && t.Is == IsWord && treat == TreatKeep {
		d.contradicts(n, "treat", "words of "+c.ID+" are what somebody wrote", "list the values that may leave, with treat: enum")
	}
	d.checkValues(t, treat, t.Values, t.Bounds)
}

// checkValues is for treatments and dimensions: enum has values, bucket has bounds.
func (d *decoder) checkValues(at any, treat string, values []string, bounds []int) {
	n := d.at[at]
	switch {
	case treat == TreatEnum && len(values) == 0:
		d.contradicts(n, "treat", "enum keeps the values that are listed, and none is", "list them in values")
	case treat != TreatEnum && len(values) > 0:
		d.contradicts(n, "values", "only enum has values", "")
	case treat == TreatBucket && len(bounds) == 0:
		d.contradicts(n, "treat", "bucket needs the bounds between buckets", "list them in bounds")
	case treat != TreatBucket && len(bounds) > 0:
		d.contradicts(n, "bounds", "only bucket has bounds", "")
	case !slices.IsSorted(bounds):
		d.contradicts(n, "bounds", "the bounds are not ascending", "")
	}
}

func (d *decoder) checkTreatmentPaths(p *Programme, t *Treatment) {
	n := d.at[t]
	for _, path := range t.Paths {
		if t.TreatOrDrop() == TreatDrop {
			continue
		}
		d.checkTreatedPath(n, "paths", path)
		if !d.mapsSomewhere(p, t, path) {
			d.contradicts(n, "paths", fmt.Sprintf("no kind that this is for has %s at %s", t.Category, quote(path)), "")
		}
	}
}

// checkTreatedPath refuses paths whose names could be data, and values that must never be kept.
func (d *decoder) checkTreatedPath(n *node, key, path string) {
	names := strings.Split(path, ".")
	last := strings.ToLower(names[len(names)-1])
	switch {
	case slices.Contains(names, "*"):
		d.contradicts(n, key, quote(path)+" has a *, and the names that it stands for can be data", "name the keys")
	case slices.Contains(placeNames, last):
		d.contradicts(n, key, quote(path)+" is a place, which is always dropped", "write is: coordinates")
	case slices.Contains(textNames, last):
		d.contradicts(n, key, quote(path)+" is what somebody wrote, which is always dropped", "write is: free_text")
	}
}

func (d *decoder) mapsSomewhere(p *Programme, t *Treatment, path string) bool {
	for i := range p.Kinds {
		k := &p.Kinds[i]
		if t.holdsFor(k.Service, k.Kind) && d.has(k, path, t.Category) {
			return true
		}
	}
	return false
}

// has says whether the kind gives the path one of the categories.
func (d *decoder) has(k *Kind, path string, categories ...string) bool {
	rules := d.kindRules[k]
	return rules != nil && slices.Contains(categories, categoryAt(rules, path))
}

// soundSets says whether every field set of the kind is there, so that its rules can be joined.
func (p *Programme) soundSets(k *Kind) bool {
	return !slices.ContainsFunc(k.FieldSets, func(s string) bool { return p.index.sets[s] == nil })
}

// checkTreatedKind reports two treatments of one path that are as close, and a treated value inside
// of another.
func (d *decoder) checkTreatedKind(p *Programme, k *Kind) {
	rules := d.kindRules[k]
	if rules == nil {
		return
	}
	first := map[string]*Treatment{}
	for i := range p.PseudonymisedAs {
		t := &p.PseudonymisedAs[i]
		if !t.holdsFor(k.Service, k.Kind) {
			continue
		}
		for _, path := range t.Paths {
			if categoryAt(rules, path) != t.Category {
				continue
			}
			key := path + " " + string(rune('0'+t.closeness()))
			if have := first[key]; have != nil && have != t {
				d.once(t, "paths", fmt.Sprintf("%s has two treatments that are as close, in %s of %s", quote(path), k.Kind, k.Service))
			}
			first[key] = t
		}
	}
	treated := p.treatments(k.Service, k.Kind, rules)
	for i := range treated {
		for j := range treated {
			if strings.HasPrefix(treated[j].Path, treated[i].Path+".") {
				d.once(treated[j].Treatment, "paths", fmt.Sprintf("%s lies inside %s, which has a treatment as one value", quote(treated[j].Path), quote(treated[i].Path)))
			}
		}
	}
}

// once reports a contradiction that several kinds have at the same place one time only.
func (d *decoder) once(t *Treatment, key, message string) {
	n := d.at[t]
	if n == nil {
		return
	}
	at := n.or(key)
	if !slices.ContainsFunc(d.faults, func(f Fault) bool {
		return f.File == at.file && f.Line == at.line && f.Column == at.col && f.Code == CodeInconsistent
	}) {
		d.contradicts(n, key, message, "remove one of the two, or name services or kinds")
	}
}

func (d *decoder) checkDimensions(p *Programme, f *Flow) {
	for i := range f.Dimensions {
		x := &f.Dimensions[i]
		n := d.at[x]
		d.checkValues(x, x.Treat, x.Values, x.Bounds)
		d.checkTreatedPath(n, "path", x.Path)
		if allowed, known := treatsOf[x.Is]; known && x.Treat != "" && (!slices.Contains(allowed, x.Treat) || x.Treat == TreatKeep && x.Is != IsFlag) {
			d.contradicts(n, "treat", fmt.Sprintf("nothing is counted by %s of %s", x.Treat, x.Is), "")
		}
		for j := range i {
			if o := f.Dimensions[j].Path; o == x.Path || strings.HasPrefix(o, x.Path+".") || strings.HasPrefix(x.Path, o+".") {
				d.contradicts(n, "path", "the dimension "+f.Dimensions[j].ID+" is of the same value", "remove one of them")
			}
		}
		if f.Form != "aggregated" && i == 0 {
			d.contradicts(n, "id", "only a flow that asks for aggregated has dimensions", "")
		}
		d.checkDimensionKinds(p, f, x)
	}
	if len(f.Dimensions) > 3 {
		d.contradicts(d.at[f], "dimensions", "counts are split by three dimensions at most", "with more, nearly every group is too small to be sent")
	}
}

func (d *decoder) checkDimensionKinds(p *Programme, f *Flow, x *Dimension) {
	leaves := p.LeavesOf(f)
	for _, k := range p.KindsOf(f) {
		if d.has(k, x.Path, leaves...) {
			return
		}
	}
	if x.Path != "" && d.sound(f) {
		d.contradicts(d.at[x], "path", fmt.Sprintf("no kind of the flow has one of its categories at %s", quote(x.Path)), "")
	}
}
