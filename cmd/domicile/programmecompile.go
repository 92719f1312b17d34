package main

import (
	"fmt"
	"io"
	"io/fs"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
)

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
