package notice

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"domicile.dev/internal/phrase"
)

// Some end tags are left out, as HTML allows: the page has hundreds of rows.
var diffBody = template.Must(template.New("diff").Funcs(say).Funcs(template.FuncMap{"quotes": quotes}).Parse(`{{define "changes"}}<ul>{{range .}}
<li>{{quotes .}}{{end}}
</ul>{{end}}
<h1>{{say .D.Language "What changed"}}</h1>
<p><code>{{.D.From.ID}}</code> → <code>{{.D.To.ID}}</code></p>
<p>{{.D.Summary}}</p>
{{with .Material}}<section><h2>{{say $.D.Language "Material changes"}}</h2>{{template "changes" .}}</section>{{end}}
{{with .Other}}<section><h2>{{say $.D.Language "Other changes"}}</h2>{{template "changes" .}}</section>{{end}}
<section><h2>{{say .D.Language "Side by side"}}</h2>{{range .Tables}}
<h3>{{.Section}}</h3><table class=beside><thead><tr><th scope=col>{{say $.D.Language "What"}}<th scope=col>{{say $.D.Language "Before"}}<th scope=col>{{say $.D.Language "After"}}<tbody>{{$of := ""}}{{range .Lines}}{{if ne .Of $of}}{{$of = .Of}}{{with .Of}}
<tr><th scope=rowgroup colspan=3>{{.}}{{end}}{{end}}
<tr><th>{{with .Says}}{{.}}{{else}}{{say $.D.Language "Text"}}{{end}}<td>{{$two := .Both}}{{range $i, $r := .Before}}{{if $i}} {{end}}{{if and .Changed $two}}<del>{{.Text}}</del>{{else}}{{.Text}}{{end}}{{end}}<td>{{range $i, $r := .After}}{{if $i}} {{end}}{{if and .Changed $two}}<ins>{{.Text}}</ins>{{else}}{{.Text}}{{end}}{{end}}{{end}}
</table>{{end}}
</section>`))

// quotes writes quotation marks as people do, and in fewer bytes than a page needs for plain ones.
func quotes(s string) string {
	var b strings.Builder
	open := false
	for _, r := range s {
		switch {
		case r != '"':
			b.WriteRune(r)
			continue
		case open:
			b.WriteRune('”')
		default:
			b.WriteRune('“')
		}
		open = !open
	}
	return b.String()
}

// besides is the lines of one section.
type besides struct {
	Section string
	Lines   []Line
}

// tables groups the lines by section, and within it by entry, in the order of the first.
func (d *Diff) tables() (out []besides) {
	for _, l := range d.Lines {
		i := slices.IndexFunc(out, func(b besides) bool { return b.Section == l.Section })
		if i < 0 {
			out, i = append(out, besides{Section: l.Section}), len(out)
		}
		out[i].Lines = append(out[i].Lines, l)
	}
	return out
}

// classed tells the changes that are material, or those that are not; what begins alike is one sentence.
func (d *Diff) classed(material bool) (out []string) {
	at := map[string]int{}
	for _, c := range d.Changes {
		if c.Material != material {
			continue
		}
		key := c.What + " " + c.How + " " + c.lead
		switch i, begun := at[key]; {
		case c.lead == "":
			out = append(out, c.Text)
		case begun:
			out[i] += ", " + c.item
		default:
			at[key] = len(out)
			out = append(out, c.Text)
		}
	}
	return out
}

// HTML writes the difference as one page that needs nothing else.
func (d *Diff) HTML() ([]byte, error) { return d.Page(Frame{}) }

// Page is HTML in a frame.
func (d *Diff) Page(f Frame) ([]byte, error) {
	return wrap(d.doc, phrase.Say(d.Language, "What changed"), f, diffBody, struct {
		D               *Diff
		Material, Other []string
		Tables          []besides
	}{d, d.classed(true), d.classed(false), d.tables()})
}

// Markdown writes it as CommonMark; changed words are struck out before and bold after.
func (d *Diff) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n`%s` → `%s`\n\n%s\n", phrase.Say(d.Language, "What changed"), d.From.ID, d.To.ID, markup.Replace(d.Summary))
	for _, x := range []struct {
		title    string
		material bool
	}{{phrase.Say(d.Language, "Material changes"), true}, {phrase.Say(d.Language, "Other changes"), false}} {
		if all := d.classed(x.material); len(all) > 0 {
			fmt.Fprintf(&b, "\n## %s\n\n", x.title)
			for _, c := range all {
				fmt.Fprintf(&b, "- %s\n", markup.Replace(c))
			}
		}
	}
	if len(d.Lines) > 0 {
		fmt.Fprintf(&b, "\n## %s\n", phrase.Say(d.Language, "Side by side"))
	}
	for _, l := range d.Lines {
		fmt.Fprintf(&b, "\n%s: %s\n\n- %s: %s\n- %s: %s\n", markup.Replace(l.Section), markup.Replace(l.Label), phrase.Say(d.Language, "before"), marked(l.Before, "~~"), phrase.Say(d.Language, "after"), marked(l.After, "**"))
	}
	return b.Bytes()
}

func marked(rs []Run, mark string) string {
	if len(rs) == 0 {
		return "–"
	}
	var b bytes.Buffer
	for i, r := range rs {
		if i > 0 {
			b.WriteByte(' ')
		}
		if r.Changed {
			b.WriteString(mark + markup.Replace(r.Text) + mark)
		} else {
			b.WriteString(markup.Replace(r.Text))
		}
	}
	return b.String()
}

// JSON writes the difference itself.
func (d *Diff) JSON() ([]byte, error) { return inJSON(d) }
