package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
)

type programmePlanCmd struct {
	Dirs     []string `arg:"" optional:"" name:"old new" help:"[OLD] NEW: the programmes' folders. With NEW alone, --without is against itself, --at against itself today; without either it is against nothing."`
	Without  []string `help:"As if these mechanisms or rules of law had been struck down, such as eu-us-dpf." placeholder:"ID"`
	Register string   `help:"A register; the *.register.yaml in NEW, or else in OLD, when it is left out." placeholder:"FILE"`
	At       string   `help:"The day; today when left out. Alone, it says what lapses until then, or wasn't so yet." placeholder:"YYYY-MM-DD"`
	Up       string   `help:"Ask the regions of domicile up --dir DIR how much each flow would have carried in the last 30 days, and whose." placeholder:"DIR"`
	Live     bool     `help:"Ask the region that DOMICILE_URL names for that."`
}

// planAnswer is what `programme plan --json` prints; it is a promise.
type planAnswer struct {
	Stops   int               `json:"stops"`
	Changes []decision.Change `json:"changes"`
	Volumes string            `json:"volumes"`
	Carried []carried         `json:"carried,omitempty"`
	Falling []falling         `json:"ask_again,omitempty"` // consents that its publication makes be asked for again
	At      string            `json:"at"`
	Since   string            `json:"since,omitempty"` // the day of the old one, where that is another
	Old     string            `json:"old,omitempty"`
	New     string            `json:"new"`
}

const noVolumes = "how much each flow carries is not shown: no region was asked"

// Run says what a change does to the flows, and exits 3 when one stops.
func (c *programmePlanCmd) Run(e *env) error {
	at, err := onDay(c.At)
	if err != nil {
		return err
	}
	oldDir, newDir, compared := "", "", len(c.Without) > 0 || c.At != ""
	then := at
	switch len(c.Dirs) {
	case 0:
	case 1:
		oldDir, newDir = c.Dirs[0], c.Dirs[0]
	case 2:
		oldDir, newDir, compared = c.Dirs[0], c.Dirs[1], true
	default:
		return fault.New(fault.Invalid, "call.invalid", "there are more than two folders").WithHint("domicile programme plan [OLD] NEW")
	}
	if len(c.Dirs) < 2 && len(c.Without) == 0 { // the day alone is what differs
		then = time.Now()
	}
	r, err := openRules(newDir, c.Register)
	if err != nil {
		return err
	}
	answer := planAnswer{Volumes: noVolumes, At: at.UTC().Format("2006-01-02"), New: r.p.Hash}
	var before *decision.Engine
	var was *programme.Programme
	if compared {
		old, err := openRules(oldDir, "")
		if err != nil {
			return err
		}
		if r.reg == nil {
			r.reg = old.reg
		}
		old.reg = r.reg // what was observed is the same on both sides
		was = old.p
		if before, err = old.engine(nil); err != nil {
			return err
		}
		if answer.Old = old.p.Hash; programme.DayOf(then) != programme.DayOf(at) {
			answer.Since = then.UTC().Format("2006-01-02")
		}
	}
	now, err := r.engine(c.Without)
	if err != nil {
		return err
	}
	answer.Changes = decision.PlanSince(before, then, now, at)
	for _, x := range answer.Changes {
		if x.What == decision.Stops {
			answer.Stops++
		}
	}
	counts, err := c.ask(e, flowsOf(was, r.p), &answer)
	if err != nil {
		return err
	}
	answer.Falling = falls(was, r.p, counts)
	if e.json {
		err = printJSON(e.out, answer)
	} else {
		err = showPlan(e.out, &answer)
	}
	if err == nil && answer.Stops > 0 {
		err = &exitError{code: exitBad}
	}
	return err
}

func showPlan(w io.Writer, a *planAnswer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "CHANGE\tFLOW\tWAS\tIS\tRESTS ON")
	for _, c := range a.Changes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", c.What, c.Flow, c.Was, c.Is, cmp.Or(strings.Join(c.Mechanisms, "; "), "-"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, c := range a.Changes {
		if c.What == decision.Unchanged || c.What == decision.Starts {
			continue
		}
		fmt.Fprintf(w, "\n%s %s\n", c.Flow, c.What)
		for _, x := range [][2]string{{"rested on", strings.Join(c.Before, "; ")}, {"loses", strings.Join(c.Lost, ", ")}, {"gains", strings.Join(c.Gained, ", ")}} {
			if x[1] != "" {
				fmt.Fprintf(w, "  %s: %s\n", x[0], x[1])
			}
		}
		for _, r := range c.Reasons {
			fmt.Fprintf(w, "  %s: %s  %s\n", r.Code, says(r), strings.TrimSpace(r.At+" "+r.RuleAt))
		}
	}
	if len(a.Carried) > 0 {
		fmt.Fprintln(t, "\nFLOW\tTENANT\tRECORDS")
		for _, x := range a.Carried {
			fmt.Fprintf(t, "%s\t%s\t%d\n", x.Flow, x.Tenant, x.Records)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(a.Falling) > 0 {
		fmt.Fprintln(w)
	}
	for i := range a.Falling {
		fmt.Fprintln(w, a.Falling[i].says())
	}
	days := ""
	if a.Since != "" {
		days = ", from " + a.Since + " to " + a.At
	}
	_, err := fmt.Fprintf(w, "\n%s%s\n%s\n", tally(a.Changes), days, a.Volumes)
	return err
}

func tally(changes []decision.Change) string {
	var out []string
	for _, what := range []string{decision.Stops, decision.Narrows, decision.Rests, decision.Widens, decision.Starts, decision.Unchanged} {
		n := 0
		for _, c := range changes {
			if c.What == what {
				n++
			}
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, map[string]string{decision.Stops: "stopping", decision.Narrows: "narrowing", decision.Rests: "resting elsewhere",
				decision.Widens: "widening", decision.Starts: "starting", decision.Unchanged: "unchanged"}[what]))
		}
	}
	if len(out) == 0 {
		return "no flows are declared"
	}
	return "flows: " + strings.Join(out, ", ")
}
