package subprocessor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"domicile.dev/internal/programme"
)

// Warning is something in a programme that contradicts itself and may still be what a source prints.
type Warning struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Code    string `json:"code"`
	ID      string `json:"id"` // of the recipient
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// String is one line, as faults are.
func (w Warning) String() string {
	return fmt.Sprintf("%s:%d:%d: %s (%s)", w.File, w.Line, w.Column, w.Message, w.Code)
}

// Pin is a customer's, from a register.
type Pin struct {
	Tenant string
	Places []string // countries, EU or EEA
}

// Codes of warnings; docs/sub-processors.md has what each means.
const (
	PlaceLabel  = "place.label"
	GroupRow    = "group.outside"
	NotHolder   = "mechanism.not_holder"
	BackupPlace = "backup.pinned_out"
)

// memberships are what an entity has to be a member of to hold a mechanism of that kind, any one of them.
var memberships = map[string][]string{"dpf": {"dpf", "dpf-uk", "dpf-ch"}, "bcr": {"bcr-c", "bcr-p"}, "cbpr_prp": {"cbpr", "prp"}}

// European labels say that a place is in the EU or the EEA.
var european = regexp.MustCompile(`\b(EU|EEA|European Union|European Economic Area|Europe)\b`)

// Contradictions returns what in the programme's recipients can't all be true, in their order.
func Contradictions(p *programme.Programme, pins []Pin) (out []Warning) {
	for i := range p.Recipients {
		r := &p.Recipients[i]
		at := p.At(r)
		warn := func(code, hint, text string, args ...any) {
			out = append(out, Warning{File: at.File, Line: at.Line, Column: at.Column, Code: code, ID: r.ID, Message: r.Name + ": " + fmt.Sprintf(text, args...), Hint: hint})
		}
		for _, l := range r.Locations {
			if s := european.FindString(l.Label); s != "" && l.Country != "" && !slices.Contains(programme.Expand("EEA"), l.Country) {
				warn(PlaceLabel, "decisions go by the country; mend the label, or the country", "a place in %s is labelled %s, which it is not in", l.Country, s)
			}
			if strings.Contains(strings.ToLower(l.Role+" "+l.Label), "backup") && l.Country != "" {
				for _, pin := range pins {
					if !within(pin.Places, l.Country) && used(p, r) {
						warn(BackupPlace, "flows to it are denied for that customer; find another place for backups", "its backups are in %s, which the pin of %s forbids", l.Country, pin.Tenant)
					}
				}
			}
		}
		if s := r.SubProcessor; s != nil && s.Section == "group" && !s.GroupCompany {
			warn(GroupRow, "print it among third parties: section: third_party", "it stands among the companies of the group and is none")
		}
		if s := r.SubProcessor; s != nil && s.GroupCompany && s.Section == "third_party" {
			warn(GroupRow, "print it among the group's: section: group", "it is a company of the group and stands among third parties")
		}
		for _, m := range r.Mechanisms {
			if why := lacks(p, r, p.Mechanism(m)); why != "" {
				warn(NotHolder, "leave the mechanism out, or enter the holder or the membership that it rests on", "it may not rest on %s: %s", m, why)
			}
		}
	}
	return out
}

// used says whether a flow goes to r.
func used(p *programme.Programme, r *programme.Recipient) bool {
	return slices.ContainsFunc(p.Flows, func(f programme.Flow) bool { return f.To == r.ID })
}

func within(places []string, country string) bool {
	return slices.ContainsFunc(places, func(j string) bool { return slices.Contains(programme.Expand(j), country) })
}

// lacks says why r doesn't hold m; "" when it does, or when m is nothing that one holds.
func lacks(p *programme.Programme, r *programme.Recipient, m *programme.Mechanism) string {
	if m == nil {
		return ""
	}
	e := p.Entity(r.Entity)
	switch {
	case m.Kind == "bcr" && e == nil && (r.SubProcessor == nil || !r.SubProcessor.GroupCompany):
		return "binding corporate rules bind companies of the group only"
	case e == nil:
		return "" // whether it is listed is the register's to say
	case m.Kind == "bcr" && len(m.Holders) > 0 && !slices.Contains(m.Holders, e.ID):
		return e.ID + " is not among its holders"
	}
	need := memberships[m.Kind]
	if len(need) > 0 && !slices.ContainsFunc(need, func(x string) bool { return slices.Contains(e.Memberships, x) }) {
		return fmt.Sprintf("%s is no member of %s", e.ID, strings.Join(need, ", "))
	}
	return ""
}
