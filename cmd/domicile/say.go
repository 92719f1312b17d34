package main

import (
	"domicile.dev/internal/client"
)

// spoken is what a person says, brought by hand.
type spoken struct {
	person
	At  string `help:"When the person said it, such as 2027-01-31 or 2027-01-31T12:00:00Z. Default: now." placeholder:"TIME"`
	How string `help:"How it came, such as form, call or letter." placeholder:"WORD"`
}

func (c *spoken) run(e *env, do func(*client.Client, string, client.Said) (client.SayChange, error)) error {
	at, err := parseTime("--at", c.At)
	if err != nil {
		return err
	}
	cl, id, err := c.open(e)
	if err != nil {
		return err
	}
	v, err := do(cl, id, client.Said{At: at, How: c.How})
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(v) })
	}
	if err := e.facts("subject", v.Subject, "ledger entry", v.Ledger.Entry); err != nil {
		return err
	}
	return e.table(sayRows(v.Consents)...)
}

// sayRows are what a person says now.
func sayRows(all []client.Consent) (rows [][]string) {
	for _, c := range all {
		note := clock(c.At) + " " + c.How + " " + c.Source
		if a := c.AskAgain; a != nil {
			note += ", to be asked again: " + a.Version + " changes it from " + a.From + " on"
		}
		rows = append(rows, []string{c.Kind + "." + c.Purpose + c.OptOut, c.Word, note})
	}
	return rows
}

type (
	consentCmd struct {
		spoken
		Purpose string `help:"The purpose, as the programme names it." required:"" placeholder:"PURPOSE"`
		Word    string `help:"What the person said: given, refused or withdrawn." enum:"given,refused,withdrawn" required:""`
		Text    string `help:"Version of the text that the person saw." placeholder:"VERSION"`
	}
	objectCmd struct {
		spoken
		Purpose string `help:"The purpose, as the programme names it." required:"" placeholder:"PURPOSE"`
		End     bool   `help:"The person no longer objects."`
	}
	optOutCmd struct {
		spoken
		Of  string `help:"What of: marketing, cpni, targeted_advertising, sale_or_sharing or gpc." enum:"marketing,cpni,targeted_advertising,sale_or_sharing,gpc" required:""`
		End bool   `help:"The person opts in again."`
	}
)

// Run keeps a consent.
func (c *consentCmd) Run(e *env) error {
	return c.run(e, func(cl *client.Client, id string, s client.Said) (client.SayChange, error) {
		return cl.Consent(e.ctx, id, c.Purpose, c.Word, c.Text, s)
	})
}

// Run keeps an objection.
func (c *objectCmd) Run(e *env) error {
	return c.run(e, func(cl *client.Client, id string, s client.Said) (client.SayChange, error) {
		return cl.Object(e.ctx, id, c.Purpose, c.End, s)
	})
}

// Run keeps an opt-out.
func (c *optOutCmd) Run(e *env) error {
	return c.run(e, func(cl *client.Client, id string, s client.Said) (client.SayChange, error) {
		return cl.OptOut(e.ctx, id, c.Of, c.End, s)
	})
}
