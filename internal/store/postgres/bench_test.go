package postgres

import (
	"bytes"
	"context"
	"testing"

	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/store/storetest/pgtest"
)

// One commit group of 20 KB, written through to the disk.
func BenchmarkCommit20KB(b *testing.B) {
	db := open(b, pgtest.Start(b).URL, Options{})
	if err := do(context.Background(), db, func(c sqlstore.Conn) error {
		if _, err := c.Exec(`CREATE TABLE blob (tenant integer NOT NULL, pos bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, pos))`); err != nil {
			return err
		}
		_, err := c.Exec(`ALTER TABLE blob ALTER COLUMN body SET STORAGE EXTERNAL`)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte{7}, 20<<10)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := do(context.Background(), db, func(c sqlstore.Conn) error {
			c.Gate().Pos++
			_, err := c.Exec(`INSERT INTO blob (tenant, pos, body) VALUES ($1, $2, $3)`, 1, c.Gate().Pos, body)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// A View with one query by primary key.
func BenchmarkPointRead(b *testing.B) {
	db := open(b, pgtest.URL(b), Options{})
	if err := putMeta(db, "x"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := db.View(context.Background(), func(tx store.Tx) error {
			_, err := sqlstore.Metas{}.Meta(tx, "x")
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}
