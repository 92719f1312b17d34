package publish

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"domicile.dev/examples"
	"domicile.dev/internal/programme"
)

// published is what the example's two versions are as publications, and a third of the list alone.
func published(t *testing.T) (all []Version, second *programme.Programme) {
	t.Helper()
	old, err := programme.Load(examples.Communications2025())
	if err != nil {
		t.Fatal(err)
	}
	second, err = programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	first := Version{N: 1, PublishedAt: at, Effective: programme.FirstDay(old.Notice.LastUpdated)}
	differ(&first, nil, old)
	then := Version{N: 2, PublishedAt: at.Add(time.Hour), Effective: programme.FirstDay(second.Notice.LastUpdated)}
	differ(&then, old, second)
	return []Version{first, then}, second
}

func TestWhatDiffersBetweenTheExamples(t *testing.T) {
	all, p := published(t)
	if !all[0].NewNotice || all[0].NewList || all[0].Material || len(all[0].AskAgain) > 0 {
		t.Errorf("the first: %+v", all[0])
	}
	v := all[1]
	if !v.NewNotice || !v.NewList || !v.Material || len(v.List) != 26 {
		t.Errorf("the second: new notice %v, new list %v of %d, material %v", v.NewNotice, v.NewList, len(v.List), v.Material)
	}
	for _, id := range v.AskAgain {
		found := false
		for _, b := range p.Purpose(id).LegalBases {
			found = found || b == "consent"
		}
		if !found {
			t.Errorf("%s is to be asked again and doesn't rest on consent", id)
		}
	}
	if len(v.AskAgain) == 0 {
		t.Error("no consent has to be asked again, though purposes and recipients are new")
	}
	if !sameNotice(p, p) {
		t.Error("a notice differs from itself")
	}
}

// atomSchema is what RFC 4287 requires of each element, in its Relax NG (appendix B) and in words (4.1.1, 4.1.2):
// how often it stands there.
var atomSchema = map[string]map[string][2]int{
	"feed":   {"id": {1, 1}, "title": {1, 1}, "updated": {1, 1}, "author": {0, 99}, "link": {0, 99}, "subtitle": {0, 1}, "generator": {0, 1}, "icon": {0, 1}, "logo": {0, 1}, "rights": {0, 1}, "category": {0, 99}, "contributor": {0, 99}, "entry": {0, 999}},
	"entry":  {"id": {1, 1}, "title": {1, 1}, "updated": {1, 1}, "published": {0, 1}, "author": {0, 99}, "link": {0, 99}, "content": {0, 1}, "summary": {0, 1}, "rights": {0, 1}, "source": {0, 1}, "category": {0, 99}, "contributor": {0, 99}},
	"author": {"name": {1, 1}, "uri": {0, 1}, "email": {0, 1}},
	"link":   {}, "content": {}, "title": {}, "updated": {}, "published": {}, "name": {},
	"id": {},
}

type element struct {
	name string
	attr map[string]string
	text string
	kids []*element
}

func readXML(d *xml.Decoder, e *element) error {
	for {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		switch x := tok.(type) {
		case xml.StartElement:
			if x.Name.Space != "http://www.w3.org/2005/Atom" {
				return fmt.Errorf("%s is in the namespace %q", x.Name.Local, x.Name.Space)
			}
			kid := &element{name: x.Name.Local, attr: map[string]string{}}
			for _, a := range x.Attr {
				kid.attr[a.Name.Local] = a.Value
			}
			e.kids = append(e.kids, kid)
			if err := readXML(d, kid); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		case xml.CharData:
			e.text += string(x)
		}
	}
}

