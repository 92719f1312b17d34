package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A full disk: clients are told to come back later, reads go on, nothing acknowledged is lost,
// and when there is room again the same requests succeed.
func TestStoreFull(t *testing.T) {
	w := prepareWorld(t, "sqlite")
	disk := smallDisk(t, filepath.Join(w.dir, "ie1"))
	w.wrap = disk.enter
	w.start()
	ie1 := w.region("ie1")
	ballast := filepath.Join(disk.seen, "ballast")
	disk.fill(t, ballast, 360<<20) // more than the load can write before it is stopped, log and database
	l := newLoad(t, w, "ie1")
	ie1.segment(t, "/v1/track", m{"userId": "early", "event": "Seen", "messageId": "early"})

	ie1.native(t, aMessage("recorded", "+353851234567", "hello"))

	var full answer
	filler := strings.Repeat("words that are stored, ", 900)
	for n := 0; full.status == 0; n++ {
		var batch []m
		for i := range 20 {
			batch = append(batch, m{"userId": "filler", "type": "track", "event": "Filled", "messageId": fmt.Sprintf("filler-%d-%d", n, i),
				"properties": m{"n": n*100 + i, "text": scramble(filler, n*100+i)}})
		}
		a := ie1.send(t, "POST", "/v1/batch", basic(ie1.Sources["segment"].WriteKey), encode(t, m{"batch": batch}))
		if a.status != 200 {
			full = a
		} else if n > 4000 {
			t.Fatal("the disk does not get full")
		}
	}
	if full.status != 503 || full.header.Get("Retry-After") == "" {
		t.Errorf("on a full disk: %v %v, want 503 with Retry-After", full, full.header)
	}
	if n := len(ie1.byClientID(t, "early")); n != 1 {
		t.Errorf("on a full disk %d records are read of an event accepted before, want 1", n)
	}
	ie1.send(t, "GET", "/healthz", nil, nil).want(t, 200)
	sound := sounding("recorded", 20<<20)
	if a := ie1.putMedia(t, "recorded", "call.mp3", sound); a.status != 503 || a.header.Get("Retry-After") == "" || a.problem(t).Reason != "store.full" {
		t.Errorf("a recording on a full disk: %v %v, want 503 store.full with Retry-After", a, a.header)
	}

	ctx, stop := context.WithCancel(t.Context())
	done := l.run(ctx) // they insist, as SDKs do
	pause(300 * time.Millisecond)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	pause(300 * time.Millisecond)
	var k kept
	ie1.putMedia(t, "recorded", "call.mp3", sound).want(t, 201).into(t, &k)
	stop()
	<-done
	l.check(t)
	w.kill()
	w.start()
	l.checkAll(t)
	if a := w.region("ie1").getMedia(t, k).want(t, 200); !bytes.Equal(a.body, sound) {
		t.Errorf("the recording reads as %d bytes, want %d", len(a.body), len(sound))
	}
	if n := len(w.region("ie1").byClientID(t, "filler-0-0")); n != 1 {
		t.Errorf("%d records of an event accepted before the disk was full, want 1", n)
	}
}

// scramble makes text that doesn't compress away.
func scramble(s string, seed int) string {
	b := []byte(s)
	x := uint32(seed)*2654435761 + 12345
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = 'a' + byte(x>>24)%26
	}
	return string(b)
}

// A disk is a small file system of its own, in a mount namespace that nobody else sees.
type disk struct {
	holder *exec.Cmd
	enter  []string // prefix of a command that sees it at its place
	seen   string   // where we see it
}

// smallDisk mounts 384 MB at dir for those who enter.
func smallDisk(t *testing.T, dir string) *disk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	how := []string{"--mount"}
	if os.Getuid() != 0 {
		how = []string{"--user", "--map-root-user", "--mount"}
	}
	script := `mount -t tmpfs -o size=384m,mode=0700 tmpfs "$0" && echo ready && exec sleep 3600`
	holder := exec.Command("unshare", append(how, "sh", "-c", script, dir)...)
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	holder.Stderr = &errs
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Skipf("this machine lets nobody mount a small file system: %s", errs.String())
	}
	pid := fmt.Sprint(holder.Process.Pid)
	enter := []string{"nsenter", "--target", pid, "--mount"}
	if os.Getuid() != 0 {
		enter = append(enter, "--user", "--preserve-credentials")
	}
	return &disk{holder, enter, filepath.Join("/proc", pid, "root", dir)}
}

// fill takes n bytes.
func (d *disk) fill(t *testing.T, name string, n int) {
	t.Helper()
	if err := os.WriteFile(name, make([]byte, n), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A store that goes away under load, in each of the ways that it can: crashed, and hanging.
// Clients are told to come back; what was acknowledged is there when it is back.
func TestStoreAway(t *testing.T) {
	away := 3 * time.Second
	if soak {
		away = time.Minute
	}
	w := newWorld(t, "postgres")
	l := newLoad(t, w, "ie1")
	ie1 := w.region("ie1")
	ie1.segment(t, "/v1/track", m{"userId": "early", "event": "Seen", "messageId": "early"})
	for _, how := range []struct {
		name        string
		leave, back func()
	}{
		{"crashed", func() { w.pg.Kill(t) }, func() { w.pg.Restart(t) }},
		{"shut down", func() { w.pg.Stop() }, func() { w.pg.Restart(t) }},
		{"hanging", func() { w.pg.hang(t, syscall.SIGSTOP) }, func() { w.pg.hang(t, syscall.SIGCONT) }},
	} {
		t.Run(how.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			done := l.run(ctx)
			pause(200*time.Millisecond + within(200*time.Millisecond))
			how.leave()
			over := time.After(away)
			var asked sync.WaitGroup
			asked.Go(func() {
				a, err := ie1.try("POST", "/v1/track", basic(ie1.Sources["segment"].WriteKey), encode(t, m{"userId": "away", "event": "Seen", "messageId": "away-" + how.name}))
				if err == nil && a.status != 200 && (a.status != 503 && a.status != 429 || a.header.Get("Retry-After") == "") {
					t.Errorf("ingest without a store: %v, want 503 with Retry-After", a)
				}
				if err != nil && how.name != "hanging" {
					t.Errorf("ingest without a store: %v", err)
				}
			})
			if how.name != "hanging" {
				if a := ie1.lookup(t, "user_id", "early"); a.status != 503 {
					t.Errorf("find without a store: %v, want 503", a)
				} else if p := a.problem(t); p.Reason == "" && p.Type == "" {
					t.Errorf("find without a store: %v names no reason", a)
				}
				w.eventually("/readyz to say so", func() error {
					if a := ie1.send(t, "GET", "/readyz", nil, nil); a.status != 503 {
						return fmt.Errorf("it answers %v", a)
					}
					return nil
				})
				ie1.send(t, "GET", "/healthz", nil, nil).want(t, 200)
			}
			<-over
			how.back()
			asked.Wait()
			w.eventually("/readyz after the store is back", func() error {
				if a := ie1.send(t, "GET", "/readyz", nil, nil); a.status != 200 {
					return fmt.Errorf("it answers %v", a)
				}
				return nil
			})
			stop()
			<-done
			l.check(t)
		})
	}
	w.kill()
	w.start()
	l.checkAll(t)
}

// hang stops every process of the server, or lets them go on.
func (p *postgres) hang(t testing.TB, sig syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", first, first))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(strings.Fields(string(children)), first) {
		var n int
		if _, err := fmt.Sscan(pid, &n); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(n, sig) // a child may have ended by itself
	}
}
