package sqlstore

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// moveDDL is what a move of a person to another region leaves in both: how far it is, whose identifiers
// are at home elsewhere since, and which clients' ids came along.
//
// Thief's gain: random ids of moves and subjects with times and regions. With the suppression key as
// well: whether an identifier that the thief already knows moved away; with the clients' key, whether a
// client id came along.
const moveDDL = `
CREATE TABLE move (
	tenant  integer NOT NULL,
	id      text    NOT NULL, -- mov_<target region>_…
	inward  integer NOT NULL, -- 1 at the target, 0 at the source
	peer    text    NOT NULL, -- the other region
	state   text    NOT NULL, -- leaving, moved, left; arriving, arrived, done; ended
	subject bytea   NOT NULL, -- the head at the source, the new subject at the target
	at      bigint  NOT NULL, -- ms, when it began
	body    bytea   NOT NULL, -- sealed; docs/moving.md
	PRIMARY KEY (tenant, id)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX move_subject ON move (tenant, subject);
CREATE INDEX move_state ON move (tenant, state);
CREATE INDEX move_due ON move (state, at);

CREATE TABLE moved (
	tenant      integer NOT NULL,
	digest      bytea   NOT NULL, -- of an identifier, under the suppression key
	key_version integer NOT NULL,
	region      text    NOT NULL,
	move        text    NOT NULL,
	at          bigint  NOT NULL,
	retired_at  bigint  NOT NULL, -- ms, when the person gave the identifier up: what occurred before is theirs; 0 while they have it
	PRIMARY KEY (tenant, digest)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE arrived (
	tenant integer NOT NULL,
	client bytea   NOT NULL, -- 12 bytes, of a client's id under the clients' key
	move   text    NOT NULL, -- counts when that is done
	PRIMARY KEY (tenant, client, move)
) /*sqlite: WITHOUT ROWID */;

ALTER TABLE erased ADD COLUMN moved_to text NOT NULL DEFAULT ''; -- a region: the person wasn't erased but moved
ALTER TABLE erased ADD COLUMN move text NOT NULL DEFAULT '';
`

// Moves implements plane.MoveStore.
type Moves struct{}

var _ plane.MoveStore = Moves{}

// PutMove implements plane.MoveStore.
func (Moves) PutMove(tx store.Tx, m *plane.Move) error {
	_, err := conn(tx).Exec(`INSERT INTO move (tenant, id, inward, peer, state, subject, at, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant, id) DO UPDATE SET state = excluded.state, body = excluded.body`,
		m.Tenant, m.ID, m.In, m.Peer, string(m.State), m.Subject[:], m.At, m.Body)
	return err
}

const moveColumns = `SELECT id, inward, peer, state, subject, at, body, tenant FROM move `

func scanMove(r Row) *plane.Move {
	m := &plane.Move{ID: r.Text(0), In: r.Int(1) != 0, Peer: r.Text(2), State: plane.MoveState(r.Text(3)), At: r.Int(5), Body: r.Bytes(6), Tenant: uint32(r.Int(7))}
	copy(m.Subject[:], r.Bytes(4))
	return m
}

// Move implements plane.MoveStore.
func (Moves) Move(tx store.Tx, tenant uint32, id string) (m *plane.Move, err error) {
	_, err = one(conn(tx), moveColumns+`WHERE tenant = $1 AND id = $2`, func(r Row) { m = scanMove(r) }, tenant, id)
	return m, err
}

// MovesOf implements plane.MoveStore.
func (Moves) MovesOf(tx store.Tx, tenant uint32, subjects []id.Subject, each func(*plane.Move)) error {
	args := make([][]any, len(subjects))
	for i := range subjects {
		args[i] = []any{tenant, subjects[i][:]}
	}
	c := conn(tx)
	return c.QueryEach(moveColumns+by(c, "move_subject")+`WHERE tenant = $1 AND subject = $2`, args, func(_ int, r Row) error { each(scanMove(r)); return nil })
}

// StaleMoves implements plane.MoveStore.
func (Moves) StaleMoves(tx store.Tx, state plane.MoveState, before int64, limit int, each func(*plane.Move)) error {
	return conn(tx).Query(moveColumns+`WHERE state = $1 AND at < $2 ORDER BY at LIMIT $3`,
		func(r Row) error { each(scanMove(r)); return nil }, string(state), before, limit)
}

// MoveFlags implements plane.MoveStore.
func (Moves) MoveFlags(tx store.Tx, tenant uint32) (f plane.MoveFlags, err error) {
	_, err = one(conn(tx), `SELECT (SELECT count(*) FROM (SELECT 1 FROM moved WHERE tenant = $1 LIMIT 1) a),
		(SELECT count(*) FROM (SELECT 1 FROM move WHERE tenant = $1 AND state = 'done' LIMIT 1) b),
		(SELECT count(*) FROM (SELECT 1 FROM move WHERE tenant = $1 AND state = 'leaving' LIMIT 1) c)`,
		func(r Row) { f = plane.MoveFlags{Left: r.Int(0) > 0, Came: r.Int(1) > 0, Leaving: r.Int(2) > 0} }, tenant)
	return f, err
}

// PutMoved implements plane.MoveStore.
func (Moves) PutMoved(tx store.Tx, left []plane.MovedFrom, keyVersion uint32, region, move string, at int64) error {
	args := make([][]any, len(left))
	for i := range left {
		args[i] = []any{left[i].Tenant, left[i].Digest[:], keyVersion, region, move, at, left[i].RetiredAt}
	}
	return conn(tx).ExecEach(`INSERT INTO moved (tenant, digest, key_version, region, move, at, retired_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, digest) DO UPDATE SET key_version = excluded.key_version, region = excluded.region, move = excluded.move, at = excluded.at,
			retired_at = excluded.retired_at WHERE excluded.retired_at = 0 OR moved.retired_at <> 0`, args)
}

// Moved implements plane.MoveStore.
func (Moves) Moved(tx store.Tx, keys []subject.BindingKey, each func(i int, region, move string, retiredAt int64)) error {
	return conn(tx).QueryEach(`SELECT region, move, retired_at FROM moved WHERE tenant = $1 AND digest = $2`, bindingArgs(keys),
		func(i int, r Row) error { each(i, r.Text(0), r.Text(1), r.Int(2)); return nil })
}

// DropMoved implements plane.MoveStore.
func (Moves) DropMoved(tx store.Tx, keys []subject.BindingKey) error {
	return conn(tx).ExecEach(`DELETE FROM moved WHERE tenant = $1 AND digest = $2`, bindingArgs(keys))
}

// PutArrived implements plane.MoveStore.
func (Moves) PutArrived(tx store.Tx, tenant uint32, move string, clients [][12]byte) error {
	args := make([][]any, len(clients))
	for i := range clients {
		args[i] = []any{tenant, clients[i][:], move}
	}
	return conn(tx).ExecEach(`INSERT INTO arrived (tenant, client, move) VALUES ($1, $2, $3) ON CONFLICT (tenant, client, move) DO NOTHING`, args)
}

// Arrived implements plane.MoveStore.
func (Moves) Arrived(tx store.Tx, tenant uint32, clients [][12]byte, each func(i int)) error {
	args := make([][]any, len(clients))
	for i := range clients {
		args[i] = []any{tenant, clients[i][:]}
	}
	return conn(tx).QueryEach(`SELECT 1 FROM arrived a JOIN move m ON m.tenant = a.tenant AND m.id = a.move
		WHERE a.tenant = $1 AND a.client = $2 AND m.state = 'done' LIMIT 1`, args, func(i int, _ Row) error { each(i); return nil })
}
