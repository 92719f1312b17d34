package notice

// Form is what a reader may send. It needs no script.
type Form struct {
	Title  string
	Text   []string
	Action string // where it is posted
	Email  bool   // it asks for an address
	URL    bool   // it asks for a webhook's
	Lists  []Choice
	Button string
	Hidden []Choice // sent along

	Language string // of its fixed words; the page's
}

// in returns the form with its words in a language.
func (f *Form) in(language string) *Form {
	if f == nil {
		return nil
	}
	g := *f
	g.Language = language
	return &g
}

// Choice is a box to tick, or a value that is sent along.
type Choice struct {
	Name, Value, Label string
	Ticked             bool
}

// formText is the template of a Form.
const formText = `{{define "form"}}
<section id="section-form{{if .URL}}-webhook{{end}}"><h2>{{.Title}}</h2>{{range .Text}}
<p>{{.}}</p>{{end}}
<form method="post" action="{{.Action}}">{{range .Hidden}}
<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}{{if .Email}}
<p><label for="address">{{say .Language "E-mail address"}}</label><br><input id="address" name="address" type="email" autocomplete="email" required maxlength="254"></p>{{end}}{{if .URL}}
<p><label for="url">{{say .Language "Webhook address, https"}}</label><br><input id="url" name="url" type="url" required maxlength="2048"></p>{{end}}{{with .Lists}}
<fieldset><legend>{{say $.Language "Tell me of"}}</legend>{{range .}}
<p><label><input type="checkbox" name="{{.Name}}" value="{{.Value}}"{{if .Ticked}} checked{{end}}> {{.Label}}</label></p>{{end}}
</fieldset>{{end}}
<p><button type="submit">{{.Button}}</button></p>
</form></section>{{end}}`

// Plain is a page of a few sentences, perhaps with values to copy, and with a form or two.
type Plain struct {
	Title      string
	Text       []string
	Values     []Choice // by their labels
	Form, Also *Form
}

var plainBody = parsed("plain", `<h1>{{.Title}}</h1>{{range .Text}}
<p>{{.}}</p>{{end}}{{with .Values}}<dl>{{range .}}
<div><dt>{{.Label}}</dt><dd><code class="long">{{.Value}}</code></dd></div>{{end}}
</dl>{{end}}{{with .Form}}{{template "form" .}}{{end}}{{with .Also}}{{template "form" .}}{{end}}`+formText)

// Page writes it as a page of d's publisher, in d's language.
func (x *Plain) Page(d *Document, f Frame) ([]byte, error) {
	shown := *x
	shown.Form, shown.Also = x.Form.in(d.Language), x.Also.in(d.Language)
	return wrap(d, x.Title, f, plainBody, &shown)
}
