// Package notice makes the public documents from a programme: one model of the privacy notice, written
// as HTML, Markdown and JSON, and the difference of two versions.
//
// Everything here is pure and deterministic: the same programme gives the same bytes.
//
// Rules: docs/notice.md.
package notice

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// Document is a notice as its readers see it, without markup.
type Document struct {
	ID          string    `json:"id"`
	Title       string    `json:"title"`
	Language    string    `json:"language"`
	LastUpdated string    `json:"last_updated"`
	Supersedes  string    `json:"supersedes,omitempty"`
	Publisher   string    `json:"publisher"`
	Statement   string    `json:"statement,omitempty"`
	Programme   string    `json:"programme"`       // hash of the programme that it was rendered from
	AsOf        string    `json:"as_of,omitempty"` // when it was looked at, of a page that shows what is so at the moment
	Sections    []Section `json:"sections"`

	// Form, when there is one, stands under the page's sections, and in no other form of the document.
	Form *Form `json:"-"`
}

// Section is a part of the notice with a heading.
type Section struct {
	ID       string    `json:"id"`
	Title    string    `json:"title"`
	Text     []string  `json:"text,omitempty"` // paragraphs
	Table    *Table    `json:"table,omitempty"`
	Facts    []Fact    `json:"facts,omitempty"`
	Entries  []Entry   `json:"entries,omitempty"`
	Sections []Section `json:"sections,omitempty"`
}

// Table is a grid; the first cell of a row names it.
type Table struct {
	Head []string   `json:"head"`
	Rows [][]string `json:"rows"`
}

// Entry is one thing that a section lists: a category, a purpose, a recipient, a right.
type Entry struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Text  string `json:"text,omitempty"`
	Facts []Fact `json:"facts,omitempty"`
}

// Fact is a label with what it holds, in the order of the programme.
type Fact struct {
	Label  string   `json:"label"`
	Values []string `json:"values"`

	key string // the label's, the same in every language
}

// id tells a fact from the others of its section.
func (f *Fact) id() string { return or(f.key, f.Label) }

// New makes the document of a valid programme.
func New(p *programme.Programme) *Document {
	n := &p.Notice
	d := &Document{ID: n.ID, Title: tx(p, n.Title), Language: p.Language(), LastUpdated: string(n.LastUpdated), Supersedes: n.Supersedes,
		Publisher: p.Organisation.Name, Statement: tx(p, p.Organisation.Statement), Programme: p.Hash}
	for _, part := range []func(*programme.Programme) Section{who, categories, purposes, recipients, transfers, security, retention, rights,
		cookies, children, automated, services, contacts, changes} {
		if s := part(p); len(s.Text)+len(s.Facts)+len(s.Entries)+len(s.Sections) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	return d
}

// AsOfWords is AsOf for people.
func (d *Document) AsOfWords() string {
	at, err := time.Parse(time.RFC3339, d.AsOf)
	if err != nil {
		return d.AsOf
	}
	return phrase.Instant(d.Language, at)
}

// When says as of when the document is, for people.
func (d *Document) When() string {
	if d.AsOf != "" {
		return phrase.Say(d.Language, "As of %s, from what runs", d.AsOfWords())
	}
	return phrase.Say(d.Language, "Last updated %s", phrase.Date(d.Language, d.LastUpdated))
}

// acronyms are written otherwise than words.
var acronyms = map[string]string{"id": "ID", "ids": "IDs", "ip": "IP", "api": "API", "sid": "SID", "sim": "SIM", "os": "OS", "cpu": "CPU",
	"ai": "AI", "kyc": "KYC", "cpni": "CPNI", "url": "URL", "urls": "URLs", "us": "US", "eu": "EU", "bcr": "BCR", "paypal": "PayPal"}

// Words writes a short name of the programme as words: device_ids is "device IDs". What has a space is
// text already.
func Words(id string) string {
	if strings.Contains(id, " ") {
		return id
	}
	parts := strings.Split(id, "_")
	for i, w := range parts {
		if a, ok := acronyms[w]; ok {
			parts[i] = a
		}
	}
	return strings.Join(parts, " ")
}

// capital writes the first letter large.
func capital(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// names returns the names of categories; what is no category's id is written as words.
func names(p *programme.Programme, ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		if c := p.Category(id); c != nil {
			out[i] = tx(p, c.Name)
		} else {
			out[i] = word(p, id)
		}
	}
	return out
}

func yesNo(p *programme.Programme, b bool) string {
	if b {
		return ph(p, "yes")
	}
	return ph(p, "no")
}
