package sqlstore

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/store"
)

// pseudonymDDL is the map back from what recipients call people. Digests are keyed (docs/formats/keys.md), so
// that the store and what a recipient has can't be brought together; the pseudonym itself is sealed under
// the person's key. An erasure takes the rows with it.
//
// Thief's gain: how many recipients had data of a random subject id.
const pseudonymDDL = `
CREATE TABLE pseudonym (
	tenant  integer NOT NULL,
	digest  bytea   NOT NULL, -- 16 bytes
	subject bytea   NOT NULL,
	sealed  bytea   NOT NULL, -- recipient, purpose and pseudonym, under the subject's key
	at      bigint  NOT NULL, -- ms, when it first left
	PRIMARY KEY (tenant, digest)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX pseudonym_subject ON pseudonym (tenant, subject);
`

// Pseudonyms implements pseudonym.Store.
type Pseudonyms struct{}

var _ pseudonym.Store = Pseudonyms{}

// Rows implements pseudonym.Store.
func (Pseudonyms) Rows(tx store.Tx, tenant uint32, digests [][16]byte, each func(pseudonym.Row)) error {
	args := make([][]any, len(digests))
	for i := range digests {
		args[i] = []any{tenant, digests[i][:]}
	}
	return conn(tx).QueryEach(`SELECT subject, sealed, at FROM pseudonym WHERE tenant = $1 AND digest = $2`, args,
		func(i int, r Row) error {
			row := pseudonym.Row{Tenant: tenant, Digest: digests[i], Sealed: r.Bytes(1), At: r.Int(2)}
			copy(row.Subject[:], r.Bytes(0))
			each(row)
			return nil
		})
}

// Insert implements pseudonym.Store.
func (Pseudonyms) Insert(tx store.Tx, rows []pseudonym.Row) error {
	args := make([][]any, len(rows))
	for i := range rows {
		r := &rows[i]
		args[i] = []any{r.Tenant, r.Digest[:], r.Subject[:], r.Sealed, r.At}
	}
	return conn(tx).ExecEach(`INSERT INTO pseudonym (tenant, digest, subject, sealed, at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, digest) DO NOTHING`, args)
}

// Of implements pseudonym.Store.
func (Pseudonyms) Of(tx store.Tx, tenant uint32, subjects []id.Subject, each func(pseudonym.Row)) error {
	c := conn(tx)
	keys := make([][]any, len(subjects))
	for i := range subjects {
		keys[i] = []any{tenant, subjects[i][:]}
	}
	return c.QueryEach(`SELECT digest, sealed, at FROM pseudonym`+by(c, "pseudonym_subject")+`WHERE tenant = $1 AND subject = $2`, keys,
		func(i int, r Row) error {
			row := pseudonym.Row{Tenant: tenant, Subject: subjects[i], Sealed: r.Bytes(1), At: r.Int(2)}
			copy(row.Digest[:], r.Bytes(0))
			each(row)
			return nil
		})
}
