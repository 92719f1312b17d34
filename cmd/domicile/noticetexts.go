package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

type noticeTextsCmd struct {
	Language string `required:"" help:"The language to translate into, as a BCP 47 tag." placeholder:"TAG"`
	Dir      string `arg:"" optional:"" help:"The programme's folder; the built-in example when it is left out."`
}

// textsAnswer is what --json prints; it is a promise.
type textsAnswer struct {
	Language string            `json:"language"`
	Missing  int               `json:"missing"`
	Texts    map[string]string `json:"texts"` // "" for what is missing
}

// Run prints the texts in the order of the documents, with the translations that there are.
func (c *noticeTextsCmd) Run(e *env) error {
	p, err := goodProgramme(c.Dir)
	if err != nil {
		return err
	}
	if !phrase.Speaks(c.Language) || strings.EqualFold(c.Language, p.Notice.Language) {
		return fault.New(fault.Invalid, "notice.language", "there is nothing to translate into %s", c.Language).
			WithHint("one of " + strings.Join(phrase.Languages(), ", ") + ", and not the programme's own")
	}
	have := map[string]string{}
	for _, t := range p.Translations {
		if t.Language == c.Language {
			have = t.Texts
		}
	}
	a := textsAnswer{Language: c.Language, Texts: map[string]string{}}
	var b bytes.Buffer
	fmt.Fprintf(&b, "translations:\n  - language: %s\n    texts:\n", c.Language)
	for _, t := range notice.Texts(p) {
		k := t.Key()
		said, ok := have[k]
		if !ok && t.Where != "" {
			if said, ok = have[programme.TextKey("", t.Text)]; ok {
				continue // the text without its place is enough
			}
		}
		if _, twice := a.Texts[k]; twice {
			continue
		}
		if a.Texts[k] = said; said == "" {
			a.Missing++
		}
		fmt.Fprintf(&b, "      %s: %s\n", inQuotes(k), inQuotes(said))
	}
	if e.json {
		return e.printJSON(a)
	}
	if _, err := e.out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the texts: %w", err)
	}
	e.say("%d texts, of which %d have no translation", len(a.Texts), a.Missing)
	return nil
}

// inQuotes is a text as JSON, and so YAML, has it.
func inQuotes(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// inLanguage is a programme said in a language; "" is its own.
func inLanguage(p *programme.Programme, language string) (*programme.Programme, error) {
	if all := notice.Languages(p); language != "" && !slices.Contains(all, language) {
		return p, fault.New(fault.Invalid, "notice.language", "the documents can't be had in %s", language).
			WithHint("they are in " + strings.Join(all, ", ") + "; domicile notice texts prints what is missing")
	}
	if language == "" {
		return p, nil
	}
	return p.In(language), nil
}
