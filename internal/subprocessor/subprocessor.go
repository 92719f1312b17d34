// Package subprocessor reads the list of sub-processors that a programme declares: what changed
// between two lists, which changes customers may object to, and what in a list contradicts itself.
//
// Everything here is pure. Rules: docs/sub-processors.md.
package subprocessor

import (
	"fmt"
	"slices"
	"strings"

	"domicile.dev/internal/phrase"
	"domicile.dev/internal/programme"
)

// How a row differs between two lists.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Change is one difference between two lists.
type Change struct {
	How   string `json:"how"`
	ID    string `json:"id"`
	Name  string `json:"name"`
	Field string `json:"field,omitempty"` // of a row that changed: name, places, services, …
	// Notice is true when customers may object: nothing flows to the row before their time is over.
	Notice bool   `json:"notice"`
	Text   string `json:"text"`
}

// Rows are the recipients of the list, in its order.
func Rows(p *programme.Programme) (out []*programme.Recipient) {
	for i := range p.Recipients {
		if r := &p.Recipients[i]; r.SubProcessor != nil {
			out = append(out, r)
		}
	}
	return out
}

// Compare returns what changed from before to after, row by row in after's order and then what is gone.
// Rows are told by their ids. A nil before has no rows. The texts are in the language that after is said in.
func Compare(before, after *programme.Programme) (out []Change) {
	say := func(text string, args ...any) string { return phrase.Say(after.Language(), text, args...) }
	old := map[string]*programme.Recipient{}
	if before != nil {
		for _, r := range Rows(before) {
			old[r.ID] = r
		}
	}
	for _, r := range Rows(after) {
		was := old[r.ID]
		if was == nil {
			out = append(out, Change{How: Added, ID: r.ID, Name: r.Name, Notice: true, Text: say("%s is new on the list: %s", r.Name, after.Say("", r.SubProcessor.Nature))})
			continue
		}
		delete(old, r.ID)
		out = append(out, compareRow(before, after, was, r)...)
	}
	if before == nil {
		return out
	}
	for _, r := range Rows(before) {
		if old[r.ID] != nil {
			out = append(out, Change{How: Removed, ID: r.ID, Name: r.Name, Text: say("%s is no longer on the list", r.Name)})
		}
	}
	return out
}

func compareRow(before, after *programme.Programme, was, is *programme.Recipient) (out []Change) {
	say := func(text string, args ...any) string { return phrase.Say(after.Language(), text, args...) }
	add := func(field string, notice bool, text string, args ...any) {
		out = append(out, Change{How: Changed, ID: is.ID, Name: is.Name, Field: field, Notice: notice, Text: is.Name + ": " + say(text, args...)})
	}
	if was.Name != is.Name {
		add("name", false, "it was called %s", was.Name)
	}
	if a, b := before.EntityName(was), after.EntityName(is); a != b && a+b != was.Name+is.Name {
		add("entity", true, "the company is now %s", b)
	}
	for _, x := range []struct {
		field    string
		notice   bool // of what is added
		what     string
		was, now []string
	}{
		{"places", true, "place", Places(before, was), Places(after, is)},
		{"onward", true, "sub-processor of its own", was.Onward, is.Onward},
		{"services", true, "service", was.SubProcessor.Services, is.SubProcessor.Services},
		{"tools", false, "tool", was.SubProcessor.Tools, is.SubProcessor.Tools},
		{"mechanisms", false, "transfer mechanism", was.Mechanisms, is.Mechanisms},
	} {
		for _, v := range x.now {
			if !slices.Contains(x.was, v) {
				add(x.field, x.notice, "%s %s is new", say(x.what), shown(after, x.field, v))
			}
		}
		for _, v := range x.was {
			if !slices.Contains(x.now, v) {
				add(x.field, false, "%s %s is gone", say(x.what), shown(before, x.field, v))
			}
		}
	}
	a, b := was.SubProcessor, is.SubProcessor
	for _, x := range []struct{ field, was, now string }{{"subject_matter", a.SubjectMatter, b.SubjectMatter}, {"nature", a.Nature, b.Nature},
		{"region_selectable", a.RegionSelectable, b.RegionSelectable}, {"parent_company", a.ParentCompany, b.ParentCompany},
		{"ai", fmt.Sprint(a.AI), fmt.Sprint(b.AI)}, {"customer_enabled", fmt.Sprint(a.CustomerEnabled), fmt.Sprint(b.CustomerEnabled)}} {
		if x.was != x.now {
			add(x.field, false, "%s was %q and is %q", say(strings.ReplaceAll(x.field, "_", " ")), shown(before, x.field, x.was), shown(after, x.field, x.now))
		}
	}
	return out
}

// shown is a value of a field as p says it: what is prose is said, names and ids are what they are.
func shown(p *programme.Programme, field, v string) string {
	switch field {
	case "subject_matter", "nature":
		return p.Say("", v)
	case "mechanisms":
		if m := p.Mechanism(v); m != nil && p.Translated() {
			return p.Say("", m.Name)
		}
	case "places":
		if !programme.IsCountry(v) {
			return p.Say("", v)
		}
	}
	return v
}

// Places are where a recipient's data may be: hosting, remote access and seat, each once.
func Places(p *programme.Programme, r *programme.Recipient) (out []string) {
	add := func(s string) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, l := range r.Locations {
		add(l.Country + l.Area)
	}
	for _, c := range r.RemoteAccess {
		add(c)
	}
	add(r.Country)
	if e := p.Entity(r.Entity); e != nil {
		add(e.Country)
	}
	return out
}
