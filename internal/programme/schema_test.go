package programme_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"strings"
	"testing"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "../../examples/programme.schema.json"

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(programme.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(programme.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(programme.SchemaID) // checks it against the meta-schema of 2020-12, too
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON reads YAML as an editor does: the values only.
func asJSON(t *testing.T, src []byte) any {
	t.Helper()
	b, err := yaml.YAMLToJSON(src)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryFileOfTheExampleFitsTheSchema(t *testing.T) {
	s := compiled(t)
	files := examples.Communications()
	names, _ := fs.Glob(files, "*.yaml")
	if len(names) < 10 {
		t.Fatalf("only %d files", len(names))
	}
	for _, name := range names {
		if strings.Contains(strings.TrimSuffix(name, ".yaml"), ".") { // beside the programme, and no part of it
			continue
		}
		src, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asJSON(t, src)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.HasPrefix(src, []byte("# yaml-language-server: $schema=../programme.schema.json\n")) {
			t.Errorf("%s doesn't name its schema, so editors can't help", name)
		}
	}
}

func TestTheSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	s := compiled(t)
	for name, src := range map[string]string{
		"an unknown section":   "categorys: []",
		"an unknown key":       "regions: [{id: ie1, name: Ireland, country: IE, entity: e, running: true, colour: green}]",
		"a missing key":        "regions: [{id: ie1, name: Ireland, entity: e, running: true}]",
		"a wrong type":         "regions: [{id: ie1, name: Ireland, country: IE, entity: e, running: 'yes'}]",
		"a bad country":        "regions: [{id: ie1, name: Ireland, country: Ireland, entity: e, running: true}]",
		"a bad value":          "services: [{id: s, name: S, role: owner}]",
		"a bad date":           "mechanisms: [{id: m, name: M, kind: scc, origins: [EU], valid_from: 2026-13-40}]",
		"a bad period":         "retention: {classes: [{keep: a while}]}",
		"a bad id":             "services: [{id: Has Blanks, name: S, role: processor}]",
		"another format":       "format: domicile.programme/v2",
		"a bad category use":   "purposes: [{id: p, name: P, statement: s, categories: [{only: [a]}], legal_bases: [consent]}]",
		"a list for a mapping": "retention: []",
		"an empty file":        "{}",
	} {
		if err := s.Validate(asJSON(t, []byte(src))); err == nil {
			t.Errorf("%s: the schema takes %s", name, src)
		}
	}
}

func TestTheSchemaDescribesEveryKey(t *testing.T) {
	var s struct {
		Properties map[string]map[string]any `json:"properties"`
		Defs       map[string]struct {
			Properties map[string]map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(programme.Schema(), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Properties) < 14 || len(s.Defs) < 40 {
		t.Fatalf("%d sections and %d definitions", len(s.Properties), len(s.Defs))
	}
	check := func(where string, properties map[string]map[string]any) {
		for k, p := range properties {
			if d, _ := p["description"].(string); !strings.HasSuffix(d, ".") {
				t.Errorf("%s.%s: description %q", where, k, d)
			}
		}
	}
	check("", s.Properties)
	for name, d := range s.Defs {
		check(name, d.Properties)
	}
}

// The file beside the examples is what editors read; `domicile programme schema` prints the same.
func TestTheSchemaFileIsUpToDate(t *testing.T) {
	if *update {
		if err := os.WriteFile(schemaFile, programme.Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, programme.Schema()) {
		t.Errorf("%s is old: run go test ./internal/programme -update", schemaFile)
	}
}
