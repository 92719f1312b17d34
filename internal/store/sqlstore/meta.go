package sqlstore

import "domicile.dev/internal/store"

// metaDDL holds single values about the store itself, such as the region it belongs to and the
// check value of its keys.
//
// Thief's gain: the region's name, the server's number; nothing that opens anything.
const metaDDL = `
CREATE TABLE meta (
	cell  integer NOT NULL,
	name  text    NOT NULL,
	value bytea   NOT NULL,
	PRIMARY KEY (cell, name)
) /*sqlite: WITHOUT ROWID */;
`

// Metas are single named values of the store.
type Metas struct{}

// Meta returns the value of name; nil when it was never put.
func (Metas) Meta(tx store.Tx, name string) (value []byte, err error) {
	_, err = one(conn(tx), `SELECT value FROM meta WHERE cell = 1 AND name = $1`,
		func(r Row) { value = r.Bytes(0) }, name)
	return value, err
}

// PutMeta sets the value of name.
func (Metas) PutMeta(tx store.Tx, name string, value []byte) error {
	_, err := conn(tx).Exec(`INSERT INTO meta (cell, name, value) VALUES (1, $1, $2)
		ON CONFLICT (cell, name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
