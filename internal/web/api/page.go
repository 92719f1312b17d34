package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// pagePolicy lets the page have its one style sheet, which stands in it, and nothing else.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"paragraphs": func(s string) []string { return strings.Split(s, "\n\n") },
}).Parse(pageHTML))

// The page is the document, arranged for reading.
type (
	page struct {
		Title, Version, Region string
		Description            string
		CSS                    template.CSS
		Groups                 []pageGroup
		Schemas                []pageSchema
	}
	pageGroup struct {
		Name, Anchor, Description string
		Operations                []pageOperation
	}
	pageOperation struct {
		ID, Method, Path, Summary, Description string
		Params                                 []pageField
		Body                                   string // schema name
		BodyRequired                           bool
		Octets                                 bool
		Answers                                []pageAnswer
	}
	pageAnswer struct{ Status, Text, Type, Schema string }
	pageSchema struct {
		Name   string
		Fields []pageField
	}
	pageField struct {
		Name, In, Type, Ref, Doc string
		Required                 bool
	}
)

// renderPage renders doc as HTML that needs no script and nothing from elsewhere.
func renderPage(doc *huma.OpenAPI) ([]byte, error) {
	p := page{Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description, CSS: template.CSS(pageCSS)} //nolint:gosec // our own
	for _, tag := range doc.Tags {
		g := pageGroup{Name: tag.Name, Anchor: anchor(tag.Name), Description: tag.Description}
		for _, op := range operations(doc) {
			if slices.Contains(op.Tags, tag.Name) {
				g.Operations = append(g.Operations, pageOperationOf(op))
			}
		}
		p.Groups = append(p.Groups, g)
	}
	schemas := doc.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		p.Schemas = append(p.Schemas, pageSchema{Name: name, Fields: pageFields(schemas[name])})
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, p)
	return b.Bytes(), err
}

func pageOperationOf(op *huma.Operation) pageOperation {
	o := pageOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		f := pageField{Name: p.Name, In: p.In, Required: p.Required, Doc: p.Description}
		f.Type, f.Ref = typeOf(p.Schema)
		o.Params = append(o.Params, f)
	}
	if op.RequestBody != nil {
		o.BodyRequired = op.RequestBody.Required
		if body := op.RequestBody.Content["application/json"]; body != nil {
			_, o.Body = typeOf(body.Schema)
		}
		o.Octets = op.RequestBody.Content[octets] != nil
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		for _, mediaType := range slices.Sorted(maps.Keys(op.Responses[status].Content)) {
			a := pageAnswer{Status: status, Text: op.Responses[status].Description, Type: mediaType}
			if n, err := strconv.Atoi(status); err == nil {
				a.Text = http.StatusText(n)
			}
			_, a.Schema = typeOf(op.Responses[status].Content[mediaType].Schema)
			o.Answers = append(o.Answers, a)
		}
	}
	return o
}

func pageFields(s *huma.Schema) (fields []pageField) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		f := pageField{Name: name, Required: slices.Contains(s.Required, name), Doc: s.Properties[name].Description}
		f.Type, f.Ref = typeOf(s.Properties[name])
		fields = append(fields, f)
	}
	return fields
}

// typeOf says in words what s is, and which named schema it refers to.
func typeOf(s *huma.Schema) (words, ref string) {
	switch {
	case s == nil:
		return "", ""
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return "object", name
	case s.Items != nil:
		words, ref = typeOf(s.Items)
		return "list of " + words, ref
	}
	words = s.Type
	if s.Format != "" {
		words += ", " + s.Format
	}
	if s.ContentEncoding != "" {
		words += ", " + s.ContentEncoding
	}
	if len(s.Enum) > 0 {
		var of []string
		for _, e := range s.Enum {
			if t, ok := e.(string); ok {
				of = append(of, t)
			}
		}
		words += ": " + strings.Join(of, ", ")
	}
	if s.Minimum != nil && s.Maximum != nil {
		words += " from " + strconv.FormatFloat(*s.Minimum, 'f', -1, 64) + " to " + strconv.FormatFloat(*s.Maximum, 'f', -1, 64)
	}
	if words == "" {
		words = "any JSON"
	}
	return words, ""
}

// anchor makes a fragment of a heading.
func anchor(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r < 'a' || r > 'z' }), "-")
}
