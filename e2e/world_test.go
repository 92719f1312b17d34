package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what should take a moment: a start, a stop, a retry that must succeed.
const patience = 60 * time.Second

// A world is one `domicile up`: three regions on one store, and what was captured from outside.
type world struct {
	t    testing.TB
	kind string // "sqlite" or "postgres"
	root string // everything of this world; data, logs, tmp and home lie below it
	dir  string // the --dir
	log  string // stdout and stderr of every run, one file
	pg   *postgres
	args []string
	env  []string
	cli  []string // environment of the command line, besides
	wrap []string // command that runs the binary, with its arguments; none runs it directly

	cmd    *exec.Cmd
	exited chan struct{}
	state  error // of the last exit; read after exited is closed

	up     upFile
	client *http.Client

	mu      sync.Mutex
	answers []byte // status, headers and bodies of every answer of 400 and above; guarded by mu
}

// upFile is what up.json holds, as far as the tests use it.
type upFile struct {
	Version   int       `json:"version"`
	Programme string    `json:"programme"`
	Regions   []*region `json:"regions"`
	Staff     []any     `json:"staff"`
}

type region struct {
	ID       string            `json:"id"`
	URL      string            `json:"url"`
	Data     string            `json:"data"`
	Tenant   string            `json:"tenant"`
	APIToken string            `json:"api_token"`
	Sources  map[string]source `json:"sources"`

	w *world
}

type source struct {
	ID       string `json:"id"`
	WriteKey string `json:"write_key"`
	Token    string `json:"token"`

	// of vendors who sign
	URL        string `json:"url"`
	AuthToken  string `json:"auth_token"`
	PrivateKey string `json:"private_key"`
	AppSecret  string `json:"app_secret"`
}

// onBothStores runs f on SQLite and on PostgreSQL.
func onBothStores(t *testing.T, f func(t *testing.T, kind string)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) { f(t, kind) })
	}
}

// onBothStoresAtOnce is onBothStores for what mostly waits: for a window to end, for a node to be back.
func onBothStoresAtOnce(t *testing.T, f func(t *testing.T, kind string)) {
	onBothStores(t, func(t *testing.T, kind string) {
		t.Parallel()
		f(t, kind)
	})
}

// A setting changes a world before it starts.
type setting func(*world)

func withEnv(kv ...string) setting    { return func(w *world) { w.env = append(w.env, kv...) } }
func withArgs(args ...string) setting { return func(w *world) { w.args = append(w.args, args...) } }

// newWorld starts a world and stops it, by force if need be, when t ends.
func newWorld(t testing.TB, kind string, settings ...setting) *world {
	t.Helper()
	w := prepareWorld(t, kind, settings...)
	w.start()
	return w
}

// prepareWorld makes a world that has not been started.
func prepareWorld(t testing.TB, kind string, settings ...setting) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{t: t, kind: kind, root: root, dir: filepath.Join(root, "data"), log: filepath.Join(root, "log")}
	for _, d := range []string{"tmp", "home"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.client = &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w.args = []string{"up", "--dir", w.dir, "--listen", fmt.Sprintf("127.0.0.1:%d", freePorts(t, 3))}
	if kind == "postgres" {
		w.pg = newPostgres(t)
		w.args = append(w.args, "--store", w.pg.url)
	}
	for _, s := range settings {
		s(w)
	}
	t.Cleanup(func() {
		w.kill()
		w.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("last lines of the log:\n%s", tail(w.readLog(), 4000))
		}
	})
	return w
}

// start runs the binary and waits until every region is ready.
func (w *world) start() {
	w.t.Helper()
	w.launch()
	w.waitReady()
}

