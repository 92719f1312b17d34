package programme

import (
	"fmt"
	"reflect"
	"strings"
)

// field is one field of a struct as its tags describe it.
type field struct {
	name, doc string
	index     int
	rules     rules
}

// says is the description as a hint: lower case, no full stop.
func (f field) says() string {
	s := strings.TrimSuffix(f.doc, ".")
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		s = strings.ToLower(s[:1]) + s[1:]
	}
	return fmt.Sprintf("add %s: %s", f.name, s)
}

type fieldList []field

// fieldsOf returns the fields of a struct that have a yaml key, in order.
func fieldsOf(t reflect.Type) fieldList {
	var out fieldList
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("yaml"); name != "" && name != "-" {
			out = append(out, field{name, f.Tag.Get("doc"), i, parseRules(f.Tag.Get("is"))})
		}
	}
	return out
}

func (fs fieldList) find(name string) (field, bool) {
	for _, f := range fs {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (fs fieldList) names() (all []string) {
	for _, f := range fs {
		all = append(all, f.name)
	}
	return all
}
