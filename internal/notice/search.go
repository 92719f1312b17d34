package notice

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// Passage is a part of a document that can be found: a section's own text, or an entry.
type Passage struct {
	Path  string `json:"path"` // with the fragment
	Page  string `json:"page"`
	Title string `json:"title"`
	Text  string `json:"text"`

	title, lower string
}

// Passages are the parts of the document at path.
func Passages(path string, d *Document) (all []Passage) {
	add := func(id, title string, text ...string) {
		t := strings.Join(text, " ")
		all = append(all, Passage{Path: path + "#" + id, Page: d.Title, Title: title, Text: t, title: strings.ToLower(title), lower: strings.ToLower(title + " " + t)})
	}
	var walk func([]Section)
	walk = func(sections []Section) {
		for _, s := range sections {
			text := append(append([]string{}, s.Text...), factTexts(s.Facts)...)
			if s.Table != nil {
				for _, r := range s.Table.Rows {
					text = append(text, strings.Join(strings.Fields(strings.Join(r, " ")), " "))
				}
			}
			add("section-"+s.ID, s.Title, text...)
			for _, e := range s.Entries {
				add(e.ID, e.Name, append([]string{e.Text}, factTexts(e.Facts)...)...)
			}
			walk(s.Sections)
		}
	}
	walk(d.Sections)
	return all
}

func factTexts(all []Fact) (out []string) {
	for _, f := range all {
		out = append(out, f.Label+": "+strings.Join(f.Values, ", ")+".")
	}
	return out
}

// Bounds of a search.
const (
	MostQuery   = 200 // bytes that are looked at
	mostWords   = 8
	mostResults = 40
	excerpt     = 180 // bytes of a result's text, about
)

// Results is the page of what was found.
type Results struct {
	Query    string    `json:"query"`
	Language string    `json:"language"`
	Results  []Passage `json:"results"`
	More     int       `json:"more"` // found, and not shown

	doc *Document
}

// Search finds the passages that have every word of the query, those with all of them in the title first.
// Upper and lower case are the same, and a part of a word is enough. What is too long is cut.
func Search(p *programme.Programme, passages []Passage, query string) *Results {
	query = strings.TrimSpace(cut(strings.ToValidUTF8(query, ""), MostQuery))
	r := &Results{Query: query, Language: p.Language(), Results: []Passage{}, doc: other(p, "search", ph(p, "Search"), p.Notice.LastUpdated)}
	words := strings.Fields(strings.ToLower(query))
	words = words[:min(len(words), mostWords)]
	if len(words) == 0 {
		return r
	}
	var late []Passage
	for i := range passages {
		x := passages[i]
		if !has(x.lower, words) {
			continue
		}
		inTitle := has(x.title, words)
		x.Text = around(x.Text, words)
		if inTitle {
			r.Results = append(r.Results, x)
		} else {
			late = append(late, x)
		}
	}
	r.Results = append(r.Results, late...)
	if n := len(r.Results) - mostResults; n > 0 {
		r.Results, r.More = r.Results[:mostResults], n
	}
	return r
}

func has(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// cut returns at most n bytes of s, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// around is a piece of text about the first of the words that is in it.
func around(text string, words []string) string {
	text = strings.TrimSpace(text)
	low, at := strings.ToLower(text), 0
	for _, w := range words {
		if i := strings.Index(low, w); i >= 0 && len(low) == len(text) {
			at = i
			break
		}
	}
	from := max(0, at-excerpt/3)
	for from > 0 && text[from-1] != ' ' {
		from--
	}
	piece := cut(text[from:], excerpt)
	if from+len(piece) < len(text) {
		if i := strings.LastIndexByte(piece, ' '); i > excerpt/2 {
			piece = piece[:i]
		}
		piece += " …"
	}
	if from > 0 {
		piece = "… " + piece
	}
	return piece
}

// searchForm is the form that asks. It is sent with GET, so that a search can be linked to.
const searchForm = `{{define "search"}}<form method="get" action="/privacy/search" role="search">
<p><label for="q">{{say .Language "Search these documents"}}</label><br><input id="q" name="q" type="search" maxlength="200" value="{{.Query}}"> <button type="submit">{{say .Language "Search"}}</button></p>{{with .Keep}}
<input type="hidden" name="lang" value="{{.}}">{{end}}
</form>{{end}}`

var searchBody = parsed("results", searchForm+`<h1>{{say .R.Language "Search"}}</h1>
{{template "search" .Search}}
{{if .R.Query}}<p role="status">{{if .R.Results}}{{.R.Count}}{{else}}{{say .R.Language "Nothing was found."}}{{end}}</p>{{else}}<p>{{say .R.Language "The search covers the documents as they hold now. What you search for isn't kept."}}</p>{{end}}
{{range .R.Results}}<section class="entry"><h2><a href="{{.Path}}">{{.Title}}</a></h2><p class="soft">{{.Page}}</p>{{with .Text}}<p>{{.}}</p>{{end}}</section>
{{end}}`)

// Count says how much was found, in words.
func (r *Results) Count() string {
	n := len(r.Results) + r.More
	switch {
	case n == 1:
		return phrase.Say(r.Language, "One passage.")
	case r.More > 0:
		return phrase.Say(r.Language, "%d passages, of which %d are shown. Another word would narrow it down.", n, len(r.Results))
	}
	return phrase.Say(r.Language, "%d passages.", n)
}

// searchBox is what the form is filled with.
type searchBox struct{ Language, Query, Keep string }

// Page writes the page in a frame.
func (r *Results) Page(f Frame) ([]byte, error) {
	return wrap(r.doc, r.doc.Title, f, searchBody, struct {
		R      *Results
		Search searchBox
	}{r, searchBox{r.Language, r.Query, f.Keep}})
}

// Markdown writes it as CommonMark.
func (r *Results) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s: %s\n\n", markup.Replace(r.doc.Title), markup.Replace(r.Query), r.Count())
	for _, x := range r.Results {
		fmt.Fprintf(&b, "- [%s](%s) (%s): %s\n", markup.Replace(x.Title), x.Path, markup.Replace(x.Page), markup.Replace(x.Text))
	}
	return b.Bytes()
}

// JSON writes what was found.
func (r *Results) JSON() ([]byte, error) { return inJSON(r) }
