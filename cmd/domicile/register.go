package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/register"
)

// registerCmd is about what a region has observed: look-ups, contracts, assessments, choices. It names
// companies and customers, and no people.
type registerCmd struct {
	List   registerListCmd   `cmd:"" help:"List the facts that stand."`
	Add    registerAddCmd    `cmd:"" help:"Add one fact."`
	Strike registerStrikeCmd `cmd:"" help:"End a fact. It stays in the history."`
	Import registerImportCmd `cmd:"" help:"Add the facts of a file. What stands already is left alone."`
	Export registerExportCmd `cmd:"" help:"Write the facts that stand as a file of the format."`
	Check  registerCheckCmd  `cmd:"" help:"Check a file, without a node; exit 3 when it has faults."`
	Due    registerDueCmd    `cmd:"" help:"List what lapses soon, or has; exit 3 when something has."`
}

// seat is who speaks to the register: the operator unless --as-tenant.
type seat struct {
	node
	AsTenant bool `help:"As the tenant, who sees and makes its own choices."`
}

func (s *seat) client() (*client.Client, error) {
	if s.AsTenant {
		return s.tenant()
	}
	return s.operator()
}

type registerListCmd struct {
	seat
	Kind    string `help:"Only this list: checks, contracts, assessments and so on." placeholder:"LIST"`
	About   string `help:"Only what names this entity, recipient, customer, flow or contract, exactly." placeholder:"NAME"`
	History bool   `help:"Also what doesn't stand any more."`
}

// Run prints facts.
func (c *registerListCmd) Run(e *env) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	f, err := cl.Facts(e.ctx, client.FactsQuery{Kind: c.Kind, About: c.About, History: c.History})
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(f) })
	}
	return e.printFacts(f)
}

func (e *env) printFacts(f client.Facts) error {
	rows := [][]string{{"ID", "LIST", "FACT", "NOTED", "BY", ""}}
	for _, x := range f.Facts {
		note := ""
		switch {
		case x.Already:
			note = "stood already"
		case x.Fact == nil:
			note = "strikes number " + strconv.FormatInt(x.Ends, 10)
		case !x.Standing:
			note = "over"
		case x.Assumed:
			note = "assumed"
		}
		rows = append(rows, []string{x.ID, x.Kind, string(x.Fact), clock(x.At), x.By, note})
	}
	if err := e.table(rows...); err != nil {
		return err
	}
	e.say("register %s", f.Version)
	return nil
}

type registerAddCmd struct {
	seat
	Kind     string   `arg:"" help:"The list: checks, contracts, assessments, attestations, enablements, objections, pins, pauses, cases or backups."`
	Keys     []string `arg:"" help:"key=value of docs/formats/register.md; a list's values by commas; true and false are what they are."`
	Replaces string   `help:"The fact whose place it takes." placeholder:"ID"`
}

// Run adds one fact.
func (c *registerAddCmd) Run(e *env) error {
	fact := map[string]any{}
	for _, k := range c.Keys {
		name, value, ok := strings.Cut(k, "=")
		if !ok || name == "" {
			return fault.New(fault.Invalid, "call.invalid", "a key is missing its value").WithHint("write key=value, such as row=eu-us")
		}
		fact[name] = register.Value(c.Kind, name, value)
	}
	body, err := json.Marshal(fact)
	if err != nil {
		return err
	}
	if _, err := register.ParseLine(c.Kind, body); err != nil {
		return err
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	f, err := cl.AddFacts(e.ctx, client.NewFact{Kind: c.Kind, Fact: body, Replaces: c.Replaces})
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(f) })
	}
	return e.printFacts(f)
}

type registerStrikeCmd struct {
	seat
	Fact string `arg:"" help:"Its id, fct_…"`
}

// Run ends a fact.
func (c *registerStrikeCmd) Run(e *env) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	f, err := cl.StrikeFact(e.ctx, c.Fact)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(f) })
	}
	return e.printFacts(f)
}

type registerImportCmd struct {
	seat
	File string `arg:"" help:"A file of the format, or - for stdin."`
}

