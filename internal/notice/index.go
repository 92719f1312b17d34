package notice

import (
	"bytes"
	"fmt"
	"slices"

	"domicile.dev/internal/programme"
)

// Link leads to another page.
type Link struct {
	Path string `json:"path"`
	Name string `json:"name"`
	// Group is the heading under which an index has it, "" for none.
	Group string `json:"group,omitempty"`
}

// Index is a page of links.
type Index struct {
	Title    string `json:"title"`
	Language string `json:"language"`
	Links    []Link `json:"links"`

	doc *Document
}

// NewIndex makes a page of links in the frame of p's documents.
func NewIndex(p *programme.Programme, title string, links []Link) *Index {
	return &Index{title, p.Language(), links, other(p, "", title, p.Notice.LastUpdated)}
}

var indexBody = parsed("index", searchForm+`<h1>{{.Title}}</h1>
{{template "search" .Search}}
{{range .Groups}}{{with .Name}}<h2>{{.}}</h2>{{end}}
<ul>{{range .Links}}
<li><a href="{{.Path}}">{{.Name}}</a></li>{{end}}
</ul>{{end}}`)

// group is links under a heading.
type group struct {
	Name  string
	Links []Link
}

// Groups are the links by heading, in the order of their first.
func (x *Index) Groups() (all []group) {
	for _, l := range x.Links {
		i := slices.IndexFunc(all, func(g group) bool { return g.Name == l.Group })
		if i < 0 {
			all, i = append(all, group{Name: l.Group}), len(all)
		}
		all[i].Links = append(all[i].Links, l)
	}
	return all
}

// Page writes the page in a frame.
func (x *Index) Page(f Frame) ([]byte, error) {
	return wrap(x.doc, x.Title, f, indexBody, struct {
		*Index
		Search searchBox
	}{x, searchBox{x.doc.Language, "", f.Keep}})
}

// Markdown writes it as CommonMark.
func (x *Index) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", markup.Replace(x.Title))
	for i, g := range x.Groups() {
		if i > 0 {
			fmt.Fprintf(&b, "\n## %s\n\n", markup.Replace(g.Name))
		}
		for _, l := range g.Links {
			fmt.Fprintf(&b, "- [%s](%s)\n", markup.Replace(l.Name), l.Path)
		}
	}
	return b.Bytes()
}

// JSON writes its links.
func (x *Index) JSON() ([]byte, error) { return inJSON(x) }
