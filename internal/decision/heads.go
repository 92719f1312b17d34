package decision

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"domicile.dev/internal/programme"
)

// What heads of policies may be about: the types of a request's entities and those in which they lie, and the
// actions that there are, of which transfer is asked today.
var (
	recipientsIn = []string{"Recipient", "Class", "Country"}
	dataIn       = []string{"Data", "Flow", "Region", "Service", "Kind", "Tenant", "Category"}
	actions      = []string{"collect", "read", "transfer", "disclose", "retain"}
)

// never says why no request can have a policy's head, "" when one can.
func never(x *ast.Policy) string {
	if why := neverIs("principal", x.Principal, "Recipient", recipientsIn); why != "" {
		return why
	}
	if why := neverIs("resource", x.Resource, "Data", dataIn); why != "" {
		return why
	}
	var asked []types.EntityUID
	switch s := x.Action.(type) {
	case ast.ScopeTypeEq:
		asked = []types.EntityUID{s.Entity}
	case ast.ScopeTypeIn:
		asked = []types.EntityUID{s.Entity}
	case ast.ScopeTypeInSet:
		asked = s.Entities
	}
	for _, a := range asked {
		if a.Type != "Action" || !slices.Contains(actions, string(a.ID)) {
			return fmt.Sprintf("there is no action %s; there are %s", a, strings.Join(actions, ", "))
		}
	}
	return ""
}

func neverIs(what string, scope any, is string, in []string) string {
	lies := func(e types.EntityUID, equal bool) string {
		switch typ := string(e.Type); {
		case equal && typ != is:
			if slices.Contains(in, typ) {
				return fmt.Sprintf("a %s is a %s: write %s in %s", what, is, what, e)
			}
			return fmt.Sprintf("a %s is a %s", what, is)
		case !slices.Contains(in, typ):
			return fmt.Sprintf("a %s lies in no %s; write one of %s", what, typ, strings.Join(in, ", "))
		}
		return ""
	}
	typed := func(typ types.EntityType) string {
		if string(typ) != is {
			return fmt.Sprintf("a %s is a %s", what, is)
		}
		return ""
	}
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return lies(s.Entity, true)
	case ast.ScopeTypeIn:
		return lies(s.Entity, false)
	case ast.ScopeTypeIs:
		return typed(s.Type)
	case ast.ScopeTypeIsIn:
		if why := typed(s.Type); why != "" {
			return why
		}
		return lies(s.Entity, false)
	}
	return ""
}

// Stray is something that the head of an operator's policy names and the programme doesn't declare.
type Stray struct {
	File string
	Line int
	Type string // flow, region, service, category, recipient
	ID   string
	Hint string
}

func namedBy(x *ast.Policy, file string, line int) (out []Stray) {
	for _, scope := range []any{x.Principal, x.Resource} {
		if e, ok := named1(scope); ok {
			out = append(out, Stray{File: file, Line: line, Type: strings.ToLower(string(e.Type)), ID: string(e.ID)})
		}
	}
	return out
}

// Strays returns what policies name in their heads that p doesn't declare: such a policy forbids nothing. It
// may be written ahead of what it is about, so it is no fault.
func (p *Policies) Strays(prog *programme.Programme) (out []Stray) {
	if p == nil {
		return nil
	}
	declared := map[string][]string{}
	for i := range prog.Flows {
		declared["flow"] = append(declared["flow"], prog.Flows[i].ID)
	}
	for i := range prog.Regions {
		declared["region"] = append(declared["region"], prog.Regions[i].ID)
	}
	for i := range prog.Services {
		declared["service"] = append(declared["service"], prog.Services[i].ID)
	}
	for i := range prog.Categories {
		declared["category"] = append(declared["category"], prog.Categories[i].ID)
	}
	for i := range prog.Recipients {
		declared["recipient"] = append(declared["recipient"], prog.Recipients[i].ID)
	}
	for _, n := range p.named {
		ids, known := declared[n.Type]
		if !known || slices.Contains(ids, n.ID) {
			continue
		}
		n.Hint = programme.DidYouMean(n.ID, ids)
		out = append(out, n)
	}
	return out
}

var lineOf = regexp.MustCompile(`<input>:([0-9]+):`)

// lineIn is ":" and the line that an error of Cedar's parser names, "" when it names none.
func lineIn(err error) string {
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		return ":" + m[1]
	}
	return ""
}
