package main

import "domicile.dev/internal/client"

type noticeObjectionsCmd struct {
	node
	All bool `help:"Everybody's, for the operator."`
}

// Run lists objections to sub-processors.
func (c *noticeObjectionsCmd) Run(e *env) error {
	open := c.tenant
	if c.All {
		open = c.operator
	}
	cl, err := open()
	if err != nil {
		return err
	}
	all, err := cl.Objections(e.ctx)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(all)
	}
	rows := [][]string{{"TENANT", "SUB-PROCESSOR", "ANNOUNCED BY", "OBJECT UNTIL", "OBJECTED", "STATE"}}
	for _, o := range all {
		rows = append(rows, []string{o.Tenant, o.SubProcessor, o.Version, o.Until, clock(o.MadeAt), objectionState(o)})
	}
	return e.table(rows...)
}

func objectionState(o client.Objection) string {
	if o.Stands {
		return "holds its flows"
	}
	return "withdrawn " + clockOf(o.WithdrawnAt)
}
