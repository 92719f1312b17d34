// Package sqlite opens a region's store on SQLite: one file in the region's data directory, held by
// one process. Settings and their reasons: docs/decisions/0005-store-settings.md.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

// Options tunes a store. The zero value is right but for Region.
type Options struct {
	// Region is the id of the region the store belongs to. A store of another one is refused.
	// Empty opens any store and stamps none.
	Region string
	// Readers is the most Views at a time; others wait. Default 4, or as many as there are CPUs
	// up to 8.
	Readers int
	// CacheBytes is the page cache of all connections together. Default 24 MiB, of which the
	// writer has half. Blobs are cached above, by the record log; this holds inner pages.
	CacheBytes int
	// CheckpointBytes is how large the write-ahead log grows before it is copied into the
	// database in the background. Default 16 MiB. Under steady load it comes to about twice this,
	// and to more while a long View holds it.
	CheckpointBytes int64
	// Log hears of trouble in the background. Default: nobody does.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Readers == 0 {
		o.Readers = min(max(4, runtime.GOMAXPROCS(0)), 8)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 24 << 20
	}
	if o.CheckpointBytes == 0 {
		o.CheckpointBytes = 16 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// DB is a region's store. It implements store.DB.
type DB struct {
	path string
	lock *os.File
	opt  Options

	writer  chan *conn // holds the one writing connection, nil in it after a failure: open anew
	readers chan *conn // holds the idle readers, nil for one not opened yet

	committed chan struct{} // wakes the copying of the write-ahead log
	stop      chan struct{}
	stopOnce  sync.Once
	running   sync.WaitGroup
}

// FileName is the database within the data directory; SQLite adds -wal and -shm to it.
const FileName = "store.db"

// Open opens the store in dir, making the directory (0700) and the store when they are missing, and
// brings its tables up to date. Only one process has it at a time: while another does, Open returns
// a fault of kind Conflict, "store.locked".
func Open(ctx context.Context, dir string, opt Options) (*DB, error) {
	opt = opt.withDefaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unavailable("make the data directory", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	db := &DB{path: filepath.Join(dir, FileName), lock: lock, opt: opt,
		writer: make(chan *conn, 1), readers: make(chan *conn, opt.Readers),
		committed: make(chan struct{}, 1), stop: make(chan struct{})}
	w, err := db.create()
	if err != nil {
		lock.Close()
		return nil, err
	}
	db.writer <- w
	for range opt.Readers {
		db.readers <- nil
	}
	if err := db.do(ctx, false, func(c *conn) error {
		if err := sqlstore.Migrate(c); err != nil || opt.Region == "" {
			return err
		}
		return sqlstore.Stamp(c, opt.Region)
	}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.running.Go(db.runCheckpoints)
	return db, nil
}

// create makes the file where there is none, for its owner's eyes only: SQLite would ask the umask,
// and gives its other files the mode of this one. It returns the writing connection.
func (db *DB) create() (*conn, error) {
	f, err := os.OpenFile(db.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, unavailable("create the store's file", err)
	}
	return db.openConn(writing)
}

// Engine is "sqlite".
func (db *DB) Engine() string { return "sqlite" }

// Do runs fn in the write transaction. See store.DB.
func (db *DB) Do(ctx context.Context, fn func(tx store.Tx) error) error {
	return db.do(ctx, true, func(c *conn) error { return fn(c) })
}

func (db *DB) do(ctx context.Context, gated bool, fn func(c *conn) error) (err error) {
	c, err := db.take(ctx, db.writer, writing)
	if err != nil {
		return err
	}
	defer func() { // also when fn panics
		c.end()
		if c.broken {
			c.close()
			c = nil
		}
		db.writer <- c
	}()
	if err := c.begin(ctx, "BEGIN IMMEDIATE", gated); err != nil {
		return err
	}
	if err := fn(c); err != nil {
		return err
	}
	if err := c.commit(gated); err != nil {
		return err
	}
	db.grew()
	return nil
}

// View runs fn on a snapshot. See store.DB.
func (db *DB) View(ctx context.Context, fn func(tx store.Tx) error) error {
	c, err := db.take(ctx, db.readers, reading)
	if err != nil {
		return err
	}
	defer func() {
		c.end()
		if c.broken {
			c.close()
			c = nil
		}
		db.readers <- c
	}()
	if err := c.begin(ctx, "BEGIN", true); err != nil {
		return err
	}
	return fn(c)
}

// take waits for a connection from pool and opens it where there is none.
func (db *DB) take(ctx context.Context, pool chan *conn, m mode) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var c *conn
	var open bool
	select {
	case c, open = <-pool:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !open {
		return nil, closed()
	}
	if c != nil {
		return c, nil
	}
	c, err := db.openConn(m)
	if err != nil {
		pool <- nil
		return nil, err
	}
	return c, nil
}

// Close waits for open transactions, copies the write-ahead log into the database, empties it and
// gives the directory up.
func (db *DB) Close() error {
	var err error
	db.stopOnce.Do(func() {
		close(db.stop)
		db.running.Wait()
		for range db.opt.Readers {
			if c := <-db.readers; c != nil {
				err = errors.Join(err, c.close())
			}
		}
		close(db.readers)
		if c := <-db.writer; c != nil {
			err = errors.Join(err, c.run("PRAGMA wal_checkpoint(TRUNCATE)"), c.close())
		}
		close(db.writer)
		err = errors.Join(err, db.lock.Close())
	})
	if err != nil {
		return fmt.Errorf("close %s: %w", db.path, err)
	}
	return nil
}

func closed() error {
	return fault.New(fault.Unavailable, "store.closed", "the store is closed")
}
