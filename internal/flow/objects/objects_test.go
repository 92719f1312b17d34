package objects_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/klauspost/compress/gzip"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // the scheme s3

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/flow/flowtest"
	"domicile.dev/internal/flow/objects"
	"domicile.dev/internal/flow/wire"
)

// recipient looks at what lies there.
type recipient struct {
	all    func(t testing.TB) map[string][]byte
	server *flowtest.Server
}

func (r recipient) Server() *flowtest.Server { return r.server }
func (r recipient) ReadsAnswers() bool       { return false }

// Lines reads objects by their names' order, flow by flow, and holds each against its manifest.
func (r recipient) Lines(t testing.TB) (lines []flowtest.Line) {
	all := r.all(t)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, "notices/") {
			continue
		}
		base, ok := strings.CutSuffix(strings.TrimSuffix(name, ".gz"), ".ndjson")
		if !ok {
			continue
		}
		body := all[name]
		var m struct {
			ID, Object, Entry, Flow, Programme string
			Bytes, Records                     int
		}
		if err := json.Unmarshal(all[base+".json"], &m); err != nil || m.Object != name || m.Bytes != len(body) || !strings.HasSuffix(base, m.ID) ||
			m.Entry == "" || m.Flow == "" || m.Programme == "" {
			t.Errorf("the manifest of %s: %+v, %v", name, m, err)
		}
		if strings.HasSuffix(name, ".gz") {
			z, err := gzip.NewReader(strings.NewReader(string(body)))
			if err == nil {
				body, err = io.ReadAll(z)
			}
			if err != nil {
				t.Error(err)
			}
		}
		got := flowtest.ReadLines(t, body)
		if len(got) != m.Records {
			t.Errorf("%s has %d records, and its manifest says %d", name, len(got), m.Records)
		}
		lines = append(lines, got...)
	}
	return lines
}

// Told returns what objects of notices hold.
func (r recipient) Told(t testing.TB) (told []string) {
	all := r.all(t)
	for name, body := range all {
		if !strings.HasPrefix(name, "notices/") || strings.HasSuffix(name, ".json") {
			continue
		}
		if strings.HasSuffix(name, ".gz") {
			z, err := gzip.NewReader(strings.NewReader(string(body)))
			if err == nil {
				body, err = io.ReadAll(z)
			}
			if err != nil {
				t.Error(err)
			}
		}
		told = append(told, string(body))
	}
	return told
}

func TestFolder(t *testing.T) {
	for name, opt := range map[string]objects.Options{"plain": {}, "gzip": {Gzip: true}} {
		t.Run(name, func(t *testing.T) {
			flowtest.Conform(t, func(t testing.TB) (flow.Connector, flowtest.Recipient) {
				dir := filepath.Join(t.TempDir(), flowtest.Canary, "out")
				c, err := objects.Open(t.Context(), "file://"+dir, opt)
				if err != nil {
					t.Fatal(err)
				}
				return c, recipient{all: func(t testing.TB) map[string][]byte { return files(t, dir) }}
			})
		})
	}
}

