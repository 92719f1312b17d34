package app

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"domicile.dev/internal/notice"
)

// demoCSS is what the page has besides the style of the public pages.
const demoCSS = `pre { font-family: ui-monospace, monospace; font-size: .85rem; line-height: 1.45; margin: .5rem 0; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .25rem; white-space: pre-wrap }
.form { color: var(--soft); font-weight: 400 } details summary { cursor: pointer; color: var(--link) }`

var demoPage = template.Must(template.New("demo").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What the demo's recipients got</title>
<style>{{.CSS}}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header><nav aria-label="Pages"><ul><li><a href="/">Region {{.Region}}</a></li><li><a href="/privacy/">Privacy centre</a></li><li><a href="/demo/">Look again</a></li></ul></nav></header>
<main id="main">
<h1>What the demo’s recipients got</h1>
<p>This page stands for three companies outside of region {{.Region}}. It knows nothing but what was sent to it, since {{.Since}}.
Everybody here is made up, and nothing left this machine. Each delivery below was decided on first; the decision is in the region’s ledger under the entry that the delivery names.</p>
{{range .Flows}}<section id="{{.ID}}"><h2>{{.Title}}</h2>
<p>{{.Says}}</p>
<dl>
<div><dt>Recipient</dt><dd>{{.Recipient}}</dd></div>
<div><dt>Flow</dt><dd><code>{{.ID}}</code></dd></div>{{with .Got}}
<div><dt>Purpose</dt><dd><code>{{.Purpose}}</code></dd></div>
<div><dt>So far</dt><dd>{{.Records}} {{$.Lines .Form}} in {{.Deliveries}} deliveries</dd></div>
<div><dt>Newest</dt><dd><time datetime="{{.At.Format "2006-01-02T15:04:05Z"}}">{{.At.Format "15:04:05"}} UTC</time>, <code>{{.ID}}</code>, decision <code>{{.Entry}}</code></dd></div>{{end}}
</dl>{{if .Got}}
{{range .Got.Newest}}<pre>{{.}}</pre>{{end}}{{else}}
<p><em>Nothing yet.</em> {{.Wait}}</p>{{end}}
</section>
{{end}}
<section><h2>What you don’t see here</h2>
<p>Half of the made-up people consented to personalisation, some refused, the others were never asked. Only the first are in what leaves
pseudonymised. The region says what it left out, and why:</p>
<pre>{{range .Flows}}bin/domicile flow show {{.ID}} --up .domicile
{{end}}</pre>
<p>Take something back, and look again: <code>bin/domicile flow pause message_screening --up .domicile</code> stops the first;
<code>register list</code> and <code>register strike</code> take away what a flow rests on.</p></section>
</main>
<footer><p>Programme <code>{{.Programme}}</code></p></footer>
</body>
</html>
`))

// demoView is the page's.
type demoView struct {
	CSS                      template.CSS
	Region, Since, Programme string
	Flows                    []demoFlowView
}

// Lines says what lines of a form are.
func (demoView) Lines(form string) string {
	if form == "aggregated" {
		return "counts"
	}
	return "records"
}

type demoFlowView struct {
	ID, Title, Says, Wait, Recipient string
	Got                              *demoGotView
}

type demoGotView struct {
	demoGot
	Newest []string
}

func (d *demoRecipient) page(w http.ResponseWriter) {
	v := demoView{CSS: template.CSS(notice.CSS() + demoCSS), Region: d.region, Since: d.since.Format("15:04:05 MST"), Programme: d.programme}
	d.mu.Lock()
	for _, f := range d.flows {
		x := demoFlowView{ID: f.id, Title: f.title, Says: f.says, Wait: f.wait, Recipient: d.names[f.to]}
		if g := d.got[f.id]; g != nil {
			x.Got = &demoGotView{demoGot: *g}
			if f.show == 0 { // counts: as they came
				x.Got.Newest = []string{shown(strings.Join(g.Lines, "\n"), false)}
			}
			for i := len(g.Lines) - 1; i >= max(0, len(g.Lines)-f.show); i-- {
				x.Got.Newest = append(x.Got.Newest, shown(g.Lines[i], true))
			}
		}
		v.Flows = append(v.Flows, x)
	}
	d.mu.Unlock()
	style := sha256.Sum256([]byte(v.CSS))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(style[:])+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_ = demoPage.Execute(w, v)
}
