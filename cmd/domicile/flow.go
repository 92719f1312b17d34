package main

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/client"
)

type flowCmd struct {
	List    flowListCmd    `cmd:"" help:"List the flows out of the region, and where they stand."`
	Show    flowShowCmd    `cmd:"" help:"Show a flow: which fields leave, in which form, under which mechanism, and where it stands."`
	Start   flowStartCmd   `cmd:"" help:"Start a flow, at the newest position unless --from says another."`
	Pause   flowPauseCmd   `cmd:"" help:"Pause a flow where it stands."`
	Resume  flowResumeCmd  `cmd:"" help:"Resume a paused flow."`
	Replay  flowReplayCmd  `cmd:"" help:"Set a flow's cursor; what lies from there on is decided anew."`
	Retry   flowRetryCmd   `cmd:"" help:"Try a parked batch again."`
	Notices flowNoticesCmd `cmd:"" help:"List what recipients were told of people whose data they had, and what became of it."`
	Heard   flowHeardCmd   `cmd:"" help:"List what other regions told of people whose data they sent here, or close an open one."`
	Skip    flowSkipCmd    `cmd:"" help:"Give a parked batch up, and go on behind it."`
}

// looker opens the node as whoever may look: a tenant where a token of its own is given.
type looker struct {
	node
	AsTenant bool `help:"With --up: as the tenant of up, not as the operator."`
}

func (l *looker) open() (*client.Client, error) {
	if l.AsTenant || l.Up == "" && os.Getenv("DOMICILE_URL") != "" && !strings.HasPrefix(os.Getenv("DOMICILE_TOKEN"), "dok_") {
		return l.tenant()
	}
	return l.operator()
}

type flowListCmd struct{ looker }

// Run lists flows.
func (c *flowListCmd) Run(e *env) error {
	cl, err := c.open()
	if err != nil {
		return err
	}
	all, err := cl.Flows(e.ctx)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(map[string]any{"flows": all}) })
	}
	rows := [][]string{{"FLOW", "TO", "ASKS", "FORM", "STATE", "TENANTS", "BEHIND", "WHY"}}
	for _, f := range all {
		states, behind := map[string]int{}, uint64(0)
		for _, t := range f.Tenants {
			states[t.State]++
			behind = max(behind, t.LagPositions)
		}
		rows = append(rows, []string{f.ID, f.Recipient, f.Asks, f.Form, f.State, counted(states), strconv.FormatUint(behind, 10), reasonsOf(f)})
	}
	return e.table(rows...)
}

// counted is "running 2, halted 1".
func counted[N int | int64](n map[string]N) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		out = append(out, k+" "+strconv.FormatInt(int64(n[k]), 10))
	}
	return cmp.Or(strings.Join(out, ", "), "-")
}

// reasonsOf are the codes that deny kinds of the flow, each once.
func reasonsOf(f client.Flow) string {
	var codes []string
	for _, r := range f.Reasons {
		if !slices.Contains(codes, r.Code) {
			codes = append(codes, r.Code)
		}
	}
	return cmp.Or(strings.Join(codes, ","), "-")
}

type flowShowCmd struct {
	looker
	ID string `arg:"" help:"The flow's id in the programme."`
}

// Run shows a flow.
func (c *flowShowCmd) Run(e *env) error {
	cl, err := c.open()
	if err != nil {
		return err
	}
	f, err := cl.Flow(e.ctx, c.ID)
	if err != nil {
		return err
	}
	return e.printFlow(f)
}

