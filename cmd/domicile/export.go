package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	xterm "golang.org/x/term"

	"domicile.dev/internal/fault"
)

type exportCmd struct {
	person
	Format  string `help:"ndjson or zip." enum:"ndjson,zip" default:"ndjson"`
	Out     string `short:"o" help:"File to write. Default: stdout." placeholder:"FILE"`
	Purpose string `help:"For restricted persons: consent, legal-claims, rights-of-others or public-interest." placeholder:"P"`
}

// Run exports a person. A file is there whole, readable by its owner alone, or not at all.
func (c *exportCmd) Run(e *env) error {
	if f, ok := e.out.(*os.File); ok && c.Out == "" && c.Format == "zip" && xterm.IsTerminal(int(f.Fd())) {
		return fault.New(fault.Invalid, "export.to_terminal", "a ZIP is nothing for a terminal").WithHint("give --out FILE")
	}
	cl, id, err := c.open(e)
	if err != nil {
		return err
	}
	p := newProgress(e)
	if p != nil {
		if s, err := cl.Subject(e.ctx, id); err == nil {
			for _, n := range s.Counts {
				p.total += n
			}
		}
	}
	in, err := cl.Export(e.ctx, id, c.Format, c.Purpose)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return save(e, c.Out, in, p, c.Format == "ndjson")
}

// save writes in to stdout, or to a file that is there whole, readable by its owner alone, or not at all.
func save(e *env, out string, in io.Reader, p *progress, lines bool) error {
	if out == "" {
		return copyAll(e.out, in, p, lines)
	}
	f, err := os.CreateTemp(filepath.Dir(out), ".export-*") // mode 0600
	if err != nil {
		return fault.New(fault.Invalid, "export.no_file", "the file cannot be made").Because(err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // nothing is left of it by then, or it failed
	err = copyAll(f, in, p, lines)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return fault.New(fault.Invalid, "export.no_file", "the file cannot be put in place").Because(err)
	}
	e.say("written to %s", out)
	return nil
}

// copyAll copies and says how far it is. With lines, a line is a record.
func copyAll(out io.Writer, in io.Reader, p *progress, lines bool) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
			p.moved(buf[:n], lines)
		}
		switch {
		case err == io.EOF: //nolint:errorlint // readers return it bare
			p.end()
			return nil
		case err != nil:
			p.end()
			return fault.New(fault.Unavailable, "export.cut_off", "the node cut the export off, so what came is not all").Because(err).
				WithHint("try again; when the person was erased meanwhile, the node says so")
		}
	}
}

// progress is a bar on stderr, when that is a terminal; nil otherwise.
type progress struct {
	out            io.Writer
	total          int64 // records, 0 when it isn't known
	records, bytes int64
	next           time.Time // when it is drawn again
}

func newProgress(e *env) *progress {
	f, ok := e.err.(*os.File)
	if !ok || e.json || !xterm.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &progress{out: f}
}

// moved counts b and draws at most ten times a second.
func (p *progress) moved(b []byte, lines bool) {
	if p == nil {
		return
	}
	p.bytes += int64(len(b))
	if lines {
		for _, c := range b {
			if c == '\n' {
				p.records++
			}
		}
	}
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(100 * time.Millisecond)
		p.draw()
	}
}

const barWidth = 30

func (p *progress) draw() {
	text := fmt.Sprintf("%.1f MB", float64(p.bytes)/1e6)
	if p.records > 0 && p.total > 0 {
		done := int(min(p.records, p.total) * barWidth / p.total)
		text = fmt.Sprintf("[%-*s] %d of %d records, %s", barWidth, bar[:done], p.records, p.total, text)
	}
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s", text)
}

const bar = "=============================="

// end draws the last state and leaves the line.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.draw()
	_, _ = fmt.Fprintln(p.out)
}
