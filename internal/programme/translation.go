package programme

import (
	"maps"
	"slices"
	"strings"
)

// Translation is what the documents say in one more language: by text of the programme, that text in the language.
// A text that changes has no translation any more, so none is silently false.
type Translation struct {
	Language string            `yaml:"language" is:"required;language" doc:"The language, as a BCP 47 tag."`
	Texts    map[string]string `yaml:"texts" is:"required" doc:"By the text as the programme has it, names such as phone_number among them, the text in this language. A key \"rights|access\" is for the name access among the rights alone."`
}

// speech is the language in which a programme's texts are said, and who wants to know which are.
type speech struct {
	language string
	texts    map[string]string
	asked    func(where, text string)
}

// Languages are those that the programme has texts in: its own first.
func (p *Programme) Languages() []string {
	out := []string{p.Notice.Language}
	for i := range p.Translations {
		out = append(out, p.Translations[i].Language)
	}
	return out
}

// In returns the programme with its texts said in a language; p itself where it has none in it. What it declares, its
// ids and its hash are the same.
func (p *Programme) In(language string) *Programme {
	if language == p.Language() {
		return p
	}
	q := *p
	q.speech = speech{asked: p.speech.asked}
	for i := range p.Translations {
		if t := &p.Translations[i]; t.Language == language {
			q.speech.language, q.speech.texts = t.Language, t.Texts
			return &q
		}
	}
	if language == p.Notice.Language {
		return &q
	}
	return p
}

// Language is that in which the programme's texts are said.
func (p *Programme) Language() string {
	if p.speech.language != "" {
		return p.speech.language
	}
	return p.Notice.Language
}

// Translated says whether texts are said in another language than the programme's own.
func (p *Programme) Translated() bool { return p.speech.language != "" }

// Say returns a text of the programme in the language of p. where tells apart what one text means in two places; it is
// "" almost everywhere. What has no translation comes back as it is.
func (p *Programme) Say(where, text string) string {
	if text == "" || strings.HasPrefix(text, "https://") { // an address is one in every language
		return text
	}
	if p.speech.asked != nil {
		p.speech.asked(where, text)
	}
	if t, ok := p.translation(where, text); ok {
		return t
	}
	return text
}

func (p *Programme) translation(where, text string) (string, bool) {
	if where != "" {
		if t, ok := p.speech.texts[TextKey(where, text)]; ok {
			return t, true
		}
	}
	t, ok := p.speech.texts[TextKey("", text)]
	return t, ok
}

// TextKey is the key of a text among those of a translation: the text with single blanks.
func TextKey(where, text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if where == "" {
		return text
	}
	return where + "|" + text
}

// Heard returns p as it is, but that it tells asked of each text that Say is asked for.
func (p *Programme) Heard(asked func(where, text string)) *Programme {
	q := *p
	q.speech.asked = asked
	return &q
}

// HasText says whether the translation of index i has a text.
func (p *Programme) HasText(i int, where, text string) bool {
	q := Programme{speech: speech{texts: p.Translations[i].Texts}}
	_, ok := q.translation(where, text)
	return ok
}

// TextFault is a fault of a translation: at a key of it, or at its language when it has no such key.
func (p *Programme) TextFault(i int, key, message, hint string) Fault {
	at := p.texts[i][key]
	if at.Line == 0 {
		at = p.texts[i][""]
	}
	return Fault{File: at.File, Line: at.Line, Column: at.Column, Path: "translations[" + p.Translations[i].Language + "]", Code: CodeInconsistent, Message: message, Suggestion: hint}
}

// checkTranslations reports two of one language, and one of the programme's own.
func (d *decoder) checkTranslations(p *Programme) {
	seen := map[string]bool{strings.ToLower(p.Notice.Language): true}
	for i := range p.Translations {
		t := &p.Translations[i]
		if low := strings.ToLower(t.Language); seen[low] {
			d.contradicts(d.at[t], "language", quote(t.Language)+" is the language of the programme, or of another translation", "a translation is in one file, and none is into the programme's own language")
		} else {
			seen[low] = true
		}
	}
}

// keepTexts keeps where translations' texts stand.
func (p *Programme) keepTexts(d *decoder) {
	for i := range p.Translations {
		at := map[string]Position{}
		if n := d.at[&p.Translations[i]]; n != nil {
			of := func(n *node) Position { return Position{n.file, n.line, n.col} }
			at[""] = of(n.or("language"))
			if texts, _ := n.get("texts"); texts != nil {
				for _, k := range texts.keys {
					at[k.text] = of(k)
				}
			}
		}
		p.texts = append(p.texts, at)
	}
}

// TextKeys are the keys of the translation of index i, in order.
func (p *Programme) TextKeys(i int) []string {
	return slices.Sorted(maps.Keys(p.Translations[i].Texts))
}
