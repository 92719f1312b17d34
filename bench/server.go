package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"domicile.dev/internal/store/storetest/pgtest"
)

// A server is one `domicile up`, of which ie1 is measured.
type server struct {
	binary, dir, store string
	pg                 *pgtest.Server
	tb                 *tb

	cmd    *exec.Cmd
	exited chan struct{}
	addr   string   // of ie1
	write  string   // Authorization of its Segment source
	read   string   // of its tenant
	native string   // Authorization of its native source
	more   []string // further arguments
	ready  time.Duration
}

// tb is the little of testing.TB that pgtest needs outside of a test.
type tb struct {
	testing.TB
	after []func()
}

func (t *tb) Helper()                    {}
func (t *tb) Cleanup(f func())           { t.after = append(t.after, f) }
func (t *tb) Fatal(args ...any)          { panic(fmt.Sprint(args...)) }
func (t *tb) Fatalf(f string, as ...any) { panic(fmt.Sprintf(f, as...)) }
func (t *tb) Skip(args ...any)           { panic(fmt.Sprint(args...)) }

// newServer makes the data directory and, for "postgres", a private server with fsync on.
func newServer(binary, store string) (*server, error) {
	dir, err := os.MkdirTemp("", "domicile-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{binary: binary, dir: dir, store: store, tb: &tb{}}
	if store == "postgres" {
		s.pg = pgtest.Start(s.tb, "shared_buffers=256MB", "max_wal_size=4GB")
	}
	return s, nil
}

// start runs it and waits until it is ready.
func (s *server) start(ctx context.Context, env ...string) error {
	port, err := freePorts()
	if err != nil {
		return err
	}
	args := []string{"up", "--dir", filepath.Join(s.dir, "data"), "--listen", fmt.Sprintf("127.0.0.1:%d", port)}
	if s.pg != nil {
		args = append(args, "--store", s.pg.URL)
	}
	args = append(args, s.more...)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(s.binary, args...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Env = log, log, append(os.Environ(), env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(s.exited) }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.exited:
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("domicile up ended:\n%s", text)
		case <-time.After(5 * time.Millisecond):
		}
		if err = s.readUp(begin); err == nil {
			s.ready = time.Since(begin)
			return nil
		}
	}
}

// readUp reads the up.json that this start wrote.
func (s *server) readUp(since time.Time) error {
	path := filepath.Join(s.dir, "data", "up.json")
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.ModTime().Before(since) {
		return errors.New("up.json is of an earlier start")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var up struct {
		Regions []struct {
			URL      string
			APIToken string `json:"api_token"`
			Sources  map[string]struct {
				WriteKey string `json:"write_key"`
				Token    string `json:"token"`
			}
		}
	}
	if err := json.Unmarshal(text, &up); err != nil {
		return err
	}
	ie1 := up.Regions[0]
	s.addr = strings.TrimPrefix(ie1.URL, "http://")
	s.write = "Basic " + base64.StdEncoding.EncodeToString([]byte(ie1.Sources["segment"].WriteKey+":"))
	s.native = "Bearer " + ie1.Sources["native"].Token
	s.read = "Bearer " + ie1.APIToken
	return nil
}

// stop ends it in good order.
func (s *server) stop() error {
	if s.cmd == nil {
		return nil
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(2 * time.Minute):
		_ = s.cmd.Process.Kill()
		return errors.New("domicile up does not end")
	}
	s.cmd = nil
	return nil
}

// remove ends everything and removes the files.
func (s *server) remove() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	for _, f := range s.tb.after {
		f()
	}
	os.RemoveAll(s.dir)
}

// bytes is what ie1 takes on disk: its data directory, or its database.
func (s *server) bytes(ctx context.Context) (total int64, err error) {
	if s.pg != nil {
		c, err := pgx.Connect(ctx, s.pg.URL)
		if err != nil {
			return 0, err
		}
		defer c.Close(ctx)
		err = c.QueryRow(ctx, "SELECT pg_database_size('domicile_ie1') - pg_database_size('template1')").Scan(&total)
		return total, err
	}
	err = filepath.WalkDir(filepath.Join(s.dir, "data", "ie1"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// residentMB is the process's resident memory now.
func (s *server) residentMB() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kb, _ := strconv.ParseFloat(strings.Fields(after)[0], 64)
	return kb / 1024
}

// watchMemory samples the resident memory until the returned func is called, which says the most.
func (s *server) watchMemory() func() float64 {
	stop := make(chan struct{})
	var most float64
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				most = max(most, s.residentMB())
			}
		}
	})
	return func() float64 { close(stop); done.Wait(); return most }
}

// freePorts returns the first of three consecutive ports on which nobody listens.
func freePorts() (int, error) {
	for base := 21000; base < 32000; base += 3 {
		free := true
		for p := base; p < base+3; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				free = false
				break
			}
			l.Close()
		}
		if free {
			return base, nil
		}
	}
	return 0, errors.New("no free ports")
}
