// Package pgtest starts a private PostgreSQL server for the tests of a package: one server for the
// test binary, started when the first test asks, and an empty database for each test.
//
// The server stops, and its files go, when the test binary ends, however that ends: a shell that
// watches over it reads from a pipe that only the test binary holds.
//
// Environment: DOMICILE_TEST_POSTGRES=off skips the tests that need a server;
// DOMICILE_TEST_POSTGRES_URL names a running one to use instead, by a role that may create databases.
package pgtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var shared struct {
	once   sync.Once
	server *Server // kept, since it ends when its pipe is collected
	url    string
	err    error
}

// URL returns the address of a new, empty database, which is dropped when the test ends. Without
// PostgreSQL on the machine the test fails: a promise that isn't tested on both stores isn't kept.
func URL(t testing.TB) string {
	t.Helper()
	base := Base(t)
	name := "test_" + strings.ToLower(rand.Text()[:16])
	statement(t, base, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`)
	t.Cleanup(func() { statement(t, base, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`) })
	return WithDatabase(t, base, name)
}

// Base returns the address of the shared server's maintenance database, for tests that create their
// own databases. They drop them.
func Base(t testing.TB) string {
	t.Helper()
	if os.Getenv("DOMICILE_TEST_POSTGRES") == "off" {
		t.Skip("DOMICILE_TEST_POSTGRES=off")
	}
	shared.once.Do(func() {
		if shared.url = os.Getenv("DOMICILE_TEST_POSTGRES_URL"); shared.url != "" {
			return
		}
		if shared.server, shared.err = start(false); shared.err == nil {
			shared.url = shared.server.URL
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.url
}

// WithDatabase returns base with another database.
func WithDatabase(t testing.TB, base, name string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal("the test server's URL can't be read")
	}
	u.Path = "/" + name
	return u.String()
}

func statement(t testing.TB, base, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, base)
	if err != nil {
		t.Fatalf("connect to the test server: %v", err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
