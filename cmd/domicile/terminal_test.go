//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	xterm "golang.org/x/term"
)

// terminal returns both ends of a new terminal: what a person types and sees, and what a process has.
func terminal(t *testing.T) (person, process *os.File) {
	t.Helper()
	ioctl := func(f *os.File, what uintptr, n *uint32) {
		t.Helper()
		if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), what, uintptr(unsafe.Pointer(n))); err != 0 {
			t.Fatal(err)
		}
	}
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	var unlocked, no uint32
	ioctl(person, syscall.TIOCSPTLCK, &unlocked)
	ioctl(person, syscall.TIOCGPTN, &no)
	process, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", no), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Close() })
	return person, process
}

// said is what went to stderr, told of the first line.
type said struct {
	bytes.Buffer
	once  sync.Once
	begun chan struct{}
}

func (s *said) Write(b []byte) (int, error) {
	defer s.once.Do(func() { close(s.begun) })
	return s.Buffer.Write(b)
}

func silent(t *testing.T, process *os.File) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); echoes(t, process); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the terminal shows what is typed")
		}
	}
}

func echoes(t *testing.T, process *os.File) bool {
	t.Helper()
	var settings syscall.Termios
	if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, process.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&settings))); err != 0 {
		t.Fatal(err)
	}
	return settings.Lflag&syscall.ECHO != 0
}

func TestATerminalShowsNothingOfASecret(t *testing.T) {
	const typed = "0123456789abcdef"
	person, process := terminal(t)
	if !xterm.IsTerminal(int(process.Fd())) || !echoes(t, process) {
		t.Fatal("that is no terminal as people have it")
	}
	out := &said{begun: make(chan struct{})}
	type answer struct {
		secret string
		err    error
	}
	got := make(chan answer, 1)
	go func() {
		s, err := readSecret(&env{ctx: t.Context(), in: process, err: out})
		got <- answer{s, err}
	}()
	<-out.begun
	silent(t, process)
	if _, err := person.WriteString(typed + "\n"); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.secret != typed || a.err != nil {
		t.Errorf("read %d characters, %v", len(a.secret), a.err)
	}
	if !echoes(t, process) {
		t.Error("the terminal stays silent")
	}
	if _, err := process.WriteString("end\n"); err != nil {
		t.Fatal(err)
	}
	shown := ""
	for b := make([]byte, 1<<10); !strings.Contains(shown, "end"); {
		n, err := person.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(b[:n])
	}
	if strings.Contains(shown, typed[:4]) || strings.Contains(out.String(), typed[:4]) {
		t.Error("the terminal showed the secret")
	}
}

func TestAnInterruptedTerminalShowsAgainWhatIsTyped(t *testing.T) {
	_, process := terminal(t)
	ctx, interrupt := context.WithCancel(t.Context())
	out := &said{begun: make(chan struct{})}
	got := make(chan error, 1)
	go func() {
		_, err := readSecret(&env{ctx: ctx, in: process, err: out})
		got <- err
	}()
	<-out.begun
	silent(t, process)
	interrupt()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if !echoes(t, process) {
		t.Error("the terminal stays silent")
	}
}
