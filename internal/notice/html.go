package notice

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"domicile.dev/internal/phrase"
)

//go:embed page.css
var css string

// CSS is the style of every page, light and dark, for screens and paper.
func CSS() string { return css }

// say makes phrases in templates: {{say .Language "Contents"}}.
var say = template.FuncMap{"say": phrase.Say, "linked": linked}

func parsed(name, text string) *template.Template {
	return template.Must(template.New(name).Funcs(say).Parse(text))
}

var page = parsed("page", `<!doctype html>
<html lang="{{.Language}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}} – {{.Publisher}}</title>
{{range .Languages}}<link rel="alternate" hreflang="{{.Tag}}" href="{{.Absolute}}">
{{end}}<style>{{.CSS}}</style>
</head>
<body>
<a class="skip" href="#main">{{say .Language "Skip to content"}}</a>
<header><p>{{.Publisher}}</p>{{with .Nav}}<nav aria-label="{{say $.Language "Pages"}}"><ul>{{range .}}<li><a href="{{.Path}}">{{.Name}}</a></li>{{end}}</ul></nav>{{end}}{{if gt (len .Languages) 1}}
<nav class="tongues" aria-label="{{say .Language "Language"}}"><ul>{{range .Languages}}<li><a href="{{.Path}}" lang="{{.Tag}}" hreflang="{{.Tag}}"{{if eq .Tag $.Language}} aria-current="true"{{end}}>{{.Own}}</a></li>{{end}}</ul></nav>{{end}}</header>
<main id="main">{{.Body}}</main>
<footer>{{if .Statement}}<p>{{.Statement}}</p>{{end}}<p>{{say .Language "Programme"}} <code>{{.Programme}}</code></p></footer>
</body>
</html>
`)

var body = parsed("notice", `{{define "facts"}}{{with .}}<dl>{{range .}}
<div><dt>{{.Label}}<dd>{{range $i, $v := .Values}}{{if $i}}, {{end}}{{linked $v}}{{end}}</div>{{end}}
</dl>{{end}}{{end}}
{{define "table"}}{{with .Table}}<div class="wide" role="region" aria-label="{{$.Title}}" tabindex="0"><table>
<thead><tr>{{range .Head}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}
<tr>{{range $i, $c := .}}{{if $i}}<td>{{or $c "–"}}</td>{{else}}<th scope="row">{{$c}}</th>{{end}}{{end}}</tr>{{end}}
</tbody></table></div>{{end}}{{end}}
{{define "entries"}}{{range .}}
<section class="entry" id="{{.ID}}"><h4>{{.Name}}</h4>{{with .Text}}<p>{{.}}</p>{{end}}{{template "facts" .Facts}}</section>{{end}}{{end}}
<h1>{{.Title}}</h1>
<p><time datetime="{{if .AsOf}}{{.AsOf}}{{else}}{{.LastUpdated}}{{end}}">{{.When}}</time></p>
<nav aria-label="{{say .Language "Contents"}}"><ul>{{range .Sections}}
<li><a href="#section-{{.ID}}">{{.Title}}</a></li>{{end}}{{with .Form}}
<li><a href="#section-form">{{.Title}}</a></li>{{end}}
</ul></nav>
{{range .Sections}}<section id="section-{{.ID}}"><h2>{{.Title}}</h2>{{range .Text}}
<p>{{.}}</p>{{end}}{{template "table" .}}{{template "facts" .Facts}}{{if .Entries}}<h3 class="quiet">{{say $.Language "%s: one by one" .Title}}</h3>{{end}}{{template "entries" .Entries}}{{range .Sections}}
<section id="section-{{.ID}}"><h3>{{.Title}}</h3>{{range .Text}}<p>{{.}}</p>{{end}}{{template "table" .}}{{template "facts" .Facts}}{{template "entries" .Entries}}</section>{{end}}
</section>
{{end}}{{with .Form}}{{template "form" .}}{{end}}`+formText)

// shell is what surrounds a page's body.
type shell struct {
	Language, Title, Publisher, Statement, Programme string
	Nav                                              []Link
	Languages                                        []Language
	CSS                                              template.CSS
	Body                                             template.HTML // made by a template of this package
}

func wrap(d *Document, title string, f Frame, t *template.Template, data any) ([]byte, error) {
	var in, out bytes.Buffer
	if err := t.Execute(&in, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", title, err)
	}
	err := page.Execute(&out, shell{Language: d.Language, Title: title, Publisher: d.Publisher, Statement: d.Statement, Programme: d.Programme, Nav: f.nav(), Languages: f.languages(),
		CSS: template.CSS(css), Body: template.HTML(in.String())})
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", title, err)
	}
	return out.Bytes(), nil
}

// HTML writes the document as one page that needs nothing else: no script, no other file.
func (d *Document) HTML() ([]byte, error) { return d.Page(Frame{}) }

// Page is HTML in a frame.
func (d *Document) Page(f Frame) ([]byte, error) {
	shown := *d
	shown.Form = d.Form.in(d.Language)
	return wrap(d, d.Title, f, body, &shown)
}