// validAtom says what in a document breaks RFC 4287.
func validAtom(b []byte) (wrong []string) {
	root := &element{}
	if err := readXML(xml.NewDecoder(strings.NewReader(string(b))), root); err != nil && err != io.EOF {
		return []string{err.Error()}
	}
	if len(root.kids) != 1 || root.kids[0].name != "feed" {
		return []string{"the root is no feed"}
	}
	ids := map[string]bool{}
	var walk func(e *element, authors int)
	walk = func(e *element, authors int) {
		rules, known := atomSchema[e.name]
		if !known {
			wrong = append(wrong, e.name+" is no element of Atom, or none that is expected")
			return
		}
		count := map[string]int{}
		for _, k := range e.kids {
			count[k.name]++
			if _, ok := rules[k.name]; !ok {
				wrong = append(wrong, k.name+" may not stand in "+e.name)
			}
		}
		for name, n := range rules {
			if count[name] < n[0] || count[name] > n[1] {
				wrong = append(wrong, fmt.Sprintf("%s has %d %s", e.name, count[name], name))
			}
		}
		switch e.name {
		case "entry":
			if authors+count["author"] == 0 {
				wrong = append(wrong, "an entry has no author and its feed neither (4.1.2)")
			}
			if count["content"] == 0 && count["link"] == 0 {
				wrong = append(wrong, "an entry has neither content nor a link (4.1.2)")
			}
		case "id":
			if ids[e.text] || !strings.Contains(e.text, ":") {
				wrong = append(wrong, "the id "+e.text+" is no IRI, or stands twice (4.2.6)")
			}
			ids[e.text] = true
		case "updated", "published":
			if _, err := time.Parse(time.RFC3339, e.text); err != nil {
				wrong = append(wrong, e.text+" is no date (3.3)")
			}
		case "link":
			if e.attr["href"] == "" {
				wrong = append(wrong, "a link leads nowhere (4.2.7.1)")
			}
		case "content":
			if kind := e.attr["type"]; kind != "html" && kind != "text" {
				wrong = append(wrong, "content of type "+kind)
			}
		}
		for _, k := range e.kids {
			walk(k, authors+count["author"])
		}
	}
	walk(root.kids[0], 0)
	return wrong
}

func TestFeedsAreValid(t *testing.T) {
	all, _ := published(t)
	c := jsonschema.NewCompiler()
	schema, err := os.Open("testdata/jsonfeed-1.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = schema.Close() }()
	doc, err := jsonschema.UnmarshalJSON(schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("feed.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("feed.json")
	if err != nil {
		t.Fatal(err)
	}
	for list, want := range map[uint8]int{SubProcessors: 1, Notices: 2} {
		f := FeedOf(all, list, `Example & "Sons" <Ltd>`, "en", "https://ie1.example.com")
		if len(f.Items) != want {
			t.Errorf("%d items, want %d", len(f.Items), want)
		}
		atom, err := f.Atom()
		if err != nil {
			t.Fatal(err)
		}
		if wrong := validAtom(atom); len(wrong) > 0 {
			t.Errorf("Atom: %q\n%s", wrong, atom)
		}
		j, err := f.JSON()
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(j)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("JSON Feed: %v\n%s", err, j)
		}
	}
	for _, bad := range []string{`<feed xmlns="http://www.w3.org/2005/Atom"/>`, `<rss/>`, `<feed xmlns="http://www.w3.org/2005/Atom"><id>a:b</id><title>t</title><updated>now</updated></feed>`} {
		if len(validAtom([]byte(bad))) == 0 {
			t.Errorf("%s is taken for valid", bad)
		}
	}
}

func TestAPublishedProgrammeIsReadBack(t *testing.T) {
	_, p := published(t)
	b, err := pack(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(b))
	again, err := unpack(b, p.Hash)
	if err != nil || again.Hash != p.Hash {
		t.Errorf("read back: %v", err)
	}
	if _, err := unpack(b, "sha256:other"); err == nil {
		t.Error("another programme is taken for the one that was published")
	}
	if _, err := unpack(b[:len(b)/2], p.Hash); err == nil {
		t.Error("half a programme is read")
	}
}
