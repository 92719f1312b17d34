package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

type subjectCmd struct {
	Find       findCmd       `cmd:"" help:"Print the id of whom the identifiers on stdin name."`
	Show       showCmd       `cmd:"" help:"Show identifiers, states, traits and counts."`
	Records    recordsCmd    `cmd:"" help:"Print records, newest first, one a line."`
	Media      mediaCmd      `cmd:"" help:"Write out a recording or attachment of a record."`
	Export     exportCmd     `cmd:"" help:"Export all that is held, as NDJSON or ZIP."`
	Erase      eraseCmd      `cmd:"" help:"Erase the person. There is no way back."`
	Restrict   restrictCmd   `cmd:"" help:"Restrict the person's data (GDPR art. 18)."`
	Unrestrict unrestrictCmd `cmd:"" help:"End a restriction."`
	Hold       holdCmd       `cmd:"" help:"Keep the person from being erased (legal hold)."`
	Release    releaseCmd    `cmd:"" help:"End a legal hold."`
	Retire     retireCmd     `cmd:"" help:"Retire identifiers on stdin that the person gave up."`
	Link       linkCmd       `cmd:"" help:"Give the person the identifiers on stdin."`
	Consent    consentCmd    `cmd:"" help:"Keep that the person gave, refused or withdrew a consent."`
	AskAgain   askAgainCmd   `cmd:"" help:"List the consents that have to be asked for again, since a published notice changed what they were given for."`
	Object     objectCmd     `cmd:"" help:"Keep that the person objects to a purpose (GDPR art. 21)."`
	Optout     optOutCmd     `cmd:"" help:"Keep that the person opts out."`
	Reidentify reidentifyCmd `cmd:"" help:"Say whom a recipient means by the pseudonym on stdin."`
	Move       moveCmd       `cmd:"" help:"Carry the person to another region."`
}

// person is whom a command is about.
type person struct {
	node
	Subject string `arg:"" optional:"" help:"Subject id, sub_…. Without it, identifiers are read from stdin: a line each, 'type value', or JSON."`
}

// open returns the tenant's client and the id of the person.
func (p *person) open(e *env) (*client.Client, string, error) {
	c, err := p.tenant()
	if err != nil {
		return nil, "", err
	}
	id, err := subjectOf(e, c, p.Subject)
	return c, id, err
}

type findCmd struct{ node }

// Help is shown by kong.
func (findCmd) Help() string {
	return `Identifiers come on stdin, so that they are in no shell history and no list of processes:

  echo 'email ann@example.com' | domicile subject find
  echo '[{"type":"phone","value":"+353 85 123 4567"}]' | domicile subject find --json`
}

// Run finds a person.
func (c *findCmd) Run(e *env) error {
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	f, err := find(e, cl)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(f)
	}
	for _, s := range f.Claimed {
		e.say("claimed by a public source to be the same person: %s", s)
	}
	return e.table([]string{f.Subject})
}

type showCmd struct {
	person
	Purpose string `help:"To see the traits of restricted persons: consent, legal-claims, rights-of-others or public-interest." placeholder:"P"`
	reading
}

// Run shows a person.
func (c *showCmd) Run(e *env) error {
	cl, id, err := c.open(e)
	if err != nil {
		return err
	}
	s, err := cl.For(c.For).SubjectFor(e.ctx, id, c.Purpose)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(s) })
	}
	if err := e.facts("subject", s.Subject, "states", strings.Join(s.States, ", "), "hold until", clockOf(s.HoldUntil), "since", clock(s.CreatedAt)); err != nil {
		return err
	}
	var rows [][]string
	for _, ident := range s.Identifiers {
		rows = append(rows, []string{ident.Type, ident.Value, identifierNote(ident)})
	}
	for _, o := range s.Origins {
		rows = append(rows, []string{"law of " + o.Country, "by " + o.By, strings.TrimSpace(o.Source + " " + clockOf(o.At))})
	}
	rows = append(rows, sayRows(s.Consents)...)
	rows = append(rows, refusedRows(s)...)
	rows = append(rows, traitRows(s)...)
	for _, kind := range slices.Sorted(maps.Keys(s.Counts)) {
		rows = append(rows, []string{kind, strconv.FormatInt(s.Counts[kind], 10), "records"})
	}
	return e.table(rows...)
}

// traitRows are the person's current traits, each with where it comes from.
func traitRows(s client.Subject) (rows [][]string) {
	if s.TraitsWithheld != "" {
		return [][]string{{"traits", "withheld", s.TraitsWithheld + ": give --purpose"}}
	}
	if s.Traits == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Traits.Current)) {
		from := s.Traits.From[name]
		note := from.Source + " " + clock(from.AsOf)
		if from.Claimed {
			note += " claimed"
		}
		rows = append(rows, []string{"traits." + name, string(s.Traits.Current[name]), note})
	}
	return rows
}

