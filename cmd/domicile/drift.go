package main

import "strconv"

type driftCmd struct {
	node
	Operator bool `help:"For all tenants, as the operator: names that could be data are *."`
}

// Run prints what a region does that its published notice doesn't say, and exits 3 when there is any.
func (c *driftCmd) Run(e *env) error {
	open := c.tenant
	if c.Operator {
		open = c.operator
	}
	cl, err := open()
	if err != nil {
		return err
	}
	d, err := cl.Drift(e.ctx)
	if err != nil {
		return err
	}
	bad := func() error {
		if len(d.Findings) == 0 {
			return nil
		}
		return &exitError{code: exitBad}
	}
	if e.json {
		return firstOf(e.printJSON(d), bad)
	}
	if len(d.Findings) == 0 {
		e.say("%s: practice and paper agree; notice %s", d.Region, d.Notice)
		return nil
	}
	rows := [][]string{{"CODE", "WHERE", "WHAT", "COUNT", "AT"}}
	for _, f := range d.Findings {
		where := f.Flow
		if where == "" {
			where = f.Service + "/" + f.Kind
		}
		what := f.Path
		for _, s := range []string{f.Country, f.Category, f.Recipient, f.Purpose} {
			if what == "" {
				what = s
			}
		}
		count := ""
		if f.Count > 0 {
			count = strconv.FormatInt(f.Count, 10)
		}
		rows = append(rows, []string{f.Code, where, what, count, f.At})
	}
	if err := e.table(rows...); err != nil {
		return err
	}
	for _, f := range d.Findings {
		e.say("%s: %s; %s", f.Code, f.Says, f.Hint)
	}
	return bad()
}
