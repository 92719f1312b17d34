package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	xterm "golang.org/x/term"

	"domicile.dev/internal/client"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/bulk"
	"domicile.dev/internal/programme"
)

type importCmd struct {
	node
	Map      string        `help:"The file is CSV, and FILE says how its columns become records. Without it: NDJSON, a native record a line." placeholder:"FILE"`
	Source   string        `help:"Source of --up that the records come from. Default: native." placeholder:"NAME"`
	State    string        `help:"Where the import notes how far it is. Default: the file's name and .import." placeholder:"FILE"`
	Bad      string        `help:"Where bad lines are listed, without values. Default: the file's name and .bad." placeholder:"FILE"`
	InFlight int           `name:"in-flight" help:"Batches on their way at once." default:"4" placeholder:"N"`
	Patience time.Duration `help:"How long to wait for a node that is away or busy." default:"5m" placeholder:"TIME"`
	File     string        `arg:"" help:"The file, or - for stdin."`
}

// maxMappingBytes is far more than a mapping needs.
const maxMappingBytes = 512 << 10

// Run imports a file, or what is left of it.
func (c *importCmd) Run(e *env) (err error) {
	if c.InFlight < 1 || c.InFlight > 64 {
		return fault.New(fault.Invalid, "call.invalid", "--in-flight is 1 to 64")
	}
	if c.Map == "" && strings.EqualFold(filepath.Ext(c.File), ".csv") {
		return fault.New(fault.Invalid, "import.no_mapping", "a CSV file needs a mapping").
			WithHint("name it with --map; docs/import.md has an example")
	}
	address, key, err := c.target()
	if err != nil {
		return err
	}
	m, mapping, err := c.mapping()
	if err != nil {
		return err
	}
	in, j, err := c.open(e, []byte(address), []byte(key), mapping)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if c.File != "-" {
		defer func() { _ = in.(io.Closer).Close() }()
	}
	if j.Done() {
		e.say("this file was imported already; %s says so", c.statePath())
		return c.sum(e, j)
	}
	r, err := bulk.Open(in, m, j.Next())
	if err != nil {
		return err
	}
	first := j.Next().Offset == 0
	if !first {
		e.say("going on after line %d", j.Next().Line)
	}
	bar := newImportBar(e, in)
	s, err := client.NewSender(address, key, nil, client.SenderOptions{Patience: c.Patience, Waiting: bar.waiting(e)})
	if err != nil {
		return err
	}
	err = bulk.Run(e.ctx, r, through(s), j, bulk.Options{InFlight: c.InFlight, Progress: bar.moved})
	bar.end()
	if err != nil {
		if at := j.Next(); at.Offset > 0 && c.File != "-" && fault.ReasonOf(err) != "import.changed" {
			e.say("stopped after line %d; the same call goes on from there", at.Line)
		}
		return err
	}
	if n := j.Counts().Duplicate; n > 0 && first {
		e.say("duplicates: %d of %d lines had an id that the node knew, or that stood before in this import; if each is a record of its own, their ids collide: see docs/import.md", n, j.Counts().Lines)
	}
	return c.sum(e, j)
}

// through sends by s.
func through(s *client.Sender) bulk.Send {
	return func(ctx context.Context, body []byte) (bulk.Taken, error) {
		t, err := s.Send(ctx, body)
		out := bulk.Taken{Accepted: t.Accepted, Duplicate: t.Duplicate, Refused: make([]bulk.Refused, len(t.Refused))}
		for i, r := range t.Refused {
			out.Refused[i] = bulk.Refused(r)
		}
		return out, err
	}
}

// target returns the node's address and the key to bring records with.
func (c *importCmd) target() (address, key string, err error) {
	dir, err := c.dir()
	if err != nil {
		return "", "", fault.New(fault.Invalid, "node.unnamed", "no node to bring the records to").
			WithHint("give --up DIR, or set DOMICILE_URL and DOMICILE_WRITE_KEY")
	}
	if dir == "" {
		key = os.Getenv("DOMICILE_WRITE_KEY")
		switch {
		case c.Source != "":
			return "", "", fault.New(fault.Invalid, "call.invalid", "--source goes with --up: DOMICILE_WRITE_KEY is one source's")
		case key == "":
			return "", "", fault.New(fault.Invalid, "node.no_token", "DOMICILE_URL is set and DOMICILE_WRITE_KEY is not").
				WithHint("it is the key of a native source, which domicile source create shows")
		}
		u, err := url.Parse(os.Getenv("DOMICILE_URL"))
		if err != nil {
			return "", "", fault.New(fault.Invalid, "node.bad_address", "the node's address is not of the form https://host")
		}
		return u.String(), key, nil
	}
	up, err := client.ReadUp(dir)
	if err != nil {
		return "", "", err
	}
	r, err := up.Region(c.Region)
	if err != nil {
		return "", "", err
	}
	name := c.Source
	if name == "" {
		name = "native"
	}
	key, err = r.Key(name)
	return r.URL, key, err
}

// mapping reads the mapping file, when one is named.
func (c *importCmd) mapping() (*bulk.Mapping, []byte, error) {
	if c.Map == "" {
		return nil, nil, nil
	}
	f, err := os.Open(c.Map)
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "import.no_mapping", "the mapping can't be read").Because(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxMappingBytes+1))
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "import.no_mapping", "the mapping can't be read").Because(err)
	}
	m, err := bulk.ReadMapping(c.Map, text)
	var faults programme.Faults
	if errors.As(err, &faults) {
		var lines []string
		for _, f := range faults {
			lines = append(lines, f.String())
		}
		return nil, nil, fault.New(fault.Invalid, "import.bad_mapping", "%s", "the mapping has faults\n"+strings.Join(lines, "\n")).
			With("faults", faults)
	}
	return m, text, err
}

