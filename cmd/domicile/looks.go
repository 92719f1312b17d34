package main

import "strconv"

type statsCmd struct {
	node
	Since string `help:"Count from then on, such as 2027-01-31 or 2027-01-31T12:00:00Z. Default: from the start." placeholder:"TIME"`
}

// Run prints counts.
func (c *statsCmd) Run(e *env) error {
	since, err := parseTime("--since", c.Since)
	if err != nil {
		return err
	}
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	s, err := cl.Stats(e.ctx, since)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(s) })
	}
	rows := [][]string{{"SERVICE", "KIND", "OUTCOME", "REASON", "COUNT"}}
	for _, n := range s.Counts {
		rows = append(rows, []string{n.Service, n.Kind, n.Outcome, n.Reason, strconv.FormatInt(n.Count, 10)})
	}
	if s.OldestRemains != nil {
		e.say("the earliest erasure whose ciphertext is still to be compacted away: %s", clock(*s.OldestRemains))
	}
	return e.table(rows...)
}

type refusalsCmd struct{ node }

// Run prints what was refused.
func (c *refusalsCmd) Run(e *env) error {
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	all, err := cl.Refusals(e.ctx)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(map[string]any{"refusals": all}) })
	}
	rows := [][]string{{"SOURCE", "REASON", "PATH", "COUNT", "LAST"}}
	for _, r := range all {
		rows = append(rows, []string{r.Source, r.Reason, r.Path, strconv.FormatInt(r.Count, 10), clock(r.LastAt)})
	}
	return e.table(rows...)
}
