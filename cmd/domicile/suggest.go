package main

import (
	"bufio"
	"bytes"
	"errors"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/plan"
	"domicile.dev/internal/programme"
)

type programmeSuggestCmd struct {
	Dir     string `arg:"" optional:"" help:"The programme's folder; the built-in example when it is left out."`
	Service string `required:"" help:"The service of the records."`
	Kind    string `required:"" help:"The kind of the records."`
}

// suggestion is a line of what `programme suggest --json` prints; it is a promise.
type suggestion struct {
	Path      string `json:"path"`
	Form      string `json:"form"`
	LooksLike string `json:"looks_like,omitempty"`
	Category  string `json:"category,omitempty"`
	Element   string `json:"element,omitempty"`
	Dropped   bool   `json:"dropped,omitempty"`
}

// maxSampleBytes bounds a line of samples.
const maxSampleBytes = 1 << 20

// Run reads samples, one a line, and prints what the kind doesn't map of them. Values are never printed.
func (c *programmeSuggestCmd) Run(e *env) error {
	p, err := openProgramme(c.Dir)
	var faults programme.Faults
	if errors.As(err, &faults) {
		return &exitError{code: exitBad, err: fault.New(fault.Invalid, "programme.faulty", "the programme has %d faults", len(faults)).
			WithHint("domicile programme check lists them")}
	} else if err != nil {
		return err
	}
	all, seen := []suggestion{}, map[suggestion]bool{}
	lines := bufio.NewScanner(e.in)
	lines.Buffer(nil, maxSampleBytes)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		found, err := plan.Survey(p, c.Service, c.Kind, lines.Bytes())
		if err != nil {
			return err
		}
		for _, s := range found {
			line := suggestion{s.Path, string(s.Form), string(s.Looks), s.Suggest.Category, s.Suggest.Element, s.Dropped}
			if !seen[line] {
				seen[line] = true
				all = append(all, line)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fault.New(fault.Invalid, "sample.unreadable", "the samples can't be read").WithHint("one JSON object a line, at most 1 MiB each").Because(err)
	}
	if e.json {
		return e.printJSON(map[string]any{"suggestions": all})
	}
	rows := [][]string{{"PATH", "FORM", "LOOKS LIKE", "CATEGORY", "ELEMENT"}}
	for _, s := range all {
		category := s.Category
		if s.Dropped {
			category = "(dropped)"
		}
		rows = append(rows, []string{s.Path, s.Form, s.LooksLike, category, s.Element})
	}
	return e.table(rows...)
}
