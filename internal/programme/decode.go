package programme

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// decoder fills typed values from nodes and collects every fault on the way.
type decoder struct {
	faults Faults
	ids    map[string]map[string]*node // name space → id → where it is declared
	refs   []reference
	at     map[any]*node // pointer to a decoded struct → its node, for the checks that follow

	schemas map[JSONSchema]*jsonschema.Schema // those of plans, compiled

	kindRules map[*Kind][]Field // of kinds whose field sets are all there, for the checks of treatments
}

func newDecoder() *decoder {
	return &decoder{ids: map[string]map[string]*node{}, at: map[any]*node{}}
}

// sound says whether nothing is wrong so far with what the pointer points to.
func (d *decoder) sound(ptr any) bool {
	n := d.at[ptr]
	return n != nil && !slices.ContainsFunc(d.faults, func(f Fault) bool {
		return f.File == n.file && (f.Path == n.path || strings.HasPrefix(f.Path, n.path+"."))
	})
}

func (d *decoder) fault(n *node, code, message, hint string) {
	if len(d.faults) < maxFaults {
		d.faults = append(d.faults, Fault{File: n.file, Line: n.line, Column: n.col, Path: n.path, Code: code, Message: message, Suggestion: hint})
	}
}

// programme decodes the roots of all files as one: lists are joined in the order of files,
// everything else may be in one file only.
func (d *decoder) programme(roots []*node) *Programme {
	whole := &node{kind: mappingNode, file: roots[0].file, line: 1, col: 1}
	for _, root := range roots {
		for i, k := range root.keys {
			v := root.items[i]
			have, first := whole.get(k.text)
			switch {
			case have == nil:
				whole.keys, whole.items = append(whole.keys, k), append(whole.items, v)
			case have.kind == sequenceNode && v.kind == sequenceNode:
				joined := *have
				joined.items = append(append([]*node{}, have.items...), v.items...)
				for j, key := range whole.keys {
					if key == first {
						whole.items[j] = &joined
					}
				}
			default:
				d.fault(k, CodeDuplicate, fmt.Sprintf("the section %s is given twice, first at %s:%d", quote(k.text), first.file, first.line), "only lists can be split over files")
			}
		}
	}
	p := &Programme{}
	d.value(whole, reflect.ValueOf(p).Elem(), rules{}, "")
	return p
}

// value decodes n into v.
func (d *decoder) value(n *node, v reflect.Value, r rules, path string) {
	n.path = path
	if n.kind == scalarNode && n.typ == nullScalar {
		d.fault(n, CodeMissing, lastKey(path)+" has no value", "give it one or leave the key out")
		return
	}
	if v.Type() == reflect.TypeFor[Period]() {
		d.period(n, v)
		return
	}
	if v.Type() == reflect.TypeFor[JSONSchema]() {
		v.SetString(string(d.schema(n)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), r, path)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, r, path)
	case reflect.Map:
		d.mapping(n, v, r, path)
	case reflect.String:
		if d.want(n, textScalar) {
			d.text(n, v, n.text, r)
		}
	case reflect.Bool:
		if d.want(n, boolScalar) {
			v.SetBool(n.text == "true")
		}
	case reflect.Int:
		d.integer(n, v, r)
	default:
		panic("programme: no decoding into " + v.Type().String())
	}
}

// want says whether n is a scalar of that type, and reports it when not.
func (d *decoder) want(n *node, t scalarType) bool {
	if n.kind == scalarNode && n.typ == t {
		return true
	}
	hint := ""
	switch {
	case t == textScalar && n.kind == scalarNode:
		hint = "put it in quotes: " + strconv.Quote(n.text)
	case t == boolScalar && n.kind == scalarNode:
		hint = "write true or false, without quotes"
	case t == textScalar && n.kind == sequenceNode && len(n.items) == 1:
		hint = "take it out of the list"
	}
	d.fault(n, CodeWrongType, fmt.Sprintf("%s wants %s, not %s", lastKey(n.path), t, n.what()), hint)
	return false
}

func (d *decoder) integer(n *node, v reflect.Value, r rules) {
	if !d.want(n, intScalar) {
		return
	}
	i, err := strconv.ParseInt(n.text, 10, 32)
	switch {
	case err != nil:
		d.fault(n, CodeBadValue, quote(n.text)+" is too large", "")
	case r.min != nil && i < int64(*r.min):
		d.fault(n, CodeBadValue, fmt.Sprintf("%s is at least %d", lastKey(n.path), *r.min), "")
	default:
		v.SetInt(i)
	}
}

