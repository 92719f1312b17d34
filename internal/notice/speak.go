package notice

import (
	"strings"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// ph is a phrase of the software in the language that p is said in.
func ph(p *programme.Programme, english string, args ...any) string {
	return phrase.Say(p.Language(), english, args...)
}

// tx is a text of the programme in that language.
func tx(p *programme.Programme, text string) string { return p.Say("", text) }

func txs(p *programme.Programme, texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = tx(p, t)
	}
	return out
}

// word is a short name of the programme as words in that language.
func word(p *programme.Programme, id string) string { return wordIn(p, "", id) }

func wordIn(p *programme.Programme, where, id string) string {
	if t := p.Say(where, id); t != id {
		return t
	}
	return Words(id)
}

func words(p *programme.Programme, ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = word(p, id)
	}
	return out
}

// term is a word of a list that the software closes, such as a role.
func term(p *programme.Programme, id string) string {
	if id == "" {
		return ""
	}
	return ph(p, Words(id))
}

func terms(p *programme.Programme, ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = term(p, id)
	}
	return out
}

func date[T ~string](p *programme.Programme, d T) string { return phrase.Date(p.Language(), string(d)) }

// facts collects facts in the language of p; what is empty is left out.
type facts struct {
	p   *programme.Programme
	all []Fact
}

func on(p *programme.Programme) facts { return facts{p: p} }

// add adds values under a label of the software, which is a phrase.
func (f *facts) add(label string, values ...string) { f.named(label, ph(f.p, label), values...) }

// named adds values under a label that is made of the programme's words. key is the same in every language.
func (f *facts) named(key, label string, values ...string) {
	var full []string
	for _, v := range values {
		if v != "" {
			full = append(full, v)
		}
	}
	if len(full) > 0 {
		f.all = append(f.all, Fact{label, full, key})
	}
}

// say adds what is said, a phrase, when yes.
func (f *facts) say(yes bool, label, value string) {
	if yes {
		f.add(label, ph(f.p, value))
	}
}

// sentence is a text of the programme as one: it begins large and ends in a full stop.
func sentence(p *programme.Programme, text string) string {
	text = capital(tx(p, text))
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}
