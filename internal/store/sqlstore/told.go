package sqlstore

import (
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// toldDDL is what recipients have to be told of people whose data they had, which single records they
// refused, and how much of which category they got. What a notice says is sealed under a key of its own,
// wrapped like a person's, whose row goes when the notice is done with.
//
// Thief's gain: how many erasures each recipient was told of, and when; how much it got.
const toldDDL = `
CREATE TABLE told (
	cell       integer NOT NULL,
	notice     bytea   NOT NULL, -- 12 random bytes
	tenant     integer NOT NULL,
	kind       text    NOT NULL, -- erasure, restriction, …
	recipient  text    NOT NULL,
	receipt    text    NOT NULL, -- of the erasure, or the ledger entry of what else was done
	n          integer NOT NULL, -- identifiers in it
	state      text    NOT NULL, -- pending, confirmed, refused, unsupported, expired
	attempt    integer NOT NULL, -- begun
	made_at    bigint  NOT NULL, -- ms
	next_at    bigint  NOT NULL, -- ms, not before
	expires_at bigint  NOT NULL, -- ms
	done_at    bigint  NOT NULL, -- ms, 0 while it is pending
	error      text    NOT NULL, -- a reason code
	entry      bytea   NOT NULL, -- the last ledger entry about it, 12 bytes
	PRIMARY KEY (cell, notice)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX told_due ON told (next_at) WHERE state = 'pending';
CREATE INDEX told_of ON told (tenant, made_at);

CREATE TABLE told_key (
	cell      integer NOT NULL,
	notice    bytea   NOT NULL,
	key_epoch integer NOT NULL, -- the epoch key that wraps
	wrapped   bytea   NOT NULL, -- the notice's key
	sealed    bytea   NOT NULL, -- what it says
	PRIMARY KEY (cell, notice)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE flow_refused (
	tenant   integer NOT NULL,
	flow     text    NOT NULL,
	record   bytea   NOT NULL, -- 16 bytes
	delivery text    NOT NULL,
	at       bigint  NOT NULL, -- ms
	PRIMARY KEY (tenant, flow, record)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE flow_sent (
	tenant    integer NOT NULL,
	flow      text    NOT NULL,
	recipient text    NOT NULL,
	purpose   text    NOT NULL,
	category  text    NOT NULL, -- empty: of any
	n         bigint  NOT NULL, -- records
	first_at  bigint  NOT NULL, -- ms
	last_at   bigint  NOT NULL,
	PRIMARY KEY (tenant, flow, recipient, purpose, category)
) /*sqlite: WITHOUT ROWID */;
`

// AnyReach implements flow.Store.
func (Flows) AnyReach(tx store.Tx, of []subject.Key, each func(subject.Key)) error {
	return conn(tx).QueryEach(`SELECT 1 FROM flow_reach WHERE tenant = $1 AND subject = $2 LIMIT 1`, subjectArgs(of), func(i int, _ Row) error { each(of[i]); return nil })
}

const noticeColumns = `SELECT notice, tenant, kind, recipient, receipt, n, state, attempt, made_at, next_at, expires_at, done_at, error, entry FROM told`

func scanNotice(r Row) flow.Notice {
	n := flow.Notice{Tenant: uint32(r.Int(1)), Kind: r.Text(2), Recipient: r.Text(3), Receipt: r.Text(4), Count: int(r.Int(5)), State: flow.NoticeState(r.Text(6)),
		Attempt: int(r.Int(7)), MadeAt: r.Int(8), NextAt: r.Int(9), ExpiresAt: r.Int(10), DoneAt: r.Int(11), Error: r.Text(12)}
	copy(n.ID[:], r.Bytes(0))
	copy(n.Entry[:], r.Bytes(13))
	return n
}

// AddNotice implements flow.Store.
func (f Flows) AddNotice(tx store.Tx, n *flow.Notice, k flow.NoticeKey) error {
	if err := f.PutNotice(tx, n); err != nil {
		return err
	}
	_, err := conn(tx).Exec(`INSERT INTO told_key (cell, notice, key_epoch, wrapped, sealed) VALUES (1, $1, $2, $3, $4)`, n.ID[:], k.Wrapped.Epoch, k.Wrapped.Bytes, k.Sealed)
	return err
}

// PutNotice implements flow.Store.
func (Flows) PutNotice(tx store.Tx, n *flow.Notice) error {
	_, err := conn(tx).Exec(`INSERT INTO told (cell, notice, tenant, kind, recipient, receipt, n, state, attempt, made_at, next_at, expires_at, done_at, error, entry)
		VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (cell, notice) DO UPDATE SET state = excluded.state, receipt = excluded.receipt,
		made_at = excluded.made_at, expires_at = excluded.expires_at, attempt = excluded.attempt, next_at = excluded.next_at, done_at = excluded.done_at, error = excluded.error, entry = excluded.entry`,
		n.ID[:], n.Tenant, n.Kind, n.Recipient, n.Receipt, n.Count, string(n.State), n.Attempt, n.MadeAt, n.NextAt, n.ExpiresAt, n.DoneAt, n.Error, n.Entry[:])
	return err
}

// Notice implements flow.Store.
func (Flows) Notice(tx store.Tx, notice id.Subject) (n *flow.Notice, err error) {
	_, err = one(conn(tx), noticeColumns+` WHERE cell = 1 AND notice = $1`, func(r Row) { x := scanNotice(r); n = &x }, notice[:])
	return n, err
}

// NoticeKey implements flow.Store.
func (Flows) NoticeKey(tx store.Tx, notice id.Subject) (k *flow.NoticeKey, err error) {
	_, err = one(conn(tx), `SELECT key_epoch, wrapped, sealed FROM told_key WHERE cell = 1 AND notice = $1`, func(r Row) {
		k = &flow.NoticeKey{Sealed: r.Bytes(2)}
		k.Wrapped.Epoch, k.Wrapped.Bytes = uint32(r.Int(0)), r.Bytes(1)
	}, notice[:])
	return k, err
}

// DropNoticeKey implements flow.Store.
func (Flows) DropNoticeKey(tx store.Tx, notice id.Subject) error {
	_, err := conn(tx).Exec(`DELETE FROM told_key WHERE cell = 1 AND notice = $1`, notice[:])
	return err
}

// DueNotices implements flow.Store. What is put off for longer than it can be was so by a clock that has been
// set back since.
func (Flows) DueNotices(tx store.Tx, now int64, limit int) (all []flow.Notice, err error) {
	err = conn(tx).Query(noticeColumns+` WHERE state = 'pending' AND (next_at <= $1 OR next_at > $2) ORDER BY next_at, notice LIMIT $3`,
		func(r Row) error { all = append(all, scanNotice(r)); return nil }, now, now+flow.LongestPause.Milliseconds(), limit)
	return all, err
}

// Notices implements flow.Store.
func (Flows) Notices(tx store.Tx, tenant uint32, limit int) (all []flow.Notice, err error) {
	err = conn(tx).Query(noticeColumns+` WHERE ($1 = 0 OR tenant = $1) ORDER BY CASE WHEN state = 'pending' THEN 0 ELSE 1 END, made_at DESC, notice LIMIT $2`,
		func(r Row) error { all = append(all, scanNotice(r)); return nil }, tenant, limit)
	return all, err
}

// PutRefused implements flow.Store.
func (Flows) PutRefused(tx store.Tx, k flow.Key, records []id.Record, delivery string, at int64) error {
	args := make([][]any, len(records))
	for i := range records {
		b := records[i].Bytes()
		args[i] = []any{k.Tenant, k.Flow, b[:], delivery, at}
	}
	return conn(tx).ExecEach(`INSERT INTO flow_refused (tenant, flow, record, delivery, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, flow, record) DO UPDATE SET delivery = excluded.delivery, at = excluded.at`, args)
}

// DropRefused implements flow.Store.
func (Flows) DropRefused(tx store.Tx, k flow.Key, records []id.Record) error {
	args := make([][]any, len(records))
	for i := range records {
		b := records[i].Bytes()
		args[i] = []any{k.Tenant, k.Flow, b[:]}
	}
	return conn(tx).ExecEach(`DELETE FROM flow_refused WHERE tenant = $1 AND flow = $2 AND record = $3`, args)
}

// Refused implements flow.Store.
func (Flows) Refused(tx store.Tx, k flow.Key, limit int) (all []flow.RefusedRecord, err error) {
	err = conn(tx).Query(`SELECT record, delivery, at FROM flow_refused WHERE tenant = $1 AND flow = $2 ORDER BY record LIMIT $3`, func(r Row) error {
		x := flow.RefusedRecord{Delivery: r.Text(1), At: r.Int(2)}
		var b [16]byte
		copy(b[:], r.Bytes(0))
		x.Record = id.RecordOf(b)
		all = append(all, x)
		return nil
	}, k.Tenant, k.Flow, limit)
	return all, err
}

// AddSent implements flow.Store.
func (Flows) AddSent(tx store.Tx, all []flow.Sent) error {
	args := make([][]any, len(all))
	for i, s := range all {
		args[i] = []any{s.Tenant, s.Flow, s.Recipient, s.Purpose, s.Category, s.Count, s.LastAt}
	}
	return conn(tx).ExecEach(`INSERT INTO flow_sent (tenant, flow, recipient, purpose, category, n, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
		ON CONFLICT (tenant, flow, recipient, purpose, category) DO UPDATE SET n = flow_sent.n + excluded.n, last_at = excluded.last_at`, args)
}

// Sent implements flow.Store.
func (Flows) Sent(tx store.Tx, tenant uint32) (all []flow.Sent, err error) {
	err = conn(tx).Query(`SELECT tenant, flow, recipient, purpose, category, n, first_at, last_at FROM flow_sent WHERE $1 = 0 OR tenant = $1
		ORDER BY tenant, flow, recipient, purpose, category`, func(r Row) error {
		all = append(all, flow.Sent{Key: flow.Key{Tenant: uint32(r.Int(0)), Flow: r.Text(1)}, Recipient: r.Text(2), Purpose: r.Text(3), Category: r.Text(4),
			Count: r.Int(5), FirstAt: r.Int(6), LastAt: r.Int(7)})
		return nil
	}, tenant)
	return all, err
}
