package plan

import (
	"errors"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/scan"
	"domicile.dev/internal/term"
)

// Suggestion is a property of a sample that the programme doesn't map, and where it might belong. It
// has the property's name and no value.
type Suggestion struct {
	Path    string // dotted names, without the places in lists
	Form    Form
	Looks   Thing        // "" when nobody knows
	Suggest ingest.Place // "" where the programme has no such data
	Dropped bool         // it would be dropped: an exact place
}

// Survey returns what a kind of a service doesn't map of a sample, a JSON object as records of the
// kind have it in their data, each path once for each form.
//
// Errors: faults of kind Invalid for a kind that isn't declared, and a sample that is no JSON object.
func Survey(p *programme.Programme, service, kind string, sample []byte) ([]Suggestion, error) {
	if p.Kind(service, kind) == nil {
		return nil, fault.New(fault.Invalid, "programme.unknown_kind", "the programme declares no kind %s of the service %s", kind, service).
			WithHint("domicile programme show --section kinds lists them")
	}
	var rules []ingest.Rule
	for _, f := range p.Rules(service, kind) {
		rules = append(rules, ingest.Rule{Path: f.Path, Category: f.Category, Owner: f.OwnerOrDefault(), Precise: p.PreciseLocation(f.Category)})
	}
	k, err := ingest.Compile(service, kind, rules)
	if err != nil {
		return nil, err
	}
	b := ingest.NewBatch()
	defer b.Release()
	if err := b.Doc.ParseAll(sample, scan.Limits{}); err != nil {
		var broken *scan.Error
		errors.As(err, &broken)
		return nil, fault.New(fault.Invalid, "sample.not_json", "the sample can't be read from byte %d on", broken.Offset).Because(err)
	}
	if b.Doc.Nodes[0].Kind != scan.Object {
		return nil, fault.New(fault.Invalid, "sample.not_object", "the sample is no JSON object").WithHint("give the data of one record, or one a line")
	}
	e := b.Add(0)
	e.Kind = k
	b.Words = func(string) bool { return true } // the sample is the caller's own
	if reason, _ := b.Split(e, 0); reason != "" {
		return nil, fault.New(fault.Invalid, reason, "the sample can't be split")
	}
	s := survey{places: newPlaces(p), seen: map[Suggestion]bool{}}
	for _, f := range e.Findings {
		s.add(Suggestion{Path: f.Path, Form: FormDegrees, Looks: Thing(f.Looks), Dropped: true})
	}
	for _, f := range e.Fragments {
		if f.Category == term.Unclassified {
			s.object(f.JSON, 0, "")
		}
	}
	return s.all, nil
}

type survey struct {
	places *places
	seen   map[Suggestion]bool
	all    []Suggestion
}

func (s *survey) add(x Suggestion) {
	x.Suggest = s.places.of(x.Looks)
	if !s.seen[x] {
		s.seen[x] = true
		s.all = append(s.all, x)
	}
}

// object adds the members of the object at src[at].
func (s *survey) object(src []byte, at int, path string) {
	_, _ = scan.EachMember(src, at, func(raw []byte, at int) (int, error) {
		end, err := scan.Skip(src, at)
		if err != nil {
			return end, err
		}
		name, _ := scan.Unquote(nil, raw)
		s.value(src, at, end, string(name), join(path, string(name)))
		return end, nil
	})
}

// value adds what is in an object or a list of objects; of anything else, what it is.
func (s *survey) value(src []byte, at, end int, name, path string) {
	form := FormOf(src[at:end])
	objects := form == FormObject
	if form == FormList {
		_, _ = scan.EachElement(src, at, func(_, at int) (int, error) {
			end, err := scan.Skip(src, at)
			if err == nil && src[at] == '{' {
				objects = true
				s.object(src, at, path)
			}
			return end, err
		})
	} else if objects {
		s.object(src, at, path)
	}
	if looks := Looks(name, form); looks != "" || !objects {
		s.add(Suggestion{Path: path, Form: form, Looks: looks})
	}
}
