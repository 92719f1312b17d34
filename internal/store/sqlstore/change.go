package sqlstore

import (
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// changeDDL is what nodes must know of what others did: erasures first of all. A node that looks,
// in the transaction of its own read or commit, from where it last looked sees every change that
// was committed before that transaction began.
//
// Thief's gain: random subject ids with the time of their erasure or restriction.
const changeDDL = `
CREATE TABLE change (
	cell    integer NOT NULL,
	seq     bigint  NOT NULL, -- gapless in commit order, from gate.change_seq
	kind    text    NOT NULL, -- "erase", "restrict", "source", …
	tenant  integer NOT NULL, -- 0: concerns the region
	subject bytea   NOT NULL, -- empty: concerns no subject
	at      bigint  NOT NULL, -- ms
	PRIMARY KEY (cell, seq)
);
`

// Change is one line of the change table.
type Change struct {
	Seq     int64
	Kind    string
	Tenant  uint32 // 0 when it concerns the region
	Subject []byte // the 12 bytes of a subject id, or empty
	At      time.Time
}

// Changes tell the nodes of a cell of each other's doing.
type Changes struct{ Leases }

// Change appends a line in this write transaction and returns its number, one above the last.
func (Changes) Change(tx store.Tx, kind string, tenant uint32, subject []byte, at time.Time) (seq int64, err error) {
	c := conn(tx)
	seq = c.Gate().ChangeSeq + 1
	if _, err = c.Exec(`INSERT INTO change (cell, seq, kind, tenant, subject, at) VALUES (1, $1, $2, $3, $4, $5)`,
		seq, kind, tenant, subject, at.UnixMilli()); err != nil {
		return 0, err
	}
	c.Gate().ChangeSeq = seq
	return seq, nil
}

// ChangeAll is Change for many subjects, at once.
func (Changes) ChangeAll(tx store.Tx, kind string, keys []subject.Key, at time.Time) error {
	if len(keys) == 0 {
		return nil
	}
	c := conn(tx)
	args := make([][]any, len(keys))
	for i, k := range keys {
		args[i] = []any{c.Gate().ChangeSeq + 1 + int64(i), kind, k.Tenant, k.Subject[:], at.UnixMilli()}
	}
	if err := c.ExecEach(`INSERT INTO change (cell, seq, kind, tenant, subject, at) VALUES (1, $1, $2, $3, $4, $5)`, args); err != nil {
		return err
	}
	c.Gate().ChangeSeq += int64(len(keys))
	return nil
}

// ChangeSeq returns the number of the last change that tx sees. It costs no statement.
func (Changes) ChangeSeq(tx store.Tx) int64 { return conn(tx).Gate().ChangeSeq }

// ChangesSince returns all changes after the one numbered after, oldest first. whole is false when
// some of them were pruned: then a node forgets all it has cached. It costs no statement when there
// is nothing new.
func (Changes) ChangesSince(tx store.Tx, after int64) (changes []Change, whole bool, err error) {
	c := conn(tx)
	if after >= c.Gate().ChangeSeq {
		return nil, true, nil
	}
	err = c.Query(`SELECT seq, kind, tenant, subject, at FROM change WHERE cell = 1 AND seq > $1 ORDER BY seq`,
		func(r Row) error {
			changes = append(changes, Change{Seq: r.Int(0), Kind: r.Text(1), Tenant: uint32(r.Int(2)),
				Subject: r.Bytes(3), At: time.UnixMilli(r.Int(4)).UTC()})
			return nil
		}, after)
	return changes, int64(len(changes)) == c.Gate().ChangeSeq-after, err
}

// PruneChanges deletes changes made before t. Nodes that had not looked since then start anew.
func (Changes) PruneChanges(tx store.Tx, t time.Time) (pruned int64, err error) {
	return conn(tx).Exec(`DELETE FROM change WHERE cell = 1 AND at < $1`, t.UnixMilli())
}

// GoneSince returns the subjects of all changes after the one numbered after; see plane.ChangeStore.
func (c Changes) GoneSince(tx store.Tx, after int64) (gone []subject.Key, whole bool, err error) {
	changes, whole, err := c.ChangesSince(tx, after)
	for _, ch := range changes {
		if len(ch.Subject) == len(id.Subject{}) {
			gone = append(gone, subject.Key{Tenant: ch.Tenant, Subject: id.Subject(ch.Subject)})
		}
	}
	return gone, whole, err
}
