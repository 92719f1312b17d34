package sqlite

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest"
)

func open(t testing.TB, dir string, opt Options) *DB {
	t.Helper()
	if opt.Region == "" {
		opt.Region = storetest.Region
	}
	db, err := Open(context.Background(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.DB { return open(t, t.TempDir(), Options{}) })
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, Options{})
	_, err := Open(t.Context(), dir, Options{Region: storetest.Region})
	if fault.ReasonOf(err) != "store.locked" || !strings.Contains(err.Error(), "pid ") {
		t.Errorf("second Open = %v, want store.locked with the process id", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
}

func TestAnotherRegionIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, Options{Region: "ie1"}).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir, Options{Region: "us1"})
	if fault.ReasonOf(err) != "store.other_region" || !strings.Contains(err.Error(), "ie1") {
		t.Errorf("Open for us1 = %v, want store.other_region naming ie1", err)
	}
	open(t, dir, Options{Region: "ie1"}) // the refusal left no lock behind
}

func TestCloseEmptiesTheLogAndRefusesMore(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, Options{})
	mustDo(t, db, func(c sqlstore.Conn) error { return sqlstore.Metas{}.PutMeta(c, "x", make([]byte, 1<<20)) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := fileBytes(db.path + "-wal"); n != 0 {
		t.Errorf("the write-ahead log has %d bytes after Close", n)
	}
	for _, err := range []error{
		db.Do(t.Context(), func(store.Tx) error { return nil }),
		db.View(t.Context(), func(store.Tx) error { return nil }),
	} {
		if fault.ReasonOf(err) != "store.closed" {
			t.Errorf("after Close: %v, want store.closed", err)
		}
	}
	db = open(t, dir, Options{})
	if err := db.View(t.Context(), func(tx store.Tx) error {
		v, err := sqlstore.Metas{}.Meta(tx, "x")
		if len(v) != 1<<20 {
			t.Errorf("%d bytes after opening again", len(v))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// A full disk is trouble that passes: 503, nothing half written, and writing goes on afterwards.
func TestFullDisk(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	limit := func(pages string) {
		c, err := db.take(t.Context(), db.writer, writing) // a new one when the last had failed
		if err != nil {
			t.Fatal(err)
		}
		if err := c.run("PRAGMA max_page_count = " + pages); err != nil {
			t.Fatal(err)
		}
		db.writer <- c
	}
	put := func(n int) error {
		return db.Do(t.Context(), func(tx store.Tx) error {
			return errors.Join(sqlstore.Metas{}.PutMeta(tx, "x", []byte{1}), sqlstore.Metas{}.PutMeta(tx, "big", make([]byte, n)))
		})
	}
	limit("64")
	if err := put(1 << 20); fault.ReasonOf(err) != "store.full" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Do on a full disk = %v, want store.full", err)
	}
	if err := db.View(t.Context(), func(tx store.Tx) error {
		v, err := sqlstore.Metas{}.Meta(tx, "x")
		if v != nil {
			t.Error("half of the transaction is there")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	limit("100000")
	if err := put(1 << 20); err != nil {
		t.Errorf("Do after space was freed: %v", err)
	}
}

func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir, Options{Region: "ie1"})
	if fault.ReasonOf(err) != "store.corrupt" || fault.KindOf(err) != fault.Internal {
		t.Errorf("Open of a damaged file = %v, want store.corrupt", err)
	}
}

// The write-ahead log stays within bounds however much is written, though no commit copies it.
func TestTheLogIsBounded(t *testing.T) {
	const limit = 1 << 20
	db := open(t, t.TempDir(), Options{CheckpointBytes: limit})
	for i := range 600 { // 60 MiB; SQLite doesn't write what is there already
		mustDo(t, db, func(c sqlstore.Conn) error {
			return sqlstore.Metas{}.PutMeta(c, "x", bytes.Repeat([]byte{byte(i)}, 100<<10))
		})
	}
	if n := fileBytes(db.path + "-wal"); n > 16*limit {
		t.Errorf("the write-ahead log has %d bytes with a limit of %d", n, limit)
	}
}

func TestOnlyTheOwnerReadsTheFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	db := open(t, dir, Options{})
	mustDo(t, db, func(c sqlstore.Conn) error { return sqlstore.Metas{}.PutMeta(c, "x", nil) })
	for _, suffix := range []string{"", "-wal", "-shm"} {
		fi, err := os.Stat(db.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != 0o600 {
			t.Errorf("%s%s has mode %o, want 600", FileName, suffix, fi.Mode().Perm())
		}
	}
}

// Placeholders out of order would bind other values here than on PostgreSQL.
func TestPlaceholdersMustAscend(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	err := db.View(t.Context(), func(tx store.Tx) error {
		return tx.(sqlstore.Conn).Query(`SELECT value FROM meta WHERE name = $2 AND cell = $1`, func(sqlstore.Row) error { return nil }, 1, "x")
	})
	if err == nil {
		t.Error("placeholders out of order were taken")
	}
}

// A connection whose commit failed is replaced, and the store goes on.
func TestAFailedCommitIsNotDurableAndPasses(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	err := db.Do(t.Context(), func(tx store.Tx) error {
		if err := (sqlstore.Metas{}).PutMeta(tx, "x", []byte("lost")); err != nil {
			return err
		}
		return tx.(*conn).exec("ROLLBACK") // what SQLite does by itself on an I/O error
	})
	if err == nil {
		t.Error("Do = nil though nothing was committed")
	}
	mustDo(t, db, func(c sqlstore.Conn) error {
		v, err := sqlstore.Metas{}.Meta(c, "x")
		if v != nil {
			t.Errorf("the lost value is there: %q", v)
		}
		return err
	})
}

func TestStatementsAreBounded(t *testing.T) {
	db := open(t, t.TempDir(), Options{})
	mustDo(t, db, func(c sqlstore.Conn) error {
		for i := range 2 * maxStatements {
			if err := c.Query(`SELECT 1 WHERE 1 <> `+strings.Repeat("1", 1+i%3)+strings.Repeat(" ", i), func(sqlstore.Row) error { return nil }); err != nil {
				return err
			}
		}
		if n := len(c.(*conn).stmts); n > maxStatements {
			t.Errorf("%d prepared statements, at most %d", n, maxStatements)
		}
		return nil
	})
}
