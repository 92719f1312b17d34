package programme

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// MarshalJSON returns the canonical JSON of the programme: the value that was loaded, keys in
// byte order, lists in their order, what is not given left out, no blanks, UTF-8 with JSON's own
// escapes only. Loaded again (JSON is YAML) it gives the same programme and the same hash.
func (p *Programme) MarshalJSON() ([]byte, error) { return canonical(p), nil }

func hash(p *Programme) string {
	sum := sha256.Sum256(canonical(p))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func canonical(p *Programme) []byte {
	var b bytes.Buffer
	encode(&b, reflect.ValueOf(p).Elem())
	return b.Bytes()
}

func encode(b *bytes.Buffer, v reflect.Value) {
	if p, ok := v.Interface().(Period); ok {
		encodeText(b, p.String())
		return
	}
	if s, ok := v.Interface().(JSONSchema); ok {
		b.WriteString(string(s)) // canonical JSON itself
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		encode(b, v.Elem())
	case reflect.String:
		encodeText(b, v.String())
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			comma(b, i)
			encode(b, v.Index(i))
		}
		b.WriteByte(']')
	case reflect.Map:
		b.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(stringKeys(v))) {
			comma(b, i)
			encodeText(b, k)
			b.WriteByte(':')
			encode(b, v.MapIndex(reflect.ValueOf(k)))
		}
		b.WriteByte('}')
	case reflect.Struct:
		encodeStruct(b, v)
	}
}

func encodeStruct(b *bytes.Buffer, v reflect.Value) {
	fields := fieldsOf(v.Type())
	slices.SortFunc(fields, func(x, y field) int { return bytes.Compare([]byte(x.name), []byte(y.name)) })
	b.WriteByte('{')
	n := 0
	for _, f := range fields {
		if e := v.Field(f.index); f.rules.required || !absent(e) {
			comma(b, n)
			n++
			encodeText(b, f.name)
			b.WriteByte(':')
			encode(b, e)
		}
	}
	b.WriteByte('}')
}

// absent says whether v is what a field is that was not given: "", 0, false, an empty list or
// map, or a struct of such. What is required is always written, so nothing said is lost.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

func stringKeys(m reflect.Value) map[string]bool {
	out := make(map[string]bool, m.Len())
	for _, k := range m.MapKeys() {
		out[k.String()] = true
	}
	return out
}

func comma(b *bytes.Buffer, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

func encodeText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)         // a string always encodes
	b.Truncate(b.Len() - 1) // Encode ends in a line end
}

func readUpTo(r io.Reader, n int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, n)) }
