package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"domicile.dev/internal/fault"
)

// sessionParams are set on every connection unless the URL sets them. A node that hangs inside a
// transaction, or vanishes, must not hold the gate for long.
var sessionParams = map[string]string{
	"application_name":                    "domicile",
	"idle_in_transaction_session_timeout": "60s",
	"lock_timeout":                        "30s",
	"tcp_keepalives_idle":                 "10",
	"tcp_keepalives_interval":             "5",
	"tcp_keepalives_count":                "3",
	"timezone":                            "UTC",
}

func config(rawURL string, opt Options) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(rawURL)
	if err != nil { // pgx leaves the password out
		return nil, fault.New(fault.Invalid, "store.bad_url", "the store's URL can't be read").
			WithHint("write postgres://user@host:5432/database?sslmode=verify-full&sslrootcert=ca.pem").Because(err)
	}
	c := cfg.ConnConfig
	if opt.RequireVerifiedTLS {
		if err := requireVerifiedTLS(&c.Config); err != nil {
			return nil, err
		}
	}
	for name, value := range sessionParams {
		if _, set := c.RuntimeParams[name]; !set {
			c.RuntimeParams[name] = value
		}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	c.StatementCacheCapacity = 256
	c.OnNotice = onNotice(opt.Log)
	cfg.AfterConnect = afterConnect
	cfg.MaxConns = int32(opt.MaxConns)
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.PingTimeout = 5 * time.Second
	return cfg, nil
}

// requireVerifiedTLS refuses every way to the server, fallbacks included, that leaves this machine
// without full verification.
func requireVerifiedTLS(c *pgconn.Config) error {
	ways := []*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}
	for _, w := range append(ways, c.Fallbacks...) {
		if isLocal(w.Host) || w.TLSConfig != nil && !w.TLSConfig.InsecureSkipVerify && w.TLSConfig.ServerName != "" {
			continue
		}
		return fault.New(fault.Invalid, "store.tls_unverified",
			"the connection to PostgreSQL on %s would not verify the server's certificate", w.Host).
			WithHint("add sslmode=verify-full and sslrootcert=<the CA's file> to the store's URL")
	}
	return nil
}

func isLocal(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// warningsKey is where a connection keeps its counter of warnings.
const warningsKey = "domicile.warnings"

func warningsOf(c *pgx.Conn) *atomic.Int64 {
	if n, ok := c.PgConn().CustomData()[warningsKey].(*atomic.Int64); ok {
		return n
	}
	return new(atomic.Int64)
}

// onNotice counts warnings; a transaction compares the count before and after its commit. It asks
// for no particular SQLSTATE: a cancelled wait for replication has 01000 or, when the server goes
// down, 57P01, and no warning on a commit is good news.
func onNotice(log *slog.Logger) pgconn.NoticeHandler {
	return func(c *pgconn.PgConn, n *pgconn.Notice) {
		severity := n.SeverityUnlocalized
		if severity == "" {
			severity = n.Severity
		}
		if severity != "WARNING" {
			return
		}
		if count, ok := c.CustomData()[warningsKey].(*atomic.Int64); ok {
			count.Add(1)
		}
		log.Warn("postgres warns", "sqlstate", n.Code)
	}
}

// afterConnect readies a new connection. A server configured not to wait for its own disk is made
// to: what is acknowledged is durable.
func afterConnect(ctx context.Context, c *pgx.Conn) error {
	c.PgConn().CustomData()[warningsKey] = new(atomic.Int64)
	var encoding, commit string
	if err := c.QueryRow(ctx, `SELECT current_setting('server_encoding'), current_setting('synchronous_commit')`).
		Scan(&encoding, &commit); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if encoding != "UTF8" {
		return fault.New(fault.Invalid, "store.encoding", "the database's encoding is %s, not UTF8", encoding).
			WithHint("create the database with: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
	}
	if commit == "off" || commit == "local" {
		if _, err := c.Exec(ctx, `SET synchronous_commit = on`); err != nil {
			return fmt.Errorf("set synchronous_commit: %w", err)
		}
	}
	return nil
}

// EnsureDatabase creates a database on the server that rawURL names, unless it is there, and returns
// rawURL with that database in place of its own. It is for up, which keeps a database for each
// region on one server; the role of rawURL needs CREATEDB for it.
func EnsureDatabase(ctx context.Context, rawURL, name string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", fault.New(fault.Invalid, "store.bad_url", "the store's URL must begin with postgres://")
	}
	target := *u
	target.Path = "/" + name
	if u.Path == "" || u.Path == "/" {
		u.Path = "/postgres"
	}
	c, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return "", translate("connect", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	var there bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil {
		return "", translate("look for the database", err)
	}
	if there {
		return target.String(), nil
	}
	// Text is ordered by its bytes, as on SQLite, and not as some language's dictionary has it.
	_, err = c.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()+` TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`)
	if err != nil && !hasState(err, "42P04", "23505") { // another node was quicker
		return "", translate("create the database", err)
	}
	return target.String(), nil
}
