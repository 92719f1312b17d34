package notice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"domicile.dev/internal/phrase"
)

// markup escapes what CommonMark or HTML within it would read as more than text.
var markup = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, "<", `\<`, ">", `\>`, "&", `\&`, "#", `\#`, "\n", " ")

// Markdown writes the document as CommonMark.
func (d *Document) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s. %s.\n", markup.Replace(d.Title), markup.Replace(d.Publisher), d.When())
	for _, s := range d.Sections {
		s.markdown(&b, 2)
	}
	b.WriteString("\n---\n\n")
	if d.Statement != "" {
		fmt.Fprintf(&b, "%s\n\n", markup.Replace(d.Statement))
	}
	fmt.Fprintf(&b, "%s `%s`\n", phrase.Say(d.Language, "Programme"), d.Programme)
	return b.Bytes()
}

func (s *Section) markdown(b *bytes.Buffer, level int) {
	fmt.Fprintf(b, "\n%s %s\n", strings.Repeat("#", level), markup.Replace(s.Title))
	for _, t := range s.Text {
		fmt.Fprintf(b, "\n%s\n", markup.Replace(t))
	}
	s.Table.markdown(b)
	factsMarkdown(b, s.Facts)
	for _, e := range s.Entries {
		fmt.Fprintf(b, "\n%s %s\n", strings.Repeat("#", level+1), markup.Replace(e.Name))
		if e.Text != "" {
			fmt.Fprintf(b, "\n%s\n", markup.Replace(e.Text))
		}
		factsMarkdown(b, e.Facts)
	}
	for _, sub := range s.Sections {
		sub.markdown(b, level+1)
	}
}

// markdown writes a table as GitHub's flavour has it. A nil table writes nothing.
func (t *Table) markdown(b *bytes.Buffer) {
	if t == nil {
		return
	}
	b.WriteString("\n")
	row := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + strings.ReplaceAll(markup.Replace(c), "|", `\|`) + " ")
		}
		b.WriteString("|\n")
	}
	row(t.Head)
	b.WriteString(strings.Repeat("| --- ", len(t.Head)) + "|\n")
	for _, r := range t.Rows {
		row(r)
	}
}

func factsMarkdown(b *bytes.Buffer, all []Fact) {
	if len(all) > 0 {
		b.WriteByte('\n')
	}
	for _, f := range all {
		fmt.Fprintf(b, "- %s: %s\n", markup.Replace(f.Label), markup.Replace(strings.Join(f.Values, ", ")))
	}
}

// JSON writes the model itself.
func (d *Document) JSON() ([]byte, error) { return inJSON(d) }

func inJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the document: %w", err)
	}
	return b.Bytes(), nil
}
