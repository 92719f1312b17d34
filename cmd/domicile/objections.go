package main

import (
	"fmt"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
)

type noticeObjectionsCmd struct {
	List   noticeObjectionsListCmd `cmd:"" default:"withargs" help:"List objections to sub-processors, with those that ended."`
	Settle noticeSettleCmd         `cmd:"" help:"Lift an objection, or keep it, for the operator."`
}

type noticeObjectionsListCmd struct {
	node
	All bool `help:"Everybody's, for the operator."`
}

// Run lists objections to sub-processors.
func (c *noticeObjectionsListCmd) Run(e *env) error {
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
	rows, overdue := [][]string{{"OBJECTION", "TENANT", "SUB-PROCESSOR", "ANNOUNCED BY", "OBJECT UNTIL", "OBJECTED", "STATE"}}, 0
	for _, o := range all {
		rows = append(rows, []string{o.ID, o.Tenant, o.SubProcessor, o.Version, o.Until, clock(o.MadeAt), objectionState(o)})
		if o.State == "overdue" {
			overdue++
		}
	}
	if err := e.table(rows...); err != nil {
		return err
	}
	if overdue > 0 {
		e.say("%d overdue: nobody settled them in time, and their flows stay held: domicile notice objections settle", overdue)
	}
	return nil
}

func objectionState(o client.Objection) string {
	switch o.State {
	case "open", "overdue":
		return o.State + ", holds its flows"
	case "kept":
		return "kept " + clockOf(o.SettledAt) + ", holds its flows"
	case "lifted":
		return "lifted " + clockOf(o.SettledAt) + ": " + o.Reason
	}
	return "withdrawn " + clockOf(o.WithdrawnAt)
}

type noticeSettleCmd struct {
	node
	Objection string `arg:"" help:"Its id: domicile notice objections --all lists them."`
	Lift      string `help:"Let the flows start, since the tenant agreed or an alternative was found: tenant_agreed or alternative_found." placeholder:"REASON"`
	Keep      bool   `help:"Nothing of the tenant's will flow to the sub-processor."`
}

// Run settles an objection.
func (c *noticeSettleCmd) Run(e *env) error {
	if c.Objection == "" || c.Keep == (c.Lift != "") {
		return fault.New(fault.Invalid, "call.invalid", "say --lift REASON or --keep").WithHint("domicile notice objections settle OBJECTION --lift tenant_agreed")
	}
	outcome := "kept"
	if !c.Keep {
		outcome = "lifted"
	}
	cl, err := c.operator()
	if err != nil {
		return err
	}
	o, err := cl.SettleObjection(e.ctx, c.Objection, outcome, c.Lift)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(o)
	}
	_, err = fmt.Fprintf(e.out, "%s  %s\n", o.ID, objectionState(o))
	return err
}
