package sqlstore

import (
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// owedDDL is what regions and recipients are still to be told: corrections that events brought and nobody
// has compared yet, which pending corrections are about whom, words to the regions that people came from,
// and what other regions told this one.
//
// Thief's gain: random ids of subjects and moves with times, and which source told of which of them.
const owedDDL = `
CREATE TABLE corrected (
	tenant  integer NOT NULL,
	subject bytea   NOT NULL, -- 12 bytes
	pos     bigint  NOT NULL, -- of the log: what came from there on is compared with what came before
	n       bigint  NOT NULL, -- identify records since
	at      bigint  NOT NULL, -- ms, of the first
	PRIMARY KEY (tenant, subject)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX corrected_due ON corrected (at);

CREATE TABLE told_open (
	tenant    integer NOT NULL,
	subject   bytea   NOT NULL, -- whom a pending correction is about, or the notice that is kept of who moved; 12 bytes
	recipient text    NOT NULL,
	purpose   text    NOT NULL, -- empty: in the clear
	notice    bytea   NOT NULL,
	made_at   bigint  NOT NULL, -- ms
	PRIMARY KEY (tenant, subject, recipient, purpose, notice)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX told_open_notice ON told_open (notice);
CREATE INDEX told_kept ON told (tenant, receipt) WHERE state = 'kept';

CREATE TABLE move_word (
	tenant  integer NOT NULL,
	move    text    NOT NULL, -- by which the person came
	word    text    NOT NULL, -- random
	peer    text    NOT NULL, -- the region that is to be told
	kind    text    NOT NULL, -- of the notice that it is to make
	receipt text    NOT NULL,
	mac     bytea   NOT NULL, -- under a key that only the two regions have
	at      bigint  NOT NULL, -- ms
	PRIMARY KEY (tenant, move, word)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX move_word_at ON move_word (at);

CREATE TABLE heard (
	tenant  integer NOT NULL,
	id      text    NOT NULL, -- hrd_…
	source  text    NOT NULL, -- by which the other region's flow comes
	notice  text    NOT NULL, -- its id there, ntc_…
	subject bytea   NOT NULL, -- whom it was about here; zeros: nobody
	kind    text    NOT NULL,
	state   text    NOT NULL, -- done, open, closed
	reason  text    NOT NULL, -- code: why it is not simply done
	at      bigint  NOT NULL, -- ms
	done_at bigint  NOT NULL, -- ms, 0 while it is open
	entry   bytea   NOT NULL, -- ledger entry, 12 bytes
	PRIMARY KEY (tenant, source, notice, subject)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX heard_id ON heard (tenant, id);
CREATE INDEX heard_of ON heard (tenant, at);
`

// Owed implements plane.OwedStore.
type Owed struct{}

var _ plane.OwedStore = Owed{}

// AnyOwed implements plane.OwedStore.
func (Owed) AnyOwed(tx store.Tx, tenant uint32) (any bool, err error) {
	_, err = one(conn(tx), `SELECT (SELECT count(*) FROM (SELECT 1 FROM flow_reach WHERE tenant = $1 LIMIT 1) a) +
		(SELECT count(*) FROM (SELECT 1 FROM move WHERE tenant = $1 AND state = 'done' LIMIT 1) b)`, func(r Row) { any = r.Int(0) > 0 }, tenant)
	return any, err
}

// owedOf is a row for somebody of whom a recipient had something or who came from another region, as
// themselves or as one of those who they turned out to be.
var owedOf = lookup{columns: "1", n: 1, from: "subject p", where: `p.tenant = $1 AND (EXISTS (SELECT 1 FROM flow_reach r WHERE r.tenant = p.tenant AND r.subject = p.subject)
	OR EXISTS (SELECT 1 FROM move m WHERE m.tenant = p.tenant AND m.subject = p.subject AND m.state = 'done')
	OR EXISTS (SELECT 1 FROM subject s WHERE s.tenant = p.tenant AND s.head = p.subject AND s.head <> s.subject AND (
		EXISTS (SELECT 1 FROM flow_reach r WHERE r.tenant = s.tenant AND r.subject = s.subject) OR
		EXISTS (SELECT 1 FROM move m WHERE m.tenant = s.tenant AND m.subject = s.subject AND m.state = 'done')))) AND p.subject = `}

// AddCorrected implements plane.OwedStore.
func (Owed) AddCorrected(tx store.Tx, people []subject.Key, pos uint64, at int64) error {
	var args [][]any
	if err := owedOf.each(conn(tx), len(people), func(i int) (uint32, id.Subject) { return people[i].Tenant, people[i].Subject }, func(i int, _ Row) error {
		args = append(args, []any{people[i].Tenant, people[i].Subject[:], pos, at})
		return nil
	}); err != nil || len(args) == 0 {
		return err
	}
	return conn(tx).ExecEach(`INSERT INTO corrected (tenant, subject, pos, n, at) VALUES ($1, $2, $3, 1, $4)
		ON CONFLICT (tenant, subject) DO UPDATE SET n = corrected.n + 1`, args)
}

// Corrected implements plane.OwedStore.
func (Owed) Corrected(tx store.Tx, until int64, limit int, each func(plane.Corrected)) error {
	return conn(tx).Query(`SELECT tenant, subject, pos, n, at FROM corrected WHERE at <= $1 ORDER BY at, tenant, subject LIMIT $2`,
		func(r Row) error { each(scanCorrected(r)); return nil }, until, limit)
}

// CorrectedOf implements plane.OwedStore.
func (Owed) CorrectedOf(tx store.Tx, people []subject.Key, each func(plane.Corrected)) error {
	return conn(tx).QueryEach(`SELECT tenant, subject, pos, n, at FROM corrected WHERE tenant = $1 AND subject = $2`, subjectArgs(people),
		func(_ int, r Row) error { each(scanCorrected(r)); return nil })
}

func scanCorrected(r Row) plane.Corrected {
	c := plane.Corrected{Pos: uint64(r.Int(2)), N: r.Int(3), At: r.Int(4)}
	c.Tenant = uint32(r.Int(0))
	copy(c.Subject[:], r.Bytes(1))
	return c
}

// TakeCorrected implements plane.OwedStore.
func (Owed) TakeCorrected(tx store.Tx, c plane.Corrected) (bool, error) {
	n, err := conn(tx).Exec(`DELETE FROM corrected WHERE tenant = $1 AND subject = $2 AND n = $3`, c.Tenant, c.Subject[:], c.N)
	return n == 1, err
}

// PutOffCorrected implements plane.OwedStore.
func (Owed) PutOffCorrected(tx store.Tx, c plane.Corrected, at int64) error {
	_, err := conn(tx).Exec(`UPDATE corrected SET at = $1 WHERE tenant = $2 AND subject = $3`, at, c.Tenant, c.Subject[:])
	return err
}

// PutWord implements plane.OwedStore.
func (Owed) PutWord(tx store.Tx, w *plane.Word) error {
	_, err := conn(tx).Exec(`INSERT INTO move_word (tenant, move, word, peer, kind, receipt, mac, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant, move, word) DO NOTHING`, w.Tenant, w.Move, w.ID, w.Peer, w.Kind, w.Receipt, w.MAC, w.At)
	return err
}

// Words implements plane.OwedStore.
func (Owed) Words(tx store.Tx, limit int, each func(*plane.Word)) error {
	return conn(tx).Query(`SELECT tenant, move, word, peer, kind, receipt, mac, at FROM move_word ORDER BY at, tenant, move, word LIMIT $1`, func(r Row) error {
		each(&plane.Word{Tenant: uint32(r.Int(0)), Move: r.Text(1), ID: r.Text(2), Peer: r.Text(3), Kind: r.Text(4), Receipt: r.Text(5), MAC: r.Bytes(6), At: r.Int(7)})
		return nil
	}, limit)
}

// PutOffWord implements plane.OwedStore.
func (Owed) PutOffWord(tx store.Tx, w *plane.Word, at int64) error {
	_, err := conn(tx).Exec(`UPDATE move_word SET at = $1 WHERE tenant = $2 AND move = $3 AND word = $4`, at, w.Tenant, w.Move, w.ID)
	return err
}

// DropWord implements plane.OwedStore.
func (Owed) DropWord(tx store.Tx, w *plane.Word) error {
	_, err := conn(tx).Exec(`DELETE FROM move_word WHERE tenant = $1 AND move = $2 AND word = $3`, w.Tenant, w.Move, w.ID)
	return err
}

const heardColumns = `SELECT tenant, id, source, notice, subject, kind, state, reason, at, done_at, entry FROM heard`

func scanHeard(r Row) plane.Heard {
	h := plane.Heard{Tenant: uint32(r.Int(0)), ID: r.Text(1), Source: r.Text(2), Notice: r.Text(3), Kind: r.Text(5), State: plane.HeardState(r.Text(6)), Reason: r.Text(7), At: r.Int(8), DoneAt: r.Int(9)}
	copy(h.Subject[:], r.Bytes(4))
	copy(h.Entry[:], r.Bytes(10))
	return h
}

// PutHeard implements plane.OwedStore.
func (Owed) PutHeard(tx store.Tx, h *plane.Heard) error {
	_, err := conn(tx).Exec(`INSERT INTO heard (tenant, id, source, notice, subject, kind, state, reason, at, done_at, entry) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant, source, notice, subject) DO UPDATE SET state = excluded.state, reason = excluded.reason, done_at = excluded.done_at, entry = excluded.entry`,
		h.Tenant, h.ID, h.Source, h.Notice, h.Subject[:], h.Kind, string(h.State), h.Reason, h.At, h.DoneAt, h.Entry[:])
	return err
}

// HeardOf implements plane.OwedStore.
func (Owed) HeardOf(tx store.Tx, tenant uint32, source, notice string, each func(plane.Heard)) error {
	return conn(tx).Query(heardColumns+` WHERE tenant = $1 AND source = $2 AND notice = $3`, func(r Row) error { each(scanHeard(r)); return nil }, tenant, source, notice)
}

// HeardBy implements plane.OwedStore.
func (Owed) HeardBy(tx store.Tx, tenant uint32, id string) (h *plane.Heard, err error) {
	_, err = one(conn(tx), heardColumns+` WHERE tenant = $1 AND id = $2`, func(r Row) { x := scanHeard(r); h = &x }, tenant, id)
	return h, err
}

// Heard implements plane.OwedStore.
func (Owed) Heard(tx store.Tx, tenant uint32, limit int, each func(plane.Heard)) error {
	return conn(tx).Query(heardColumns+` WHERE ($1 = 0 OR tenant = $1) ORDER BY CASE WHEN state = 'open' THEN 0 ELSE 1 END, at DESC, id LIMIT $2`,
		func(r Row) error { each(scanHeard(r)); return nil }, tenant, limit)
}

// PutOpen implements flow.Store.
func (Flows) PutOpen(tx store.Tx, o flow.Open) error {
	_, err := conn(tx).Exec(`INSERT INTO told_open (tenant, subject, recipient, purpose, notice, made_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		o.Tenant, o.Subject[:], o.Recipient, o.Purpose, o.Notice[:], o.MadeAt)
	return err
}

// OpenOf implements flow.Store.
func (Flows) OpenOf(tx store.Tx, of []subject.Key, each func(flow.Open)) error {
	return conn(tx).QueryEach(`SELECT o.recipient, o.purpose, o.notice, o.made_at, t.attempt, t.n FROM told_open o JOIN told t ON t.cell = 1 AND t.notice = o.notice
		WHERE o.tenant = $1 AND o.subject = $2`, subjectArgs(of), func(i int, r Row) error {
		o := flow.Open{Tenant: of[i].Tenant, Subject: of[i].Subject, Recipient: r.Text(0), Purpose: r.Text(1), MadeAt: r.Int(3), Attempt: int(r.Int(4)), Count: int(r.Int(5))}
		copy(o.Notice[:], r.Bytes(2))
		each(o)
		return nil
	})
}

// DropOpen implements flow.Store.
func (Flows) DropOpen(tx store.Tx, notice id.Subject) error {
	_, err := conn(tx).Exec(`DELETE FROM told_open WHERE notice = $1`, notice[:])
	return err
}

// WaitsForOlder implements flow.Store.
func (Flows) WaitsForOlder(tx store.Tx, notice id.Subject) (bool, error) {
	return one(conn(tx), `SELECT 1 FROM told_open a JOIN told_open b ON b.tenant = a.tenant AND b.subject = a.subject AND b.recipient = a.recipient AND b.purpose = a.purpose
		WHERE a.notice = $1 AND (b.made_at < a.made_at OR b.made_at = a.made_at AND b.notice < a.notice) LIMIT 1`, func(Row) {}, notice[:])
}

// KeptNotices implements flow.Store.
func (Flows) KeptNotices(tx store.Tx, tenant uint32, move string) (all []flow.Notice, err error) {
	err = conn(tx).Query(noticeColumns+` WHERE tenant = $1 AND receipt = $2 AND state = 'kept' ORDER BY notice`,
		func(r Row) error { all = append(all, scanNotice(r)); return nil }, tenant, move)
	return all, err
}

// KeptBefore implements flow.Store. It reads all that are kept, by their own index, which is done once an hour.
func (Flows) KeptBefore(tx store.Tx, before int64, limit int) (all []flow.Notice, err error) {
	err = conn(tx).Query(noticeColumns+` WHERE state = 'kept' AND made_at < $1 ORDER BY made_at, notice LIMIT $2`,
		func(r Row) error { all = append(all, scanNotice(r)); return nil }, before, limit)
	return all, err
}

// PendingNotices implements flow.Store.
func (Flows) PendingNotices(tx store.Tx, each func(recipient string, n, oldest int64)) error {
	return conn(tx).Query(`SELECT recipient, count(*), min(made_at) FROM told WHERE state = 'pending' GROUP BY recipient`,
		func(r Row) error { each(r.Text(0), r.Int(1), r.Int(2)); return nil })
}
