package main

import (
	"fmt"
	"strconv"
	"strings"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

type noticePublishCmd struct {
	node
	Effective string `help:"First day on which it holds. Default: today, or the end of the advance notice of a material change." placeholder:"DATE"`
}

// Run publishes the running programme's notice and list of sub-processors.
func (c *noticePublishCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	v, err := cl.PublishNotice(e.ctx, c.Effective)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(v)
	}
	fmt.Fprintf(e.out, "%s  %s, holds from %s\n%s\n", v.Version, v.Notice, v.Effective, v.Summary)
	for _, x := range v.Changes {
		if x.Material {
			fmt.Fprintf(e.out, "material: %s\n", x.Text)
		}
	}
	for _, x := range v.List {
		fmt.Fprintf(e.out, "list: %s\n", x.Text)
	}
	if len(v.Retold) > 0 {
		fmt.Fprintf(e.out, "languages: %s; retold: %s\n", strings.Join(v.Languages, ", "), strings.Join(v.Retold, ", "))
	}
	for _, p := range v.AskAgain {
		fmt.Fprintf(e.out, "ask again: consents for %s\n", p)
	}
	if v.Queued != nil {
		e.say("%d messages by mail and %d to webhooks are queued: domicile notice told %s", v.Queued.Mail, v.Queued.Webhooks, v.Version)
	}
	return nil
}

type noticeVersionsCmd struct{ node }

// Run lists what was published.
func (c *noticeVersionsCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	p, err := cl.Published(e.ctx)
	if err != nil {
		return err
	}
	all := p.Versions
	if e.json {
		return e.printJSON(all)
	}
	rows := [][]string{{"VERSION", "NOTICE", "PUBLISHED", "HOLDS FROM", "CHANGES", "LIST", "MATERIAL", "TOLD"}}
	for _, v := range all {
		published := clock(v.PublishedAt)
		if v.Adopted {
			published = "before this region"
		}
		rows = append(rows, []string{v.Version, v.Notice, published, v.Effective, strconv.Itoa(len(v.Changes)), strconv.Itoa(len(v.List)), yesOrNo(v.Material), yesOrNo(v.Told)})
	}
	if err := e.table(rows...); err != nil || p.ConsentsAt == nil || len(p.Consents) == 0 {
		return err
	}
	fmt.Fprintln(e.out)
	return e.table(askedRows(p.Consents)...)
}

func yesOrNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

type noticeToldCmd struct {
	node
	Version string `arg:"" help:"A version such as v3, or the id of a notice."`
}

// Run lists who was told of a version. Subscriptions have random ids.
func (c *noticeToldCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	t, err := cl.NoticeTold(e.ctx, c.Version)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(t)
	}
	rows := [][]string{{"SUBSCRIPTION", "CHANNEL", "STATE", "ATTEMPTS", "QUEUED", "DONE", "CODE"}}
	waits := false
	for _, m := range t.Messages {
		done := ""
		if m.DoneAt != nil {
			done = clock(*m.DoneAt)
		}
		if m.State == "queued" && m.Channel == "mail" && !t.CanMail {
			waits, m.Code = true, "mail.unconfigured"
		}
		rows = append(rows, []string{m.Subscription, m.Channel, m.State, strconv.Itoa(m.Attempts), clock(m.QueuedAt), done, m.Code})
	}
	if err := e.table(rows...); err != nil {
		return err
	}
	if waits {
		e.say("mail waits: this node has no relay; give it one under mail in its configuration, docs/configuration.md")
	}
	if t.Complete {
		e.say("everybody was told or can't be; digest %s, times %s", t.Digest, t.Times)
	}
	if t.Ledger != nil {
		e.say("ledger entry %s", t.Ledger.Entry)
	}
	return nil
}

type noticeSubProcessorsCmd struct{ node }

// Run lists sub-processors as the tenant sees them.
func (c *noticeSubProcessorsCmd) Run(e *env) error {
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	all, err := cl.SubProcessors(e.ctx)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(all)
	}
	rows := [][]string{{"SUB-PROCESSOR", "NAME", "STATE", "ANNOUNCED", "OBJECT UNTIL", "OBJECTED"}}
	for _, s := range all {
		rows = append(rows, []string{s.ID, s.Name, s.State, s.Announced, s.Until, objected(s)})
	}
	return e.table(rows...)
}

func objected(s client.SubProcessor) string {
	if s.ObjectedAt == nil {
		return ""
	}
	return clock(*s.ObjectedAt)
}

type noticeObjectCmd struct {
	node
	SubProcessor string `arg:"" help:"Its id: domicile notice sub-processors lists them."`
	Withdraw     bool   `help:"Withdraw the objection."`
}

// Run objects in the tenant's name.
func (c *noticeObjectCmd) Run(e *env) error {
	if c.SubProcessor == "" {
		return fault.New(fault.Invalid, "call.invalid", "name a sub-processor")
	}
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	o, err := cl.ObjectTo(e.ctx, c.SubProcessor, c.Withdraw)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(o)
	}
	fmt.Fprintf(e.out, "%s  %s\n", o.ID, o.Ledger.Entry)
	return nil
}
