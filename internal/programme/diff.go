package programme

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// What a Difference does.
const (
	Added   = "adds"
	Removed = "removes"
	Changed = "changes"
)

// Difference is one thing that two programmes declare differently.
type Difference struct {
	What string `json:"what"`
	// Where is the way to it: keys, and in lists what names an element, such as flows/call_counts/window.
	Where []string `json:"where"`
	Was   any      `json:"was,omitempty"` // of what was removed or changed
	Is    any      `json:"is,omitempty"`  // of what was added or changed
	// Of a changed list of words, what went and what came.
	Without []string `json:"without,omitempty"`
	With    []string `json:"with,omitempty"`
}

// Diff returns everything that a programme declares otherwise than an old one, by the canonical form of
// both: what is the same when it is loaded is no difference, nor are comments, or in which file it stands.
func Diff(old, p *Programme) ([]Difference, error) {
	was, err := plainOf(old)
	if err != nil {
		return nil, err
	}
	is, err := plainOf(p)
	if err != nil {
		return nil, err
	}
	var all []Difference
	differ(&all, nil, was, is)
	return all, nil
}

func plainOf(p *Programme) (v any, err error) {
	if err = json.Unmarshal(canonical(p), &v); err != nil {
		err = fmt.Errorf("read the canonical form: %w", err)
	}
	return v, err
}

func differ(all *[]Difference, where []string, was, is any) {
	if reflect.DeepEqual(was, is) {
		return
	}
	if a, b, ok := named(was, is); ok {
		keys := slices.Sorted(maps.Keys(a))
		for k := range b {
			if _, both := a[k]; !both {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			at := append(slices.Clone(where), k)
			x, before := a[k]
			y, after := b[k]
			switch {
			case !after:
				*all = append(*all, Difference{What: Removed, Where: at, Was: x})
			case !before:
				*all = append(*all, Difference{What: Added, Where: at, Is: y})
			default:
				differ(all, at, x, y)
			}
		}
		return
	}
	d := Difference{What: Changed, Where: where, Was: was, Is: is}
	if a, b := words(was), words(is); a != nil && b != nil {
		d.Without, d.With = less(a, b), less(b, a)
	}
	*all = append(*all, d)
}

// named returns two objects, or two lists whose elements have names, by name.
func named(was, is any) (a, b map[string]any, ok bool) {
	if a, ok = was.(map[string]any); ok {
		b, ok = is.(map[string]any)
		return a, b, ok
	}
	if a, ok = byName(was); ok {
		b, ok = byName(is)
	}
	return a, b, ok
}

// byName returns a list's elements by what names them: an id, a kind of a service or a path. It is false
// when one has none of these, or two have the same.
func byName(list any) (map[string]any, bool) {
	elements, ok := list.([]any)
	if !ok {
		return nil, false
	}
	out := make(map[string]any, len(elements))
	for _, e := range elements {
		m, _ := e.(map[string]any)
		name, _ := m["id"].(string)
		if kind, is := m["kind"].(string); name == "" && is {
			if service, is := m["service"].(string); is {
				name = service + "/" + kind
			}
		}
		if path, is := m["path"].(string); name == "" && is {
			name = path
		}
		if _, twice := out[name]; name == "" || twice {
			return nil, false
		}
		out[name] = e
	}
	return out, true
}

// words returns a list of words, nil for anything else.
func words(list any) []string {
	elements, ok := list.([]any)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(elements))
	for _, e := range elements {
		s, is := e.(string)
		if !is {
			return nil
		}
		out = append(out, s)
	}
	return out
}

// less returns what of a isn't in b.
func less(a, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
