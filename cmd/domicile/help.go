package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"domicile.dev/internal/fault"
)

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command to explain."`
}

// guide stands under the list of commands: with it, help is enough.
const guide = `
Which node:
  --up DIR           what domicile up started in DIR (default .domicile, when it is there);
  --region ID        its region, the first by default
  DOMICILE_URL       address of a node, with
  DOMICILE_TOKEN     a tenant's token (dtk_…), or the operator's (dok_…) to manage tenants and keys
  DOMICILE_WRITE_KEY a native source's key, for domicile import

People:
  Identifiers of people are read from stdin, a line each, and are never arguments:
    echo 'email ann@example.com' | domicile subject find
    echo 'phone +353 85 123 4567' | domicile subject export --format zip -o export.zip
    domicile subject erase sub_…

Output:
  Data goes to stdout, talk to stderr. --json gives JSON on stdout, and errors as JSON on stderr.

Exit codes:
  0 done    1 failed    2 wrong call or input    3 done, and the answer is bad

domicile help COMMAND explains one command.
`

// Run prints help.
func (c *helpCmd) Run(e *env, k *kong.Kong) error {
	call, err := kong.Trace(k, c.Command)
	if err != nil {
		return err
	}
	if call.Error != nil && len(c.Command) > 0 && call.Selected() == nil && call.Path[len(call.Path)-1].Command == nil {
		return fault.New(fault.Invalid, "call.invalid", "there is no command %s", strings.Join(c.Command, " ")).WithHint("domicile help lists them")
	}
	if err := call.PrintUsage(false); err != nil {
		return err
	}
	if len(c.Command) == 0 {
		_, err = fmt.Fprint(e.out, guide)
	}
	return err
}
