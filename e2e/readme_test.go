package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A step is some commands of the README and what they must print. A line "#> text" under a
// command is expected in its output, in order; … stands for anything.
type step struct {
	commands string
	expected []string
}

// readSteps takes the fenced sh blocks of text. Those marked `terminal` run until the end, in a
// terminal of their own.
func readSteps(text string) (terminals []string, steps []step) {
	for _, block := range regexp.MustCompile("(?ms)^```sh([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		if strings.TrimSpace(block[1]) == "terminal" {
			terminals = append(terminals, block[2])
			continue
		}
		steps = append(steps, step{})
		for line := range strings.Lines(block[2]) {
			last := &steps[len(steps)-1]
			if want, ok := strings.CutPrefix(line, "#> "); ok {
				last.expected = append(last.expected, strings.TrimRight(want, "\n"))
				continue
			}
			if len(last.expected) > 0 {
				steps = append(steps, step{})
				last = &steps[len(steps)-1]
			}
			last.commands += line
		}
	}
	return terminals, steps
}

// The commands of the README do what it says, as they stand there, in a fresh copy of the
// project.
func TestREADME(t *testing.T) {
	clone := cloneProject(t)
	text, err := os.ReadFile(filepath.Join(clone, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, quick, _ := strings.Cut(string(text), "\n## Quick start\n")
	quick, _, _ = strings.Cut(quick, "\n## ")
	terminals, steps := readSteps(quick)
	if len(terminals) != 1 || len(steps) < 8 {
		t.Fatalf("the quick start has %d terminals and %d steps", len(terminals), len(steps))
	}
	if !allFree(8080, 3) {
		t.Fatal("the README uses ports 8080 to 8082, and something on this machine listens there")
	}
	up := shell(clone, terminals[0])
	var upOut bytes.Buffer
	up.Stdout, up.Stderr = &upOut, &upOut
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-up.Process.Pid, syscall.SIGKILL)
	})
	ready := filepath.Join(clone, ".domicile", "up.json")
	for deadline := time.Now().Add(3 * patience); ; pause(20 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			break
		}
		select {
		case <-ended:
			t.Fatalf("it ended:\n%s", upOut.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("no up.json after %v", 3*patience)
		}
	}

	var script strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&script, "%s\nprintf '\\n@%d@\\n'\n", s.commands, i)
	}
	session := shell(clone, script.String())
	out, err := session.CombinedOutput()
	if err != nil {
		t.Errorf("the last command failed: %v", err)
	}
	rest := string(out)
	for i, s := range steps {
		printed, after, found := strings.Cut(rest, fmt.Sprintf("\n@%d@\n", i))
		if rest = after; !found {
			t.Fatalf("the session ended in step %d:\n%s\n%s", i+1, s.commands, printed)
		}
		for _, want := range s.expected {
			pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", "[\\s\\S]*?")
			at := regexp.MustCompile(pattern).FindStringIndex(printed)
			if at == nil {
				t.Errorf("step %d prints no %q:\n$ %s%s", i+1, want, s.commands, printed)
				break
			}
			printed = printed[at[1]:]
		}
	}

	if err := syscall.Kill(-up.Process.Pid, syscall.SIGINT); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Errorf("it is still running %v after Ctrl-C", patience)
	}
	if t.Failed() {
		t.Logf("the first terminal:\n%s", tail(upOut.String(), 3000))
	}
}

// shell runs text in bash, in a process group of its own.
func shell(dir, text string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", text)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// cloneProject copies what git would, changes not yet committed included.
func cloneProject(t *testing.T) string {
	t.Helper()
	clone := t.TempDir()
	list := exec.Command("git", "ls-files", "-co", "--exclude-standard", "-z")
	list.Dir = ".."
	names, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		from := filepath.Join("..", name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() {
			continue // removed and not yet committed
		} else if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(clone, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	return clone
}

// The reader of the README finds what is there to find.
func TestReadSteps(t *testing.T) {
	terminals, steps := readSteps("a\n```sh terminal\nrun\n```\nb\n```sh\nx=1\necho $x\n#> 1\necho 2\n#> 2\n#> …\n```\n```json\nno\n```\n")
	if len(terminals) != 1 || terminals[0] != "run\n" {
		t.Errorf("terminals %q", terminals)
	}
	if len(steps) != 2 || steps[0].commands != "x=1\necho $x\n" || steps[1].commands != "echo 2\n" || len(steps[1].expected) != 2 {
		t.Errorf("steps %+v", steps)
	}
}
