package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Server is a private PostgreSQL server.
type Server struct {
	// URL is the address of its maintenance database.
	URL string

	dir   string
	port  int
	bin   string
	fsync bool
	extra []string
	watch *exec.Cmd
	alive io.WriteCloser // closing it ends the server
}

// Start starts a server of the test's own, which the test may stop, kill and start again. It writes
// through to the disk, unlike the shared one. extra are more settings, such as
// "synchronous_standby_names=nobody".
func Start(t testing.TB, extra ...string) *Server {
	t.Helper()
	if os.Getenv("DOMICILE_TEST_POSTGRES") == "off" {
		t.Skip("DOMICILE_TEST_POSTGRES=off")
	}
	s, err := start(true, extra...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(); os.RemoveAll(s.dir) })
	return s
}

// watcher runs the server until its own input ends, which happens at the latest when the test binary
// does; then it removes the directory, unless it was told "keep". $1 is the directory, the rest the
// server's command.
const watcher = `dir=$1; shift
"$@" </dev/null >>"$dir/log" 2>&1 &
pid=$!
read -r word
kill -QUIT $pid 2>/dev/null
wait $pid
[ "$word" = keep ] || rm -rf "$dir"
exit 0`

func start(own bool, extra ...string) (s *Server, err error) {
	s = &Server{fsync: own, extra: extra}
	if s.bin, err = binaries(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("/tmp", "domicile-pg-"); err != nil { // short: a socket's path has 107 bytes at most
		return nil, err
	}
	cred, err := credential()
	if err != nil {
		return nil, err
	}
	if cred != nil {
		if err := os.Chown(s.dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, err
		}
	}
	initdb := exec.Command(filepath.Join(s.bin, "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", "domicile",
		"-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: cred}
	if out, err := initdb.CombinedOutput(); err != nil {
		os.RemoveAll(s.dir)
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		os.RemoveAll(s.dir)
		return nil, err
	}
	s.URL = fmt.Sprintf("postgres://domicile@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	return s, s.run(cred)
}

// run starts the server on its data directory and waits until it answers.
func (s *Server) run(cred *syscall.Credential) error {
	args := []string{"-c", watcher, "watcher", s.dir, filepath.Join(s.bin, "postgres"),
		"-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)}
	settings := []string{"shared_buffers=32MB", "max_wal_size=1GB", "max_connections=200", "log_min_messages=warning",
		"fsync=" + onOff(s.fsync), "full_page_writes=" + onOff(s.fsync)}
	for _, set := range append(settings, s.extra...) {
		args = append(args, "-c", set)
	}
	s.watch = exec.Command("/bin/sh", args...)
	s.watch.Dir = s.dir
	s.watch.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true} // Ctrl-C is for the tests
	in, err := s.watch.StdinPipe()
	if err != nil {
		return err
	}
	s.alive = in
	if err := s.watch.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			c.Close(ctx)
			cancel()
			return nil
		}
		cancel()
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.Stop()
			return fmt.Errorf("the test server doesn't answer: %w\n%s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop ends the server at once, as a crash would: what was not committed is gone.
func (s *Server) Stop() {
	if s.watch == nil {
		return
	}
	_, _ = io.WriteString(s.alive, "keep\n")
	s.alive.Close()
	_ = s.watch.Wait()
	s.watch = nil
}

// Kill ends the server and all its processes by SIGKILL, and waits until none of them holds the
// shared memory any more: a new server would not start beside it.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, _, _ := strings.Cut(string(b), "\n")
	signal(t, pid, syscall.SIGSTOP) // it forks nobody from here on
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{pid}, strings.Fields(string(children))...)
	for _, p := range all {
		signal(t, p, syscall.SIGKILL)
	}
	s.Stop()
	for _, p := range all {
		for deadline := time.Now().Add(30 * time.Second); alive(p); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %s of the test server doesn't end", p)
			}
		}
	}
}

func signal(t testing.TB, pid string, s syscall.Signal) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err == nil && n > 1 {
		err = syscall.Kill(n, s)
	}
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("send process %s %v: %v", pid, s, err)
	}
}

// alive says whether a process still has its memory: one that nobody has waited for has not.
func alive(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// Restart starts a stopped or killed server again, on the same port and data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	cred, err := credential()
	if err == nil {
		err = s.run(cred)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// binaries returns the directory of the newest PostgreSQL on this machine.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	return "", errors.New("PostgreSQL's server isn't installed here: `make test` installs it; DOMICILE_TEST_POSTGRES=off goes without")
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// credential is whom the server runs as: PostgreSQL refuses root. nil means as ourselves.
func credential() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, errors.New("PostgreSQL doesn't run as root, and there is no user postgres or nobody")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// Set changes a setting of the running server; value is as in the configuration file. It is in force
// when Set returns.
func (s *Server) Set(t testing.TB, name, value string) {
	t.Helper()
	statement(t, s.URL, "ALTER SYSTEM SET "+name+" = "+value)
	statement(t, s.URL, "SELECT pg_reload_conf()")
	want := strings.Trim(value, "'")
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		c, err := pgx.Connect(ctx, s.URL) // a new session has what the server has by now
		var got string
		if err == nil {
			err = c.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&got)
			c.Close(ctx)
		}
		cancel()
		if err != nil {
			t.Fatalf("set %s: %v", name, err)
		}
		if got == want {
			return
		}
	}
}