// files returns everything below dir, by its name there. Nothing unfinished may be among it.
func files(t testing.TB, dir string) map[string][]byte {
	all := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if strings.HasPrefix(path, ".new/") {
			t.Errorf("%s was left behind", path)
		}
		i, err := e.Info()
		if err != nil {
			return err
		}
		if i.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, i.Mode())
		}
		all[path], err = os.ReadFile(filepath.Join(dir, path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhereADeliveryLies(t *testing.T) {
	dir := t.TempDir()
	c, err := objects.Open(t.Context(), "file://"+dir, objects.Options{Gzip: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	d, _ := flowtest.Delivery("crm", 42, 1)
	d.BegunAt = time.Date(2026, 1, 2, 23, 30, 0, 0, time.FixedZone("", -3600))
	for range 2 { // a later attempt, on a later day, overwrites it
		if err := c.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		d.DecidedAt = d.DecidedAt.Add(24 * time.Hour)
	}
	var names []string
	for name := range files(t, dir) {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"crm/acme/2026/01/03/000000000042-dlv_crm42.json", "crm/acme/2026/01/03/000000000042-dlv_crm42.ndjson.gz"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	for _, bad := range []func(*flow.Delivery){
		func(d *flow.Delivery) { d.Tenant = "../../etc" }, func(d *flow.Delivery) { d.Tenant = "" }, func(d *flow.Delivery) { d.Flow = ".new" },
		func(d *flow.Delivery) { d.ID = "a/b" }, func(d *flow.Delivery) { d.ID = "a\nb" }, func(d *flow.Delivery) { d.Flow = strings.Repeat("x", 200) },
	} {
		e := *d
		bad(&e)
		if err := c.Deliver(t.Context(), &e); fault.ReasonOf(err) != "destination.bad_name" {
			t.Errorf("%q %q %q: %v", e.Flow, e.Tenant, e.ID, err)
		}
	}
}

// What a process left that ended in the middle holds data: it goes, but for what somebody may be
// writing just now.
func TestLeftoversGo(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".new"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"old": 2 * time.Hour, "young": time.Minute} {
		at := filepath.Join(dir, ".new", name)
		if err := os.WriteFile(at, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(at, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := objects.Open(t.Context(), "file://"+dir, objects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	left, _ := os.ReadDir(filepath.Join(dir, ".new"))
	if len(left) != 1 || left[0].Name() != "young" {
		t.Errorf("left: %v", left)
	}
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	c, err := objects.Open(t.Context(), "file://"+dir+"/"+flowtest.Canary, objects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := os.WriteFile(filepath.Join(dir, flowtest.Canary, "f"), nil, 0o600); err != nil { // where a folder should be
		t.Fatal(err)
	}
	d, _ := flowtest.Delivery("f", 1, 1)
	if err := c.Deliver(t.Context(), d); fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), flowtest.Canary) {
		t.Errorf("Deliver: %v, want unavailable, without the path", err)
	}
}

func TestWhatIsNoDestination(t *testing.T) {
	credentials(t)
	for target, good := range map[string]bool{
		"file://" + t.TempDir(): true, "file://" + t.TempDir() + "/a/b": true, "file://host/a": false, "file:a": false, "file://": false, "file:///a?b": false,
		"s3://b?region=eu-west-1": true, "s3://b?region=eu-west-1&prefix=a/&use_path_style=true&endpoint=https://s3.example.com": true,
		"s3://b?region=eu-west-1&endpoint=http://127.0.0.1:9": true, "s3://b?region=eu-west-1&endpoint=http://s3.example.com": false,
		"s3://b?region=eu-west-1&endpoint=ftp://x": false, "s3://": false, "s3://b/folder": false, "s3://k:s@b": false, "s3://b?colour=red": false,
		"s3://b?use_path_style=perhaps": false, "s3://b?%zz": false, "gs://b": false, "": false,
	} {
		c, err := objects.Open(t.Context(), target, objects.Options{})
		if (err == nil) != good || !good && fault.ReasonOf(err) != "destination.bad_url" {
			t.Errorf("Open(%q): %v", target, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func credentials(t testing.TB) {
	for name, v := range map[string]string{"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.(*testing.T).Setenv(name, v)
	}
}

// inBucket returns a connector to a server of S3's protocol, by the script of a flowtest.Server that
// stands before it at the same name.
func inBucket(t testing.TB, s *flowtest.Server, direct, more string, opt objects.Options) (flow.Connector, flowtest.Recipient) {
	opt.Wire = wire.Options{Roots: s.Roots, Timeout: 3 * time.Second}
	const form = "s3://out?region=us-east-1&use_path_style=true&endpoint=%s%s"
	c, err := objects.Open(t.Context(), fmt.Sprintf(form, s.URL, more), opt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := blob.OpenBucket(context.Background(), fmt.Sprintf(form, direct, more))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return c, recipient{server: s, all: func(t testing.TB) map[string][]byte {
		all := map[string][]byte{}
		for it := b.List(nil); ; {
			o, err := it.Next(context.Background())
			if err == io.EOF {
				return all
			} else if err != nil {
				t.Fatal(err)
			}
			if all[o.Key], err = b.ReadAll(context.Background(), o.Key); err != nil {
				t.Fatal(err)
			}
		}
	}}
}

func TestBucket(t *testing.T) {
	credentials(t)
	for name, tt := range map[string]struct {
		config *tls.Config
		opt    objects.Options
		more   string
	}{"https": {config: &tls.Config{}, more: "&prefix=from/ie1/"}, "this machine, gzip": {opt: objects.Options{Gzip: true}}} {
		t.Run(name, func(t *testing.T) {
			flowtest.Conform(t, func(t testing.TB) (flow.Connector, flowtest.Recipient) {
				s3 := s3mem.New()
				if err := s3.CreateBucket("out"); err != nil {
					t.Fatal(err)
				}
				h := gofakes3.New(s3).Server()
				return inBucket(t, flowtest.NewServer(t, h, tt.config), flowtest.NewServer(t, h, nil).URL, tt.more, tt.opt)
			})
		})
	}
}

// The same at a server that others wrote and run.
func TestBucketOfAServer(t *testing.T) {
	flowtest.Conform(t, func(t testing.TB) (flow.Connector, flowtest.Recipient) {
		at := gateway(t.(*testing.T))
		to, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed
		}, ErrorLog: log.New(io.Discard, "", 0)}
		return inBucket(t, flowtest.NewServer(t, proxy, nil), at, "", objects.Options{})
	})
}

func TestTLS(t *testing.T) {
	credentials(t)
	s3 := s3mem.New()
	if err := s3.CreateBucket("out"); err != nil {
		t.Fatal(err)
	}
	flowtest.ConformTLS(t, gofakes3.New(s3).Server, func(t testing.TB, url string, roots *x509.CertPool) flow.Connector {
		c, err := objects.Open(t.Context(), "s3://out?region=us-east-1&use_path_style=true&endpoint="+url, objects.Options{Wire: wire.Options{Roots: roots}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

// A bucket that denies us doesn't refuse the batch: a credential is mended, and the batch goes on.
func TestABucketThatDenies(t *testing.T) {
	credentials(t)
	for _, tt := range []struct {
		status int
		code   string
		kind   fault.Kind
		reason string
	}{
		{403, "AccessDenied", fault.Unavailable, "destination.credential"},
		{403, "SignatureDoesNotMatch", fault.Unavailable, "destination.credential"},
		{404, "NoSuchBucket", fault.Unavailable, "destination.address"},
		{400, "ExpiredToken", fault.Unavailable, "destination.trouble"},
		{503, "SlowDown", fault.Unavailable, "destination.trouble"},
		{400, "EntityTooLarge", fault.Invalid, "destination.refused"},
	} {
		s := flowtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(tt.status)
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, tt.code, flowtest.Canary)
		}), nil)
		c, err := objects.Open(t.Context(), "s3://out?region=us-east-1&use_path_style=true&endpoint="+s.URL, objects.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := flowtest.Delivery("f", 1, 1)
		err = c.Deliver(t.Context(), d)
		if fault.KindOf(err) != tt.kind || fault.ReasonOf(err) != tt.reason || strings.Contains(err.Error(), flowtest.Canary) {
			t.Errorf("%s: %v, want %s %s", tt.code, err, tt.kind, tt.reason)
		}
		_ = c.Close()
	}
}

// An address of plain HTTP in the environment of the process doesn't count.
func TestTheEnvironmentGivesNoClearAddress(t *testing.T) {
	credentials(t)
	s := flowtest.NewServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	t.Setenv("AWS_ENDPOINT_URL", s.URL)
	c, err := objects.Open(t.Context(), "s3://out?region=us-east-1&use_path_style=true", objects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	d, _ := flowtest.Delivery("f", 1, 1)
	if err := c.Deliver(t.Context(), d); err == nil || s.Requests() > 0 {
		t.Errorf("Deliver: %v after %d requests", err, s.Requests())
	}
}

// gateway starts versitygw over a folder, which has one bucket in it, and returns its address.
func gateway(t *testing.T) string {
	found, _ := filepath.Glob("../../../.tools/versitygw-*")
	if len(found) == 0 {
		t.Skip("there is no server: scripts/setup s3 builds one")
	}
	credentials(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(found[len(found)-1], "--access", "made-up", "--secret", "made-up", "--port", addr, "posix", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return "http://" + addr
		}
		if time.Now().After(end) {
			t.Fatalf("the server doesn't answer: %v", err)
		}
	}
}
