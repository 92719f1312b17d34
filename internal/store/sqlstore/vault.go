package sqlstore

import (
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/vault"
)

// epochDDL is the life of the keys that wrap persons' keys; the keys themselves are in the keyring.
//
// Thief's gain: when keys were rotated. Check values tell nothing of the keys.
const epochDDL = `
CREATE TABLE epoch (
	cell         integer NOT NULL,
	n            bigint  NOT NULL,
	created_at   bigint  NOT NULL, -- ms
	destroyed_at bigint  NOT NULL, -- ms, 0: the keyring may still hold the key
	kcv          bytea   NOT NULL, -- the key's check value, 16 bytes
	PRIMARY KEY (cell, n)
) /*sqlite: WITHOUT ROWID */;
`

// Vaults implements vault.Store. Persons' wrapped keys are in the rows of table subject, those of
// subscribers in table subscriber, and those of notices to recipients in told_key; to the vault these are
// persons of tenant 0, which nobody is. Their ids are random, so that no two are the same.
type Vaults struct {
	Metas
	Leases
}

var _ vault.Store = Vaults{}

// CurrentEpoch implements vault.Store. It costs no statement.
func (Vaults) CurrentEpoch(tx store.Tx) (uint32, error) { return uint32(conn(tx).Gate().Epoch), nil }

// SetEpoch implements vault.Store.
func (Vaults) SetEpoch(tx store.Tx, e vault.Epoch) error {
	c := conn(tx)
	if _, err := c.Exec(`INSERT INTO epoch (cell, n, created_at, destroyed_at, kcv) VALUES (1, $1, $2, 0, $3)`,
		e.N, e.CreatedAt.UnixMilli(), e.Check); err != nil {
		return err
	}
	c.Gate().Epoch = int64(e.N)
	return nil
}

// Epochs implements vault.Store.
func (Vaults) Epochs(tx store.Tx) (all []vault.Epoch, err error) {
	err = conn(tx).Query(`SELECT n, created_at, destroyed_at, kcv FROM epoch WHERE cell = 1 ORDER BY n`, func(r Row) error {
		e := vault.Epoch{N: uint32(r.Int(0)), CreatedAt: time.UnixMilli(r.Int(1)).UTC(), Check: r.Bytes(3)}
		if at := r.Int(2); at != 0 {
			e.DestroyedAt = time.UnixMilli(at).UTC()
		}
		all = append(all, e)
		return nil
	})
	return all, err
}

// MarkDestroyed implements vault.Store.
func (Vaults) MarkDestroyed(tx store.Tx, n uint32, at time.Time) error {
	_, err := conn(tx).Exec(`UPDATE epoch SET destroyed_at = $1 WHERE cell = 1 AND n = $2`, at.UnixMilli(), n)
	return err
}

// KeysBefore implements vault.Store. It walks the table by its key, so that a rotation reads each
// page about once and needs no index that every commit would have to keep. Which are of an earlier
// epoch is not asked of the database: it would walk on until it had found limit of them.
func (Vaults) KeysBefore(tx store.Tx, epoch uint32, afterTenant int, after id.Subject, limit int) (p vault.KeyPage, err error) {
	n := 0
	if afterTenant == 0 {
		err = conn(tx).Query(`SELECT id, key_epoch, wrapped FROM (SELECT subscriber AS id, key_epoch, wrapped FROM subscriber WHERE cell = 1
			UNION ALL SELECT notice AS id, key_epoch, wrapped FROM told_key WHERE cell = 1) AS k WHERE id > $1 ORDER BY id LIMIT $2`, func(r Row) error {
			n++
			copy(p.Subject[:], r.Bytes(0))
			if e := uint32(r.Int(1)); e < epoch {
				p.Rows = append(p.Rows, vault.KeyRow{Subject: p.Subject, Wrapped: vault.Wrapped{Epoch: e, Bytes: r.Bytes(2)}})
			}
			return nil
		}, after[:], limit)
		if err != nil || n == limit {
			p.More = true
			return p, err
		}
	}
	err = conn(tx).Query(`SELECT tenant, (SELECT t.id FROM tenant t WHERE t.cell = 1 AND t.tenant = subject.tenant), subject, key_epoch, wrapped
		FROM subject WHERE (tenant, subject) > ($1, $2) ORDER BY tenant, subject LIMIT $3`, func(r Row) error {
		n++
		p.Tenant = int(r.Int(0))
		copy(p.Subject[:], r.Bytes(2))
		if e := uint32(r.Int(3)); e < epoch {
			p.Rows = append(p.Rows, vault.KeyRow{Tenant: p.Tenant, TenantID: r.Text(1), Subject: p.Subject, Wrapped: vault.Wrapped{Epoch: e, Bytes: r.Bytes(4)}})
		}
		return nil
	}, afterTenant, after[:], limit-n)
	p.More = n == limit
	return p, err
}

// PutKeys implements vault.Store. A person who was erased has no row, and gets none.
func (Vaults) PutKeys(tx store.Tx, rows []vault.KeyRow) error {
	args := make([][]any, 0, len(rows))
	for i := range rows {
		k := &rows[i]
		if k.Tenant != 0 {
			args = append(args, []any{k.Wrapped.Epoch, k.Wrapped.Bytes, k.Tenant, k.Subject[:]})
			continue
		}
		for _, update := range []string{`UPDATE subscriber SET key_epoch = $1, wrapped = $2 WHERE cell = 1 AND subscriber = $3 AND key_epoch < $1`,
			`UPDATE told_key SET key_epoch = $1, wrapped = $2 WHERE cell = 1 AND notice = $3 AND key_epoch < $1`} {
			if _, err := conn(tx).Exec(update, k.Wrapped.Epoch, k.Wrapped.Bytes, k.Subject[:]); err != nil {
				return err
			}
		}
	}
	return conn(tx).ExecEach(`UPDATE subject SET key_epoch = $1, wrapped = $2 WHERE tenant = $3 AND subject = $4 AND key_epoch < $1`, args)
}

// CountBefore implements vault.Store.
func (Vaults) CountBefore(tx store.Tx, epoch uint32) (n int, err error) {
	_, err = one(conn(tx), `SELECT (SELECT count(*) FROM subject WHERE key_epoch < $1) + (SELECT count(*) FROM subscriber WHERE cell = 1 AND key_epoch < $1)
		+ (SELECT count(*) FROM told_key WHERE cell = 1 AND key_epoch < $1)`, func(r Row) { n = int(r.Int(0)) }, epoch)
	return n, err
}
