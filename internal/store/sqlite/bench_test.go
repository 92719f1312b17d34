package sqlite

import (
	"bytes"
	"context"
	"os"
	"testing"

	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
)

func BenchmarkCommit20KB(b *testing.B) {
	db, err := Open(context.Background(), b.TempDir(), Options{Region: "ie1"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	mustDo(b, db, func(c sqlstore.Conn) error {
		_, err := c.Exec(`CREATE TABLE blob (tenant integer NOT NULL, pos bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, pos))`)
		return err
	})
	body := bytes.Repeat([]byte{7}, 20<<10)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		mustDo(b, db, func(c sqlstore.Conn) error {
			c.Gate().Pos++
			_, err := c.Exec(`INSERT INTO blob (tenant, pos, body) VALUES ($1, $2, $3)`, 1, c.Gate().Pos, body)
			return err
		})
	}
	b.ReportMetric(float64(fileBytes(db.path+"-wal"))/1e6, "walMB")
}

func BenchmarkPointRead(b *testing.B) {
	db, err := Open(context.Background(), b.TempDir(), Options{Region: "ie1"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	mustDo(b, db, func(c sqlstore.Conn) error {
		_, err := c.Exec(`CREATE TABLE s (tenant integer NOT NULL, subject bytea NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, subject)) WITHOUT ROWID`)
		for i := range 100000 {
			if err == nil {
				_, err = c.Exec(`INSERT INTO s (tenant, subject, body) VALUES ($1, $2, $3)`, 1, key(i), bytes.Repeat([]byte{1}, 100))
			}
		}
		return err
	})
	i := 0
	b.Run("view", func(b *testing.B) {
		for b.Loop() {
			i = (i + 7919) % 100000
			if err := db.View(context.Background(), func(tx store.Tx) error {
				return tx.(sqlstore.Conn).Query(`SELECT body FROM s WHERE tenant = $1 AND subject = $2`, func(r sqlstore.Row) error { r.Bytes(0); return nil }, 1, key(i))
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
			db.View(context.Background(), func(tx store.Tx) error { return nil })
		}
	})
	b.Run("statement", func(b *testing.B) {
		db.View(context.Background(), func(tx store.Tx) error {
			for b.Loop() {
				i = (i + 7919) % 100000
				if err := tx.(sqlstore.Conn).Query(`SELECT body FROM s WHERE tenant = $1 AND subject = $2`, func(r sqlstore.Row) error { r.Bytes(0); return nil }, 1, key(i)); err != nil {
					b.Fatal(err)
				}
			}
			return nil
		})
	})
}

func key(i int) []byte {
	return []byte{byte(i), byte(i >> 8), byte(i >> 16), 0, 0, 0, 0, 0, 0, 0, 0, 1}
}

func mustDo(t testing.TB, db store.DB, fn func(c sqlstore.Conn) error) {
	t.Helper()
	if err := db.Do(context.Background(), func(tx store.Tx) error { return fn(tx.(sqlstore.Conn)) }); err != nil {
		t.Fatal(err)
	}
}

func fileBytes(path string) int64 {
	if fi, err := os.Stat(path); err == nil {
		return fi.Size()
	}
	return 0
}
