package sqlstore

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// mediaDDL is which recordings and attachments there are, and who can open them: a blob's key, once
// for each person it is about, under that person's key. The blobs themselves lie elsewhere.
//
// Thief's gain: sizes and times, and of which records.
const mediaDDL = `
CREATE TABLE media (
	tenant      integer NOT NULL,
	media       bytea   NOT NULL, -- 12 random bytes; the blob's name is made of them
	record      bytea   NOT NULL, -- 16 bytes, of the record it belongs to
	n           integer NOT NULL, -- its number in the record
	subject     bytea   NOT NULL, -- whom the blob is bound to; zeros: nobody, or several
	size        bigint  NOT NULL, -- of the content, bytes
	class       integer NOT NULL, -- of retention: days, 0 without a limit
	received_at bigint  NOT NULL, -- ms
	digest      bytea   NOT NULL, -- HMAC of the content under a key that is derived from the blob's
	about       bytea   NOT NULL, -- type and name, sealed under another
	PRIMARY KEY (tenant, media)
) /*sqlite: WITHOUT ROWID */;
CREATE UNIQUE INDEX media_record ON media (tenant, record, n);

CREATE TABLE media_key (
	tenant  integer NOT NULL,
	media   bytea   NOT NULL,
	subject bytea   NOT NULL, -- zeros: nobody
	wrapped bytea   NOT NULL, -- the blob's key, sealed under the subject's
	PRIMARY KEY (tenant, media, subject)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX media_key_subject ON media_key (tenant, subject);

CREATE TABLE media_fetch ( -- what is still to be got from a vendor; where it lies is in the sealed record
	tenant   integer NOT NULL,
	record   bytea   NOT NULL,
	n        integer NOT NULL,
	source   text    NOT NULL,
	prefix   bytea   NOT NULL, -- 6 bytes of the record's blind client id
	due_at   bigint  NOT NULL, -- ms
	attempts integer NOT NULL, -- begun
	PRIMARY KEY (tenant, record, n)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX media_fetch_due ON media_fetch (due_at);
`

// Medias implements plane.MediaStore.
type Medias struct{ Metas }

var _ plane.MediaStore = Medias{}

// PutFetches implements plane.MediaStore.
func (Medias) PutFetches(tx store.Tx, rows []plane.FetchRow) error {
	args := make([][]any, len(rows))
	for i, r := range rows {
		rec := r.Record.Bytes()
		args[i] = []any{r.Tenant, rec[:], r.N, r.Source, r.Prefix[:], r.DueAt, r.Attempts}
	}
	return conn(tx).ExecEach(`INSERT INTO media_fetch (tenant, record, n, source, prefix, due_at, attempts) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, record, n) DO UPDATE SET due_at = excluded.due_at, attempts = excluded.attempts`, args)
}

// DueFetches implements plane.MediaStore.
func (Medias) DueFetches(tx store.Tx, now int64, limit int, each func(plane.FetchRow)) error {
	return conn(tx).Query(`SELECT tenant, record, n, source, prefix, due_at, attempts FROM media_fetch WHERE due_at <= $1
		ORDER BY due_at, tenant, record, n LIMIT $2`, func(r Row) error { each(scanFetch(r)); return nil }, now, limit)
}

// FetchesOf implements plane.MediaStore.
func (Medias) FetchesOf(tx store.Tx, tenant uint32, records []id.Record, each func(plane.FetchRow)) error {
	args := make([][]any, len(records))
	for i := range records {
		b := records[i].Bytes()
		args[i] = []any{tenant, b[:]}
	}
	return conn(tx).QueryEach(`SELECT tenant, record, n, source, prefix, due_at, attempts FROM media_fetch WHERE tenant = $1 AND record = $2`, args,
		func(_ int, r Row) error { each(scanFetch(r)); return nil })
}

func scanFetch(r Row) plane.FetchRow {
	f := plane.FetchRow{Tenant: uint32(r.Int(0)), N: int(r.Int(2)), Source: r.Text(3), DueAt: r.Int(5), Attempts: int(r.Int(6))}
	f.Record = id.RecordOf([16]byte(append(r.Bytes(1), make([]byte, 16)...)))
	copy(f.Prefix[:], r.Bytes(4))
	return f
}

// DropFetches implements plane.MediaStore.
func (Medias) DropFetches(tx store.Tx, rows []plane.FetchRow) error {
	args := make([][]any, len(rows))
	for i, r := range rows {
		rec := r.Record.Bytes()
		args[i] = []any{r.Tenant, rec[:], r.N}
	}
	return conn(tx).ExecEach(`DELETE FROM media_fetch WHERE tenant = $1 AND record = $2 AND n = $3`, args)
}

// AnyMedia implements plane.MediaStore.
func (Medias) AnyMedia(tx store.Tx) (bool, error) {
	return one(conn(tx), `SELECT 1 FROM media LIMIT 1`, func(Row) {})
}

