package notice_test

import (
	"bytes"
	"encoding/json"
	"html"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"domicile.dev/examples"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

func load(t testing.TB, from fs.FS) *programme.Programme {
	t.Helper()
	p, err := programme.Load(from)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type tree = map[string]any

func factsOf(t *testing.T, name string) tree {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out tree
	if err := yaml.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// editions are both versions with what they were transcribed from.
var editions = []struct {
	facts string
	from  func() fs.FS
}{{"notice-2025.yaml", examples.Communications2025}, {"notice-2026.yaml", examples.Communications}}

func entries(d *notice.Document) map[string]notice.Entry {
	all := map[string]notice.Entry{}
	var walk func([]notice.Section)
	walk = func(ss []notice.Section) {
		for _, s := range ss {
			for _, e := range s.Entries {
				all[s.ID+"/"+e.ID] = e
			}
			walk(s.Sections)
		}
	}
	walk(d.Sections)
	return all
}

func values(e notice.Entry, label string) (out []string) {
	for _, f := range e.Facts {
		if f.Label == label {
			out = append(out, f.Values...)
		}
	}
	return out
}

// Every category with its elements, purpose with its bases and categories, recipient and right of
// the facts is on its page, in HTML and in Markdown.
func TestWhatTheFactsListIsOnThePage(t *testing.T) {
	for _, ed := range editions {
		t.Run(ed.facts, func(t *testing.T) {
			f, d := factsOf(t, ed.facts), notice.New(load(t, ed.from()))
			page, err := d.HTML()
			if err != nil {
				t.Fatal(err)
			}
			text, markdown := html.UnescapeString(string(page)), strings.ReplaceAll(string(d.Markdown()), `\`, "")
			have, n := entries(d), 0
			want := func(key, name string) notice.Entry {
				t.Helper()
				e, ok := have[key]
				if !ok {
					t.Errorf("no entry %s", key)
				}
				if name != "" && e.Name != name {
					t.Errorf("%s is called %q, want %q", key, e.Name, name)
				}
				if !strings.Contains(text, e.Name) || !strings.Contains(markdown, e.Name) {
					t.Errorf("%s is not on both pages", e.Name)
				}
				n++
				return e
			}
			categoryName := map[string]string{}
			for _, c := range f["categories"].([]any) {
				categoryName[c.(tree)["id"].(string)] = c.(tree)["name"].(string)
			}
			same := func(e notice.Entry, label string, list any) {
				t.Helper()
				var ids []string
				l, _ := list.([]any)
				for _, x := range l {
					switch x := x.(type) {
					case tree:
						ids = append(ids, categoryName[x["id"].(string)]+" (only "+categoryName[x["only"].([]any)[0].(string)]+")")
					case string:
						if name := categoryName[x]; name != "" {
							x = name
						}
						ids = append(ids, notice.Words(x))
					}
				}
				if got := strings.Join(values(e, label), "|"); got != strings.Join(ids, "|") {
					t.Errorf("%s, %s: got %q, want %q", e.ID, label, got, strings.Join(ids, "|"))
				}
				for _, v := range ids {
					if !strings.Contains(text, v) || !strings.Contains(markdown, v) {
						t.Errorf("%q is not on both pages", v)
					}
				}
			}
			for _, x := range f["categories"].([]any) {
				c := x.(tree)
				e := want("categories-"+c["source"].(string)+"/"+c["id"].(string), c["name"].(string))
				if c["pseudo"] != true { // the format wants a word for what is in it
					same(e, "Elements", c["elements"])
				}
			}
			for _, x := range f["purposes"].([]any) {
				u := x.(tree)
				name, _ := u["name"].(string)
				e := want("purposes/"+u["id"].(string), name)
				same(e, "Legal bases", u["legal_bases"])
				same(e, "Data", u["categories"])
			}
			for _, x := range f["recipients"].([]any) {
				want("recipients/"+x.(tree)["id"].(string), x.(tree)["name"].(string))
			}
			for _, x := range f["rights"].([]any) {
				g := x.(tree)
				for _, r := range g["items"].([]any) {
					want("rights-"+g["group"].(string)+"/"+r.(tree)["id"].(string), "")
				}
			}
			if n < 50 {
				t.Errorf("only %d things of the facts were looked for", n)
			}
			if len(page) > 100_000 {
				t.Errorf("the page has %d bytes", len(page))
			}
		})
	}
}

func TestRenderingIsDeterministic(t *testing.T) {
	render := func() (all []byte) {
		d := notice.New(load(t, examples.Communications()))
		h, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		j, err := d.JSON()
		if err != nil || !json.Valid(j) {
			t.Fatal("no JSON:", err)
		}
		return append(append(h, j...), d.Markdown()...)
	}
	first := render()
	for range 5 {
		if !bytes.Equal(first, render()) {
			t.Fatal("two renderings differ")
		}
	}
	if bytes.Contains(first, []byte("<script")) {
		t.Error("the page has a script")
	}
}

func TestTextIsNotMarkup(t *testing.T) {
	p := load(t, examples.Communications())
	p.Purposes[0].Name = `<b onclick="x">[a](b)`
	d := notice.New(p)
	h, err := d.HTML()
	if err != nil || bytes.Contains(h, []byte("<b onclick")) {
		t.Error("a name became markup", err)
	}
	if bytes.Contains(d.Markdown(), []byte("[a](b)")) {
		t.Error("a name became a link")
	}
}
