package main

import (
	"cmp"
	"time"
)

type flowHeardCmd struct {
	looker
	Close string `placeholder:"ID" help:"Say that what this one asks for was done, or needn't be; it is in the ledger who said so."`
}

// Run lists what other regions told, or closes one, as the tenant.
func (c *flowHeardCmd) Run(e *env) error {
	if c.Close != "" {
		cl, err := c.tenant()
		if err != nil {
			return err
		}
		h, err := cl.CloseHeardNotice(e.ctx, c.Close)
		if err != nil || e.json {
			return firstOf(err, func() error { return e.printJSON(h) })
		}
		return e.table([]string{h.ID, h.Kind, h.State})
	}
	cl, err := c.open()
	if err != nil {
		return err
	}
	all, err := cl.HeardNotices(e.ctx)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(map[string]any{"heard": all}) })
	}
	rows := [][]string{{"ID", "TENANT", "KIND", "SUBJECT", "SOURCE", "AT", "STATE", "WHY"}}
	for _, h := range all {
		rows = append(rows, []string{h.ID, h.Tenant, h.Kind, cmp.Or(h.Subject, "-"), h.Source, h.At.Format(time.RFC3339), h.State, cmp.Or(h.Reason, "-")})
	}
	return e.table(rows...)
}
