// Command domicile is the personal-data plane of one region, and the tool to work with it.
//
// Data goes to stdout, talk to stderr. Identifiers of people come on stdin, never as arguments.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"domicile.dev/internal/fault"
)

// commands is the command line. Each command has a method Run(*env) error.
type commands struct {
	JSON bool `name:"json" help:"Answer in JSON on stdout, errors in JSON on stderr."`

	Up    upCmd    `cmd:"" help:"Run three regions in one process, for trying and developing." group:"run"`
	Serve serveCmd `cmd:"" help:"Run one node of one region." group:"run"`

	Import importCmd `cmd:"" help:"Bring in a file of records, NDJSON or CSV, of any size; the same call goes on where it stopped." group:"data"`

	Subject subjectCmd `cmd:"" help:"Find, read, export, erase or restrict a person's data." group:"people"`

	Tenant    tenantCmd    `cmd:"" help:"Create, list, rotate, disable and enable tenants." group:"access"`
	Source    sourceCmd    `cmd:"" help:"Create, list, rotate, disable and enable sources." group:"access"`
	Keys      keysCmd      `cmd:"" help:"Show the region's keys, without secrets, and rotate the index key." group:"access"`
	Programme programmeCmd `cmd:"" help:"Check and show the declared programme." group:"proof"`
	Notice    noticeCmd    `cmd:"" help:"Render the privacy notice from a programme, compare two versions, publish, and object." group:"proof"`
	Decide    decideCmd    `cmd:"" help:"Ask whether data may leave, and why or why not; exit 3 when it may not." group:"proof"`
	Register  registerCmd  `cmd:"" help:"Show and change what the region has observed: look-ups, contracts, assessments, choices." group:"proof"`
	Flow      flowCmd      `cmd:"" help:"Show what leaves the region, and start, pause or replay it." group:"proof"`
	Ledger    ledgerCmd    `cmd:"" help:"Verify the ledger and prove entries." group:"proof"`

	Stats    statsCmd    `cmd:"" help:"Count what came in, by service, kind and outcome." group:"look"`
	Refusals refusalsCmd `cmd:"" help:"List what was refused, by reason and path, without values." group:"look"`

	Drift      driftCmd      `cmd:"" help:"Compare what a region does with what its published notice says; exit 3 when they differ." group:"look"`
	Violations violationsCmd `cmd:"" help:"List what tracking plans did not have, and where it might belong, without values." group:"look"`

	Version versionCmd `cmd:"" help:"Print the version." group:"look"`
	Help    helpCmd    `cmd:"" help:"Explain domicile, or one command." group:"look"`
}

var groups = kong.Groups{
	"run":    "Run it",
	"data":   "Data",
	"people": "People",
	"access": "Tenants, sources and keys",
	"proof":  "Programme and proof",
	"look":   "Look around",
}

// env is what a command has from outside. ctx ends at SIGINT or SIGTERM; a second signal kills.
type env struct {
	ctx  context.Context
	in   io.Reader
	out  io.Writer
	err  io.Writer
	json bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(&env{ctx: ctx, in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// leave is thrown where kong would end the process, after it has printed help.
type leave int

// run is the whole program but for the process around it. It returns the exit code.
func run(e *env, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			l, ok := r.(leave)
			if !ok {
				panic(r)
			}
			code = int(l)
		}
	}()
	var c commands
	k, err := parser(&c, e)
	if err != nil {
		return report(e, err)
	}
	if len(args) == 0 {
		args = []string{"help"}
	}
	call, err := k.Parse(args)
	e.json = c.JSON || asksJSON(args)
	if err != nil {
		return report(e, fault.New(fault.Invalid, "call.invalid", "%s", unnamed(err.Error(), args)).WithHint(explains(k, args)))
	}
	return report(e, call.Run(e))
}

// explains says which help explains the call.
func explains(k *kong.Kong, args []string) string {
	command := ""
	if call, err := kong.Trace(k, args); err == nil && call.Selected() != nil {
		command = " " + call.Selected().Path()
	}
	return "domicile help" + command + " explains the call"
}

// identifying tells arguments that are somebody's address or number, and belong on stdin.
var identifying = regexp.MustCompile(`@|[0-9][0-9 ()./-]{5,}[0-9]`)

// unnamed takes arguments that look like identifiers of people out of a message.
func unnamed(message string, args []string) string {
	for _, a := range args {
		if identifying.MatchString(a) {
			message = strings.ReplaceAll(message, a, "…")
		}
	}
	return message
}

// parser returns the parser that fills c.
func parser(c *commands, e *env) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("domicile"),
		kong.Description("A personal-data plane for one region, with the privacy programme that governs it built in."),
		kong.Writers(e.out, e.err),
		kong.Exit(func(n int) { panic(leave(n)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		groups,
	)
}

// asksJSON looks for --json where parsing ended before it was reached.
func asksJSON(args []string) bool {
	for _, a := range args {
		switch a {
		case "--json", "--json=true":
			return true
		case "--":
			return false
		}
	}
	return false
}
