package main

import (
	"fmt"
	"io/fs"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/fault"
)

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
			return err
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
