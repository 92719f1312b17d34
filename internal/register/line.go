package register

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
)

// Line is one fact as it was noted: the list of the format that it belongs to, and its keys as a JSON
// object in canonical form (keys sorted, none that says nothing, no blanks).
type Line struct {
	Kind string
	Body string
}

// MaxLineBytes is the most that one fact may have.
const MaxLineBytes = 8 << 10

// Kinds returns the lists of the format, in its order.
func Kinds() (names []string) {
	for i := range registerType.NumField() {
		if f := registerType.Field(i); f.Type.Kind() == reflect.Slice {
			names = append(names, f.Tag.Get("yaml"))
		}
	}
	return names
}

var registerType = reflect.TypeFor[Register]()

// list returns the list of r that kind names.
func (r *Register) list(kind string) (v reflect.Value, ok bool) {
	for i := range registerType.NumField() {
		if f := registerType.Field(i); f.Type.Kind() == reflect.Slice && f.Tag.Get("yaml") == kind {
			return reflect.ValueOf(r).Elem().Field(i), true
		}
	}
	return v, false
}

// Lines returns the facts of r, list by list.
func (r *Register) Lines() (all []Line) {
	for _, kind := range Kinds() {
		list, _ := r.list(kind)
		for i := range list.Len() {
			all = append(all, Line{kind, canonical(list.Index(i))})
		}
	}
	return all
}

// canonical writes a fact. It has strings, lists of strings and booleans only.
func canonical(v reflect.Value) string {
	keys := map[string]any{}
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			keys[v.Type().Field(i).Tag.Get("yaml")] = v.Field(i).Interface()
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(keys) // strings, lists of strings and booleans
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// seal gives r the version of what it holds. The order within a list counts, since of two pins of one
// day the later one does.
func (r *Register) seal() {
	h := sha256.New()
	for _, l := range r.Lines() {
		fmt.Fprintf(h, "%s %s\n", l.Kind, l.Body)
	}
	r.Version = "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// FromLines builds a register of facts in canonical form. What isn't is an error: nothing of a register
// that can't be read whole may be decided on.
func FromLines(lines []Line) (*Register, error) {
	r := &Register{Format: Format}
	for i, l := range lines {
		list, ok := r.list(l.Kind)
		if !ok {
			return nil, fmt.Errorf("fact %d: the list %.40q is none of the format's", i, l.Kind)
		}
		v := reflect.New(list.Type().Elem()).Elem()
		if err := read(v, l.Body); err != nil {
			return nil, fmt.Errorf("fact %d of %s: %w", i, l.Kind, err)
		}
		list.Set(reflect.Append(list, v))
	}
	r.seal()
	return r, nil
}

func read(v reflect.Value, body string) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &keys); err != nil {
		return errors.New("no JSON object")
	}
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if raw, ok := keys[name]; ok {
			if err := json.Unmarshal(raw, v.Field(i).Addr().Interface()); err != nil {
				return fmt.Errorf("%s has another type", name)
			}
		}
	}
	if canonical(v) != body {
		return errors.New("it is not in canonical form")
	}
	return nil
}

// ParseLine reads one fact, a JSON object with the keys of the format, as strictly as a file.
//
// Faults: Invalid, with what is wrong and where under "errors"; nothing of them repeats a value.
func ParseLine(kind string, object []byte) (Line, error) {
	if !slices.Contains(Kinds(), kind) {
		return Line{}, fault.New(fault.Invalid, "register.unknown_kind", "there is no such list of facts").With("kinds", Kinds())
	}
	if len(object) > MaxLineBytes {
		return Line{}, fault.New(fault.TooLarge, "register.fact_too_large", "a fact has at most %d bytes", MaxLineBytes)
	}
	var keys map[string]any
	if err := json.Unmarshal(object, &keys); err != nil || keys == nil {
		return Line{}, fault.New(fault.Invalid, "register.bad_fact", "a fact is a JSON object")
	}
	doc, err := json.Marshal(map[string]any{"format": Format, kind: []any{keys}})
	if err != nil {
		return Line{}, fault.New(fault.Invalid, "register.bad_fact", "a fact is a JSON object")
	}
	r, err := Parse("fact", doc)
	if err != nil {
		return Line{}, unsaid(kind, err)
	}
	return r.Lines()[0], nil
}

