package publish

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// byXmllint validates an Atom document by the grammar in testdata with libxml2's RELAX NG validator. "" is valid.
func byXmllint(t *testing.T, doc []byte) string {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		t.Fatal("xmllint is missing: scripts/setup tools installs it")
	}
	cmd := exec.CommandContext(t.Context(), tool, "--noout", "--nonet", "--relaxng", "testdata/atom.rng", "-")
	cmd.Stdin = bytes.NewReader(doc)
	out, err := cmd.CombinedOutput()
	exit := cmd.ProcessState.ExitCode()
	switch {
	case err == nil:
		return ""
	case exit == 1 || exit == 3: // no XML; not valid. Others are the grammar's or the tool's
		return string(out)
	}
	t.Fatalf("xmllint: %v %s", err, out)
	return ""
}

// Feeds are valid by a grammar of Atom and a schema of JSON Feed, each with a validator that isn't ours, and the same
// validators refuse a feed that is broken in one place.
func TestFeedsAreValidByASchema(t *testing.T) {
	src, err := os.ReadFile("testdata/jsonfeed-1.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("feed.json", doc); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile("feed.json")
	byJSON := func(b []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
	all, _ := published(t)
	for _, list := range []uint8{SubProcessors, Notices} {
		for _, versions := range [][]Version{all, nil} { // an empty feed is a feed
			f := FeedOf(versions, list, `Example & "Sons" <Ltd>`, "en", "https://ie1.example.com")
			atom, err := f.Atom()
			if err != nil {
				t.Fatal(err)
			}
			if wrong := byXmllint(t, atom); wrong != "" {
				t.Errorf("Atom: %s\n%s", wrong, atom)
			}
			j, err := f.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if err := byJSON(j); err != nil {
				t.Errorf("JSON Feed: %v\n%s", err, j)
			}
		}
	}
	f := FeedOf(all, Notices, "Example Ltd", "en", "https://ie1.example.com")
	atom, _ := f.Atom()
	j, _ := f.JSON()
	between := func(s, from, to string) string { // from the first from to the end of the next to
		_, rest, _ := strings.Cut(s, from)
		x, _, _ := strings.Cut(rest, to)
		return from + x + to
	}
	for what, change := range map[string][2]string{
		"no id":                  {between(string(atom), "<id>", "</id>"), ""},
		"two ids":                {"<id>", "<id>urn:x</id><id>"},
		"no title":               {between(string(atom), "<title>", "</title>"), ""},
		"an id that is no IRI":   {between(string(atom), "<id>", "</id>"), "<id>sub-processors</id>"},
		"a day without a time":   {between(string(atom), "<updated>", "</updated>"), "<updated>2026-11-25</updated>"},
		"a time without a zone":  {between(string(atom), "<updated>", "</updated>"), "<updated>2026-11-25T10:00:00</updated>"},
		"a link to nowhere":      {" href=", " to="},
		"an element of no Atom":  {"<entry>", "<pubDate>now</pubDate><entry>"},
		"an author with no name": {between(string(atom), "<name>", "</name>"), ""},
		"content of no type":     {`type="html"`, `type="markup"`},
		"another namespace":      {"http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#"},
		"not closed":             {"</feed>", ""},
	} {
		broken := strings.Replace(string(atom), change[0], change[1], 1)
		if broken == string(atom) {
			t.Errorf("%s: nothing was changed in\n%s", what, atom)
		} else if byXmllint(t, []byte(broken)) == "" {
			t.Errorf("Atom with %s is valid:\n%s", what, broken)
		}
	}
	for what, change := range map[string][2]string{
		"another version": {"version/1.1", "version/2"}, "no title": {`"title"`, `"name"`}, "an item without an id": {`"id"`, `"_id"`},
		"items that are no list": {`"items": [`, `"items": {"x":[`}, "a date that is none": {between(string(j), `"date_published": "`, `"`), `"date_published": "today"`},
		"an address that is none": {`"home_page_url": "https://`, `"home_page_url": "not an address `},
	} {
		broken := strings.Replace(string(j), change[0], change[1], 1)
		if broken == string(j) {
			t.Errorf("%s: nothing was changed in\n%s", what, j)
		} else if byJSON([]byte(broken)) == nil {
			t.Errorf("JSON Feed with %s is valid:\n%s", what, broken)
		}
	}
}