// open returns the input and its journal.
func (c *importCmd) open(e *env, to ...[]byte) (io.Reader, *bulk.Journal, error) {
	if c.File == "-" {
		if c.State != "" {
			return nil, nil, fault.New(fault.Invalid, "call.invalid", "--state goes with a file: what came on stdin can't be read again")
		}
		e.say("stdin can't be read twice: if this is stopped, send all of it again; records that arrived are counted as duplicates then")
		return e.in, bulk.NewJournal(c.badPath()), nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "import.unreadable", "the file can't be opened").Because(err)
	}
	j, err := c.journal(f, to...)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, j, nil
}

func (c *importCmd) journal(f *os.File, to ...[]byte) (*bulk.Journal, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, fault.New(fault.Invalid, "import.unreadable", "that is no regular file").Because(err).
			WithHint("what comes through a pipe is imported with -, from stdin")
	}
	seen := []os.FileInfo{info}
	for _, path := range []string{c.statePath(), c.badPath(), c.Map} {
		other, err := os.Stat(path)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(seen, func(s os.FileInfo) bool { return os.SameFile(s, other) }) {
			return nil, fault.New(fault.Invalid, "call.invalid", "the file, the mapping, --state and --bad are different files")
		}
		seen = append(seen, other)
	}
	return bulk.OpenJournal(c.statePath(), c.badPath(), f, to...)
}

func (c *importCmd) statePath() string {
	if c.State != "" {
		return c.State
	}
	return c.File + ".import"
}

func (c *importCmd) badPath() string {
	switch {
	case c.Bad != "":
		return c.Bad
	case c.File == "-":
		return "stdin.bad"
	}
	return c.File + ".bad"
}

// importSum is what --json prints.
type importSum struct {
	bulk.Counts
	BadLines string `json:"bad_lines,omitempty"` // the file that lists them
}

// sum says what became of all lines, over all runs.
func (c *importCmd) sum(e *env, j *bulk.Journal) error {
	sum := importSum{Counts: *j.Counts()}
	bad := sum.Bad()
	if bad > 0 {
		sum.BadLines = c.badPath()
	}
	var err error
	if e.json {
		err = e.printJSON(sum)
	} else {
		rows := [][]string{{"lines", fmt.Sprint(sum.Lines)}, {"accepted", fmt.Sprint(sum.Accepted)}, {"duplicate", fmt.Sprint(sum.Duplicate)}}
		for _, reason := range slices.Sorted(maps.Keys(sum.Refused)) {
			rows = append(rows, []string{"refused", fmt.Sprint(sum.Refused[reason]), reason})
		}
		err = e.table(rows...)
	}
	if err == nil && bad > 0 {
		e.say("not kept: %d of %d lines; %s lists them", bad, sum.Lines, sum.BadLines)
		err = &exitError{code: exitBad}
	}
	return err
}

// importBar is a bar on stderr, when that is a terminal, and says why the import waits.
type importBar struct {
	mu    sync.Mutex
	out   io.Writer // nil draws nothing
	total int64     // bytes, 0 when it isn't known
	text  string
	next  time.Time // when it is drawn again
	said  time.Time // when it was last said why the import waits
}

func newImportBar(e *env, in io.Reader) *importBar {
	b := &importBar{}
	if f, ok := e.err.(*os.File); ok && !e.json && xterm.IsTerminal(int(f.Fd())) {
		b.out = f
	}
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			b.total = info.Size()
		}
	}
	return b
}

// moved draws at most ten times a second.
func (b *importBar) moved(at bulk.Position, c *bulk.Counts) {
	if b.out == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = fmt.Sprintf("%.1f MB, %d lines", float64(at.Offset)/1e6, c.Lines)
	if b.total > 0 {
		done := int(min(at.Offset, b.total) * barWidth / b.total)
		b.text = fmt.Sprintf("[%-*s] %.1f of %.1f MB, %d lines", barWidth, bar[:done], float64(at.Offset)/1e6, float64(b.total)/1e6, c.Lines)
	}
	if n := c.Bad(); n > 0 {
		b.text += fmt.Sprintf(", %d bad", n)
	}
	if now := time.Now(); now.After(b.next) {
		b.next = now.Add(100 * time.Millisecond)
		b.draw()
	}
}

func (b *importBar) draw() { _, _ = fmt.Fprintf(b.out, "\r\x1b[K%s", b.text) }

// waiting says every ten seconds at most why nothing moves.
func (b *importBar) waiting(e *env) func(error, time.Duration) {
	return func(why error, _ time.Duration) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if time.Since(b.said) < 10*time.Second {
			return
		}
		b.said = time.Now()
		if b.out != nil {
			_, _ = fmt.Fprint(b.out, "\r\x1b[K")
		}
		if f, ok := fault.As(why); ok {
			e.say("waiting: %s", sentence(f.Public))
		}
	}
}

// end draws the last state and leaves the line.
func (b *importBar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out == nil || b.text == "" {
		return
	}
	b.draw()
	_, _ = fmt.Fprintln(b.out)
}
