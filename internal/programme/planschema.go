package programme

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// JSONSchema is a JSON Schema as canonical JSON: keys in byte order, no blanks, numbers as written.
type JSONSchema string

// Bounds of one schema.
const (
	maxSchemaNodes = 4000 // values in it
	maxSchemaBytes = 64 << 10
)

// drafts are what $schema may be; the first is what it is when it isn't given.
var drafts = []string{"https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema"}

// planSchemaURL is what references are resolved against. Nothing is ever fetched.
const planSchemaURL = "urn:domicile:plan"

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$`)

// schema decodes the JSON Schema at n into v, and compiles it.
func (d *decoder) schema(n *node) JSONSchema {
	if n.kind != mappingNode {
		d.fault(n, CodeWrongType, "schema wants a mapping, not "+n.what(), "write {type: object, properties: {…}}")
		return ""
	}
	before := len(d.faults)
	count := 0
	value := d.jsonOf(n, n.path, &count)
	if draft, _ := n.get("$schema"); draft != nil && !slices.Contains(drafts, strings.TrimSuffix(draft.text, "#")) {
		draft.path = n.path
		d.fault(draft, CodeBadValue, quote(draft.text)+" is no draft that is read", "one of: "+strings.Join(drafts, ", "))
	}
	d.keywords(n)
	if len(d.faults) > before {
		return ""
	}
	text := appendCanonical(nil, value)
	if count > maxSchemaNodes || len(text) > maxSchemaBytes {
		d.fault(n, CodeTooLarge, fmt.Sprintf("a schema has at most %d values and %d bytes", maxSchemaNodes, maxSchemaBytes), "plan fewer properties, or several events")
		return ""
	}
	compiled, err := compileSchema(value)
	if err != nil {
		for _, w := range n.locate(err) {
			w.at.path = n.path
			d.fault(w.at, CodeBadValue, "the schema can't be used: "+w.why, "")
		}
		return ""
	}
	if d.schemas == nil {
		d.schemas = map[JSONSchema]*jsonschema.Schema{}
	}
	d.schemas[JSONSchema(text)] = compiled
	return JSONSchema(text)
}

// jsonOf returns the value that n is in JSON, as encoding/json decodes it with UseNumber.
func (d *decoder) jsonOf(n *node, path string, count *int) any {
	*count++
	switch n.kind {
	case mappingNode:
		m := make(map[string]any, len(n.keys))
		for i, k := range n.keys {
			m[k.text] = d.jsonOf(n.items[i], path, count)
		}
		return m
	case sequenceNode:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = d.jsonOf(item, path, count)
		}
		return list
	}
	switch n.typ {
	case nullScalar:
		return nil
	case boolScalar:
		return n.text == "true"
	case intScalar, floatScalar:
		if !jsonNumber.MatchString(n.text) {
			n.path = path
			d.fault(n, CodeBadValue, quote(n.text)+" is no number of JSON", "put it in quotes when it is text")
		}
		return json.Number(n.text)
	}
	return n.text
}

func compileSchema(value any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.AssertFormat()
	if err := c.AddResource(planSchemaURL, value); err != nil {
		return nil, err
	}
	return c.Compile(planSchemaURL)
}

// noLoader keeps schemas from being fetched, from anywhere.
type noLoader struct{}

var errRemote = errors.New("it refers to something outside itself")

func (noLoader) Load(string) (any, error) { return nil, errRemote }

// wrong is something that is wrong with a schema, and where.
type wrong struct {
	at  *node
	why string
}

// locate returns what err says is wrong, and the nodes in which it is, as far as it can be told.
func (n *node) locate(err error) []wrong {
	var remote *jsonschema.LoadURLError
	var invalid *jsonschema.SchemaValidationError
	var broken *jsonschema.ValidationError
	switch {
	case errors.As(err, &remote):
		return []wrong{{n.find("$ref"), errRemote.Error()}}
	case errors.As(err, &invalid) && errors.As(invalid.Err, &broken):
		return n.leaves(broken, nil)
	}
	return []wrong{{n, firstLine(strings.ReplaceAll(err.Error(), planSchemaURL, ""))}}
}

// leaves adds the innermost causes of err to all, one for each place.
func (n *node) leaves(err *jsonschema.ValidationError, all []wrong) []wrong {
	for _, cause := range err.Causes {
		all = n.leaves(cause, all)
	}
	at := n.follow(err.InstanceLocation)
	if len(err.Causes) > 0 || slices.ContainsFunc(all, func(w wrong) bool { return w.at == at }) {
		return all
	}
	name := "it"
	if k := len(err.InstanceLocation); k > 0 {
		name = quote(err.InstanceLocation[k-1])
	}
	if at.kind == scalarNode && at.text != "" {
		return append(all, wrong{at, name + " can't be " + quote(at.text)})
	}
	return append(all, wrong{at, name + " is not of the form that it needs"})
}

// follow goes down the path as far as there is one.
func (n *node) follow(path []string) *node {
	for _, name := range path {
		if n.kind == sequenceNode {
			if i, err := strconv.Atoi(name); err == nil && i < len(n.items) {
				n = n.items[i]
				continue
			}
		}
		next, _ := n.get(name)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// find returns the first value below n whose key is key and that doesn't begin with "#".
func (n *node) find(key string) *node {
	if v, _ := n.get(key); v != nil && !strings.HasPrefix(v.text, "#") {
		return v
	}
	for _, item := range n.items {
		if at := item.find(key); at != item {
			return at
		}
	}
	return n
}

// What the values of JSON Schema's keywords are: schemas, and what holds schemas.
var (
	schemaIn = []string{"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
		"propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
	schemasIn = []string{"allOf", "anyOf", "items", "oneOf", "prefixItems"}
	mapIn     = []string{"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
	plainIn   = []string{"$anchor", "$comment", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema", "$vocabulary", "const",
		"contentEncoding", "contentMediaType", "default", "dependentRequired", "deprecated", "description", "enum", "examples",
		"exclusiveMaximum", "exclusiveMinimum", "format", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum",
		"minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "pattern", "readOnly", "required", "title",
		"type", "uniqueItems", "writeOnly"}
	allKeywords = slices.Concat(schemaIn, schemasIn, mapIn, plainIn)
)

// keywords reports keys of the schema at n, and of those in it, that mean nothing: JSON Schema
// passes over them, and so a misspelt one would allow what it was to forbid.
func (d *decoder) keywords(n *node) {
	if n.kind != mappingNode {
		return
	}
	for i, k := range n.keys {
		v := n.items[i]
		if strings.HasPrefix(k.text, "x-") {
			continue
		}
		v.path = n.path
		if !slices.Contains(allKeywords, k.text) {
			k.path = n.path
			d.fault(k, CodeUnknownKey, quote(k.text)+" is no keyword of JSON Schema", didYouMean(k.text, allKeywords))
			continue
		}
		if slices.Contains(schemaIn, k.text) {
			d.keywords(v)
		}
		if slices.Contains(mapIn, k.text) && v.kind == mappingNode {
			d.memberNames(v)
		}
		if slices.Contains(schemasIn, k.text) && v.kind == sequenceNode || slices.Contains(mapIn, k.text) && v.kind == mappingNode {
			for _, item := range v.items {
				item.path = n.path
				d.keywords(item)
			}
		}
	}
}

// appendCanonical appends v, which jsonOf returned.
func appendCanonical(b []byte, v any) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf) // maps come out in byte order of their keys
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // texts, numbers as they are written, lists and maps of them
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// memberNames reports names of members that no list could show.
func (d *decoder) memberNames(n *node) {
	for _, k := range n.keys {
		if !showable(k.text) {
			k.path = n.path
			d.fault(k, CodeBadValue, "a name in a schema is empty, longer than "+strconv.Itoa(maxPlanName)+" bytes, or has control characters", "")
		}
	}
}

// maxPlanName bounds the names of events and properties, in bytes.
const maxPlanName = 200

func showable(name string) bool {
	return name != "" && len(name) <= maxPlanName && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}
