package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/bulk"
)

// node keeps records by id, as a real one does, and refuses those with "no" in theirs.
type node struct {
	mu    sync.Mutex
	has   map[string]bool
	fails func() error // before a batch, or after it was kept
}

func (n *node) send(ctx context.Context, body []byte) (t bulk.Taken, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return t, err
	}
	lost := rand.IntN(2) == 0
	if n.fails != nil && !lost {
		if err := n.fails(); err != nil {
			return t, err
		}
	}
	i := 0
	for line := range bytes.Lines(body) {
		switch {
		case bytes.Contains(line, []byte("no")):
			if last := len(t.Refused) - 1; last >= 0 && t.Refused[last].Index+t.Refused[last].More == i-1 {
				t.Refused[last].More++
			} else {
				t.Refused = append(t.Refused, bulk.Refused{Index: i, Reason: "record.no_subject", Path: "subjects"})
			}
		case n.has[string(line)]:
			t.Duplicate++
		default:
			n.has[string(line)] = true
			t.Accepted++
		}
		i++
	}
	if n.fails != nil && lost {
		err = n.fails()
	}
	return t, err
}

// input writes a file of records, of which every 50th line is bad and two of 70 are refused, and returns
// how many of its lines are good, bad and refused.
func input(t *testing.T) (path string, kept, bad, refused int64) {
	t.Helper()
	var b strings.Builder
	for i := range 20_000 {
		switch {
		case i%50 == 7:
			b.WriteString("{\n")
			bad++
		case i%70 < 2:
			fmt.Fprintf(&b, `{"id":"no-%d"}`+"\n", i)
			refused++
		default:
			fmt.Fprintf(&b, `{"id":"%d","data":{"x":"%s"}}`+"\n", i, strings.Repeat("x", rand.IntN(2000)))
			kept++
		}
	}
	path = filepath.Join(t.TempDir(), "in.ndjson")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, kept, bad, refused
}

