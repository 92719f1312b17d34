package programme

import (
	"encoding/json"
	"maps"
	"reflect"
)

// SchemaID is the identity of the schema, not an address to fetch it from.
const SchemaID = "urn:domicile:schema:programme:v1"

// Schema returns the JSON Schema (2020-12) of one file of a programme, for editors. A file may
// have any of the sections, so none is required; references between ids, and what two
// declarations say of each other, only Load judges.
func Schema() []byte {
	g := generator{defs: map[string]any{}}
	root := g.structure(reflect.TypeFor[Programme]())
	delete(root, "required")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = SchemaID
	root["title"] = "Domicile programme"
	root["description"] = "One file of a programme: any of its sections. All files of a folder are read as one."
	root["minProperties"] = 1
	root["$defs"] = g.defs
	out, err := json.MarshalIndent(root, "", "  ") // keys come out sorted
	if err != nil {
		panic("programme: schema: " + err.Error()) // maps, lists and texts always encode
	}
	return append(out, '\n')
}

type object = map[string]any

type generator struct{ defs object }

func (g *generator) of(t reflect.Type, r rules) object {
	switch t {
	case reflect.TypeFor[Date]():
		return object{"type": "string", "format": "date", "pattern": datePattern}
	case reflect.TypeFor[When]():
		return object{"type": "string", "pattern": whenForm.String()}
	case reflect.TypeFor[Period]():
		return object{"type": "string", "pattern": "^unlimited$|" + periodForm.String()}
	}
	if t == reflect.TypeFor[JSONSchema]() {
		return object{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem(), r)
	case reflect.Struct:
		return g.ref(t)
	case reflect.Slice:
		s := object{"type": "array", "items": g.of(t.Elem(), r)}
		if t.Elem().Kind() == reflect.String {
			s["uniqueItems"] = true
		}
		if r.required {
			s["minItems"] = 1
		}
		return s
	case reflect.Map:
		s := object{"type": "object", "additionalProperties": g.of(t.Elem(), r)}
		if f, ok := forms[r.keys]; ok {
			s["propertyNames"] = object{"pattern": f.pattern}
		} else if r.keyIDs != "" {
			s["propertyNames"] = object{"pattern": wordPattern}
		}
		return s
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		s := object{"type": "integer"}
		if r.min != nil {
			s["minimum"] = *r.min
		}
		return s
	}
	return text(r)
}

func text(r rules) object {
	s := object{"type": "string"}
	switch {
	case r.constant != "":
		return object{"const": r.constant}
	case r.enum != nil:
		return object{"enum": r.enum}
	case r.id, r.ref != nil:
		s["pattern"] = wordPattern
	case r.form != "":
		if p := forms[r.form].pattern; p != "" {
			s["pattern"] = p
		}
		if f := forms[r.form].format; f != "" {
			s["format"] = f
		}
	default:
		s["minLength"] = 1
	}
	return s
}

// ref puts the struct under $defs once. A struct with a scalar form may be either.
func (g *generator) ref(t reflect.Type) object {
	at := object{"$ref": "#/$defs/" + t.Name()}
	if _, ok := g.defs[t.Name()]; ok {
		return at
	}
	g.defs[t.Name()] = nil // for a struct that holds itself
	s := g.structure(t)
	for _, f := range fieldsOf(t) {
		if f.rules.scalar {
			s = object{"anyOf": []any{text(f.rules), s}}
		}
	}
	g.defs[t.Name()] = s
	return at
}

func (g *generator) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range fieldsOf(t) {
		s := maps.Clone(g.of(t.Field(f.index).Type, f.rules))
		if f.doc != "" {
			s["description"] = f.doc
		}
		properties[f.name] = s
		if f.rules.required {
			required = append(required, f.name)
		}
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}
