package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"zombiezen.com/go/sqlite"

	"domicile.dev/internal/store/sqlstore"
)

type mode int

const (
	reading mode = iota
	writing
)

// maxStatements bounds the prepared statements of a connection. There are about a hundred texts;
// more means that somebody builds SQL from lists.
const maxStatements = 256

// conn is one connection and, between begin and end, the transaction on it: it implements
// sqlstore.Conn. It belongs to one goroutine at a time.
type conn struct {
	c     *sqlite.Conn
	mode  mode
	stmts map[string]*sqlite.Stmt

	ctx    context.Context
	open   bool // a transaction is
	busy   bool // a query's each is running
	failed error
	broken bool // beyond use: close it
	gate   sqlstore.Gate
	before sqlstore.Gate
}

func (db *DB) openConn(m mode) (*conn, error) {
	flags := sqlite.OpenReadWrite
	if m == writing {
		flags |= sqlite.OpenCreate
	}
	c, err := sqlite.OpenConn(db.path, flags)
	if err != nil {
		return nil, translate("open", err)
	}
	k := &conn{c: c, mode: m, stmts: make(map[string]*sqlite.Stmt), ctx: context.Background()}
	cache := db.opt.CacheBytes / 2
	if m == reading {
		cache /= db.opt.Readers
	}
	for _, pragma := range append(pragmas(m), "cache_size = -"+strconv.Itoa(max(cache>>10, 64))) {
		if err := k.run("PRAGMA " + pragma); err != nil {
			return nil, errors.Join(err, k.close())
		}
	}
	return k, nil
}

// pragmas are the settings of a connection, in order; docs/decisions/0005-store-settings.md has the reasons.
func pragmas(m mode) []string {
	all := []string{
		"busy_timeout = 5000",
		"synchronous = FULL",  // NORMAL loses acknowledged commits in a power cut
		"temp_store = MEMORY", // sorts leave no file behind
		"foreign_keys = OFF",
		"mmap_size = 0",
		"trusted_schema = OFF",
		"cell_size_check = ON", // finds a broken page before it is used
	}
	if m == reading {
		return append(all, "query_only = ON")
	}
	return append([]string{"page_size = 4096", "journal_mode = WAL"}, append(all,
		"wal_autocheckpoint = 0",  // see checkpoint.go
		"secure_delete = FAST",    // all is sealed: no writes only to overwrite
		"journal_size_limit = -1", // a log that keeps its size is written faster
	)...)
}

func (k *conn) close() error {
	for _, s := range k.stmts {
		s.Finalize()
	}
	clear(k.stmts)
	return k.c.Close()
}

// run executes a statement outside any transaction, once, and ignores its rows.
func (k *conn) run(sql string) error {
	s, _, err := k.c.PrepareTransient(sql)
	if err != nil {
		return translate("prepare", err)
	}
	defer s.Finalize()
	for {
		if more, err := s.Step(); err != nil {
			return translate(sql, err)
		} else if !more {
			return nil
		}
	}
}

func (k *conn) begin(ctx context.Context, how string, gated bool) error {
	k.ctx, k.failed = ctx, nil
	if err := k.exec(how); err != nil {
		return err
	}
	k.open = true
	if !gated {
		return nil
	}
	found := false // the first read is what takes the snapshot
	err := k.Query(sqlstore.GateSelect, func(r sqlstore.Row) error {
		found = true
		k.gate.Scan(r)
		return nil
	})
	if err == nil && !found {
		err = errors.New("sqlite: the gate has no row")
	}
	k.before = k.gate
	return err
}

// commit makes the transaction durable. When it returns an error, the transaction may or may not be
// found after a restart; the connection is not used again.
func (k *conn) commit(gated bool) error {
	if k.failed != nil {
		return fmt.Errorf("commit after a failed statement: %w", k.failed)
	}
	if gated && k.gate != k.before {
		if err := k.gate.Check(k.before); err != nil {
			return err
		}
		if _, err := k.Exec(sqlstore.GateUpdate, k.gate.Args()...); err != nil {
			return err
		}
	}
	if err := k.ctx.Err(); err != nil {
		return err
	}
	if err := k.exec("COMMIT"); err != nil {
		k.broken = true
		return err
	}
	k.open = false
	return nil
}

// end rolls back what is still open.
func (k *conn) end() {
	k.ctx, k.busy = context.Background(), false
	if !k.open {
		return
	}
	k.open = false
	if k.c.AutocommitEnabled() { // an I/O error has rolled back already
		k.broken = true
		return
	}
	how := "ROLLBACK"
	if k.mode == reading {
		how = "COMMIT" // the same to a reader, and quicker
	}
	if err := k.exec(how); err != nil {
		k.broken = true
	}
}

// exec runs a cached statement without arguments.
func (k *conn) exec(sql string) error {
	s, err := k.prepare(sql)
	if err != nil {
		return err
	}
	if _, err := s.Step(); err != nil {
		return translate(sql, err)
	}
	return translate(sql, s.Reset())
}

// prepare returns the statement of a text, compiled once for the connection.
func (k *conn) prepare(sql string) (*sqlite.Stmt, error) {
	if s := k.stmts[sql]; s != nil {
		return s, nil
	}
	if len(k.stmts) >= maxStatements {
		for old, s := range k.stmts {
			s.Finalize()
			delete(k.stmts, old)
			break
		}
	}
	s, err := k.c.Prepare(sql)
	if err != nil {
		return nil, translate("prepare", err)
	}
	for i := 1; i <= s.BindParamCount(); i++ { // SQLite numbers $n by where it stands, PostgreSQL by n
		if want := "$" + strconv.Itoa(i); s.BindParamName(i) != want {
			s.Finalize()
			return nil, fmt.Errorf("sqlite: parameter %d of %.80q must be %s", i, sql, want)
		}
	}
	k.stmts[sql] = s
	return s, nil
}
