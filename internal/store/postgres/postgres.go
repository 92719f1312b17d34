// Package postgres opens a cell of a region's store on PostgreSQL 13 or newer. Several nodes share
// the cell; they are kept apart by the gate row, which every write transaction locks.
//
// What was paid for in lost records elsewhere and holds here (the design page, section 10):
//
//   - A commit that returns with a warning is not acknowledged: a cancelled wait for synchronous
//     replication says "success" and a warning.
//   - Every write transaction updates the gate row, so that the acknowledgement of a client's retry
//     waits for the replication of what it found.
//   - A commit is never cancelled by its caller. A lost answer is its own fault,
//     "store.unknown_outcome"; the client's retry is de-duplicated.
package postgres

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// Options tunes a store. The zero value is right for trying; serve sets the first three.
type Options struct {
	// Region is the id of the region the store belongs to. A store of another one is refused.
	// Empty opens any store and stamps none.
	Region string
	// ExclusiveServer refuses a server on which another region has a database: two regions that
	// share a server share its write-ahead log.
	ExclusiveServer bool
	// RequireVerifiedTLS refuses a URL that reaches any host but this one (loopback or a Unix
	// socket) without a certificate verified in full, which is sslmode=verify-full.
	RequireVerifiedTLS bool
	// MaxConns is the most connections of this node. Default 16. One at a time writes.
	MaxConns int
	// CommitPatience is how long a commit may take, the wait for replication included, before its
	// outcome counts as unknown. Default 30 s.
	CommitPatience time.Duration
	// Log hears of trouble that no caller is told about. Default: nobody does.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	if o.CommitPatience == 0 {
		o.CommitPatience = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// DB is one cell of a region's store. It implements store.DB.
type DB struct {
	pool   *pgxpool.Pool
	opt    Options
	writer chan struct{} // one writer of this node at a time waits at the gate, the others here
}

// Open connects to the database that url names, brings its tables up to date and stamps it with the
// region. It needs the server to answer; later losses of it are survived.
func Open(ctx context.Context, url string, opt Options) (*DB, error) {
	opt = opt.withDefaults()
	cfg, err := config(url, opt)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, translate("connect", err)
	}
	db := &DB{pool: pool, opt: opt, writer: make(chan struct{}, 1)}
	if err := db.prepare(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return db, nil
}

// Engine is "postgres".
func (db *DB) Engine() string { return "postgres" }

// maxTries bounds how often fn runs when the server breaks a deadlock or a serialisation conflict.
// Writers are serial, so this is for what others do in the database.
const maxTries = 8

// Do runs fn in the write transaction. See store.DB. When it returns a fault with reason
// "store.unknown_outcome" or "store.not_replicated", what fn wrote may be in the store.
func (db *DB) Do(ctx context.Context, fn func(tx store.Tx) error) error {
	select {
	case db.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-db.writer }()
	for try := 1; ; try++ {
		err := db.once(ctx, fn)
		if err == nil || try == maxTries || !isConflict(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(1+rand.IntN(10*try)) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (db *DB) once(ctx context.Context, fn func(tx store.Tx) error) (err error) {
	t, err := db.begin(ctx, beginWrite, sqlstore.GateLock)
	if err != nil {
		return err
	}
	defer t.end("ROLLBACK") // also when fn panics
	if err := fn(t); err != nil {
		return err
	}
	return t.commit(db.opt.CommitPatience)
}

// View runs fn on a snapshot. See store.DB.
func (db *DB) View(ctx context.Context, fn func(tx store.Tx) error) error {
	t, err := db.begin(ctx, beginRead, sqlstore.GateSelect)
	if err != nil {
		return err
	}
	defer t.end("COMMIT")
	return fn(t)
}

const (
	beginWrite = "BEGIN ISOLATION LEVEL READ COMMITTED" // under the gate, each statement sees all that was committed
	beginRead  = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
)

// begin opens a transaction and reads the gate in one round trip. A connection that broke while it
// lay in the pool is replaced once: nothing has been done on it yet.
func (db *DB) begin(ctx context.Context, how, gate string) (*tx, error) {
	t, err := db.tryBegin(ctx, how, gate)
	if err != nil && isLost(err) && ctx.Err() == nil {
		db.pool.Reset()
		t, err = db.tryBegin(ctx, how, gate)
	}
	if err != nil {
		return nil, translate("begin", err)
	}
	return t, nil
}

func (db *DB) tryBegin(ctx context.Context, how, gate string) (t *tx, err error) {
	c, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	t = &tx{ctx: ctx, pooled: c, c: c.Conn(), warned: warningsOf(c.Conn())}
	defer func() {
		if err != nil {
			t.end("ROLLBACK")
		}
	}()
	var b pgx.Batch
	b.Queue(how)
	if gate != "" {
		b.Queue(gate)
	}
	r := t.c.SendBatch(ctx, &b)
	if _, err = r.Exec(); err == nil && gate != "" {
		err = t.readGate(r)
	}
	return t, errors.Join(err, r.Close())
}

// prepare brings a database that was just connected to into shape.
func (db *DB) prepare(ctx context.Context) error {
	if err := db.migrate(ctx); err != nil || !db.opt.ExclusiveServer {
		return err
	}
	t, err := db.begin(ctx, beginRead, "") // again, now that ours shows: of two that start at once, none wins
	if err != nil {
		return err
	}
	defer t.end("COMMIT")
	return db.alone(t)
}

// migrate makes the tables and stamps the store. It is kept to one node at a time by an advisory
// lock: two may start on an empty database, where there is no gate yet.
func (db *DB) migrate(ctx context.Context) error {
	t, err := db.begin(ctx, beginWrite, "")
	if err != nil {
		return err
	}
	defer t.end("ROLLBACK")
	if err := t.Query(`SELECT pg_advisory_xact_lock($1)`, func(sqlstore.Row) error { return nil }, migrationLock); err != nil {
		return err
	}
	if err := sqlstore.Migrate(t); err != nil {
		return err
	}
	if err := db.stamp(t); err != nil {
		return err
	}
	return t.commit(db.opt.CommitPatience)
}

// migrationLock is "domicile" as a number.
const migrationLock int64 = 0x646f6d6963696c65

// Close waits for open transactions and disconnects.
func (db *DB) Close() error {
	db.pool.Close()
	return nil
}

var _ store.DB = (*DB)(nil)
