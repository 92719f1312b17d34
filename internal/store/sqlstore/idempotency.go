package sqlstore

import (
	"time"

	"domicile.dev/internal/store"
)

// idempotencyDDL is what was answered to requests that came with an Idempotency-Key, for a day. The
// client's key and the body are there as HMACs; answers are kept only where they hold ids alone.
//
// Thief's gain: how often a tenant called, and ids.
const idempotencyDDL = `
CREATE TABLE idempotency (
	tenant     integer NOT NULL, -- 0: the operator
	key        bytea   NOT NULL, -- HMAC-SHA256 of the client's key
	digest     bytea   NOT NULL, -- HMAC-SHA256 of method, path and body
	started_at bigint  NOT NULL, -- ms
	status     integer NOT NULL, -- of HTTP; 0: under way, 1: asked anew each time, 2: done, answer not kept yet
	type       text    NOT NULL, -- media type of body
	body       bytea   NOT NULL,
	PRIMARY KEY (tenant, key)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX idempotency_started ON idempotency (started_at);
`

// Answer is one row: a request that came with a key, and what was answered.
type Answer struct {
	Tenant      uint32
	Key, Digest []byte
	StartedAt   time.Time
	Status      int // of HTTP; below 200 as the column says
	Type        string
	Body        []byte
}

// Idempotency keeps answers.
type Idempotency struct{}

// Answer returns what is kept under a tenant's key.
func (Idempotency) Answer(tx store.Tx, tenant uint32, key []byte) (a Answer, found bool, err error) {
	found, err = one(conn(tx), `SELECT digest, started_at, status, type, body FROM idempotency WHERE tenant = $1 AND key = $2`,
		func(r Row) {
			a = Answer{Tenant: tenant, Key: key, Digest: r.Bytes(0), StartedAt: instant(r.Int(1)), Status: int(r.Int(2)),
				Type: r.Text(3), Body: r.Bytes(4)}
		}, tenant, key)
	return a, found, err
}

// PutAnswer inserts or replaces it.
func (Idempotency) PutAnswer(tx store.Tx, a Answer) error {
	_, err := conn(tx).Exec(`INSERT INTO idempotency (tenant, key, digest, started_at, status, type, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, key) DO UPDATE SET digest = excluded.digest, started_at = excluded.started_at,
			status = excluded.status, type = excluded.type, body = excluded.body`,
		a.Tenant, a.Key, a.Digest, millis(a.StartedAt), a.Status, a.Type, a.Body)
	return err
}

// DropAnswer forgets a request that had no answer worth keeping and no effect.
func (Idempotency) DropAnswer(tx store.Tx, tenant uint32, key []byte) error {
	_, err := conn(tx).Exec(`DELETE FROM idempotency WHERE tenant = $1 AND key = $2 AND status = 0`, tenant, key)
	return err
}

// PruneAnswers deletes those of requests that started before t.
func (Idempotency) PruneAnswers(tx store.Tx, t time.Time) (pruned int64, err error) {
	return conn(tx).Exec(`DELETE FROM idempotency WHERE started_at < $1`, millis(t))
}
