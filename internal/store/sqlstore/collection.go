package sqlstore

import (
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
)

// collectionDDL counts what came in by category, and which members no kind maps. Paths are told apart
// by a keyed digest, under the tenant's client key; a name is read from the sample, as long as that opens.
//
// Thief's gain: volumes by kind and category; names of fields as far as the programme knows them.
const collectionDDL = `
CREATE TABLE collected (
	tenant   integer NOT NULL,
	service  text    NOT NULL,
	kind     text    NOT NULL,
	category text    NOT NULL,
	n        bigint  NOT NULL,
	first_at bigint  NOT NULL,
	last_at  bigint  NOT NULL,
	PRIMARY KEY (tenant, service, kind, category)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE unmapped (
	tenant   integer NOT NULL,
	source   text    NOT NULL,
	service  text    NOT NULL,
	kind     text    NOT NULL,
	digest   bytea   NOT NULL, -- 16 bytes; all zero for what is beyond the bound
	path     text    NOT NULL, -- masked
	sample   bytea   NOT NULL, -- record id, the latest
	client   bytea   NOT NULL, -- front of its client key, 6 bytes
	subject  bytea   NOT NULL, -- whom it is about
	n        bigint  NOT NULL,
	first_at bigint  NOT NULL,
	last_at  bigint  NOT NULL,
	PRIMARY KEY (tenant, source, service, kind, digest)
) /*sqlite: WITHOUT ROWID */;
`

// AddCollected implements plane.StatStore.
func (Stats) AddCollected(tx store.Tx, all []plane.Collected) error {
	args := make([][]any, len(all))
	for i, c := range all {
		args[i] = []any{c.Tenant, c.Service, c.Kind, c.Category, c.N, c.FirstAt.UnixMilli(), c.LastAt.UnixMilli()}
	}
	return conn(tx).ExecEach(`INSERT INTO collected (tenant, service, kind, category, n, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, service, kind, category) DO UPDATE SET n = collected.n + excluded.n, last_at = excluded.last_at`, args)
}

// AddUnmapped implements plane.StatStore.
func (Stats) AddUnmapped(tx store.Tx, all []plane.Unmapped) error {
	args := make([][]any, len(all))
	for i, u := range all {
		sample := u.Sample.Bytes()
		args[i] = []any{u.Tenant, u.Source, u.Service, u.Kind, u.Digest[:], u.Path, sample[:], u.Client[:], u.Subject[:], u.N, u.FirstAt.UnixMilli(), u.LastAt.UnixMilli()}
	}
	return conn(tx).ExecEach(`INSERT INTO unmapped (tenant, source, service, kind, digest, path, sample, client, subject, n, first_at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (tenant, source, service, kind, digest) DO UPDATE SET n = unmapped.n + excluded.n, last_at = excluded.last_at,
			sample = excluded.sample, client = excluded.client, subject = excluded.subject`, args)
}

// Collected implements plane.StatStore.
func (Stats) Collected(tx store.Tx, tenant uint32) (all []plane.Collected, err error) {
	err = conn(tx).Query(`SELECT service, kind, category, n, first_at, last_at FROM collected WHERE tenant = $1 ORDER BY service, kind, category`, func(r Row) error {
		all = append(all, plane.Collected{Tenant: tenant, Service: r.Text(0), Kind: r.Text(1), Category: r.Text(2), N: r.Int(3),
			FirstAt: time.UnixMilli(r.Int(4)).UTC(), LastAt: time.UnixMilli(r.Int(5)).UTC()})
		return nil
	}, tenant)
	return all, err
}

// Unmapped implements plane.StatStore.
func (Stats) Unmapped(tx store.Tx, tenant uint32) (all []plane.Unmapped, err error) {
	err = conn(tx).Query(`SELECT source, service, kind, digest, path, sample, client, subject, n, first_at, last_at FROM unmapped
		WHERE tenant = $1 ORDER BY last_at DESC, source, service, kind, digest`, func(r Row) error {
		u := plane.Unmapped{Tenant: tenant, Source: r.Text(0), Service: r.Text(1), Kind: r.Text(2), Path: r.Text(4), N: r.Int(8),
			FirstAt: time.UnixMilli(r.Int(9)).UTC(), LastAt: time.UnixMilli(r.Int(10)).UTC()}
		var sample [16]byte
		copy(u.Digest[:], r.Bytes(3))
		copy(sample[:], r.Bytes(5))
		copy(u.Client[:], r.Bytes(6))
		copy(u.Subject[:], r.Bytes(7))
		u.Sample = id.RecordOf(sample)
		all = append(all, u)
		return nil
	}, tenant)
	return all, err
}

// UnmappedDigests implements plane.StatStore.
func (Stats) UnmappedDigests(tx store.Tx, tenant uint32, source string, each func([16]byte)) error {
	return conn(tx).Query(`SELECT digest FROM unmapped WHERE tenant = $1 AND source = $2`, func(r Row) error {
		var d [16]byte
		copy(d[:], r.Bytes(0))
		each(d)
		return nil
	}, tenant, source)
}
