package plan

import (
	"errors"
	"slices"
	"strings"

	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxBroken bounds how many faults of one event are looked at. With more, none of its properties are
// taken for planned.
const maxBroken = 256

// check holds the planned properties against the schema.
func (t *trial) check(e *event, sections []int, value map[string]any) {
	var broken *jsonschema.ValidationError
	if !errors.As(e.schema.Validate(value), &broken) {
		return
	}
	left := maxBroken
	if t.leaves(broken, sections, value, &left); left > 0 {
		return
	}
	for _, n := range sections {
		for m := range t.d.Members(n) {
			t.out.Aside = append(t.out.Aside, m)
		}
	}
}

// leaves notes the innermost faults. Of alternatives that all fail nobody knows which was meant, so
// what is noted is that all do.
func (t *trial) leaves(err *jsonschema.ValidationError, sections []int, value map[string]any, left *int) {
	switch k := err.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			t.broken(append(slices.Clone(err.InstanceLocation), name), "required", sections, value, left)
		}
		return
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains:
	default:
		for _, cause := range err.Causes {
			t.leaves(cause, sections, value, left)
		}
		if len(err.Causes) > 0 {
			return
		}
	}
	t.broken(err.InstanceLocation, ruleOf(err.ErrorKind), sections, value, left)
}

// ruleOf returns the keyword that failed. It is a word of JSON Schema, never of the schema or the value.
func ruleOf(k jsonschema.ErrorKind) string {
	switch k.(type) {
	case *kind.Not:
		return "not"
	case *kind.Contains:
		return "contains"
	}
	if path := k.KeywordPath(); len(path) > 0 {
		return path[0]
	}
	return "schema"
}

// broken notes that the value at a place, as the validator names it, broke a rule.
func (t *trial) broken(at []string, rule string, sections []int, value map[string]any, left *int) {
	if *left == 0 {
		return
	}
	*left--
	f := ingest.Finding{What: ingest.FoundInvalid, Rule: rule}
	f.Path = join(strings.Join(t.at, "."), strings.Join(namesOf(at, value), "."))
	aside := false
	for _, n := range sections {
		if to := t.reach(n, at); to > n {
			f.Path = join(t.pathOf(n), strings.Join(namesOf(at, value), "."))
			t.found(f, to)
			aside = true
		}
	}
	if !aside {
		t.found(f, -1)
	}
}

// namesOf returns the names in a place, without the positions in lists.
func namesOf(at []string, value any) (names []string) {
	for _, name := range at {
		switch v := value.(type) {
		case map[string]any:
			names, value = append(names, name), v[name]
		case []any:
			if i, ok := index(name); ok && i < len(v) {
				value = v[i]
			}
		default:
			names = append(names, name)
		}
	}
	return names
}

func index(s string) (n int, ok bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, s != ""
}

// reach returns the node that at leads to from node n, or that of the list in which it lies; n when
// there is none such.
func (t *trial) reach(n int, at []string) int {
	from := n
	for _, name := range at {
		if t.d.Nodes[n].Kind != scan.Object {
			break
		}
		next := t.d.Member(n, name)
		if next < 0 {
			return from // what is missing can't be set aside
		}
		n = next
	}
	return n
}
