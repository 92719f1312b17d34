package main

import "strconv"

type violationsCmd struct{ node }

// Run prints what tracking plans did not have.
func (c *violationsCmd) Run(e *env) error {
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	all, err := cl.Violations(e.ctx)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(map[string]any{"violations": all}) })
	}
	rows := [][]string{{"SOURCE", "PLAN", "EVENT", "PATH", "VIOLATION", "RULE", "DONE", "SUGGESTION", "COUNT", "LAST"}}
	for _, v := range all {
		suggestion := v.LooksLike
		if v.Suggestion != nil {
			suggestion = v.Suggestion.Category
			if v.Suggestion.Element != "" {
				suggestion += "/" + v.Suggestion.Element
			}
		}
		rows = append(rows, []string{v.Source, v.Plan, v.Event, v.Path, v.Violation, v.Rule, v.Done, suggestion, strconv.FormatInt(v.Count, 10), clock(v.LastAt)})
	}
	return e.table(rows...)
}