// run goes on with the import of path once, as a process of its own would.
func run(t *testing.T, ctx context.Context, path string, n *node) (*bulk.Journal, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j, err := bulk.OpenJournal(path+".import", path+".bad", f, []byte("node"), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if j.Done() {
		return j, nil
	}
	r, err := bulk.Open(f, nil, j.Next())
	if err != nil {
		t.Fatal(err)
	}
	return j, bulk.Run(ctx, r, n.send, j, bulk.Options{})
}

func TestAnImportThatIsStoppedAnywhereCountsExactly(t *testing.T) {
	path, kept, bad, refused := input(t)
	n := &node{has: map[string]bool{}}
	stopped := 0
	away := errors.New("away")
	calls := 0
	n.fails = func() error {
		if calls++; calls == 9 || rand.IntN(6) == 0 {
			return away
		}
		return nil
	}
	var j *bulk.Journal
	var err error
	for ; ; stopped++ {
		if stopped == 200 {
			n.fails = nil
		}
		var before []byte
		if rand.IntN(2) == 0 { // the process is killed before it can write the last state, but lists bad lines
			before, _ = os.ReadFile(path + ".import")
		}
		if j, err = run(t, t.Context(), path, n); err == nil {
			break
		} else if !errors.Is(err, away) {
			t.Fatal(err)
		}
		if before != nil {
			if err := os.WriteFile(path+".import", before, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if stopped == 0 {
		t.Error("it was never stopped")
	}
	c := j.Counts()
	want := map[string]int64{"record.bad_json": bad, "record.no_subject": refused}
	if c.Accepted+c.Duplicate != kept || int64(len(n.has)) != kept || c.Lines != 20_000 || !cmp.Equal(c.Refused, want) || c.Bad() != bad+refused {
		t.Errorf("%d stops, %d stored: %+v, want %d kept, %v", stopped, len(n.has), *c, kept, want)
	}
	listed(t, path, bad+refused)
	for _, p := range []string{path + ".import", path + ".bad"} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
	before := n.has
	n.has = nil // to send once more would crash
	again, err := run(t, t.Context(), path, n)
	if err != nil || !cmp.Equal(again.Counts(), c) {
		t.Errorf("once more: %+v, %v", again.Counts(), err)
	}
	n.fails = nil
	if n.has = before; os.Remove(path+".import") != nil {
		t.Fatal("no state")
	}
	if again, err = run(t, t.Context(), path, n); err != nil || again.Counts().Accepted != 0 || again.Counts().Duplicate != kept {
		t.Errorf("from the start: %+v, %v", again.Counts(), err)
	}
	listed(t, path, bad+refused)
}

// listed wants n lines in the list of bad ones, each once and in order.
func listed(t *testing.T, path string, n int64) {
	t.Helper()
	text, err := os.ReadFile(path + ".bad")
	if err != nil {
		t.Fatal(err)
	}
	last, count := int64(0), int64(0)
	for line := range bytes.Lines(text) {
		at := int64(unmarshal(t, string(line)).(map[string]any)["line"].(float64))
		if at <= last {
			t.Fatalf("line %d is listed after %d", at, last)
		}
		i := at - 1
		if i%50 != 7 && i%70 >= 2 {
			t.Fatalf("line %d is listed, and is good", at)
		}
		last, count = at, count+1
	}
	if count != n {
		t.Errorf("%d bad lines are listed, want %d", count, n)
	}
}

func TestAnInterruptedImportKeepsWhatWasAnswered(t *testing.T) {
	path, kept, _, _ := input(t)
	n := &node{has: map[string]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	n.fails = func() error {
		if calls++; calls == 6 {
			cancel()
		}
		return nil
	}
	j, err := run(t, ctx, path, n)
	if !errors.Is(err, context.Canceled) || j.Next().Offset == 0 || j.Done() {
		t.Errorf("%v, at %+v", err, j.Next())
	}
	n.fails = nil
	if j, err = run(t, t.Context(), path, n); err != nil || j.Counts().Accepted+j.Counts().Duplicate != kept {
		t.Errorf("%v, %+v, want %d", err, j.Counts(), kept)
	}
}

func TestAnswersThatDoNotAccountForEveryRecordEndIt(t *testing.T) {
	for _, answer := range []bulk.Taken{{Accepted: 1}, {Accepted: 3}, {Accepted: 3, Duplicate: -1}, {Accepted: 1, Refused: []bulk.Refused{{Index: 2}}},
		{Accepted: 1, Refused: []bulk.Refused{{Index: -1}}}, {Refused: []bulk.Refused{{Index: 1, More: 1}}}, {Accepted: 1, Refused: []bulk.Refused{{More: -1}}}} {
		r, err := bulk.Open(strings.NewReader(good("1")+"\n"+good("2")), nil, bulk.Position{})
		if err != nil {
			t.Fatal(err)
		}
		j := bulk.NewJournal(filepath.Join(t.TempDir(), "bad"))
		err = bulk.Run(t.Context(), r, func(context.Context, []byte) (bulk.Taken, error) { return answer, nil }, j, bulk.Options{})
		if fault.ReasonOf(err) != "node.bad_answer" || j.Counts().Lines != 0 {
			t.Errorf("%+v: %v, %+v", answer, err, j.Counts())
		}
	}
}

func TestAJournalIsOfOneImport(t *testing.T) {
	path, _, _, _ := input(t)
	n := &node{has: map[string]bool{}}
	n.fails = func() error {
		if len(n.has) > 3000 {
			return errors.New("away")
		}
		return nil
	}
	if _, err := run(t, t.Context(), path, n); err == nil {
		t.Fatal("it was not stopped")
	}
	open := func(name string, to string) error {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		j, err := bulk.OpenJournal(path+".import", path+".bad", f, []byte("node"), []byte(to))
		if err == nil {
			err = j.Close()
		}
		return err
	}
	if err := open(path, "key"); err != nil {
		t.Error(err)
	}
	if err := open(path, "other"); fault.ReasonOf(err) != "import.other_state" {
		t.Errorf("another key: %v", err)
	}
	other, _, _, _ := input(t)
	if err := open(other, "key"); fault.ReasonOf(err) != "import.other_state" {
		t.Errorf("another file: %v", err)
	}
	if err := os.Truncate(path+".bad", 3); err != nil {
		t.Fatal(err)
	}
	n.fails = nil
	if _, err := run(t, t.Context(), path, n); fault.ReasonOf(err) != "import.list_short" {
		t.Errorf("a list that lost lines: %v", err)
	}
	for _, text := range []string{"", "{}", `{"version":1}`} {
		if err := os.WriteFile(path+".import", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := open(path, "key"); fault.ReasonOf(err) != "import.other_state" {
			t.Errorf("%q: %v", text, err)
		}
	}
}
