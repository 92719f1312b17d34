package notice

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// Text is a text of a programme that its documents show. Where is "" but where a text means two things.
type Text struct{ Where, Text string }

// Key is the text's key among those of a translation.
func (t Text) Key() string { return programme.TextKey(t.Where, t.Text) }

// Texts are all texts of p that its documents show, each once, in the order of the documents: what has to be
// translated.
func Texts(p *programme.Programme) []Text {
	var all []Text
	seen := map[Text]bool{}
	heard := source(p).Heard(func(where, text string) {
		t := Text{where, text}
		if !seen[t] {
			seen[t] = true
			all = append(all, t)
		}
	})
	documents(heard)
	return all
}

// documents makes everything that is public of p, as far as p itself says it.
func documents(p *programme.Programme) []*Document {
	none := func(string, string) Holding { return Holding{} }
	return []*Document{New(p), SubProcessors(p), Regions(p), Certifications(p, none, programme.Never-1, "")}
}

// Languages are those in which p's documents can be had: its own first, then those that every text is translated
// into and that the software speaks.
func Languages(p *programme.Programme) []string {
	own := p.Languages()[:1]
	if len(p.Translations) == 0 {
		return own
	}
	texts := Texts(p)
	for i := range p.Translations {
		l := p.Translations[i].Language
		if phrase.Speaks(l) && !slices.ContainsFunc(texts, func(t Text) bool { return !p.HasText(i, t.Where, t.Text) }) {
			own = append(own, l)
		}
	}
	return own
}

// Check returns a fault for each text of the documents that a translation lacks, and for each text of a translation that no
// document shows; nil when there are none.
func Check(p *programme.Programme) error {
	if len(p.Translations) == 0 {
		return nil
	}
	var faults programme.Faults
	texts := Texts(p)
	for i := range p.Translations {
		l := p.Translations[i].Language
		if !phrase.Speaks(l) {
			faults = append(faults, p.TextFault(i, "", "the software doesn't speak "+l+", so no document can be in it", "one of: "+strings.Join(phrase.Languages(), ", ")))
		}
		used := map[string]bool{}
		for _, t := range texts {
			used[t.Key()] = true
			used[programme.TextKey("", t.Text)] = true
			if !p.HasText(i, t.Where, t.Text) {
				faults = append(faults, p.TextFault(i, "", fmt.Sprintf("there is no %s text for %q", l, t.Key()), "domicile notice texts --language "+l+" prints what is missing"))
			}
		}
		for _, k := range p.TextKeys(i) {
			if !used[k] {
				faults = append(faults, p.TextFault(i, k, fmt.Sprintf("no document shows %q", k), "the text it was for has changed or is gone: remove it"))
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}
