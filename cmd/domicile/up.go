package main

import (
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"domicile.dev/examples"
	"domicile.dev/internal/app"
	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
)

// upCmd runs three regions in one process, for trying and developing.
type upCmd struct {
	Dir         string   `default:".domicile" help:"Folder for data, keys and up.json." placeholder:"DIR"`
	Listen      string   `default:"127.0.0.1:8080" help:"Address of the first region; the others take the next ports." placeholder:"HOST:PORT"`
	Programme   string   `help:"Folder of the programme. Default: the embedded example." placeholder:"DIR"`
	Store       string   `help:"A PostgreSQL server, one database for each region. Default: embedded stores." placeholder:"URL"`
	Destination []string `help:"Point a recipient's flows at a URL: a webhook, file:///folder or s3://bucket." sep:"none" placeholder:"RECIPIENT=URL"`
	Demo        bool     `help:"Keep a modest stream of made-up people flowing, and a flow of each form: /demo/ of the first region shows what its recipient gets."`
}

func (c *upCmd) Run(e *env) error {
	folder := programmeFolder(c.Programme)
	if c.Demo && c.Programme == "" {
		folder = examples.Demo()
	}
	p, err := loadFolder(folder)
	if err != nil {
		return err
	}
	var archive []*programme.Programme
	if c.Programme == "" { // both versions are the example's
		old, err := programme.Load(examples.Communications2025())
		if err != nil {
			return fmt.Errorf("load the example of 2025: %w", err)
		}
		archive = append(archive, old)
	}
	boundMemory()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fault.New(fault.Invalid, "up.dir", "can't make the folder %s", c.Dir).WithHint("give another with --dir").Because(err)
	}
	up, err := app.StartUp(e.ctx, app.UpOptions{Dir: c.Dir, Listen: c.Listen, Store: c.Store, Programme: p, Notices: archive,
		Folder: folder, Destinations: c.Destination, Demo: c.Demo, Log: newLog(e, ""), Version: version()})
	if err != nil {
		return err
	}
	c.tell(e, up)
	if c.Demo {
		stop := up.StartDemo(e.ctx)
		defer stop()
	}
	return up.Serve(e.ctx)
}

func (c *upCmd) tell(e *env, up *app.Up) {
	file := filepath.Join(c.Dir, "up.json")
	if e.json {
		b, _ := os.ReadFile(file)
		_, _ = e.out.Write(b)
		return
	}
	w := tabwriter.NewWriter(e.out, 0, 4, 3, ' ', 0)
	_, _ = fmt.Fprintln(w, "REGION\tURL\tDATA\tTENANT\tSOURCES")
	for _, r := range up.File.Regions {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.URL, r.Data, r.Tenant, strings.Join(app.UpSourceNames(), ", "))
	}
	_ = w.Flush()
	_, _ = fmt.Fprintf(e.out, "\nready; credentials are in %s, programme %s\n", file, up.File.Programme)
	for _, d := range up.File.Destinations {
		_, _ = fmt.Fprintf(e.out, "flows to %s go to %s\n", d.Recipient, d.URL)
	}
	if up.DemoURL != "" {
		_, _ = fmt.Fprintf(e.out, "what flows bring to the demo's recipients: %s\n", up.DemoURL)
	}
	if n := slices.Max(slices.Collect(maps.Values(up.Assumed))); n > 0 {
		_, _ = fmt.Fprintf(e.err, "note: nobody observed the %d facts that each register begins with; they are assumed, for trying: domicile register list\n", n)
	}
	if c.Store != "" {
		_, _ = fmt.Fprintln(e.err, "note: one PostgreSQL server for all regions is for trying: they share its write-ahead log")
	}
}

// serveCmd runs one node of one region.
type serveCmd struct {
	Config string `required:"" help:"The node's configuration, docs/configuration.md." placeholder:"FILE"`
}

func (c *serveCmd) Run(e *env) error {
	n, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	p, err := loadProgramme(n.Programme)
	if err != nil {
		return err
	}
	var archive []*programme.Programme
	for _, dir := range n.Notices {
		old, err := loadProgramme(dir)
		if err != nil {
			return err
		}
		archive = append(archive, old)
	}
	boundMemory()
	return app.ServeNode(e.ctx, n, app.Options{Programme: p, Folder: programmeFolder(n.Programme), Notices: archive, Log: newLog(e, n.LogLevel), Version: version(), OTLP: n.OTLP},
		func(addr string) { _, _ = fmt.Fprintf(e.err, "region %s answers on %s\n", n.Region, addr) })
}

// loadProgramme loads the programme of a folder, or the example.
func loadProgramme(dir string) (*programme.Programme, error) { return loadFolder(programmeFolder(dir)) }

func loadFolder(folder fs.FS) (*programme.Programme, error) {
	p, err := programme.Load(folder)
	if err != nil {
		return nil, &exitError{code: exitWrong, err: fault.New(fault.Invalid, "programme.invalid", "the programme has faults:\n%s", err.Error()).
			WithHint("domicile programme check shows them one by one")}
	}
	return p, nil
}

// programmeFolder is where the programme of a folder lies, the example's when dir is "".
func programmeFolder(dir string) fs.FS {
	if dir == "" {
		return examples.Communications()
	}
	return os.DirFS(dir)
}

func newLog(e *env, level string) *slog.Logger {
	var l slog.Level
	if level == "" || l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(e.err, &slog.HandlerOptions{Level: l}))
}
