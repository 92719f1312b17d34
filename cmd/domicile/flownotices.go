package main

import (
	"cmp"
	"strconv"
	"time"
)

type flowNoticesCmd struct{ looker }

// Run lists what recipients were told.
func (c *flowNoticesCmd) Run(e *env) error {
	cl, err := c.open()
	if err != nil {
		return err
	}
	all, err := cl.Notices(e.ctx)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(map[string]any{"notices": all}) })
	}
	rows := [][]string{{"NOTICE", "TENANT", "KIND", "TO", "RECEIPT", "MADE", "STATE", "ATTEMPTS", "WHY"}}
	for _, n := range all {
		rows = append(rows, []string{n.ID, n.Tenant, n.Kind, n.Recipient, n.Receipt, n.MadeAt.Format(time.RFC3339), n.State, strconv.Itoa(n.Attempts), cmp.Or(n.Error, "-")})
	}
	return e.table(rows...)
}
