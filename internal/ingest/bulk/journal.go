package bulk

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"domicile.dev/internal/fault"
)

// Counts say what became of lines. Lines is the sum of the others; empty lines are none.
type Counts struct {
	Lines     int64            `json:"lines"`
	Accepted  int64            `json:"accepted"`
	Duplicate int64            `json:"duplicate"`
	Refused   map[string]int64 `json:"refused"` // by reason, here or by the node
}

// Bad is how many lines were refused.
func (c *Counts) Bad() (n int64) {
	for _, k := range c.Refused {
		n += k
	}
	return n
}

// state is the journal's file. It holds no value of the input.
type state struct {
	Version  int      `json:"version"`
	Input    identity `json:"input"`
	To       string   `json:"to"` // digest of where it goes and by which mapping
	Next     Position `json:"next"`
	Counts   Counts   `json:"counts"`
	BadBytes int64    `json:"bad_bytes"` // of the list of bad lines
	Done     bool     `json:"done"`
}

// identity tells one file from another, or from itself before it was changed.
type identity struct {
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
	Ends     string    `json:"ends"` // SHA-256 of the first and last 64 KiB
}

// Journal remembers what of a file is durable at the node, and lists bad lines.
type Journal struct {
	path   string // "" keeps it in memory
	bad    string
	state  state
	list   *os.File
	out    *bufio.Writer
	saved  time.Time
	locks  []lock
	broken bool // the list holds part of a batch: what was saved last is good, and nothing newer
}

// saveEvery is how often the state is written while batches come in. What is newer is sent again
// after a crash, and counted as duplicate then.
const saveEvery = 50 * time.Millisecond

// NewJournal returns one that is forgotten with the process, for input that can't be read twice.
func NewJournal(bad string) *Journal {
	return &Journal{bad: bad, state: state{Version: 1, Counts: Counts{Refused: map[string]int64{}}}}
}

// OpenJournal reads the journal at path, or begins one. to stands for everything besides in that
// makes it another import: the node, the key, the mapping. bad is where bad lines are listed.
//
// Until it is closed, no other import has path or bad. Faults of kind Invalid when it is the journal
// of another import, or can't be read; Conflict when another import is at work with it.
func OpenJournal(path, bad string, in *os.File, to ...[]byte) (j *Journal, err error) {
	j = NewJournal(bad)
	j.path = path
	defer func() {
		if err != nil {
			err = errors.Join(err, j.Close())
			j = nil
		}
	}()
	for _, file := range []string{path, bad} {
		l, err := take(file)
		if err != nil {
			return j, err
		}
		j.locks = append(j.locks, l)
	}
	return j, j.load(in, to)
}

// load reads the state, or begins one.
func (j *Journal) load(in *os.File, to [][]byte) error {
	id, err := identify(in)
	if err != nil {
		return fault.New(fault.Invalid, "import.unreadable", "the file can't be read").Because(err)
	}
	h := sha256.New()
	for _, part := range to {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	target := hex.EncodeToString(h.Sum(nil)[:16])
	text, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		j.state.Input, j.state.To = id, target
		if err := j.mayList(); err != nil {
			return err
		}
		if err := os.Truncate(j.bad, 0); err != nil && !errors.Is(err, fs.ErrNotExist) { // what an earlier import listed
			return j.noList(err)
		}
		return nil
	}
	if err != nil || json.Unmarshal(text, &j.state) != nil || j.state.Version != 1 || j.state.Counts.Refused == nil {
		return j.other("can't be read, or is no state of an import", err)
	}
	switch s := &j.state; {
	case s.Input.Bytes != id.Bytes || !s.Input.Modified.Equal(id.Modified) || s.Input.Ends != id.Ends:
		return j.other("is of another file, or this one was changed since", nil)
	case s.To != target:
		return j.other("is of an import to another node, by another key or another mapping", nil)
	}
	return nil
}

func (j *Journal) other(what string, err error) error {
	return fault.New(fault.Invalid, "import.other_state", "%s %s", j.path, what).Because(err).
		WithHint("delete it, or name another with --state, to import from the start: records that the node has already are counted as duplicates")
}

func identify(f *os.File) (identity, error) {
	info, err := f.Stat()
	if err != nil {
		return identity{}, err
	}
	h := sha256.New()
	const end = 64 << 10
	for _, at := range []int64{0, max(0, info.Size()-end)} {
		if _, err := io.Copy(h, io.NewSectionReader(f, at, end)); err != nil {
			return identity{}, err
		}
	}
	return identity{info.Size(), info.ModTime().UTC(), hex.EncodeToString(h.Sum(nil))}, nil
}

// Next is where the import goes on.
func (j *Journal) Next() Position { return j.state.Next }

// Counts are those of everything before Next.
func (j *Journal) Counts() *Counts { return &j.state.Counts }

// Done says whether the import came to its end.
func (j *Journal) Done() bool { return j.state.Done }

// enter adds a batch: what of it was taken, and all its bad lines, in order of line, among them
// those that the node refused.
func (j *Journal) enter(b *Batch, t Taken) error {
	if err := j.note(b.Bad); err != nil {
		j.broken = true
		return err
	}
	c := &j.state.Counts
	c.Accepted += t.Accepted
	c.Duplicate += t.Duplicate
	c.Lines += t.Accepted + t.Duplicate + int64(len(b.Bad))
	for _, bad := range b.Bad {
		c.Refused[bad.Reason]++
	}
	j.state.Next = b.Next
	if time.Since(j.saved) < saveEvery {
		return nil
	}
	return j.save()
}

// began says whether anything was entered. Until then there is nothing worth a file.
func (j *Journal) began() bool { return j.state.Next.Offset > 0 }

// finish enters that the file was read to its end.
func (j *Journal) finish() error {
	j.state.Done = true
	return j.save()
}

// save makes what was entered durable: the list first, since the state says how long it is.
func (j *Journal) save() error {
	if j.broken {
		return nil
	}
	if j.list != nil {
		if err := errors.Join(j.out.Flush(), j.list.Sync()); err != nil {
			return j.noList(err)
		}
	}
	j.saved = time.Now()
	if j.path == "" {
		return nil
	}
	text, err := json.Marshal(&j.state)
	if err != nil {
		return fmt.Errorf("encode the state: %w", err)
	}
	if err := replace(j.path, append(text, '\n')); err != nil {
		return noState(err)
	}
	return nil
}

func noState(err error) error {
	return fault.New(fault.Invalid, "import.no_state", "the state of the import can't be written").Because(err).
		WithHint("name a place for it with --state")
}

// Close closes the list of bad lines and lets others have both files. What was not saved is sent
// again next time.
func (j *Journal) Close() (err error) {
	if j.list != nil {
		err = j.list.Close()
	}
	for _, l := range j.locks {
		err = errors.Join(err, l.leave())
	}
	j.list, j.locks = nil, nil
	return err
}

// replace puts text in place of the file at path, whole or not at all, readable by its owner.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".import-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // nothing is left of it by then, or it failed
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
