package notice

import (
	"bytes"
	"fmt"
	"html/template"

	"domicile.dev/internal/programme"
)

// Link leads to another page.
type Link struct {
	Path string `json:"path"`
	Name string `json:"name"`
}

// Index is a page of links.
type Index struct {
	Title string `json:"title"`
	Links []Link `json:"links"`

	doc *Document
}

// NewIndex makes a page of links in the frame of p's documents.
func NewIndex(p *programme.Programme, title string, links []Link) *Index {
	return &Index{title, links, other(p, "", title, p.Notice.LastUpdated)}
}

var indexBody = template.Must(template.New("index").Parse(searchForm + `<h1>{{.Title}}</h1>
{{template "search" ""}}
<ul>{{range .Links}}
<li><a href="{{.Path}}">{{.Name}}</a></li>{{end}}
</ul>`))

// Page writes the page with the links nav at its top.
func (x *Index) Page(nav []Link) ([]byte, error) { return wrap(x.doc, x.Title, nav, indexBody, x) }

// Markdown writes it as CommonMark.
func (x *Index) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", markup.Replace(x.Title))
	for _, l := range x.Links {
		fmt.Fprintf(&b, "- [%s](%s)\n", markup.Replace(l.Name), l.Path)
	}
	return b.Bytes()
}

// JSON writes its links.
func (x *Index) JSON() ([]byte, error) { return inJSON(x) }