// maxRegisterFile bounds a file of facts, in bytes.
const maxRegisterFile = 16 << 20

func readRegister(e *env, file string) (*register.Register, error) {
	in, name := e.in, "stdin"
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.New(fault.Invalid, "file.unreadable", "the file can't be read").WithHint("give the path of a *.register.yaml").Because(err)
		}
		defer f.Close()
		in, name = f, file
	}
	src, err := io.ReadAll(io.LimitReader(in, maxRegisterFile+1))
	if err != nil {
		return nil, err
	}
	if len(src) > maxRegisterFile {
		return nil, fault.New(fault.TooLarge, "file.too_large", "a register has at most %d bytes", maxRegisterFile)
	}
	r, err := register.Parse(name, src)
	if err != nil {
		return nil, faulty("register", err)
	}
	return r, nil
}

// Run adds the facts of a file.
func (c *registerImportCmd) Run(e *env) error {
	r, err := readRegister(e, c.File)
	if err != nil {
		return err
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	var facts []client.NewFact
	for _, l := range r.Lines() {
		facts = append(facts, client.NewFact{Kind: l.Kind, Fact: json.RawMessage(l.Body)})
	}
	if len(facts) > register.MaxAtOnce {
		return fault.New(fault.TooLarge, "register.too_many_at_once", "at most %d facts are added at once", register.MaxAtOnce).WithHint("split the file; what stands already is left alone")
	}
	if len(facts) == 0 {
		return fault.New(fault.Invalid, "register.empty", "the file has no facts")
	}
	f, err := cl.AddFacts(e.ctx, facts...)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(f) })
	}
	already := 0
	for _, x := range f.Facts {
		if x.Already {
			already++
		}
	}
	e.say("%d facts added, %d stood already; register %s", len(f.Facts)-already, already, f.Version)
	return nil
}

type registerExportCmd struct{ seat }

// Run writes the facts that stand.
func (c *registerExportCmd) Run(e *env) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	f, err := cl.Facts(e.ctx, client.FactsQuery{})
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(f) })
	}
	rows := make([]register.Row, len(f.Facts))
	for i, x := range f.Facts {
		rows[i] = register.Row{Line: register.Line{Kind: x.Kind, Body: string(x.Fact)}, Seq: x.Seq, ID: x.ID, At: x.At, By: x.By, Assumed: x.Assumed}
		if rows[i].Entry, err = id.ParseEntry(x.Entry); err != nil {
			return fmt.Errorf("the node's answer: %w", err)
		}
	}
	_, err = e.out.Write(register.YAML(rows))
	return err
}

type registerCheckCmd struct {
	File string `arg:"" help:"A file of the format, or - for stdin."`
}

// Run checks a file.
func (c *registerCheckCmd) Run(e *env) error {
	r, err := readRegister(e, c.File)
	if fault.ReasonOf(err) == "register.faulty" {
		return &exitError{code: exitBad, err: err}
	}
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(map[string]any{"ok": true, "facts": len(r.Lines()), "version": r.Version})
	}
	_, err = fmt.Fprintf(e.out, "%d facts, register %s\n", len(r.Lines()), r.Version)
	return err
}

type registerDueCmd struct {
	node
	Within int `help:"What lapses within so many days." default:"30" placeholder:"DAYS"`
}

// Run prints what lapses.
func (c *registerDueCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	all, err := cl.Due(e.ctx, c.Within)
	if err != nil {
		return err
	}
	bad := func() error {
		for _, d := range all {
			if d.Days < 1 {
				return &exitError{code: exitBad}
			}
		}
		return nil
	}
	if e.json {
		return firstOf(e.printJSON(map[string]any{"due": all}), bad)
	}
	rows := [][]string{{"LAPSES", "DAYS", "KIND", "ABOUT", "WHAT", "SAYS"}}
	for _, d := range all {
		rows = append(rows, []string{d.Lapses, strconv.Itoa(d.Days), d.Kind, d.About, d.What, d.Says})
	}
	if len(all) == 0 {
		e.say("nothing lapses within %d days", c.Within)
		return nil
	}
	return firstOf(e.table(rows...), bad)
}
