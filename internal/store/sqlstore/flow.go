package sqlstore

import (
	"time"

	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// flowDDL is how far flows are, the batch that each has under way, who had something of whom, and how
// often. Nothing here is of what was sent.
//
// Thief's gain: which recipients had records of which random subject ids, when, and how many.
const flowDDL = `
CREATE TABLE flow_stream (
	tenant   integer NOT NULL, -- 0: the flow as such, for tenants that nobody has seen yet
	flow     text    NOT NULL,
	state    text    NOT NULL,
	pos      bigint  NOT NULL, -- the cursor
	win_end  bigint  NOT NULL, -- ms, the end of the last window that is done with; 0 for none
	seq      bigint  NOT NULL, -- of the last batch that was begun
	since    bigint  NOT NULL, -- ms, of the state
	received bigint  NOT NULL, -- ms, when the newest record that is done with was received
	sent_at  bigint  NOT NULL, -- ms, of the last delivery
	reasons  text    NOT NULL, -- codes of what halted it
	entry    bytea   NOT NULL, -- ledger entry of its last decision, 12 bytes
	PRIMARY KEY (tenant, flow)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE flow_batch (
	tenant    integer NOT NULL,
	flow      text    NOT NULL,
	id        text    NOT NULL, -- dlv_…, the idempotency key
	from_pos  bigint  NOT NULL,
	to_pos    bigint  NOT NULL,
	win_from  bigint  NOT NULL, -- ms, of an aggregated one
	win_until bigint  NOT NULL,
	seq       bigint  NOT NULL,
	attempt   integer NOT NULL,
	n         integer NOT NULL, -- records
	begun_at  bigint  NOT NULL,
	next_at   bigint  NOT NULL,
	error     text    NOT NULL, -- a reason code
	entry     bytea   NOT NULL, -- ledger entry of the decision on the last attempt
	node      text    NOT NULL, -- whose attempt is in flight, or empty
	until     bigint  NOT NULL, -- ms, the end of its lease
	subjects  bytea   NOT NULL, -- whom the attempt in flight holds, 12 bytes each, sorted
	records   bytea   NOT NULL, -- of a parked one, 16 bytes each; of a window its lines, sealed: counts, about nobody
	PRIMARY KEY (tenant, flow)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE flow_reach (
	tenant    integer NOT NULL,
	subject   bytea   NOT NULL,
	recipient text    NOT NULL,
	flow      text    NOT NULL,
	form      text    NOT NULL,
	first_at  bigint  NOT NULL, -- ms; the last is exact to a day
	last_at   bigint  NOT NULL,
	PRIMARY KEY (tenant, subject, recipient, flow, form)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE flow_count (
	tenant integer NOT NULL,
	flow   text    NOT NULL,
	day    text    NOT NULL, -- YYYY-MM-DD, UTC
	what   text    NOT NULL, -- deliveries, records, denied
	about  text    NOT NULL, -- a form, or the code of a denial
	n      bigint  NOT NULL,
	PRIMARY KEY (tenant, flow, day, what, about)
) /*sqlite: WITHOUT ROWID */;

CREATE INDEX thing_stand_in ON thing (tenant, subject) WHERE part = 0;
`

// Flows implements flow.Store.
type Flows struct{ Changes }

var _ flow.Store = Flows{}

const streamColumns = `SELECT tenant, flow, state, pos, win_end, seq, since, received, sent_at, reasons, entry FROM flow_stream`

func scanStream(r Row) flow.Stream {
	s := flow.Stream{Key: flow.Key{Tenant: uint32(r.Int(0)), Flow: r.Text(1)}, State: flow.State(r.Text(2)), Pos: uint64(r.Int(3)), Window: r.Int(4),
		Seq: uint64(r.Int(5)), Since: r.Int(6), Received: r.Int(7), SentAt: r.Int(8), Reasons: r.Text(9)}
	copy(s.Entry[:], r.Bytes(10))
	return s
}

// Streams implements flow.Store.
func (Flows) Streams(tx store.Tx) (all []flow.Stream, err error) {
	err = conn(tx).Query(streamColumns+` ORDER BY tenant, flow`, func(r Row) error { all = append(all, scanStream(r)); return nil })
	return all, err
}

// Stream implements flow.Store.
func (Flows) Stream(tx store.Tx, k flow.Key) (s *flow.Stream, err error) {
	_, err = one(conn(tx), streamColumns+` WHERE tenant = $1 AND flow = $2`, func(r Row) { x := scanStream(r); s = &x }, k.Tenant, k.Flow)
	return s, err
}

// PutStream implements flow.Store.
func (Flows) PutStream(tx store.Tx, s *flow.Stream) error {
	_, err := conn(tx).Exec(`INSERT INTO flow_stream (tenant, flow, state, pos, win_end, seq, since, received, sent_at, reasons, entry)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (tenant, flow) DO UPDATE SET state = excluded.state, pos = excluded.pos,
		win_end = excluded.win_end, seq = excluded.seq, since = excluded.since, received = excluded.received, sent_at = excluded.sent_at,
		reasons = excluded.reasons, entry = excluded.entry`,
		s.Tenant, s.Flow, string(s.State), s.Pos, s.Window, s.Seq, s.Since, s.Received, s.SentAt, s.Reasons, s.Entry[:])
	return err
}

const batchColumns = `SELECT tenant, flow, id, from_pos, to_pos, win_from, win_until, seq, attempt, n, begun_at, next_at, error, entry, node, until`

func scanBatch(r Row) flow.Batch {
	b := flow.Batch{Key: flow.Key{Tenant: uint32(r.Int(0)), Flow: r.Text(1)}, ID: r.Text(2), From: uint64(r.Int(3)), To: uint64(r.Int(4)),
		WindowFrom: r.Int(5), WindowUntil: r.Int(6), Seq: uint64(r.Int(7)), Attempt: int(r.Int(8)), Count: int(r.Int(9)), BegunAt: r.Int(10),
		NextAt: r.Int(11), Error: r.Text(12), Node: r.Text(14), Until: r.Int(15)}
	copy(b.Entry[:], r.Bytes(13))
	return b
}

// Batches implements flow.Store.
func (Flows) Batches(tx store.Tx) (all []flow.Batch, err error) {
	err = conn(tx).Query(batchColumns+` FROM flow_batch ORDER BY tenant, flow`, func(r Row) error { all = append(all, scanBatch(r)); return nil })
	return all, err
}

// Batch implements flow.Store.
func (Flows) Batch(tx store.Tx, k flow.Key) (b *flow.Batch, err error) {
	_, err = one(conn(tx), batchColumns+`, subjects, records FROM flow_batch WHERE tenant = $1 AND flow = $2`, func(r Row) {
		x := scanBatch(r)
		if x.Subjects, x.Records = r.Bytes(16), r.Bytes(17); x.WindowUntil > 0 {
			x.Records, x.Lines = nil, x.Records
		}
		b = &x
	}, k.Tenant, k.Flow)
	return b, err
}

// PutBatch implements flow.Store.
func (Flows) PutBatch(tx store.Tx, b *flow.Batch) error {
	records := b.Records
	if b.WindowUntil > 0 {
		records = b.Lines
	}
	_, err := conn(tx).Exec(`INSERT INTO flow_batch (tenant, flow, id, from_pos, to_pos, win_from, win_until, seq, attempt, n, begun_at, next_at, error, entry, node, until, subjects, records)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT (tenant, flow) DO UPDATE SET id = excluded.id,
		from_pos = excluded.from_pos, to_pos = excluded.to_pos, win_from = excluded.win_from, win_until = excluded.win_until, seq = excluded.seq,
		attempt = excluded.attempt, n = excluded.n, begun_at = excluded.begun_at, next_at = excluded.next_at, error = excluded.error, entry = excluded.entry,
		node = excluded.node, until = excluded.until, subjects = excluded.subjects, records = excluded.records`,
		b.Tenant, b.Flow, b.ID, b.From, b.To, b.WindowFrom, b.WindowUntil, b.Seq, b.Attempt, b.Count, b.BegunAt, b.NextAt, b.Error, b.Entry[:], b.Node, b.Until, b.Subjects, records)
	return err
}

// DeleteBatch implements flow.Store.
func (Flows) DeleteBatch(tx store.Tx, k flow.Key) error {
	_, err := conn(tx).Exec(`DELETE FROM flow_batch WHERE tenant = $1 AND flow = $2`, k.Tenant, k.Flow)
	return err
}

// InFlight implements flow.Store.
func (Flows) InFlight(tx store.Tx, tenant uint32, now int64) (all []flow.Batch, err error) {
	err = conn(tx).Query(batchColumns+`, subjects FROM flow_batch WHERE tenant = $1 AND node <> '' AND until > $2 AND until <= $3`, func(r Row) error {
		b := scanBatch(r)
		b.Subjects = r.Bytes(16)
		all = append(all, b)
		return nil
	}, tenant, now, now+flow.LeaseMost.Milliseconds())
	return all, err
}

// Renew implements flow.Store.
func (Flows) Renew(tx store.Tx, node string, until time.Time) error {
	c := conn(tx)
	if _, err := c.Exec(`UPDATE lease SET until = $1 WHERE cell = 1 AND holder = $2`, until.UnixMilli(), node); err != nil {
		return err
	}
	_, err := c.Exec(`UPDATE flow_batch SET until = $1 WHERE node = $2`, until.UnixMilli(), node)
	return err
}

// PutReach implements flow.Store.
func (Flows) PutReach(tx store.Tx, all []flow.Reach) error {
	args := make([][]any, len(all))
	for i := range all {
		r := &all[i]
		args[i] = []any{r.Tenant, r.Subject[:], r.Recipient, r.Flow, r.Form, r.At}
	}
	return conn(tx).ExecEach(`INSERT INTO flow_reach (tenant, subject, recipient, flow, form, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
		ON CONFLICT (tenant, subject, recipient, flow, form) DO UPDATE SET last_at = excluded.last_at`, args)
}

// ReachOf implements flow.Store.
func (Flows) ReachOf(tx store.Tx, tenant uint32, subjects []id.Subject) (all []flow.Reach, err error) {
	args := make([][]any, len(subjects))
	for i := range subjects {
		args[i] = []any{tenant, subjects[i][:]}
	}
	err = conn(tx).QueryEach(`SELECT recipient, flow, form, last_at FROM flow_reach WHERE tenant = $1 AND subject = $2 ORDER BY recipient, flow, form`, args,
		func(i int, r Row) error {
			all = append(all, flow.Reach{Tenant: tenant, Subject: subjects[i], Recipient: r.Text(0), Flow: r.Text(1), Form: r.Text(2), At: r.Int(3)})
			return nil
		})
	return all, err
}

// AddCounts implements flow.Store.
func (Flows) AddCounts(tx store.Tx, counts []flow.Count) error {
	args := make([][]any, len(counts))
	for i, n := range counts {
		args[i] = []any{n.Tenant, n.Flow, n.Day, n.What, n.Of, n.N}
	}
	return conn(tx).ExecEach(`INSERT INTO flow_count (tenant, flow, day, what, about, n) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant, flow, day, what, about) DO UPDATE SET n = flow_count.n + excluded.n`, args)
}

// Counts implements flow.Store.
func (Flows) Counts(tx store.Tx, tenant uint32, since string) (counts []flow.Count, err error) {
	err = conn(tx).Query(`SELECT tenant, flow, what, about, CAST(sum(n) AS bigint) FROM flow_count WHERE ($1 = 0 OR tenant = $1) AND day >= $2
		GROUP BY tenant, flow, what, about ORDER BY tenant, flow, what, about`, func(r Row) error {
		counts = append(counts, flow.Count{Key: flow.Key{Tenant: uint32(r.Int(0)), Flow: r.Text(1)}, What: r.Text(2), Of: r.Text(3), N: r.Int(4)})
		return nil
	}, tenant, since)
	return counts, err
}

// Newest implements flow.Store.
func (Flows) Newest(tx store.Tx, tenants []uint32) ([]uint64, error) {
	args, out := make([][]any, len(tenants)), make([]uint64, len(tenants))
	for i, t := range tenants {
		args[i] = []any{t}
	}
	err := conn(tx).QueryEach(`SELECT coalesce(max(pos), 0) FROM record_row WHERE tenant = $1`, args, func(i int, r Row) error { out[i] = uint64(r.Int(0)); return nil })
	return out, err
}

// Last implements flow.Store.
func (Flows) Last(tx store.Tx) uint64 { return uint64(conn(tx).Gate().Pos) }

// Before implements flow.Store.
func (f Flows) Before(tx store.Tx, received time.Time) (pos uint64, err error) {
	pos = f.Last(tx)
	_, err = one(conn(tx), `SELECT min(pos) FROM record_row WHERE received_at >= $1`, func(r Row) {
		if !r.Null(0) {
			pos = uint64(r.Int(0)) - 1
		}
	}, received.UnixMilli())
	return pos, err
}

// Changed implements flow.Store.
func (c Flows) Changed(tx store.Tx, seq int64) (changes []flow.Change, whole bool, err error) {
	all, whole, err := c.ChangesSince(tx, seq)
	for _, ch := range all {
		if len(ch.Subject) == len(id.Subject{}) {
			changes = append(changes, flow.Change{Kind: ch.Kind, Tenant: ch.Tenant, Subject: id.Subject(ch.Subject)})
		}
	}
	return changes, whole, err
}

// StandsFor implements flow.Store.
func (Flows) StandsFor(tx store.Tx, tenant uint32, subjects []id.Subject, each func(standIn, person id.Subject)) error {
	c := conn(tx)
	q := lookup{`b.subject`, `thing AS a` + by(c, "thing_stand_in") + `LEFT JOIN thing AS b ON b.tenant = a.tenant AND b.digest = a.digest AND b.part = 1`,
		`a.part = 0 AND a.tenant = $1 AND a.subject = `, 1}
	return q.each(c, len(subjects), func(i int) (uint32, id.Subject) { return tenant, subjects[i] }, func(i int, r Row) error {
		var person id.Subject
		copy(person[:], r.Bytes(0))
		each(subjects[i], person)
		return nil
	})
}

// Elsewhere implements flow.Store.
func (Flows) Elsewhere(tx store.Tx, node string, now int64) (map[string]bool, error) {
	names := map[string]bool{}
	err := conn(tx).Query(`SELECT name FROM lease WHERE cell = 1 AND name LIKE 'flow %' AND holder <> $1 AND until > $2 AND until <= $3`,
		func(r Row) error { names[r.Text(0)] = true; return nil }, node, now, now+flow.LeaseMost.Milliseconds())
	return names, err
}
