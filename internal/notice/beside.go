package notice

import (
	"slices"
	"strings"
)

// Line is one line of both versions, one beside the other, in runs of words.
type Line struct {
	Section string `json:"section"`
	Label   string `json:"label"`
	Before  []Run  `json:"before,omitempty"`
	After   []Run  `json:"after,omitempty"`
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
}

func flatten(ss ...Section) flat {
	f := flat{text: map[string]string{}, label: map[string]string{}, section: map[string]string{}}
	put := func(key, section, label, text string) {
		if _, twice := f.text[key]; twice {
			f.text[key] += "; " + text
			return
		}
		f.keys = append(f.keys, key)
		f.text[key], f.label[key], f.section[key] = text, label, section
	}
	var walk func(s Section, top string)
	walk = func(s Section, top string) {
		if top == "" {
			top = s.Title
		}
		if len(s.Text) > 0 {
			put(s.ID, top, s.Title, strings.Join(s.Text, " "))
		}
		for _, x := range s.Facts {
			put(s.ID+"/"+x.id(), top, x.Label, strings.Join(x.Values, ", "))
		}
		for _, e := range s.Entries {
			if e.Text != "" {
				put(s.ID+"/"+e.ID, top, e.Name, e.Text)
			}
			for _, x := range e.Facts {
				put(s.ID+"/"+e.ID+"/"+x.id(), top, e.Name+": "+x.Label, strings.Join(x.Values, ", "))
			}
		}
		for _, sub := range s.Sections {
			walk(sub, top)
		}
	}
	for _, s := range ss {
		walk(s, "")
	}
	return f
}

// beside puts the lines that differ side by side, in the order of the newer version; what is gone
// comes at the end.
func beside(before, after *Document) (out []Line) {
	a, b := flatten(before.Sections...), flatten(after.Sections...)
	for _, k := range b.keys {
		if a.text[k] != b.text[k] {
			l, r := words2(a.text[k], b.text[k])
			out = append(out, Line{b.section[k], b.label[k], l, r})
		}
	}
	for _, k := range a.keys {
		if _, there := b.text[k]; !there {
			out = append(out, Line{a.section[k], a.label[k], []Run{{a.text[k], true}}, nil})
		}
	}
	return out
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
