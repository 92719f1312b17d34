package sqlstore

import (
	"strconv"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// subjectDDL is who is who. A subject row holds the person's key, wrapped by the epoch key: taking
// the row away is the erasure. Identifiers are blind (HMAC under the tenant's index key), their
// values sealed under the person's key.
//
// Thief's gain: how many people there are, since when, and how many identifiers each has. With the
// index key as well: whether an identifier that the thief already knows is among them.
const subjectDDL = `
CREATE TABLE subject (
	tenant     integer NOT NULL,
	subject    bytea   NOT NULL, -- 12 random bytes
	head       bytea   NOT NULL, -- who speaks for the person; itself unless merged
	state      integer NOT NULL, -- bits of subject.State; those of the head count
	created_at bigint  NOT NULL,
	created_by text    NOT NULL, -- source id
	hold_until bigint  NOT NULL, -- ms, 0: no end
	key_epoch  integer NOT NULL, -- the epoch key that wraps
	wrapped    bytea   NOT NULL, -- the person's key
	PRIMARY KEY (tenant, subject)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX subject_merged ON subject (tenant, head) WHERE head <> subject;

CREATE TABLE identifier (
	tenant      integer NOT NULL,
	digest      bytea   NOT NULL, -- 16 bytes
	subject     bytea   NOT NULL,
	type        text    NOT NULL,
	flags       integer NOT NULL, -- -1 retired, 0 own, 1 solo, 2 claimed; in the key, so that claims come last
	source      text    NOT NULL, -- who said so first
	key_version integer NOT NULL, -- of the index key
	sealed      bytea   NOT NULL, -- the value under the subject's key
	created_at  bigint  NOT NULL,
	PRIMARY KEY (tenant, digest, flags, subject)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX identifier_subject ON identifier (tenant, subject);

CREATE TABLE reason (
	tenant  integer NOT NULL,
	subject bytea   NOT NULL,
	state   text    NOT NULL, -- restricted, held
	sealed  bytea   NOT NULL, -- under the subject's key
	PRIMARY KEY (tenant, subject, state)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE erased (
	tenant           integer NOT NULL,
	subject          bytea   NOT NULL,
	head             bytea   NOT NULL,
	receipt          text    NOT NULL,
	erased_at        bigint  NOT NULL,
	unrecoverable_by bigint  NOT NULL,
	records          bigint  NOT NULL,
	entry            bytea   NOT NULL, -- ledger entry id, 12 bytes
	ledger_index     bigint  NOT NULL,
	reason_chunk     bytea   NOT NULL, -- names the key of reason
	reason           bytea,            -- sealed
	compacted_at     bigint  NOT NULL, -- 0 while sealed remains are in the log
	PRIMARY KEY (tenant, subject)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX erased_uncompacted ON erased (tenant, erased_at) WHERE compacted_at = 0;

CREATE TABLE suppression (
	tenant      integer NOT NULL,
	digest      bytea   NOT NULL, -- under the suppression key
	key_version integer NOT NULL,
	ground      text    NOT NULL,
	at          bigint  NOT NULL,
	PRIMARY KEY (tenant, digest)
) /*sqlite: WITHOUT ROWID */;
`

// Subjects implements subject.Store, and the part of vault.Store that touches people's keys.
type Subjects struct{}

var _ subject.Store = Subjects{}

const (
	flagRetired = -1
	flagSolo    = 1
	flagClaimed = 2
)

func bindingArgs(keys []subject.BindingKey) [][]any {
	args := make([][]any, len(keys))
	for i := range keys {
		args[i] = []any{keys[i].Tenant, keys[i].Digest[:]}
	}
	return args
}

func subjectArgs(keys []subject.Key) [][]any {
	args := make([][]any, len(keys))
	for i := range keys {
		args[i] = []any{keys[i].Tenant, keys[i].Subject[:]}
	}
	return args
}

func scanBinding(tenant uint32, r Row) subject.Binding {
	b := subject.Binding{BindingKey: subject.BindingKey{Tenant: tenant}, Type: r.Text(2),
		Claimed: r.Int(3) == flagClaimed, Solo: r.Int(3) == flagSolo, Source: r.Text(4),
		KeyVersion: uint32(r.Int(5)), Sealed: r.Bytes(6), CreatedAt: r.Int(7), RetiredAt: r.Int(8)}
	copy(b.Digest[:], r.Bytes(0))
	copy(b.Subject[:], r.Bytes(1))
	return b
}

const bindingColumns = `SELECT digest, subject, type, flags, source, key_version, sealed, created_at, retired_at FROM identifier`

// by names the index that a statement must use. Without figures SQLite takes the tenant's part of
// the primary key for as good as an index on two columns, and walks through the whole tenant.
func by(c Conn, index string) string {
	if c.Engine() == "sqlite" {
		return " INDEXED BY " + index + " "
	}
	return " "
}

// Bindings implements subject.Store.
func (Subjects) Bindings(tx store.Tx, keys []subject.BindingKey, each func(subject.Binding)) error {
	return conn(tx).QueryEach(bindingColumns+` WHERE tenant = $1 AND digest = $2 ORDER BY tenant, digest, flags, subject LIMIT `+strconv.Itoa(subject.MostBindings), bindingArgs(keys),
		func(i int, r Row) error { each(scanBinding(keys[i].Tenant, r)); return nil })
}

// BindingsOf implements subject.Store.
func (Subjects) BindingsOf(tx store.Tx, keys []subject.Key, each func(subject.Binding)) error {
	c := conn(tx)
	return c.QueryEach(bindingColumns+by(c, "identifier_subject")+`WHERE tenant = $1 AND subject = $2`, subjectArgs(keys),
		func(i int, r Row) error { each(scanBinding(keys[i].Tenant, r)); return nil })
}

func scanSubject(tenant uint32, r Row) subject.Row {
	s := subject.Row{Key: subject.Key{Tenant: tenant}, State: subject.State(r.Int(2)), CreatedAt: r.Int(3),
		CreatedBy: r.Text(4), HoldUntil: r.Int(5), Epoch: uint32(r.Int(6)), Wrapped: r.Bytes(7)}
	copy(s.Subject[:], r.Bytes(0))
	copy(s.Head[:], r.Bytes(1))
	return s
}

const (
	subjectOnly    = `subject, head, state, created_at, created_by, hold_until, key_epoch, wrapped`
	subjectColumns = `SELECT ` + subjectOnly + ` FROM subject`
)

// Rows implements subject.Store.
func (Subjects) Rows(tx store.Tx, keys []subject.Key, each func(subject.Row)) error {
	q := lookup{subjectOnly, `subject`, `tenant = $1 AND subject = `, 8}
	return q.each(conn(tx), len(keys), func(i int) (uint32, id.Subject) { return keys[i].Tenant, keys[i].Subject },
		func(i int, r Row) error { each(scanSubject(keys[i].Tenant, r)); return nil })
}

// Members implements subject.Store.
func (Subjects) Members(tx store.Tx, heads []subject.Key, each func(subject.Row)) error {
	c := conn(tx)
	q := lookup{subjectOnly, `subject` + by(c, "subject_merged"), `head <> subject AND tenant = $1 AND head = `, 8}
	return q.each(c, len(heads), func(i int) (uint32, id.Subject) { return heads[i].Tenant, heads[i].Subject },
		func(i int, r Row) error { each(scanSubject(heads[i].Tenant, r)); return nil })
}

// Suppressed implements subject.Store.
func (Subjects) Suppressed(tx store.Tx, keys []subject.BindingKey, each func(subject.BindingKey)) error {
	return conn(tx).QueryEach(`SELECT 1 FROM suppression WHERE tenant = $1 AND digest = $2`, bindingArgs(keys),
		func(i int, r Row) error { each(keys[i]); return nil })
}

// Suppress implements subject.Store.
func (Subjects) Suppress(tx store.Tx, keys []subject.BindingKey, keyVersion uint32, ground string, at int64) error {
	args := make([][]any, len(keys))
	for i := range keys {
		args[i] = []any{keys[i].Tenant, keys[i].Digest[:], keyVersion, ground, at}
	}
	return conn(tx).ExecEach(`INSERT INTO suppression (tenant, digest, key_version, ground, at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, digest) DO NOTHING`, args)
}

// PutReason implements subject.Store.
func (Subjects) PutReason(tx store.Tx, k subject.Key, state string, sealed []byte) error {
	c := conn(tx)
	if sealed == nil {
		_, err := c.Exec(`DELETE FROM reason WHERE tenant = $1 AND subject = $2 AND state = $3`, k.Tenant, k.Subject[:], state)
		return err
	}
	_, err := c.Exec(`INSERT INTO reason (tenant, subject, state, sealed) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant, subject, state) DO UPDATE SET sealed = excluded.sealed`, k.Tenant, k.Subject[:], state, sealed)
	return err
}

// Reasons implements subject.Store.
func (Subjects) Reasons(tx store.Tx, k subject.Key, each func(state string, sealed []byte)) error {
	return conn(tx).Query(`SELECT state, sealed FROM reason WHERE tenant = $1 AND subject = $2`,
		func(r Row) error { each(r.Text(0), r.Bytes(1)); return nil }, k.Tenant, k.Subject[:])
}

// DropClaims implements subject.Store.
func (Subjects) DropClaims(tx store.Tx, keys []subject.BindingKey) error {
	c := conn(tx)
	if err := c.ExecEach(`UPDATE subject SET numbers = NULL WHERE tenant = $1
		AND subject IN (SELECT subject FROM identifier WHERE tenant = $1 AND digest = $2 AND flags = 2)`, bindingArgs(keys)); err != nil {
		return err
	}
	return c.ExecEach(`DELETE FROM identifier WHERE tenant = $1 AND digest = $2 AND flags = 2`, bindingArgs(keys))
}

// InsertRows implements subject.Store.
func (Subjects) InsertRows(tx store.Tx, rows []*subject.Row) error {
	args := make([][]any, len(rows))
	for i, s := range rows {
		args[i] = []any{s.Tenant, s.Subject[:], s.Head[:], uint32(s.State), s.CreatedAt, s.CreatedBy, s.HoldUntil, s.Epoch, s.Wrapped, numbersOf(s)}
	}
	return conn(tx).ExecEach(`INSERT INTO subject (tenant, subject, head, state, created_at, created_by, hold_until, key_epoch, wrapped, numbers)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, args)
}

// InsertBindings implements subject.Store.
func (Subjects) InsertBindings(tx store.Tx, bindings []*subject.Binding) error {
	args := make([][]any, len(bindings))
	for i, b := range bindings {
		args[i] = []any{b.Tenant, b.Digest[:], b.Subject[:], b.Type, flagsOf(b), b.Source, b.KeyVersion, b.Sealed, b.CreatedAt, b.RetiredAt}
	}
	return conn(tx).ExecEach(`INSERT INTO identifier (tenant, digest, subject, type, flags, source, key_version, sealed, created_at, retired_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (tenant, digest, flags, subject) DO NOTHING`, args)
}

// UpdateRows implements subject.Store.
func (Subjects) UpdateRows(tx store.Tx, rows []*subject.Row) error {
	args := make([][]any, len(rows))
	for i, s := range rows {
		args[i] = []any{s.Head[:], uint32(s.State), s.HoldUntil, s.Tenant, s.Subject[:]}
	}
	return conn(tx).ExecEach(`UPDATE subject SET head = $1, state = $2, hold_until = $3 WHERE tenant = $4 AND subject = $5`, args)
}

// Rehead implements subject.Store.
func (Subjects) Rehead(tx store.Tx, tenant uint32, from, to id.Subject) error {
	c := conn(tx)
	_, err := c.Exec(`UPDATE subject`+by(c, "subject_merged")+`SET head = $1 WHERE tenant = $2 AND head = $3 AND head <> subject`,
		to[:], tenant, from[:])
	return err
}

// Erase implements subject.Store.
func (Subjects) Erase(tx store.Tx, tombs []*subject.Tomb) error {
	c := conn(tx)
	keys := make([][]any, len(tombs))
	rows := make([][]any, len(tombs))
	var reasons, refused, words [][]any
	for i, t := range tombs {
		keys[i] = []any{t.Tenant, t.Subject[:]}
		if t.HadState {
			reasons = append(reasons, keys[i])
		}
		if t.Spoken {
			words = append(words, keys[i])
		}
		if t.Contested {
			refused = append(refused, keys[i])
		}
		var reason any
		if t.Reason != nil {
			reason = t.Reason
		}
		rows[i] = []any{t.Tenant, t.Subject[:], t.Head[:], t.Receipt, t.ErasedAt, t.UnrecoverableBy, t.Records,
			t.Entry[:], t.Index, t.ReasonChunk[:], reason, t.CompactedAt, t.MovedTo, t.Move}
	}
	if err := c.ExecEach(`DELETE FROM subject WHERE tenant = $1 AND subject = $2`, keys); err != nil {
		return err
	}
	if err := c.ExecEach(`DELETE FROM identifier`+by(c, "identifier_subject")+`WHERE tenant = $1 AND subject = $2`, keys); err != nil {
		return err
	}
	if err := c.ExecEach(`DELETE FROM pseudonym`+by(c, "pseudonym_subject")+`WHERE tenant = $1 AND subject = $2`, keys); err != nil {
		return err
	}
	if len(reasons) > 0 {
		if err := c.ExecEach(`DELETE FROM reason WHERE tenant = $1 AND subject = $2`, reasons); err != nil {
			return err
		}
	}
	if err := eraseRefused(c, refused); err != nil {
		return err
	}
	if err := eraseWords(c, words); err != nil {
		return err
	}
	return c.ExecEach(`INSERT INTO erased (tenant, subject, head, receipt, erased_at, unrecoverable_by, records,
		entry, ledger_index, reason_chunk, reason, compacted_at, moved_to, move)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`, rows)
}

const tombColumns = `SELECT subject, head, receipt, erased_at, unrecoverable_by, records, entry, ledger_index,
	reason_chunk, reason, compacted_at, tenant, moved_to, move FROM erased `

func scanTomb(r Row) subject.Tomb {
	t := subject.Tomb{Key: subject.Key{Tenant: uint32(r.Int(11))}, Receipt: r.Text(2), ErasedAt: r.Int(3), UnrecoverableBy: r.Int(4),
		Records: r.Int(5), Index: r.Int(7), Reason: r.Bytes(9), CompactedAt: r.Int(10), MovedTo: r.Text(12), Move: r.Text(13)}
	copy(t.Subject[:], r.Bytes(0))
	copy(t.Head[:], r.Bytes(1))
	copy(t.Entry[:], r.Bytes(6))
	copy(t.ReasonChunk[:], r.Bytes(8))
	return t
}

// Tombs implements subject.Store.
func (Subjects) Tombs(tx store.Tx, keys []subject.Key, each func(subject.Tomb)) error {
	return conn(tx).QueryEach(tombColumns+`WHERE tenant = $1 AND subject = $2`, subjectArgs(keys),
		func(_ int, r Row) error { each(scanTomb(r)); return nil })
}

// Uncompacted implements subject.Store.
func (Subjects) Uncompacted(tx store.Tx, erasedBefore int64, limit int, each func(subject.Tomb)) error {
	return conn(tx).Query(tombColumns+`WHERE compacted_at = 0 AND erased_at < $1 ORDER BY tenant, erased_at LIMIT $2`,
		func(r Row) error { each(scanTomb(r)); return nil }, erasedBefore, limit)
}

// Compacted implements subject.Store.
func (Subjects) Compacted(tx store.Tx, keys []subject.Key, at int64) error {
	args := make([][]any, len(keys))
	for i := range keys {
		args[i] = []any{at, keys[i].Tenant, keys[i].Subject[:]}
	}
	return conn(tx).ExecEach(`UPDATE erased SET compacted_at = $1 WHERE tenant = $2 AND subject = $3`, args)
}
