package programme

import (
	"slices"
	"strings"

	"domicile.dev/internal/term"
)

// Treatment is what happens to one element of a category when a record is pseudonymised. What no
// treatment names is dropped.
type Treatment struct {
	Category string   `yaml:"category" is:"required;ref=categories" doc:"The category; not a group heading."`
	Element  string   `yaml:"element" is:"required;word" doc:"The element of that category."`
	Is       string   `yaml:"is" is:"required;enum=phone,ip,email,identifier,time,number,flag,word,free_text,coordinates" doc:"What its values are. Free text and coordinates are always dropped."`
	Treat    string   `yaml:"treat" is:"enum=drop,keep,country,carrier,network,domain,hour,day,pseudonym,bucket,enum" doc:"What happens to them; drop when left out. Which may be chosen depends on what they are."`
	Paths    []string `yaml:"paths" is:"path" doc:"Where they are in a record's data, without *. Holds where the kind gives the path that category."`
	Services []string `yaml:"services" is:"ref=services" doc:"Only in records of these services."`
	Kinds    []string `yaml:"kinds" is:"word" doc:"Only in records of these kinds."`
	Values   []string `yaml:"values" doc:"enum: the values that are kept; any other is dropped."`
	Bounds   []int    `yaml:"bounds" doc:"bucket: where the buckets meet, ascending."`
	Note     string   `yaml:"note" doc:"Anything that a reader should know."`
}

// Dimension is by what an aggregated flow's counts are split. It takes the value at a path and
// treats it so that few values are left.
type Dimension struct {
	ID     string   `yaml:"id" is:"required;id" doc:"The name of the dimension in what is sent."`
	Path   string   `yaml:"path" is:"required;path" doc:"Where the value is in a record's data, without *."`
	Is     string   `yaml:"is" is:"required;enum=phone,time,number,flag,word" doc:"What the values are."`
	Treat  string   `yaml:"treat" is:"required;enum=country,hour,day,bucket,enum,keep" doc:"What is counted by; keep is for flags."`
	Values []string `yaml:"values" doc:"enum: the values that are counted; any other is as if there were none."`
	Bounds []int    `yaml:"bounds" doc:"bucket: where the buckets meet, ascending."`
}

// FormPseudonymised is the form of a flow that the treatments are for.
const FormPseudonymised = "pseudonymised"

// What a value is.
const (
	IsPhone       = "phone"
	IsIP          = "ip"
	IsEmail       = "email"
	IsIdentifier  = "identifier"
	IsTime        = "time"
	IsNumber      = "number"
	IsFlag        = "flag"
	IsWord        = "word"
	IsFreeText    = "free_text"
	IsCoordinates = "coordinates"
)

// What happens to a value.
const (
	TreatDrop      = "drop"
	TreatKeep      = "keep"      // as it is, unless it looks like an identifier
	TreatCountry   = "country"   // of a phone number
	TreatCarrier   = "carrier"   // of a phone number: country code and what follows it, three digits at most
	TreatNetwork   = "network"   // /24 of an IPv4 address, /48 of an IPv6 address
	TreatDomain    = "domain"    // of an e-mail address
	TreatHour      = "hour"      // the hour in which it was
	TreatDay       = "day"       // the day on which it was
	TreatPseudonym = "pseudonym" // that of the person whose part it is in
	TreatBucket    = "bucket"    // between which bounds it lies
	TreatEnum      = "enum"      // kept when it is one of the declared values
)

// treatsOf says what may happen to what, beside being dropped.
var treatsOf = map[string][]string{
	IsPhone:       {TreatCountry, TreatCarrier, TreatPseudonym},
	IsIP:          {TreatNetwork},
	IsEmail:       {TreatDomain, TreatPseudonym},
	IsIdentifier:  {TreatPseudonym},
	IsTime:        {TreatKeep, TreatHour, TreatDay},
	IsNumber:      {TreatKeep, TreatBucket, TreatEnum},
	IsFlag:        {TreatKeep},
	IsWord:        {TreatKeep, TreatEnum},
	IsFreeText:    {},
	IsCoordinates: {},
}

// TreatOrDrop returns what happens to the element.
func (t *Treatment) TreatOrDrop() string {
	if t.Treat == "" {
		return TreatDrop
	}
	return t.Treat
}

// holdsFor says whether the treatment is for records of that kind of that service.
func (t *Treatment) holdsFor(service, kind string) bool {
	return (len(t.Services) == 0 || slices.Contains(t.Services, service)) && (len(t.Kinds) == 0 || slices.Contains(t.Kinds, kind))
}

// closeness orders treatments of one path: one that names kinds is closer than one that names
// services, and that closer than one for all.
func (t *Treatment) closeness() (n int) {
	if len(t.Services) > 0 {
		n++
	}
	if len(t.Kinds) > 0 {
		n += 2
	}
	return n
}

// Treated is the treatment that holds for one path of a kind.
type Treated struct {
	Path string
	*Treatment
}

// Treatments returns what is treated otherwise than dropped in records of a kind, in path order. Of
// several treatments of one path the closest one holds, also when it drops.
func (p *Programme) Treatments(service, kind string) []Treated {
	return p.treatments(service, kind, p.Rules(service, kind))
}

func (p *Programme) treatments(service, kind string, rules []Field) (out []Treated) {
	best := map[string]*Treatment{}
	for i := range p.PseudonymisedAs {
		t := &p.PseudonymisedAs[i]
		if !t.holdsFor(service, kind) {
			continue
		}
		for _, path := range t.Paths {
			if categoryAt(rules, path) != t.Category {
				continue
			}
			if have := best[path]; have == nil || t.closeness() > have.closeness() {
				best[path] = t
			}
		}
	}
	for path, t := range best {
		if t.TreatOrDrop() != TreatDrop {
			out = append(out, Treated{path, t})
		}
	}
	slices.SortFunc(out, func(a, b Treated) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// CategoryAt returns the category of what is at a path of a kind's data: that of the most specific
// rule which names it or something above it; term.Unclassified without one.
func (p *Programme) CategoryAt(service, kind, path string) string {
	return categoryAt(p.Rules(service, kind), path)
}

func categoryAt(rules []Field, path string) string {
	names := strings.Split(path, ".")
	var best []string
	category := term.Unclassified
	for i := range rules {
		rule := strings.Split(rules[i].Path, ".")
		if leads(rule, names) && (len(rule) > len(best) || len(rule) == len(best) && nearer(rule, best)) {
			best, category = rule, rules[i].Category
		}
	}
	return category
}

// leads says whether a rule's path names the value or something above it.
func leads(rule, names []string) bool {
	if len(rule) > len(names) {
		return false
	}
	for i, r := range rule {
		if r != "*" && r != names[i] {
			return false
		}
	}
	return true
}

// nearer says whether the first difference of two paths of one length is a name in a.
func nearer(a, b []string) bool {
	for i := range a {
		if (a[i] == "*") != (b[i] == "*") {
			return b[i] == "*"
		}
	}
	return false
}

// KindsOf yields the kinds whose records a flow has, in the programme's order.
func (p *Programme) KindsOf(f *Flow) (out []*Kind) {
	for i := range p.Kinds {
		k := &p.Kinds[i]
		if slices.Contains(f.Services, k.Service) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, k.Kind)) {
			out = append(out, k)
		}
	}
	return out
}

// LeavesOf returns the leaf categories whose parts a flow has.
func (p *Programme) LeavesOf(f *Flow) (out []string) {
	for _, c := range f.Categories {
		out = append(out, p.Leaves(c)...)
	}
	return out
}
