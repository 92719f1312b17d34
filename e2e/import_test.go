package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An import of a large file is killed twice, and the node once; the same call again goes on, and in
// the end every good line is stored exactly once, every bad one is listed, and the importer never
// took more than 100 MB.
func TestImportResumes(t *testing.T) { onBothStores(t, importResumes) }

func importResumes(t *testing.T, kind string) {
	size := int64(128 << 20)
	if soak {
		size = 1 << 30
	}
	w := newWorld(t, kind)
	f := writeImport(t, filepath.Join(w.root, "in.ndjson"), size)

	first := f.start(t, w)
	first.reach(t, 15)
	first.kill(t)
	second := f.start(t, w)
	second.reach(t, 40)
	w.kill()
	pause(within(500 * time.Millisecond))
	w.start()
	second.reach(t, 70)
	second.kill(t)
	last := f.start(t, w)
	if code := last.wait(t); code != 3 {
		t.Fatalf("exit %d, want 3 for bad lines: %s", code, last.errs.String())
	}
	f.check(t, w, last.out.Bytes())

	again := f.start(t, w)
	if code := again.wait(t); code != 3 || !bytes.Equal(again.out.Bytes(), last.out.Bytes()) {
		t.Errorf("once more: exit %d, %s, want %s", code, again.out.String(), last.out.String())
	}
	peak := max(first.peak, second.peak, last.peak)
	if peak == 0 || peak > 100<<10 {
		t.Errorf("the importer took %d kB at its peak, want at most 100 MB", peak)
	}
	t.Logf("%d MB, %d records: the importer took %d MB at its peak; %s", size>>20, f.good, peak>>10, last.out.String())
}

// importFile is a file of records about some people, with bad lines among them.
type importFile struct {
	path      string
	size      int64
	good      int
	bad       map[string]int // by reason
	perPerson []int
}

func writeImport(t *testing.T, path string, size int64) *importFile {
	t.Helper()
	f := &importFile{path: path, bad: map[string]int{}, perPerson: make([]int, 199)}
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	b := bufio.NewWriterSize(out, 1<<20)
	text := strings.Repeat("words that somebody wrote to somebody, ", 30)
	for i := 0; f.size < size; i++ {
		var line string
		switch i % 1500 {
		case 700:
			line, f.bad["record.bad_json"] = `{"id":"half`, f.bad["record.bad_json"]+1
		case 1400:
			line = fmt.Sprintf(`{"id":"bad-%d","kind":"letter","service":"messaging","data":{}}`, i)
			f.bad["record.unknown_kind"]++
		default:
			p := i % len(f.perPerson)
			f.perPerson[p]++
			f.good++
			line = fmt.Sprintf(`{"id":"imp-%d","kind":"message","service":"messaging","occurred_at":"2026-03-01T10:00:00Z",`+
				`"subjects":[{"type":"email","value":"person%d@example.com"}],"data":{"message_id":"imp-%d","body":"%s"}}`, i, p, i, text[:200+rand.IntN(800)])
		}
		n, err := fmt.Fprintln(b, line)
		if f.size += int64(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	return f
}

// importing is one run of domicile import.
type importing struct {
	f         *importFile
	cmd       *exec.Cmd
	out, errs bytes.Buffer
	ended     chan struct{}
	peak      int // kB of memory, as far as it was looked at
}

func (f *importFile) start(t *testing.T, w *world) *importing {
	t.Helper()
	i := &importing{f: f, cmd: exec.Command(exe, "import", "--json", "--up", w.dir, "--region", "ie1", f.path), ended: make(chan struct{})}
	i.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(w.root, "home")}
	i.cmd.Dir, i.cmd.Stdout, i.cmd.Stderr = w.root, &i.out, &i.errs
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = i.cmd.Wait()
		close(i.ended)
	}()
	t.Cleanup(func() {
		_ = i.cmd.Process.Kill()
		<-i.ended
	})
	return i
}

// look notes the peak of memory and says whether the run goes on.
func (i *importing) look(t *testing.T) bool {
	t.Helper()
	select {
	case <-i.ended:
		return false
	default:
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.cmd.Process.Pid))
	if err != nil {
		return true // it ended just now
	}
	if _, after, ok := strings.Cut(string(text), "VmHWM:"); ok {
		kB := 0
		_, _ = fmt.Sscan(after, &kB)
		i.peak = max(i.peak, kB)
	}
	return true
}

// reach waits until the state says that so much of the file, in percent, is durable.
func (i *importing) reach(t *testing.T, percent int64) {
	t.Helper()
	for deadline := time.Now().Add(30 * patience); time.Now().Before(deadline); pause(5 * time.Millisecond) {
		if !i.look(t) {
			t.Fatalf("the import ended before %d %%: %s%s", percent, i.out.String(), i.errs.String())
		}
		var s struct{ Next struct{ Offset int64 } }
		if text, err := os.ReadFile(i.f.path + ".import"); err == nil && json.Unmarshal(text, &s) == nil && s.Next.Offset*100 >= i.f.size*percent {
			return
		}
	}
	t.Fatalf("the import did not come to %d %%", percent)
}

func (i *importing) kill(t *testing.T) {
	t.Helper()
	if err := i.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-i.ended
	if i.cmd.ProcessState.Exited() {
		t.Fatalf("it had ended before it was killed: %s%s", i.out.String(), i.errs.String())
	}
}

func (i *importing) wait(t *testing.T) int {
	t.Helper()
	for deadline := time.Now().Add(60 * patience); i.look(t); pause(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the import does not end")
		}
	}
	return i.cmd.ProcessState.ExitCode()
}

// check compares what the importer says, what it listed and what is stored with the file.
func (f *importFile) check(t *testing.T, w *world, sum []byte) {
	t.Helper()
	var got struct {
		Lines, Accepted, Duplicate int
		Refused                    map[string]int
	}
	if err := json.Unmarshal(sum, &got); err != nil {
		t.Fatalf("%s: %v", sum, err)
	}
	bad := f.bad["record.bad_json"] + f.bad["record.unknown_kind"]
	if got.Accepted+got.Duplicate != f.good || got.Lines != f.good+bad || fmt.Sprint(got.Refused) != fmt.Sprint(f.bad) {
		t.Errorf("%s, want %d good lines and %v", sum, f.good, f.bad)
	}
	list, err := os.ReadFile(f.path + ".bad")
	if n := bytes.Count(list, []byte("\n")); err != nil || n != bad || bytes.Contains(list, []byte("bad-")) {
		t.Errorf("%d lines are listed as bad, want %d without values (%v)", n, bad, err)
	}
	r := w.region("ie1")
	for p, want := range f.perPerson {
		subject := r.find(t, "email", fmt.Sprintf("person%d@example.com", p))
		var s struct{ Counts map[string]int }
		r.api(t, "GET", "/subjects/"+subject, nil).want(t, 200).into(t, &s)
		n := 0
		for _, k := range s.Counts {
			n += k
		}
		if n != want {
			t.Errorf("person %d has %d records, want %d", p, n, want)
		}
		if p%67 != 0 {
			continue
		}
		ids := map[string]bool{}
		for _, rec := range r.records(t, subject) {
			ids[rec.ClientID] = true
		}
		if len(ids) != want {
			t.Errorf("person %d has %d different records, want %d", p, len(ids), want)
		}
	}
}
