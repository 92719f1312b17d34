package notice

import (
	"bytes"
	"fmt"

	"domicile.dev/internal/phrase"
)

var diffBody = parsed("diff", `{{define "changes"}}<ul>{{range .}}
<li>{{.Text}}</li>{{end}}
</ul>{{end}}
<h1>{{say .D.Language "What changed"}}</h1>
<p><code>{{.D.From.ID}}</code> → <code>{{.D.To.ID}}</code></p>
<p>{{.D.Summary}}</p>
{{with .Material}}<section><h2>{{say $.D.Language "Material changes"}}</h2>{{template "changes" .}}</section>{{end}}
{{with .Other}}<section><h2>{{say $.D.Language "Other changes"}}</h2>{{template "changes" .}}</section>{{end}}
<section><h2>{{say .D.Language "Side by side"}}</h2>{{$in := ""}}{{range .D.Lines}}{{if ne .Section $in}}{{$in = .Section}}
<h3>{{.Section}}</h3>{{end}}
<h4>{{.Label}}</h4><div class="beside"><p>{{range .Before}}{{if .Changed}}<del>{{.Text}}</del>{{else}}{{.Text}}{{end}} {{else}}–{{end}}</p><p>{{range .After}}{{if .Changed}}<ins>{{.Text}}</ins>{{else}}{{.Text}}{{end}} {{else}}–{{end}}</p></div>{{end}}
</section>`)

// classed returns the changes that are material, or those that are not.
func (d *Diff) classed(material bool) (out []Change) {
	for _, c := range d.Changes {
		if c.Material == material {
			out = append(out, c)
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
		Material, Other []Change
	}{d, d.classed(true), d.classed(false)})
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
				fmt.Fprintf(&b, "- %s\n", markup.Replace(c.Text))
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
