package programme

import "reflect"

// Document is a YAML file that is no programme but is read as strictly as one: every fault has its
// line and column, a key that does not exist is one.
type Document struct{ d *decoder }

// ReadDocument decodes src, which the faults call file and what, into the struct that v points to,
// by the tags that the programme's own types have.
func ReadDocument(file, what string, src []byte, v any) *Document {
	d := newDecoder()
	root, faults := parseFile(file, src)
	if d.faults = faults; root != nil {
		d.value(root, reflect.ValueOf(v).Elem(), rules{}, what)
	}
	return &Document{d}
}

// Fault adds a fault at the value of key in the struct or list item that v points to, which lies
// in what ReadDocument filled.
func (doc *Document) Fault(v any, key, message, hint string) {
	if n := doc.d.at[v]; n != nil {
		doc.d.fault(n.or(key), CodeBadValue, message, hint)
	}
}

// Err returns the faults that there are as Faults, in order of position; nil when there are none.
func (doc *Document) Err() error {
	if len(doc.d.faults) == 0 {
		return nil
	}
	faults := doc.d.faults[:min(len(doc.d.faults), maxFaults)]
	faults.sort()
	return faults
}

// Position returns where the struct or list item that v points to stands in what ReadDocument filled.
func (doc *Document) Position(v any) Position { return doc.d.position(v) }
