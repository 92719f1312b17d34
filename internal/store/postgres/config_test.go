package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
)

func TestRequireVerifiedTLS(t *testing.T) {
	for _, tt := range []struct {
		name, url string
		want      string // reason
	}{
		{"a socket", "postgres:///d?host=/run/postgresql", ""},
		{"loopback", "postgres://u@127.0.0.1/d?sslmode=disable", ""},
		{"loopback, IPv6", "postgres://u@[::1]/d?sslmode=disable", ""},
		{"verified in full", "postgres://u@db.example.com/d?sslmode=verify-full", ""},
		{"no TLS", "postgres://u@db.example.com/d?sslmode=disable", "store.tls_unverified"},
		{"TLS where offered, the default", "postgres://u@db.example.com/d", "store.tls_unverified"},
		{"not verified", "postgres://u@db.example.com/d?sslmode=require", "store.tls_unverified"},
		{"the name not verified", "postgres://u@db.example.com/d?sslmode=verify-ca", "store.tls_unverified"},
		{"one of several hosts", "postgres://u@127.0.0.1,db.example.com/d?sslmode=disable", "store.tls_unverified"},
		{"a private address is not this machine", "postgres://u@10.0.0.1/d?sslmode=disable", "store.tls_unverified"},
		{"nonsense", "postgres://u@h:port/d", "store.bad_url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config(tt.url, Options{RequireVerifiedTLS: true}.withDefaults())
			if got := fault.ReasonOf(err); got != tt.want {
				t.Errorf("config = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	for _, url := range []string{"postgres://u:sesame@h:port/d", "postgres://u:sesame@127.0.0.1:1/d?sslmode=disable", "host=127.0.0.1 port=x password=sesame"} {
		_, err := Open(t.Context(), url, Options{})
		if err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("Open = %v, want an error without the password", err)
		}
	}
}

// database makes one that the test drops, by EnsureDatabase, twice.
func database(t *testing.T, base, name string) string {
	t.Helper()
	var url string
	for range 2 {
		var err error
		if url, err = EnsureDatabase(t.Context(), base, name); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if c, err := pgx.Connect(ctx, base); err == nil {
			defer c.Close(ctx)
			_, _ = c.Exec(ctx, `DROP DATABASE IF EXISTS `+pgx.Identifier{name}.Sanitize()+` WITH (FORCE)`)
		}
	})
	return url
}

func TestTwoRegionsOnOneServer(t *testing.T) {
	server := pgtest.Start(t)
	ie, us := database(t, server.URL, "domicile_ie1"), database(t, server.URL, "domicile_us1")
	db := open(t, ie, Options{Region: "ie1", ExclusiveServer: true})
	_, err := Open(t.Context(), us, Options{Region: "us1", ExclusiveServer: true})
	if fault.ReasonOf(err) != "store.shared_server" || !strings.Contains(err.Error(), "ie1") {
		t.Errorf("serve for us1 on ie1's server = %v, want store.shared_server naming ie1", err)
	}
	open(t, us, Options{Region: "us1"}) // up may
	if _, err := Open(t.Context(), ie, Options{Region: "ie1", ExclusiveServer: true}); fault.ReasonOf(err) != "store.shared_server" {
		t.Errorf("serve for ie1 after up put us1 there = %v, want store.shared_server", err)
	}
	if _, err := Open(t.Context(), ie, Options{Region: "us1"}); fault.ReasonOf(err) != "store.other_region" {
		t.Errorf("us1 on ie1's database = %v, want store.other_region", err)
	}
	if err := putMeta(db, "x"); err != nil { // the one that was there first goes on
		t.Error(err)
	}
}

// What a constraint's message and detail quote stays on the server.
func TestErrorsHoldNoValues(t *testing.T) {
	db := open(t, pgtest.URL(t), Options{})
	for _, sql := range []string{
		`INSERT INTO meta (cell, name, value) VALUES (1, 'canary', ''), (1, 'canary', '')`,
		`SELECT 'canary'::text::bigint`,
	} {
		err := do(t.Context(), db, func(c sqlstore.Conn) error { _, err := c.Exec(sql); return err })
		if err == nil || strings.Contains(strings.ReplaceAll(err.Error(), sql[:min(len(sql), 80)], ""), "canary") {
			t.Errorf("error = %v, want one without the value", err)
		}
	}
}
