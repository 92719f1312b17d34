package main

import (
	"context"
	"strconv"
	"strings"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

// identified is a person whose identifiers are to change; those come on stdin.
type identified struct {
	node
	Subject string `arg:"" help:"Subject id, sub_…. The identifiers to change come on stdin: a line each, 'type value', or JSON."`
}

type (
	retireCmd struct{ identified }
	linkCmd   struct{ identified }
)

// Help is shown by kong.
func (retireCmd) Help() string {
	return `As when a number goes to somebody else: from now on it finds the person no more, and what occurs
later under it is about somebody else. What occurred before stays the person's.

  echo 'phone +353 85 123 4567' | domicile subject retire sub_…`
}

// Run retires identifiers.
func (c *retireCmd) Run(e *env) error { return c.run(e, (*client.Client).Retire) }

// Help is shown by kong.
func (linkCmd) Help() string {
	return `Whoever has one of the identifiers becomes the same person, unless both have a user id.

  echo 'phone +353 85 765 4321' | domicile subject link sub_…`
}

// Run links identifiers.
func (c *linkCmd) Run(e *env) error { return c.run(e, (*client.Client).Link) }

func (c *identified) run(e *env, do func(*client.Client, context.Context, string, ...client.Identifier) (client.IdentifierChange, error)) error {
	if !strings.HasPrefix(c.Subject, "sub_") {
		return fault.New(fault.Invalid, "call.identifier_in_arguments", "that is no subject id").
			WithHint("a subject id begins with sub_; domicile subject find prints it")
	}
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	ids, err := readIdentifiers(e)
	if err != nil {
		return err
	}
	v, err := do(cl, e.ctx, c.Subject, ids...)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(v) })
	}
	return e.facts("subject", v.Subject, "changed", strconv.Itoa(v.Changed), "ledger entry", v.Ledger.Entry)
}

// identifierNote says what there is to know of one identifier.
func identifierNote(i client.KnownIdentifier) string {
	switch {
	case i.State == "retired":
		return "retired " + clockOf(i.RetiredAt)
	case i.Claimed:
		return "claimed"
	case i.Shared && len(i.SharedWith) > 0:
		return "shared with " + strings.Join(i.SharedWith, ", ")
	case i.Shared:
		return "shared"
	}
	return ""
}

// refusedRows are what was said of the person and not followed.
func refusedRows(s client.Subject) (rows [][]string) {
	for _, r := range s.Refused {
		note := r.Reason + " ×" + strconv.FormatInt(r.Count, 10) + " by " + r.Source + ", last " + clock(r.LastAt)
		rows = append(rows, []string{"refused by " + r.Type, r.With, note})
	}
	return rows
}
