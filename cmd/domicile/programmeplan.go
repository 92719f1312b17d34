package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"text/tabwriter"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
)

type programmePlanCmd struct {
	Dirs     []string `arg:"" optional:"" name:"old new" help:"[OLD] NEW: the programmes' folders. With NEW alone and --without: against itself; without either: against nothing."`
	Without  []string `help:"As if these mechanisms or rules of law had been struck down, such as eu-us-dpf." placeholder:"ID"`
	Register string   `help:"A register; the *.register.yaml in NEW, or else in OLD, when it is left out." placeholder:"FILE"`
	At       string   `help:"The day; today when left out." placeholder:"YYYY-MM-DD"`
}

// planAnswer is what `programme plan --json` prints; it is a promise.
type planAnswer struct {
	Stops   int               `json:"stops"`
	Changes []decision.Change `json:"changes"`
	Volumes string            `json:"volumes"`
	At      string            `json:"at"`
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
	oldDir, newDir, compared := "", "", len(c.Without) > 0
	switch len(c.Dirs) {
	case 0:
	case 1:
		oldDir, newDir = c.Dirs[0], c.Dirs[0]
	case 2:
		oldDir, newDir, compared = c.Dirs[0], c.Dirs[1], true
	default:
		return fault.New(fault.Invalid, "call.invalid", "there are more than two folders").WithHint("domicile programme plan [OLD] NEW")
	}
	r, err := openRules(newDir, c.Register)
	if err != nil {
		return err
	}
	answer := planAnswer{Volumes: noVolumes, At: at.UTC().Format("2006-01-02"), New: r.p.Hash}
	var before *decision.Engine
	if compared {
		old, err := openRules(oldDir, "")
		if err != nil {
			return err
		}
		if r.reg == nil {
			r.reg = old.reg
		}
		old.reg = r.reg // what was observed is the same on both sides
		if before, err = old.engine(nil); err != nil {
			return err
		}
		answer.Old = old.p.Hash
	}
	now, err := r.engine(c.Without)
	if err != nil {
		return err
	}
	answer.Changes = decision.Plan(before, now, at)
	for _, x := range answer.Changes {
		if x.What == decision.Stops {
			answer.Stops++
		}
	}
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
	_, err := fmt.Fprintf(w, "\n%s\n%s\n", tally(a.Changes), a.Volumes)
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

type programmeCompileCmd struct {
	Dir  string   `arg:"" optional:"" help:"The programme's folder; the built-in example when it is left out."`
	Flow []string `help:"Only these flows." placeholder:"ID"`
}

// Run prints the policies, and after them the operator's own.
func (c *programmeCompileCmd) Run(e *env) error {
	r, err := openRules(c.Dir, "")
	if err != nil {
		return err
	}
	for _, f := range c.Flow {
		if !declared(r, f) {
			return fault.New(fault.Invalid, "flow.undeclared", "the programme declares no flow %s", f)
		}
	}
	text := decision.Compile(r.p, r.book, c.Flow...)
	own, err := r.beside(".cedar")
	if err != nil {
		return err
	}
	for _, name := range own {
		src, err := fs.ReadFile(r.fsys, name)
		if err != nil {
			return err
		}
		text += fmt.Sprintf("\n// The operator's own: %s\n%s", name, src)
	}
	if e.json {
		return printJSON(e.out, map[string]string{"programme": r.p.Hash, "laws": r.book.Version, "cedar": text})
	}
	_, err = io.WriteString(e.out, text)
	return err
}

func declared(r *rules, flow string) bool {
	for i := range r.p.Flows {
		if r.p.Flows[i].ID == flow {
			return true
		}
	}
	return false
}

type programmeTestCmd struct {
	Dir      string `arg:"" optional:"" help:"The programme's folder; the built-in example when it is left out."`
	Register string `help:"A register; the *.register.yaml in the folder when it is left out." placeholder:"FILE"`
}

// testAnswer is what `programme test --json` prints; it is a promise.
type testAnswer struct {
	OK    bool              `json:"ok"`
	Cases []decision.Result `json:"cases"`
}

// Run asks the cases in the folder's *.test.yaml files, and exits 3 when one comes out wrong.
func (c *programmeTestCmd) Run(e *env) error {
	r, err := openRules(c.Dir, c.Register)
	if err != nil {
		return err
	}
	names, err := r.beside(decision.SuiteSuffix)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fault.New(fault.Invalid, "cases.none", "there is no file of cases in the folder").WithHint("write one that ends in " + decision.SuiteSuffix + "; the example has one")
	}
	answer := testAnswer{OK: true, Cases: []decision.Result{}}
	for _, name := range names {
		src, err := fs.ReadFile(r.fsys, name)
		if err != nil {
			return err
		}
		s, err := decision.ParseSuite(name, src)
		if err != nil {
			return faulty("cases", err)
		}
		results, err := s.Run(r.engine)
		if err != nil {
			return errors.Unwrap(err)
		}
		answer.Cases = append(answer.Cases, results...)
	}
	wrong := 0
	for _, x := range answer.Cases {
		if x.Wrong != "" {
			answer.OK = false
			wrong++
		}
	}
	if e.json {
		if err := printJSON(e.out, answer); err != nil {
			return err
		}
	} else {
		for _, x := range answer.Cases {
			if x.Wrong != "" {
				fmt.Fprintf(e.out, "wrong  %s  %s\n  %s\n", x.At, x.Name, x.Wrong)
			}
		}
		fmt.Fprintf(e.out, "%d cases, %d wrong\n", len(answer.Cases), wrong)
	}
	if wrong > 0 {
		return &exitError{code: exitBad}
	}
	return nil
}
