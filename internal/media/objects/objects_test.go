package objects_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/media"
	"domicile.dev/internal/media/mediatest"
	"domicile.dev/internal/media/objects"
)

// server returns the address of a server that speaks S3, with one bucket.
func server(t testing.TB) string {
	s3 := s3mem.New()
	srv := httptest.NewServer(gofakes3.New(s3).Server())
	t.Cleanup(srv.Close)
	if err := s3.CreateBucket("blobs"); err != nil {
		t.Fatal(err)
	}
	return srv.URL
}

func credentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "made-up")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "made-up")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestStore(t *testing.T) {
	credentials(t)
	for name, more := range map[string]string{"bucket": "", "prefix": "&prefix=ie1/"} {
		t.Run(name, func(t *testing.T) {
			mediatest.Run(t, func(t testing.TB) media.Store {
				s, err := objects.Open(t.Context(), fmt.Sprintf("s3://blobs?region=eu-west-1&use_path_style=true&endpoint=%s%s", server(t), more))
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

// The same at a server that others wrote and run: the one that scripts/setup builds, or the one at
// DOMICILE_TEST_S3, an address without prefix, with the credentials of the environment.
func TestStoreOfAServer(t *testing.T) {
	uri := os.Getenv("DOMICILE_TEST_S3")
	if uri == "" {
		uri = gateway(t)
	}
	mediatest.Run(t, func(t testing.TB) media.Store {
		s, err := objects.Open(t.Context(), fmt.Sprintf("%s&prefix=test-%s/", uri, rand.Text()))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// gateway starts versitygw over a folder, which has one bucket in it, and returns that one's address.
func gateway(t *testing.T) string {
	found, _ := filepath.Glob("../../../.tools/versitygw-*")
	if len(found) == 0 {
		t.Skip("there is no server: scripts/setup s3 builds one")
	}
	credentials(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "blobs"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	var log strings.Builder
	cmd := exec.Command(found[len(found)-1], "--access", "made-up", "--secret", "made-up", "--port", addr, "posix", dir)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return "s3://blobs?region=us-east-1&use_path_style=true&endpoint=http://" + addr
		}
		if time.Now().After(end) {
			t.Fatalf("the server doesn't answer: %v", err)
		}
	}
}

func TestAWrongAddressIsFoundAtTheStart(t *testing.T) {
	credentials(t)
	for name, uri := range map[string]string{
		"no bucket":        "s3://",
		"a path":           "s3://blobs/folder",
		"a credential":     "s3://key:secret@blobs",
		"unknown settings": "s3://blobs?colour=red",
		"no such bucket":   "s3://others?region=eu-west-1&use_path_style=true&endpoint=" + server(t),
		"nobody there":     "s3://blobs?region=eu-west-1&use_path_style=true&endpoint=http://127.0.0.1:9",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := objects.Open(t.Context(), uri)
			if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || f.Reason != "config.blobs" || f.Hint == "" {
				t.Errorf("Open: %v, want config.blobs with a hint", err)
			}
		})
	}
}