// printFlow prints a flow, what of it leaves, and where it stands.
func (e *env) printFlow(f client.Flow) error {
	if e.json {
		return e.printJSON(f)
	}
	if err := e.facts("flow", f.ID, "name", f.Name, "from", f.From, "to", f.Recipient, "purpose", f.Purpose, "asks for", f.Asks, "may leave as", f.Form, "state", f.State); err != nil {
		return err
	}
	for _, r := range f.Reasons {
		if err := e.facts("denied by", strings.TrimSpace(r.Code+": "+r.Says+" "+r.At)); err != nil {
			return err
		}
	}
	for _, r := range f.Passed {
		if err := e.facts("passed over", strings.TrimSpace(r.Code+": "+r.Says+" "+r.At)); err != nil {
			return err
		}
	}
	if len(f.Fields) > 0 {
		rows := [][]string{{"KIND", "FIELD", "CATEGORY", "FORM", "MECHANISM", "FALLBACK", "REVIEW"}}
		for _, x := range f.Fields {
			rows = append(rows, []string{x.Service + "/" + x.Kind, x.Path, x.Category, x.Form, cmp.Or(x.Mechanism, "none needed") + unread(x.Mark), cmp.Or(x.Fallback, "-"), cmp.Or(x.Review, "-")})
		}
		if err := e.table(rows...); err != nil {
			return err
		}
	}
	rows := [][]string{{"TENANT", "STATE", "POSITION", "BEHIND", "SECONDS", "SENT", "LEFT OUT", "IN THE WAY", "BATCH"}}
	for _, t := range f.Tenants {
		batch := "-"
		if b := t.Batch; b != nil {
			batch = b.ID + " attempt " + strconv.Itoa(b.Attempt)
			if b.From != nil && b.Until != nil {
				batch += " of " + b.From.Format(time.RFC3339) + " to " + b.Until.Format(time.RFC3339)
			}
			if len(b.Parked) > 0 {
				batch += ", parked: " + strings.Join(b.Parked, " ")
			}
		}
		rows = append(rows, []string{t.Tenant, t.State, strconv.FormatUint(t.Position, 10), strconv.FormatUint(t.LagPositions, 10), strconv.FormatInt(t.LagSeconds, 10),
			counted(t.Sent), counted(t.Denied), cmp.Or(t.Halted, t.Error, "-"), batch})
	}
	if err := e.table(rows...); err != nil {
		return err
	}
	for _, t := range f.Tenants {
		if t.Batch != nil && t.Batch.Mend != "" {
			if err := e.facts("parked of "+t.Tenant, t.Error+": "+t.Batch.Mend); err != nil {
				return err
			}
		}
		if len(t.Refused) > 0 || len(t.Parked) > 0 {
			if err := e.facts("refused of "+t.Tenant, counted(t.Refused), "parked", cmp.Or(strings.Join(t.Parked, " "), "-")); err != nil {
				return err
			}
		}
	}
	return nil
}

// flowOrder is what all orders take.
type flowOrder struct {
	node
	ID     string `arg:"" help:"The flow's id in the programme."`
	Tenant string `help:"Only for this tenant. Default: for all, and for those who come later." placeholder:"ID"`
}

func (c *flowOrder) order(e *env, verb, from string) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	f, err := cl.OrderFlow(e.ctx, c.ID, verb, c.Tenant, from)
	if err != nil {
		return err
	}
	f.Fields = nil // for show
	return e.printFlow(f)
}

type flowStartCmd struct {
	flowOrder
	From string `help:"Where to begin: a position, or a date or time of receipt. Default: with what comes from now on." placeholder:"PLACE"`
}

// Run starts a flow.
func (c *flowStartCmd) Run(e *env) error { return c.order(e, "start", c.From) }

type flowReplayCmd struct {
	flowOrder
	From string `help:"Where to begin: a position, or a date or time of receipt." placeholder:"PLACE" required:""`
}

// Run sets a flow's cursor.
func (c *flowReplayCmd) Run(e *env) error { return c.order(e, "replay", c.From) }

type (
	flowPauseCmd  struct{ flowOrder }
	flowResumeCmd struct{ flowOrder }
	flowRetryCmd  struct{ flowOrder }
	flowSkipCmd   struct{ flowOrder }
)

// Run pauses a flow.
func (c *flowPauseCmd) Run(e *env) error { return c.order(e, "pause", "") }

// Run resumes a flow.
func (c *flowResumeCmd) Run(e *env) error { return c.order(e, "resume", "") }

// Run tries a parked batch again.
func (c *flowRetryCmd) Run(e *env) error { return c.order(e, "retry", "") }

// Run gives a parked batch up.
func (c *flowSkipCmd) Run(e *env) error { return c.order(e, "skip", "") }
