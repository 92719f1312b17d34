package main

import (
	"os"

	xterm "golang.org/x/term"

	"domicile.dev/internal/fault"
)

type mediaCmd struct {
	node
	Record  string `arg:"" help:"Record id, rec_…."`
	Media   string `arg:"" help:"Its id in the record's list, med_…."`
	Out     string `short:"o" help:"File to write. Default: stdout." placeholder:"FILE"`
	Purpose string `help:"For restricted persons: consent, legal-claims, rights-of-others or public-interest." placeholder:"P"`
	reading
}

// Run writes out a recording or attachment. A file is there whole, readable by its owner alone, or not
// at all.
func (c *mediaCmd) Run(e *env) error {
	if f, ok := e.out.(*os.File); ok && c.Out == "" && xterm.IsTerminal(int(f.Fd())) {
		return fault.New(fault.Invalid, "export.to_terminal", "a recording is nothing for a terminal").WithHint("give --out FILE")
	}
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	in, err := cl.For(c.For).Media(e.ctx, c.Record, c.Media, c.Purpose)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return save(e, c.Out, in, newProgress(e), false)
}