type recordsCmd struct {
	person
	Kind    string `help:"Only records of this kind." placeholder:"KIND"`
	After   string `help:"Go on from where a page ended." placeholder:"CURSOR"`
	Limit   int    `help:"Most records of a page, up to 1000." default:"100" placeholder:"N"`
	All     bool   `help:"All pages, not only one."`
	Purpose string `help:"For restricted persons: consent, legal-claims, rights-of-others or public-interest." placeholder:"P"`
	reading
}

// reading says what people are read for.
type reading struct {
	For string `help:"Read for this purpose of the programme: only the categories that it may use, and of nobody who refuses it." placeholder:"PURPOSE"`
}

// Run prints records.
func (c *recordsCmd) Run(e *env) error {
	cl, id, err := c.open(e)
	if err != nil {
		return err
	}
	q := client.Query{Kind: c.Kind, After: c.After, Limit: c.Limit, Purpose: c.Purpose}
	all := client.Page{Records: []client.Record{}}
	for {
		p, err := cl.For(c.For).Records(e.ctx, id, q)
		if err != nil {
			return err
		}
		if e.json {
			all.Records = append(all.Records, p.Records...)
		} else if err := printLines(e, p.Records); err != nil {
			return err
		}
		if q.After = p.Next; !c.All || p.Next == "" {
			break
		}
	}
	if all.Next = q.After; e.json {
		return e.printJSON(all)
	}
	if q.After != "" {
		e.say("there are more: --after %s", q.After)
	}
	return nil
}

func printLines(e *env, records []client.Record) error {
	for _, r := range records {
		if err := e.printJSON(r); err != nil {
			return err
		}
	}
	return nil
}

type eraseCmd struct {
	person
	Reason   string `help:"Why, for your own files." placeholder:"TEXT"`
	Suppress bool   `help:"Refuse the person's identifiers from now on."`
}

// Run erases a person.
func (c *eraseCmd) Run(e *env) error {
	cl, id, err := c.open(e)
	if err != nil {
		return err
	}
	r, err := cl.Erase(e.ctx, id, c.Reason, c.Suppress)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(r) })
	}
	already := ""
	if r.Already {
		already = "yes"
	}
	return e.facts("receipt", r.Receipt, "erased at", clock(r.ErasedAt), "unrecoverable by", clock(r.UnrecoverableBy),
		"records", strconv.FormatInt(r.Records, 10), "ledger entry", r.Ledger.Entry, "already", already)
}

// changed is a person whose state is to change, and why.
type changed struct {
	person
	Reason string `help:"Why, for your own files." placeholder:"TEXT"`
}

func (c *changed) run(e *env, do func(*client.Client, context.Context, string, string) (client.StateChange, error)) error {
	cl, id, err := c.open(e)
	if err != nil {
		return err
	}
	s, err := do(cl, e.ctx, id, c.Reason)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(s) })
	}
	return e.facts("subject", s.Subject, "states", strings.Join(s.States, ", "), "hold until", clockOf(s.HoldUntil), "ledger entry", s.Ledger.Entry)
}

type (
	restrictCmd   struct{ changed }
	unrestrictCmd struct{ changed }
	releaseCmd    struct{ changed }
	holdCmd       struct {
		changed
		Until string `help:"When the hold ends by itself, such as 2027-01-31 or 2027-01-31T12:00:00Z." placeholder:"TIME"`
	}
)

// Run restricts a person's data.
func (c *restrictCmd) Run(e *env) error { return c.run(e, (*client.Client).Restrict) }

// Run ends a restriction.
func (c *unrestrictCmd) Run(e *env) error { return c.run(e, (*client.Client).Unrestrict) }

// Run ends a legal hold.
func (c *releaseCmd) Run(e *env) error { return c.run(e, (*client.Client).Release) }

// Run puts a person under a legal hold.
func (c *holdCmd) Run(e *env) error {
	until, err := parseTime("--until", c.Until)
	if err != nil {
		return err
	}
	return c.run(e, func(cl *client.Client, ctx context.Context, id, reason string) (client.StateChange, error) {
		return cl.Hold(ctx, id, reason, until)
	})
}

// parseTime reads a time or a UTC date; zero when s is empty.
func parseTime(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "call.bad_time", "%s is no time such as 2027-01-31 or 2027-01-31T12:00:00Z", flag)
}

// firstOf returns err, or what then returns when there is none.
func firstOf(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}