// InsertMedia implements plane.MediaStore.
func (Medias) InsertMedia(tx store.Tx, m plane.MediaRow, keys []plane.MediaKey) error {
	c := conn(tx)
	rec := m.Record.Bytes()
	if _, err := c.Exec(`INSERT INTO media (tenant, media, record, n, subject, size, class, received_at, digest, about)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, m.Tenant, m.ID[:], rec[:], m.N, m.Subject[:], m.Bytes, m.Class,
		m.ReceivedAt, m.Digest, m.About); err != nil {
		return err
	}
	args := make([][]any, len(keys))
	for i, k := range keys {
		args[i] = []any{m.Tenant, m.ID[:], k.Subject[:], k.Wrapped}
	}
	return c.ExecEach(`INSERT INTO media_key (tenant, media, subject, wrapped) VALUES ($1, $2, $3, $4)`, args)
}

const mediaColumns = `SELECT media, record, n, subject, size, class, received_at, digest, about FROM media `

func scanMedia(tenant uint32, r Row) plane.MediaRow {
	m := plane.MediaRow{Tenant: tenant, N: int(r.Int(2)), Bytes: r.Int(4), Class: uint16(r.Int(5)), ReceivedAt: r.Int(6),
		Digest: r.Bytes(7), About: r.Bytes(8)}
	copy(m.ID[:], r.Bytes(0))
	m.Record = id.RecordOf([16]byte(append(r.Bytes(1), make([]byte, 16)...)))
	copy(m.Subject[:], r.Bytes(3))
	return m
}

func mediaArgs(tenant uint32, ids []id.Media) [][]any {
	args := make([][]any, len(ids))
	for i := range ids {
		args[i] = []any{tenant, ids[i][:]}
	}
	return args
}

// Media implements plane.MediaStore.
func (Medias) Media(tx store.Tx, tenant uint32, ids []id.Media, each func(plane.MediaRow)) error {
	return conn(tx).QueryEach(mediaColumns+`WHERE tenant = $1 AND media = $2`, mediaArgs(tenant, ids),
		func(_ int, r Row) error { each(scanMedia(tenant, r)); return nil })
}

// MediaOf implements plane.MediaStore.
func (Medias) MediaOf(tx store.Tx, tenant uint32, records []id.Record, each func(plane.MediaRow)) error {
	args := make([][]any, len(records))
	for i := range records {
		b := records[i].Bytes()
		args[i] = []any{tenant, b[:]}
	}
	return conn(tx).QueryEach(mediaColumns+`WHERE tenant = $1 AND record = $2 ORDER BY n`, args,
		func(_ int, r Row) error { each(scanMedia(tenant, r)); return nil })
}

func scanMediaKey(r Row) (k plane.MediaKey) {
	copy(k.Media[:], r.Bytes(0))
	copy(k.Subject[:], r.Bytes(1))
	k.Wrapped = r.Bytes(2)
	return k
}

// MediaKeys implements plane.MediaStore.
func (Medias) MediaKeys(tx store.Tx, tenant uint32, ids []id.Media, each func(plane.MediaKey)) error {
	return conn(tx).QueryEach(`SELECT media, subject, wrapped FROM media_key WHERE tenant = $1 AND media = $2`, mediaArgs(tenant, ids),
		func(_ int, r Row) error { each(scanMediaKey(r)); return nil })
}

// MediaKeysOf implements plane.MediaStore.
func (Medias) MediaKeysOf(tx store.Tx, tenant uint32, subjects []id.Subject, each func(plane.MediaKey)) error {
	c := conn(tx)
	return c.QueryEach(`SELECT media, subject, wrapped FROM media_key`+by(c, "media_key_subject")+`WHERE tenant = $1 AND subject = $2`,
		subjectsArgs(tenant, subjects), func(_ int, r Row) error { each(scanMediaKey(r)); return nil })
}

func subjectsArgs(tenant uint32, subjects []id.Subject) [][]any {
	keys := make([]subject.Key, len(subjects))
	for i := range subjects {
		keys[i] = subject.Key{Tenant: tenant, Subject: subjects[i]}
	}
	return subjectArgs(keys)
}

// DropMedia implements plane.MediaStore.
func (Medias) DropMedia(tx store.Tx, tenant uint32, ids []id.Media) error {
	return conn(tx).ExecEach(`DELETE FROM media WHERE tenant = $1 AND media = $2`, mediaArgs(tenant, ids))
}

// DropMediaKeys implements plane.MediaStore.
func (Medias) DropMediaKeys(tx store.Tx, tenant uint32, subjects []id.Subject) error {
	c := conn(tx)
	return c.ExecEach(`DELETE FROM media_key`+by(c, "media_key_subject")+`WHERE tenant = $1 AND subject = $2`, subjectsArgs(tenant, subjects))
}
