package main

import (
	"net/http"
	"os"
	"strconv"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

type moveCmd struct {
	person
	To     string `required:"" help:"The region that the person moves to." placeholder:"ID"`
	Cancel bool   `help:"Call off a move that was begun and not finished."`
}

// Help is shown by kong.
func (moveCmd) Help() string {
	return `Carries the person with all records, recordings and attachments to another region. They are sealed to that region on the way; when all is
durable there, the keys here are destroyed, and whoever asks here for the person is sent there. The same call goes on
where one stopped. It needs a token of both regions: those in up.json, or beside DOMICILE_URL and DOMICILE_TOKEN
DOMICILE_TO_URL and DOMICILE_TO_TOKEN.

  echo 'email ann@example.com' | domicile subject move --region ie1 --to us1`
}

// Run moves a person.
func (c *moveCmd) Run(e *env) error {
	from, err := c.tenant()
	if err != nil {
		return err
	}
	to, err := c.target(c.To)
	if err != nil {
		return err
	}
	k := &client.Courier{From: from, To: to, Progress: func(records int64) { e.say("%d records are in %s", records, c.To) },
		MediaProgress: func(media int) { e.say("%d recordings and attachments were brought to %s", media, c.To) }}
	subject, err := subjectOf(e, from, c.Subject)
	var moved client.Moved
	f, known := fault.As(err)
	switch {
	case known && f.Reason == "subject.moved" && !c.Cancel:
		moved, err = k.Finish(e.ctx, f)
	case err != nil:
		return err
	case c.Cancel:
		return c.cancel(e, k, subject)
	default:
		moved, err = k.Move(e.ctx, subject)
	}
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(moved) })
	}
	return e.facts("subject", moved.Subject, "region", moved.To, "records", strconv.FormatInt(moved.Records, 10), "move", moved.Move,
		"ledger entry there", moved.In.Entry, "ledger entry here", moved.Out.Entry, "unrecoverable here by", moved.UnrecoverableBy)
}

func (c *moveCmd) cancel(e *env, k *client.Courier, subject string) error {
	move, err := k.Cancel(e.ctx, subject)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(map[string]string{"move": move, "state": "ended"}) })
	}
	return e.facts("move", move, "state", "ended")
}

// target returns a client of the region that a person moves to.
func (n *node) target(region string) (*client.Client, error) {
	dir, err := n.dir()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		url, token := os.Getenv("DOMICILE_TO_URL"), os.Getenv("DOMICILE_TO_TOKEN")
		if url == "" || token == "" {
			return nil, fault.New(fault.Invalid, "node.no_target", "DOMICILE_TO_URL and DOMICILE_TO_TOKEN are not both set").
				WithHint("they are the address and a tenant's token of region " + region)
		}
		c, err := client.New(url, token, nil)
		if err == nil && c.Region() != region {
			return nil, fault.New(fault.Invalid, "node.other_target", "DOMICILE_TO_TOKEN is no token of region %s", region)
		}
		return c, err
	}
	up, err := client.ReadUp(dir)
	if err != nil {
		return nil, err
	}
	r, err := up.Region(region)
	if err != nil {
		return nil, err
	}
	return up.Tenant(r, http.DefaultClient)
}
