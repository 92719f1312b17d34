package sqlstore

import (
	"domicile.dev/internal/fault"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/store"
)

// ledgerDDL is the log of decisions. The number of leaves is gate.ledger_size. Leaves are only ever
// added at the end; nothing updates or deletes one. Format: docs/formats/ledger.md, "At rest".
//
// Thief's gain: who did what when, in ids (ledger_entry); the other tables are public.
const ledgerDDL = `
CREATE TABLE ledger_hash (
	cell       integer NOT NULL,
	leaf       bigint  NOT NULL, -- from 0
	commitment bytea   NOT NULL, -- 32 bytes
	hashes     bytea   NOT NULL, -- 32 bytes each: the leaf's hash, then those of the subtrees it completes
	PRIMARY KEY (cell, leaf)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE ledger_entry (
	cell   integer NOT NULL,
	leaf   bigint  NOT NULL,
	tenant text    NOT NULL, -- '' is the region itself
	kind   text    NOT NULL,
	at     bigint  NOT NULL, -- ms
	entry  bytea   NOT NULL,
	nonce  bytea   NOT NULL, -- 32 bytes
	subs   bytea,            -- sub-entries with their nonces
	PRIMARY KEY (cell, leaf)
);

CREATE TABLE ledger_checkpoint (
	cell integer NOT NULL,
	size bigint  NOT NULL,
	note bytea   NOT NULL, -- signed by the log, without cosignatures
	PRIMARY KEY (cell)
);

CREATE TABLE ledger_cosignature (
	cell    integer NOT NULL,
	witness text    NOT NULL,
	size    bigint  NOT NULL,
	line    bytea   NOT NULL,
	PRIMARY KEY (cell, witness)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE ledger_mirror (
	cell   integer NOT NULL,
	origin text    NOT NULL,
	size   bigint  NOT NULL,
	note   bytea   NOT NULL, -- the newest verified, with its log's signature
	at     bigint  NOT NULL, -- ms
	PRIMARY KEY (cell, origin)
) /*sqlite: WITHOUT ROWID */;
`

// Ledgers implements ledger.Store.
type Ledgers struct{}

var _ ledger.Store = Ledgers{}

// Head returns the number of leaves and the stored hashes of the last one.
func (Ledgers) Head(tx store.Tx) (size int64, last []byte, err error) {
	c := conn(tx)
	if size = c.Gate().LedgerSize; size == 0 {
		return 0, nil, nil
	}
	_, err = one(c, `SELECT hashes FROM ledger_hash WHERE cell = 1 AND leaf = $1`,
		func(r Row) { last = r.Bytes(0) }, size-1)
	return size, last, err
}

// Append writes leaves after the last one.
func (Ledgers) Append(tx store.Tx, leaves []ledger.Leaf) error {
	c := conn(tx)
	hashes, entries := make([][]any, len(leaves)), make([][]any, len(leaves))
	for i := range leaves {
		l := &leaves[i]
		hashes[i] = []any{l.Index, l.Commitment[:], l.Hashes}
		var subs any
		if l.Subs != nil {
			subs = l.Subs
		}
		entries[i] = []any{l.Index, l.Tenant, l.Kind, l.At, l.Entry, l.Nonce, subs}
	}
	if err := c.ExecEach(`INSERT INTO ledger_hash (cell, leaf, commitment, hashes) VALUES (1, $1, $2, $3)`, hashes); err != nil {
		return err
	}
	if err := c.ExecEach(`INSERT INTO ledger_entry (cell, leaf, tenant, kind, at, entry, nonce, subs)
		VALUES (1, $1, $2, $3, $4, $5, $6, $7)`, entries); err != nil {
		return err
	}
	c.Gate().LedgerSize += int64(len(leaves))
	return nil
}

// Hashes calls each with the stored hashes of leaves[i].
func (Ledgers) Hashes(tx store.Tx, leaves []int64, each func(i int, hashes []byte) error) error {
	args := make([][]any, len(leaves))
	for i, leaf := range leaves {
		args[i] = []any{leaf}
	}
	return conn(tx).QueryEach(`SELECT hashes FROM ledger_hash WHERE cell = 1 AND leaf = $1`, args,
		func(i int, r Row) error { return each(i, r.Bytes(0)) })
}