func (d *decoder) period(n *node, v reflect.Value) {
	if !d.want(n, textScalar) {
		return
	}
	p, err := ParsePeriod(n.text)
	if err != nil {
		d.fault(n, CodeBadValue, quote(n.text)+" is not a period", `write a number and a unit such as "30 days", "1 month", "10 business days", or unlimited`)
		return
	}
	v.Set(reflect.ValueOf(p))
}

func (d *decoder) list(n *node, v reflect.Value, r rules, path string) {
	if n.kind != sequenceNode {
		hint := ""
		if n.kind == scalarNode && v.Type().Elem().Kind() == reflect.String {
			hint = fmt.Sprintf("write [%s]", n.text)
		}
		d.fault(n, CodeWrongType, fmt.Sprintf("%s wants a list, not %s", lastKey(path), n.what()), hint)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items)) // full length at once: pointers into it stay
	seen := map[string]*node{}
	for i, item := range n.items {
		d.value(item, out.Index(i), r, path+"["+itemName(item, i)+"]")
		if item.kind != scalarNode {
			continue
		}
		if first := seen[item.text]; first != nil {
			d.fault(item, CodeDuplicate, fmt.Sprintf("%s is listed twice, first on line %d", quote(item.text), first.line), "remove one of them")
		}
		seen[item.text] = item
	}
	v.Set(out)
}

// itemName is what a path calls an item: its id, service/kind, or its number.
func itemName(n *node, i int) string {
	name := func(key string) string {
		if v, _ := n.get(key); v != nil && v.kind == scalarNode && forms["word"].ok(v.text) {
			return v.text
		}
		return ""
	}
	if id := name("id"); id != "" {
		return id
	}
	if s, k := name("service"), name("kind"); s != "" && k != "" {
		return s + "/" + k
	}
	return strconv.Itoa(i)
}

func (d *decoder) mapping(n *node, v reflect.Value, r rules, path string) {
	if n.kind != mappingNode {
		d.fault(n, CodeWrongType, fmt.Sprintf("%s wants a mapping, not %s", lastKey(path), n.what()), "")
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.keys))
	for i, k := range n.keys {
		k.path = path + "." + k.text
		switch {
		case r.keyIDs != "":
			d.declare(k, k.text, r.keyIDs)
		case r.keys != "":
			d.form(k, k.text, r.keys)
		case strings.TrimSpace(k.text) == "" || !oneLine(k.text):
			d.fault(k, CodeBadValue, "a key of "+lastKey(path)+" is empty or has several lines", "")
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(n.items[i], elem, r, k.path)
		out.SetMapIndex(reflect.ValueOf(k.text), elem)
	}
	v.Set(out)
}

func (d *decoder) structure(n *node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	if n.kind == scalarNode {
		for _, f := range fields {
			if f.rules.scalar {
				inner := *n // its own path, and the scalar's place
				d.at[v.Addr().Interface()] = n
				d.value(&inner, v.Field(f.index), f.rules, path)
				return
			}
		}
	}
	if n.kind != mappingNode {
		name := lastKey(path)
		if name == "" {
			name = "the programme"
		}
		d.fault(n, CodeWrongType, fmt.Sprintf("%s wants a mapping, not %s", name, n.what()), "")
		return
	}
	d.at[v.Addr().Interface()] = n
	for i, k := range n.keys {
		f, ok := fields.find(k.text)
		if !ok {
			k.path = join(path, k.text)
			d.fault(k, CodeUnknownKey, fmt.Sprintf("%s is not a key of %s", quote(k.text), whatHas(path)), didYouMean(k.text, fields.names()))
			continue
		}
		d.value(n.items[i], v.Field(f.index), f.rules, join(path, k.text))
	}
	for _, f := range fields {
		if !f.rules.required {
			continue
		}
		value, k := n.get(f.name)
		switch {
		case k == nil:
			n.path = path
			d.fault(n, CodeMissing, fmt.Sprintf("%s is missing in %s", f.name, whatHas(path)), f.says())
		case value.kind == sequenceNode && len(value.items) == 0:
			d.fault(value, CodeMissing, f.name+" is empty", f.says())
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func whatHas(path string) string {
	if path == "" {
		return "a programme"
	}
	return path
}
