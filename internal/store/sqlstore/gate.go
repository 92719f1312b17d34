package sqlstore

import "fmt"

// gateDDL is the commit gate: one row that every write transaction of the cell passes, one at a
// time. On PostgreSQL it is locked when the transaction begins and updated before it ends; that
// makes sure that a transaction which wrote nothing else (a client's retry of what is already
// stored) waits for the same replication as the one that stored it.
//
// Which versions of the index key count came later, see indexKeyDDL.
//
// Thief's gain: how many rows, changes and ledger entries there are.
const gateDDL = `
CREATE TABLE gate (
	cell        integer NOT NULL,
	pos         bigint  NOT NULL, -- last position given to a row of the record log
	epoch       bigint  NOT NULL, -- current epoch of the person keys
	change_seq  bigint  NOT NULL, -- last number given in the change table
	manifest    bigint  NOT NULL, -- version of the index manifest
	ledger_size bigint  NOT NULL, -- leaves in the ledger
	beat        bigint  NOT NULL, -- commits so far, on PostgreSQL
	PRIMARY KEY (cell)
) /*postgres: WITH (fillfactor = 10) */;
INSERT INTO gate (cell, pos, epoch, change_seq, manifest, ledger_size, beat) VALUES (1, 0, 0, 0, 0, 0, 0);
`

// Gate is a transaction's copy of the gate row. Change its fields in a write transaction and they
// are written with the commit; no statement does it, so that a commit writes the row once.
type Gate struct {
	Pos        int64 // last position given to a row of the record log
	Epoch      int64 // current epoch of the person keys
	ChangeSeq  int64 // last number given in the change table
	Manifest   int64 // version of the index manifest
	LedgerSize int64 // leaves in the ledger
	IndexFrom  int64 // first version of the index key that counts
	IndexTo    int64 // last version of the index key that counts, one above at most
}

// What drivers send at the borders of a transaction.
const (
	GateSelect = `SELECT pos, epoch, change_seq, manifest, ledger_size, index_from, index_to FROM gate WHERE cell = 1`
	GateLock   = GateSelect + ` FOR UPDATE` // PostgreSQL
	GateBeat   = `UPDATE gate SET beat = beat + 1 WHERE cell = 1`
	GateUpdate = `UPDATE gate SET pos = $1, epoch = $2, change_seq = $3, manifest = $4, ledger_size = $5,
		index_from = $6, index_to = $7, beat = beat + 1 WHERE cell = 1`
)

// Scan fills g from a row of GateSelect or GateLock.
func (g *Gate) Scan(r Row) {
	*g = Gate{Pos: r.Int(0), Epoch: r.Int(1), ChangeSeq: r.Int(2), Manifest: r.Int(3), LedgerSize: r.Int(4),
		IndexFrom: r.Int(5), IndexTo: r.Int(6)}
}

// Args returns the arguments of GateUpdate.
func (g *Gate) Args() []any {
	return []any{g.Pos, g.Epoch, g.ChangeSeq, g.Manifest, g.LedgerSize, g.IndexFrom, g.IndexTo}
}

// Check says what is wrong with a gate that a transaction leaves behind: no number goes down.
func (g *Gate) Check(before Gate) error {
	if g.Pos < before.Pos || g.Epoch < before.Epoch || g.ChangeSeq < before.ChangeSeq ||
		g.Manifest < before.Manifest || g.LedgerSize < before.LedgerSize || g.IndexFrom < before.IndexFrom || g.IndexTo < before.IndexTo {
		return fmt.Errorf("gate goes back from %+v to %+v", before, *g)
	}
	return nil
}