// Public calls each for the leaves from first to before end.
func (Ledgers) Public(tx store.Tx, first, end int64, each func(commitment, hashes []byte) error) error {
	return conn(tx).Query(`SELECT commitment, hashes FROM ledger_hash WHERE cell = 1 AND leaf >= $1 AND leaf < $2 ORDER BY leaf`,
		func(r Row) error { return each(r.Bytes(0), r.Bytes(1)) }, first, end)
}

// Leaf returns what a leaf's entry says.
func (Ledgers) Leaf(tx store.Tx, index int64) (*ledger.Leaf, error) {
	l := ledger.Leaf{Index: index}
	found, err := one(conn(tx), `SELECT tenant, kind, at, entry, nonce, subs FROM ledger_entry WHERE cell = 1 AND leaf = $1`,
		func(r Row) {
			l.Tenant, l.Kind, l.At, l.Entry, l.Nonce, l.Subs = r.Text(0), r.Text(1), r.Int(2), r.Bytes(3), r.Bytes(4), r.Bytes(5)
		}, index)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "ledger.no_entry", "there is no such entry")
	}
	return &l, err
}

// Private calls each for the leaves from first to before end, with what only this store holds of them.
func (Ledgers) Private(tx store.Tx, first, end int64, each func(*ledger.Leaf) error) error {
	return conn(tx).Query(`SELECT h.leaf, h.commitment, e.entry, e.nonce, e.subs
		FROM ledger_hash h LEFT JOIN ledger_entry e ON e.cell = h.cell AND e.leaf = h.leaf
		WHERE h.cell = 1 AND h.leaf >= $1 AND h.leaf < $2 ORDER BY h.leaf`,
		func(r Row) error {
			l := ledger.Leaf{Index: r.Int(0), Entry: r.Bytes(2), Nonce: r.Bytes(3), Subs: r.Bytes(4)}
			copy(l.Commitment[:], r.Bytes(1))
			return each(&l)
		}, first, end)
}

// Checkpoint returns the newest checkpoint.
func (Ledgers) Checkpoint(tx store.Tx) (size int64, note []byte, err error) {
	_, err = one(conn(tx), `SELECT size, note FROM ledger_checkpoint WHERE cell = 1`,
		func(r Row) { size, note = r.Int(0), r.Bytes(1) })
	return size, note, err
}

// PutCheckpoint keeps note unless it has one of that size or larger.
func (Ledgers) PutCheckpoint(tx store.Tx, size int64, note []byte) error {
	_, err := conn(tx).Exec(`INSERT INTO ledger_checkpoint (cell, size, note) VALUES (1, $1, $2)
		ON CONFLICT (cell) DO UPDATE SET size = excluded.size, note = excluded.note
		WHERE ledger_checkpoint.size < excluded.size`, size, note)
	return err
}

// Cosignatures calls each with every witness's newest cosignature.
func (Ledgers) Cosignatures(tx store.Tx, each func(witness string, size int64, line []byte) error) error {
	return conn(tx).Query(`SELECT witness, size, line FROM ledger_cosignature WHERE cell = 1 ORDER BY witness`,
		func(r Row) error { return each(r.Text(0), r.Int(1), r.Bytes(2)) })
}

// PutCosignature keeps line unless it has one of a larger size.
func (Ledgers) PutCosignature(tx store.Tx, witness string, size int64, line []byte) error {
	_, err := conn(tx).Exec(`INSERT INTO ledger_cosignature (cell, witness, size, line) VALUES (1, $1, $2, $3)
		ON CONFLICT (cell, witness) DO UPDATE SET size = excluded.size, line = excluded.line
		WHERE ledger_cosignature.size <= excluded.size`, witness, size, line)
	return err
}

// Mirror returns the newest checkpoint verified of another log.
func (Ledgers) Mirror(tx store.Tx, origin string) (size int64, note []byte, err error) {
	_, err = one(conn(tx), `SELECT size, note FROM ledger_mirror WHERE cell = 1 AND origin = $1`,
		func(r Row) { size, note = r.Int(0), r.Bytes(1) }, origin)
	return size, note, err
}

// PutMirror replaces it.
func (Ledgers) PutMirror(tx store.Tx, origin string, size int64, note []byte, at int64) error {
	_, err := conn(tx).Exec(`INSERT INTO ledger_mirror (cell, origin, size, note, at) VALUES (1, $1, $2, $3, $4)
		ON CONFLICT (cell, origin) DO UPDATE SET size = excluded.size, note = excluded.note, at = excluded.at`,
		origin, size, note, at)
	return err
}
