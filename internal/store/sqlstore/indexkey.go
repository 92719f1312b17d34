package sqlstore

import (
	"time"

	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// indexKeyDDL is the life of the versions of the index key; the keys themselves are in the keyring.
// Which of them count is in the gate, so that every transaction knows. A store from before there
// were versions has the first one's check value in meta.
//
// Thief's gain: when the index key was rotated, and how many identifiers there were then.
const indexKeyDDL = `
CREATE TABLE index_key (
	cell       integer NOT NULL,
	n          bigint  NOT NULL,
	created_at bigint  NOT NULL, -- ms
	moved      bigint  NOT NULL, -- identifiers computed anew under it
	retired_at bigint  NOT NULL, -- ms, 0: it counts
	ended_at   bigint  NOT NULL, -- ms, 0: its key may still be in the keyring
	kcv        bytea   NOT NULL, -- the key's check value, 16 bytes
	PRIMARY KEY (cell, n)
) /*sqlite: WITHOUT ROWID */;
INSERT INTO index_key (cell, n, created_at, moved, retired_at, ended_at, kcv)
	SELECT 1, 1, e.created_at, 0, 0, 0, m.value FROM meta m, epoch e
	WHERE m.cell = 1 AND m.name = 'vault/check/index/1' AND e.cell = 1 AND e.n = 1;
ALTER TABLE gate ADD COLUMN index_from bigint NOT NULL DEFAULT 1; -- first version that counts
ALTER TABLE gate ADD COLUMN index_to bigint NOT NULL DEFAULT 1;   -- last version that counts
`

// IndexInForce implements vault.Store. It costs no statement.
func (Vaults) IndexInForce(tx store.Tx) (from, to uint32, err error) {
	g := conn(tx).Gate()
	return uint32(g.IndexFrom), uint32(g.IndexTo), nil
}

// IndexVersions implements vault.Store.
func (Vaults) IndexVersions(tx store.Tx) (all []vault.IndexVersion, err error) {
	at := func(ms int64) (t time.Time) {
		if ms != 0 {
			t = time.UnixMilli(ms).UTC()
		}
		return t
	}
	err = conn(tx).Query(`SELECT n, created_at, moved, retired_at, ended_at, kcv FROM index_key WHERE cell = 1 ORDER BY n`, func(r Row) error {
		all = append(all, vault.IndexVersion{N: uint32(r.Int(0)), CreatedAt: at(r.Int(1)), Moved: r.Int(2),
			RetiredAt: at(r.Int(3)), EndedAt: at(r.Int(4)), Check: r.Bytes(5)})
		return nil
	})
	return all, err
}

// AddIndexVersion implements vault.Store.
func (Vaults) AddIndexVersion(tx store.Tx, x vault.IndexVersion) error {
	c := conn(tx)
	if _, err := c.Exec(`INSERT INTO index_key (cell, n, created_at, moved, retired_at, ended_at, kcv) VALUES (1, $1, $2, 0, 0, 0, $3)`,
		x.N, x.CreatedAt.UnixMilli(), x.Check); err != nil {
		return err
	}
	c.Gate().IndexTo = int64(x.N)
	return nil
}

// CountMoved implements vault.Store.
func (Vaults) CountMoved(tx store.Tx, n uint32, moved int64) error {
	_, err := conn(tx).Exec(`UPDATE index_key SET moved = moved + $1 WHERE cell = 1 AND n = $2`, moved, n)
	return err
}

// RetireIndex implements vault.Store.
func (Vaults) RetireIndex(tx store.Tx, n uint32, at time.Time) error {
	c := conn(tx)
	if _, err := c.Exec(`UPDATE index_key SET retired_at = $1 WHERE cell = 1 AND n = $2`, at.UnixMilli(), n); err != nil {
		return err
	}
	c.Gate().IndexFrom = int64(n) + 1
	return nil
}

// EndIndex implements vault.Store.
func (Vaults) EndIndex(tx store.Tx, n uint32, at time.Time) error {
	_, err := conn(tx).Exec(`UPDATE index_key SET ended_at = $1 WHERE cell = 1 AND n = $2`, at.UnixMilli(), n)
	return err
}

// BindingsBefore implements subject.Store. It walks the table by its key, see KeysBefore.
func (Subjects) BindingsBefore(tx store.Tx, version uint32, after subject.BindingAt, limit int) (p subject.BindingPage, err error) {
	n := 0
	p.Last = after
	err = conn(tx).Query(`SELECT i.digest, i.subject, i.type, i.flags, i.source, i.key_version, i.sealed, i.created_at, i.tenant,
			(SELECT t.id FROM tenant t WHERE t.cell = 1 AND t.tenant = i.tenant), s.key_epoch, s.wrapped
		FROM identifier i LEFT JOIN subject s ON s.tenant = i.tenant AND s.subject = i.subject
		WHERE (i.tenant, i.digest, i.flags, i.subject) > ($1, $2, $3, $4) ORDER BY i.tenant, i.digest, i.flags, i.subject LIMIT $5`, func(r Row) error {
		n++
		b := subject.OldBinding{Binding: scanBinding(uint32(r.Int(8)), r), TenantID: r.Text(9), Epoch: uint32(r.Int(10)), Wrapped: r.Bytes(11)}
		p.Last = subject.BindingAt{BindingKey: b.BindingKey, Flags: int(r.Int(3)), Subject: b.Subject}
		if b.KeyVersion < version {
			p.Rows = append(p.Rows, b)
		}
		return nil
	}, after.Tenant, after.Digest[:], after.Flags, after.Subject[:], limit)
	p.More = n == limit
	return p, err
}

// MoveBindings implements subject.Store. Who has the identifier under the new digest already keeps
// that row.
func (Subjects) MoveBindings(tx store.Tx, moves []subject.Move) (moved int64, err error) {
	c := conn(tx)
	args := make([][]any, len(moves))
	for i, m := range moves {
		args[i] = []any{m.Tenant, m.Digest[:], flagsOf(&m.Binding), m.Subject[:], m.KeyVersion}
	}
	var there, inserts [][]any
	if err := c.QueryEach(`SELECT 1 FROM identifier WHERE tenant = $1 AND digest = $2 AND flags = $3 AND subject = $4 AND key_version = $5`,
		args, func(i int, _ Row) error {
			m := &moves[i]
			there = append(there, args[i])
			inserts = append(inserts, []any{m.To[:], m.ToVersion, m.Tenant, m.Digest[:], flagsOf(&m.Binding), m.Subject[:]})
			return nil
		}); err != nil || len(there) == 0 {
		return 0, err
	}
	if err := c.ExecEach(`INSERT INTO identifier (tenant, digest, subject, type, flags, source, key_version, sealed, created_at)
		SELECT tenant, $1, subject, type, flags, source, $2, sealed, created_at FROM identifier
		WHERE tenant = $3 AND digest = $4 AND flags = $5 AND subject = $6 ON CONFLICT (tenant, digest, flags, subject) DO NOTHING`, inserts); err != nil {
		return 0, err
	}
	err = c.ExecEach(`DELETE FROM identifier WHERE tenant = $1 AND digest = $2 AND flags = $3 AND subject = $4 AND key_version = $5`, there)
	return int64(len(there)), err
}

// CountBindingsBefore implements subject.Store.
func (Subjects) CountBindingsBefore(tx store.Tx, version uint32) (n int64, err error) {
	_, err = one(conn(tx), `SELECT count(*) FROM identifier WHERE key_version < $1`, func(r Row) { n = r.Int(0) }, version)
	return n, err
}
