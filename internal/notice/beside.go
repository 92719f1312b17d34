package notice

import (
	"slices"
	"strings"

	"domicile.dev/internal/phrase"
)

// Line is one line of both versions, one beside the other, in runs of words.
type Line struct {
	Section string `json:"section"`
	Label   string `json:"label"`
	Before  []Run  `json:"before,omitempty"`
	After   []Run  `json:"after,omitempty"`

	of string // the entry that it is about, which begins the label
}

// Of is the entry that the line is about, "" for none.
func (l *Line) Of() string { return l.of }

// Both says that both versions have the line: what is new or gone as a whole needs no marks.
func (l *Line) Both() bool { return len(l.Before) > 0 && len(l.After) > 0 }

// Says is the label without the entry.
func (l *Line) Says() string {
	if l.Label == l.of {
		return ""
	}
	return strings.TrimPrefix(l.Label, l.of+": ")
}

// Run is some words, marked when the other side has them otherwise or not at all.
type Run struct {
	Text    string `json:"text"`
	Changed bool   `json:"changed,omitempty"`
}

// flat is a section as lines, by what they are about.
type flat struct {
	keys                 []string
	text, label, section map[string]string
	of                   map[string]string // entry
	names                []string          // the keys of names, which differ when both sides have the thing
	heads                []string          // sections that have a heading and no text of their own
}

// flatten takes sections apart. moved, when it isn't nil, says under which key an entry of a section stands.
func flatten(moved func(top, section, entry string) string, ss ...Section) flat {
	f := flat{text: map[string]string{}, label: map[string]string{}, section: map[string]string{}, of: map[string]string{}}
	put := func(key, section, label, text string) {
		if _, twice := f.text[key]; twice {
			f.text[key] += "; " + text
			return
		}
		f.keys = append(f.keys, key)
		f.text[key], f.label[key], f.section[key] = text, label, section
	}
	name := func(key, section, name string) {
		key = "name " + key
		if _, twice := f.text[key]; !twice {
			f.names = append(f.names, key)
		}
		f.text[key], f.label[key], f.section[key] = name, name, section
	}
	var walk func(s Section, top, sort string)
	walk = func(s Section, top, sort string) {
		if top == "" {
			top, sort = s.Title, s.ID
		}
		name(s.ID, top, s.Title)
		if len(s.Text) > 0 {
			put(s.ID, top, s.Title, strings.Join(s.Text, " "))
		} else {
			f.heads = append(f.heads, "name "+s.ID)
		}
		for _, x := range s.Facts {
			put(s.ID+"/"+x.id(), top, x.Label, strings.Join(x.Values, ", "))
		}
		for _, e := range s.Entries {
			in := s.ID + "/" + e.ID
			if moved != nil {
				in = moved(sort, s.ID, e.ID)
			}
			switch name(in, top, e.Name); {
			case e.Text == "" && len(e.Facts) == 0:
				put(in, top, e.Name, e.Name) // all that is said of it
			case e.Text != "":
				put(in, top, e.Name, e.Text)
			}
			f.of[in] = e.Name
			for _, x := range e.Facts {
				key := in + "/" + x.id()
				put(key, top, e.Name+": "+x.Label, strings.Join(x.Values, ", "))
				f.of[key] = e.Name
			}
		}
		for _, sub := range s.Sections {
			walk(sub, top, sort)
		}
	}
	for _, s := range ss {
		walk(s, "", "")
	}
	return f
}

// beside puts the lines that differ side by side, in the order of the newer version; what is gone
// comes at the end.
func beside(before, after *Document, moved func(top, section, entry string) string) (out []Line) {
	a, b := flatten(moved, head(before, before.Sections)...), flatten(nil, head(after, after.Sections)...)
	for _, k := range b.names {
		if was, both := a.text[k]; both && was != b.text[k] {
			l, r := words2(was, b.text[k])
			out = append(out, Line{b.section[k], b.label[k], l, r, ""})
		}
	}
	for _, k := range b.heads {
		if _, both := a.text[k]; !both {
			out = append(out, Line{b.section[k], b.label[k], nil, []Run{{b.text[k], true}}, ""})
		}
	}
	for _, k := range b.keys {
		if a.text[k] != b.text[k] {
			l, r := words2(a.text[k], b.text[k])
			out = append(out, Line{b.section[k], b.label[k], l, r, b.of[k]})
		}
	}
	for _, k := range a.keys {
		if _, there := b.text[k]; !there {
			out = append(out, Line{a.section[k], a.label[k], []Run{{a.text[k], true}}, nil, a.of[k]})
		}
	}
	for _, k := range a.heads {
		if _, both := b.text[k]; !both {
			out = append(out, Line{a.section[k], a.label[k], []Run{{a.text[k], true}}, nil, ""})
		}
	}
	return out
}

// head is a document's sections after what stands around them.
func head(d *Document, ss []Section) []Section {
	var f []Fact
	for _, x := range [][2]string{{"Published by", d.Publisher}, {"Statement", d.Statement}, {"Language", d.Language}} {
		if x[1] != "" {
			f = append(f, Fact{phrase.Say(d.Language, x[0]), x[1:], x[0]})
		}
	}
	return append([]Section{{ID: "document", Title: d.Title, Facts: f}}, ss...)
}

// words2 marks the words of a and b outside their longest common subsequence.
func words2(a, b string) (left, right []Run) {
	x, y := strings.Fields(a), strings.Fields(b)
	common := make([][]int, len(x)+1)
	for i := range common {
		common[i] = make([]int, len(y)+1)
	}
	for i := range slices.Backward(x) {
		for j := range slices.Backward(y) {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			left, right = run(left, x[i], false), run(right, y[j], false)
			i, j = i+1, j+1
		case j == len(y) || i < len(x) && common[i+1][j] >= common[i][j+1]:
			left = run(left, x[i], true)
			i++
		default:
			right = run(right, y[j], true)
			j++
		}
	}
	return left, right
}

func run(rs []Run, word string, changed bool) []Run {
	if n := len(rs); n > 0 && rs[n-1].Changed == changed {
		rs[n-1].Text += " " + word
		return rs
	}
	return append(rs, Run{word, changed})
}