// launch runs the binary and returns at once.
func (w *world) launch() {
	w.t.Helper()
	out, err := os.OpenFile(w.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close()
	call := slices.Concat(w.wrap, []string{exe}, w.args)
	cmd := exec.Command(call[0], call[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Dir = w.root
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(w.root, "home"), "TMPDIR=" + filepath.Join(w.root, "tmp")}, w.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	exited := make(chan struct{})
	w.cmd, w.exited = cmd, exited
	go func() {
		w.state = cmd.Wait()
		close(exited)
	}()
}

// waitReady reads up.json and waits for /readyz of each region.
func (w *world) waitReady() {
	w.t.Helper()
	w.eventually("up.json and three ready regions", func() error {
		select {
		case <-w.exited:
			w.t.Fatalf("domicile up ended (%v):\n%s", w.state, tail(w.readLog(), 4000))
		default:
		}
		text, err := os.ReadFile(filepath.Join(w.dir, "up.json"))
		if err != nil {
			return err
		}
		var up upFile
		if err := json.Unmarshal(text, &up); err != nil {
			w.t.Fatalf("up.json: %v", err) // it is written atomically, so never half
		}
		for _, r := range up.Regions {
			r.w = w
			answer, err := w.client.Get(r.URL + "/readyz")
			if err != nil {
				return err
			}
			answer.Body.Close()
			if answer.StatusCode != 200 {
				return fmt.Errorf("%s: /readyz answers %d", r.ID, answer.StatusCode)
			}
		}
		w.up = up
		return nil
	})
}

// region returns the region called id.
func (w *world) region(id string) *region {
	w.t.Helper()
	for _, r := range w.up.Regions {
		if r.ID == id {
			return r
		}
	}
	w.t.Fatalf("up.json names no region %s", id)
	return nil
}

// kill ends the process as a power cut would end it, as far as a process can tell.
func (w *world) kill() {
	if w.cmd == nil {
		return
	}
	_ = w.cmd.Process.Kill()
	<-w.exited
	w.cmd = nil
}

// stop asks the process to drain and wants exit code 0.
func (w *world) stop() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	select {
	case <-w.exited:
	case <-time.After(patience):
		w.t.Fatalf("domicile up has not ended %v after SIGTERM:\n%s", patience, tail(w.readLog(), 4000))
	}
	w.cmd = nil
	if w.state != nil {
		w.t.Fatalf("domicile up after SIGTERM: %v, want exit 0:\n%s", w.state, tail(w.readLog(), 4000))
	}
}

func (w *world) readLog() string {
	text, err := os.ReadFile(w.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(text)
}

// run calls the command line as an operator would and returns stdout, stderr and the exit code.
func (w *world) run(stdin string, args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	cmd := exec.Command(exe, args...)
	cmd.Dir = w.root
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(w.root, "home"), "TMPDIR=" + filepath.Join(w.root, "tmp")}, w.cli...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// eventually repeats f until it returns nil, and fails the test when it does not in time.
func (w *world) eventually(what string, f func() error) {
	w.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause(10 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	w.t.Fatalf("waited %v for %s: %v", patience, what, err)
}

// pause lets another process get on; nothing is ever true because of how long it takes.
func pause(d time.Duration) { <-time.After(d) }

// within returns a random moment of at most d.
func within(d time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(d))) }

var ports struct {
	sync.Mutex
	next int
}

// freePorts returns the first of n consecutive ports on which nobody listens, below the range
// that outgoing connections use.
func freePorts(t testing.TB, n int) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.next == 0 {
		ports.next = 20000 + rand.IntN(1000)*10
	}
	for range 1000 {
		base := ports.next
		ports.next += n
		if ports.next > 32000 {
			ports.next = 20000
		}
		if allFree(base, n) {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func allFree(base, n int) bool {
	for p := base; p < base+n; p++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// keep remembers an answer of 400 and above for the search afterwards.
func (w *world) keep(a answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = fmt.Appendf(w.answers, "%d\n", a.status)
	for k, vs := range a.header {
		w.answers = fmt.Appendf(w.answers, "%s: %s\n", k, strings.Join(vs, ", "))
	}
	w.answers = append(append(w.answers, a.body...), '\n')
}

// get reads what anyone can read without a credential.
func (w *world) get(t testing.TB, url string) []byte {
	t.Helper()
	res, err := w.client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 {
		t.Fatalf("GET %s: %d %s", url, res.StatusCode, tail(string(b), 500))
	}
	return b
}

// data is the region's data directory; up.json may name it relative to where `up` ran.
func (w *world) data(r *region) string {
	if filepath.IsAbs(r.Data) {
		return r.Data
	}
	return filepath.Join(w.root, r.Data)
}

// readyOrGone waits until every region is ready (true) or the process has ended (false).
func (w *world) readyOrGone() bool {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause(10 * time.Millisecond) {
		select {
		case <-w.exited:
			return false
		default:
		}
		ready := 0
		for _, r := range w.up.Regions {
			if a, err := r.try("GET", "/readyz", nil, nil); err == nil && a.status == 200 {
				ready++
			}
		}
		if ready == len(w.up.Regions) {
			return true
		}
	}
	w.t.Fatalf("neither ready nor gone in %v:\n%s", patience, tail(w.readLog(), 4000))
	return false
}
