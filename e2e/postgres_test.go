package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"domicile.dev/internal/store/storetest/pgtest"
)

// postgres is a private server of one world: its files are searched, and it is made to go away.
type postgres struct {
	*pgtest.Server
	url  string
	data string // its data directory, WAL included
}

func newPostgres(t testing.TB) *postgres {
	t.Helper()
	// Written statements in the server's log would betray what was in them: ErrorsAreClean looks.
	p := &postgres{Server: pgtest.Start(t, "log_min_messages=warning", "log_min_error_statement=error")}
	p.url = p.URL
	c, err := pgx.Connect(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := c.QueryRow(t.Context(), "SHOW data_directory").Scan(&p.data); err != nil {
		t.Fatal(err)
	}
	return p
}

// signal sends sig to the server's first process.
func (p *postgres) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// stop ends the server in good order, so that all its buffers are on disk.
func (p *postgres) stop(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGINT)
	gone := func() bool {
		_, err := os.Stat(filepath.Join(p.data, "postmaster.pid"))
		return os.IsNotExist(err)
	}
	for !gone() {
		pause(10 * time.Millisecond)
	}
	p.Stop()
}

func (p *postgres) readLog(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(p.data), "log"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
