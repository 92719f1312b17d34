package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// shape is what the schemas of a place plan there: which members, and what in each. All schemas that
// may apply count, whatever their conditions: what one of several alternatives names is planned.
type shape struct {
	open     bool // anything is planned: no schema lists members, or one allows more
	members  map[string]*shape
	patterns []pattern
	others   *shape // of members that no name and no pattern names; nil for none
	items    *shape // of the elements of a list
}

type pattern struct {
	of jsonschema.Regexp
	to *shape
}

var anything = &shape{open: true}

// in returns what is planned of the member called name, nil when it isn't.
func (s *shape) in(name string) *shape {
	if s.open && s.members == nil {
		return anything
	}
	if to := s.members[name]; to != nil {
		return to
	}
	for _, p := range s.patterns {
		if p.of.MatchString(name) {
			return p.to
		}
	}
	switch {
	case s.others != nil:
		return s.others
	case s.open:
		return anything
	}
	return nil
}

// maxShapes bounds what alternatives multiply to.
const maxShapes = 10_000

// builder makes shapes of sets of schemas. A schema that refers to itself makes a shape that does.
type builder struct {
	shapes map[string]*shape
	words  map[string]struct{} // names of members
	full   bool
}

func (b *builder) of(schemas []*jsonschema.Schema) *shape {
	set := flatten(schemas)
	key := keyOf(set)
	if s := b.shapes[key]; s != nil {
		return s
	}
	if len(b.shapes) >= maxShapes {
		b.full = true
		return anything
	}
	s := &shape{}
	b.shapes[key] = s
	listed := false
	below := map[string][]*jsonschema.Schema{}
	var others, items []*jsonschema.Schema
	for _, x := range set {
		listed = listed || x.Properties != nil || x.PatternProperties != nil
		for name, sub := range x.Properties {
			below[name] = append(below[name], sub)
		}
		for re, sub := range x.PatternProperties {
			s.patterns = append(s.patterns, pattern{re, b.of([]*jsonschema.Schema{sub})})
		}
		for _, rest := range []any{x.AdditionalProperties, x.UnevaluatedProperties} {
			switch rest := rest.(type) {
			case bool:
				s.open = s.open || rest
			case *jsonschema.Schema:
				if rest != nil && (rest.Bool == nil || *rest.Bool) {
					others = append(others, rest)
				}
			}
		}
		items = append(items, itemsOf(x)...)
	}
	for name, subs := range below {
		b.words[name] = struct{}{}
		if s.members == nil {
			s.members = map[string]*shape{}
		}
		s.members[name] = b.of(subs)
	}
	if len(others) > 0 {
		s.others = b.of(others)
	}
	s.open = s.open || !listed && s.others == nil && !closed(set)
	if s.items = anything; len(items) > 0 {
		s.items = b.of(items)
	}
	slices.SortFunc(s.patterns, func(x, y pattern) int { return strings.Compare(x.of.String(), y.of.String()) })
	return s
}

// closed says whether one of the schemas, without naming a member, allows none.
func closed(set []*jsonschema.Schema) bool {
	return slices.ContainsFunc(set, func(x *jsonschema.Schema) bool {
		more, ok := x.AdditionalProperties.(bool)
		return ok && !more || x.UnevaluatedProperties != nil && x.UnevaluatedProperties.Bool != nil && !*x.UnevaluatedProperties.Bool
	})
}

func itemsOf(x *jsonschema.Schema) (all []*jsonschema.Schema) {
	for _, of := range []any{x.Items, x.AdditionalItems} {
		switch of := of.(type) {
		case *jsonschema.Schema:
			all = append(all, of)
		case []*jsonschema.Schema:
			all = append(all, of...)
		}
	}
	all = append(all, x.PrefixItems...)
	for _, of := range []*jsonschema.Schema{x.Items2020, x.UnevaluatedItems} {
		if of != nil {
			all = append(all, of)
		}
	}
	return all
}

// flatten returns the schemas and all that apply to the same value with them.
func flatten(schemas []*jsonschema.Schema) (set []*jsonschema.Schema) {
	seen := map[*jsonschema.Schema]bool{}
	todo := slices.Clone(schemas)
	for len(todo) > 0 {
		x := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if x == nil || seen[x] {
			continue
		}
		seen[x] = true
		set = append(set, x)
		todo = append(todo, x.Ref, x.RecursiveRef, x.If, x.Then, x.Else)
		if x.DynamicRef != nil {
			todo = append(todo, x.DynamicRef.Ref)
		}
		todo = append(append(append(todo, x.AllOf...), x.AnyOf...), x.OneOf...)
		for _, d := range x.Dependencies {
			if sub, ok := d.(*jsonschema.Schema); ok {
				todo = append(todo, sub)
			}
		}
		for _, sub := range x.DependentSchemas {
			todo = append(todo, sub)
		}
	}
	return set
}

func keyOf(set []*jsonschema.Schema) string {
	names := make([]string, len(set))
	for i, x := range set {
		names[i] = fmt.Sprintf("%p", x)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