// unsaid words faults anew, without what was sent: the keys are ours, the values are not.
func unsaid(kind string, err error) error {
	f := fault.New(fault.Invalid, "register.bad_fact", "the fact is not as the format has it").WithHint("docs/formats/register.md has the keys of each list")
	var faults programme.Faults
	if !errors.As(err, &faults) {
		return f
	}
	known := keysOf(kind)
	wrong := []map[string]string{}
	for _, x := range faults {
		at := "*"
		for _, k := range known {
			if strings.HasSuffix(x.Path, "."+k) {
				at = k
			}
		}
		e := map[string]string{"at": at, "message": messages[x.Code]}
		if e["message"] == "" {
			e["message"] = "it is not what the key takes"
		}
		if at == "*" && x.Code == programme.CodeMissing {
			e["message"] = "a key is missing; needed are " + fmt.Sprint(needed(kind))
		}
		wrong = append(wrong, e)
	}
	return f.With("errors", wrong)
}

var messages = map[string]string{programme.CodeUnknownKey: "there is no such key", programme.CodeMissing: "it is needed"}

func keysOf(kind string) (names []string) {
	list, ok := new(Register).list(kind)
	if !ok {
		return nil
	}
	t := list.Type().Elem()
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("yaml"))
	}
	return names
}

func needed(kind string) (names []string) {
	list, _ := new(Register).list(kind)
	t := list.Type().Elem()
	for i := range t.NumField() {
		if is, _, _ := strings.Cut(t.Field(i).Tag.Get("is"), ";"); is == "required" {
			names = append(names, t.Field(i).Tag.Get("yaml"))
		}
	}
	return names
}

// About returns what a fact names: entities, recipients, customers, flows and its own id.
func (l Line) About() (names []string) {
	var keys map[string]any
	if json.Unmarshal([]byte(l.Body), &keys) != nil {
		return nil
	}
	for _, k := range []string{"id", "entity", "with", "recipient", "tenant", "flow"} {
		if s, ok := keys[k].(string); ok {
			names = append(names, s)
		}
	}
	return names
}

// key returns the value of a key that holds a string, "" for none.
func (l Line) key(name string) string {
	var keys map[string]any
	if json.Unmarshal([]byte(l.Body), &keys) != nil {
		return ""
	}
	s, _ := keys[name].(string)
	return s
}

// pretty is the fact for a YAML file: its keys in the format's order.
func (l Line) pretty() string {
	var keys map[string]json.RawMessage
	if json.Unmarshal([]byte(l.Body), &keys) != nil {
		return l.Body
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, k := range append(keysOf(l.Kind), slices.Sorted(maps.Keys(keys))...) {
		raw, ok := keys[k]
		if !ok {
			continue
		}
		delete(keys, k)
		if b.Len() > 1 {
			b.WriteString(", ")
		}
		b.WriteString(k + ": ")
		b.Write(raw)
	}
	b.WriteByte('}')
	return b.String()
}

// Value reads the text of a key of a fact as the key's type: a list by commas, a truth value, or the
// text itself, also where there is no such key.
func Value(kind, key, text string) any {
	list, ok := new(Register).list(kind)
	if !ok {
		return text
	}
	t := list.Type().Elem()
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") != key {
			continue
		}
		switch t.Field(i).Type.Kind() {
		case reflect.Slice:
			return strings.Split(text, ",")
		case reflect.Bool:
			if text == "true" || text == "false" {
				return text == "true"
			}
		}
	}
	return text
}
