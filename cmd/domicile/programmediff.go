package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"domicile.dev/internal/programme"
)

type programmeDiffCmd struct {
	Old string `arg:"" help:"The old programme's folder."`
	New string `arg:"" help:"The new programme's folder."`
}

// diffAnswer is what `programme diff --json` prints; it is a promise.
type diffAnswer struct {
	Old     string                 `json:"old"`
	New     string                 `json:"new"`
	Changes []programme.Difference `json:"changes"`
}

// Run says what two programmes declare differently. That they do is no bad answer: it exits 0.
func (c *programmeDiffCmd) Run(e *env) error {
	old, err := openProgramme(c.Old)
	if err != nil {
		return faulty("programme", err)
	}
	p, err := openProgramme(c.New)
	if err != nil {
		return faulty("programme", err)
	}
	a := diffAnswer{Old: old.Hash, New: p.Hash, Changes: []programme.Difference{}}
	all, err := programme.Diff(old, p)
	if err != nil {
		return err
	}
	a.Changes = append(a.Changes, all...)
	if e.json {
		return printJSON(e.out, a)
	}
	return showDiff(e.out, &a)
}

func showDiff(w io.Writer, a *diffAnswer) (err error) {
	n := map[string]int{}
	for _, d := range a.Changes {
		n[d.What]++
		line := map[string]string{programme.Added: "+ ", programme.Removed: "- ", programme.Changed: "~ "}[d.What] + strings.Join(d.Where, "/")
		switch {
		case d.With != nil || d.Without != nil:
			for _, x := range d.Without {
				line += " -" + x
			}
			for _, x := range d.With {
				line += " +" + x
			}
		case d.What == programme.Changed:
			line += ": " + brief(d.Was) + " → " + brief(d.Is)
		case d.What == programme.Added && plainWord(d.Is):
			line += ": " + brief(d.Is)
		case d.What == programme.Removed && plainWord(d.Was):
			line += ": " + brief(d.Was)
		}
		if _, err = fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	if len(a.Changes) == 0 {
		_, err = fmt.Fprintln(w, "both declare the same")
		return err
	}
	_, err = fmt.Fprintf(w, "\n%d added, %d removed, %d changed; domicile programme plan OLD NEW says what that does to flows\n", n[programme.Added], n[programme.Removed], n[programme.Changed])
	return err
}

func plainWord(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// mostBrief bounds a value on a line, in characters.
const mostBrief = 60

func brief(v any) string {
	s, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return "?"
		}
		s = string(b)
	}
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > mostBrief {
		s = string([]rune(s)[:mostBrief]) + "…"
	}
	return s
}
