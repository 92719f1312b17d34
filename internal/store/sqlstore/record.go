package sqlstore

import (
	"domicile.dev/internal/record"
	"domicile.dev/internal/store"
)

// recordDDL is the record log: rows of sealed records, and the sorted runs that find them. Formats:
// docs/formats/row.md and run.md. Bodies are written once and read whole; neither engine is to
// compress what is encrypted or already packed, and PostgreSQL keeps in place what fits a page.
//
// Thief's gain: random ids, services, kinds, category names, times and sizes; digests of client ids
// under a key that is not here. No content and no identifier.
const recordDDL = `
CREATE TABLE record_row (
	tenant      integer NOT NULL,
	pos         /*postgres: bigint NOT NULL */ /*sqlite: integer PRIMARY KEY */, -- from gate.pos, gapless in commit order
	class       integer NOT NULL, -- retention class of its parts: days, 0 = without limit
	received_at bigint  NOT NULL, -- ms, of its newest record
	body        bytea   NOT NULL,
	/*postgres: PRIMARY KEY (tenant, pos) */ /*sqlite: UNIQUE (tenant, pos) */ -- reads by pos take one step less
) /*postgres: WITH (toast_tuple_target = 8160) */;
CREATE INDEX record_row_age ON record_row (tenant, class, pos, received_at);

CREATE TABLE record_group (
	cell      integer NOT NULL,
	last_pos  bigint  NOT NULL,
	first_pos bigint  NOT NULL,
	body      bytea   NOT NULL, -- index entries of one commit, until a run has them
	PRIMARY KEY (cell, last_pos)
) /*postgres: WITH (toast_tuple_target = 8160) */;

CREATE TABLE record_run (
	cell          integer NOT NULL,
	run           bigint  NOT NULL, -- random
	family        integer NOT NULL, -- 0 by subject, 1 by client key
	state         integer NOT NULL, -- 0 being written, 1 published, 2 retired
	first_pos     bigint  NOT NULL,
	last_pos      bigint  NOT NULL,
	entries       bigint  NOT NULL,
	keys          bigint  NOT NULL,
	blocks        integer NOT NULL,
	fence_blocks  integer NOT NULL,
	filter_lines  integer NOT NULL,
	filter_blocks integer NOT NULL,
	PRIMARY KEY (cell, run)
);

CREATE TABLE record_block (
	cell integer NOT NULL,
	run  bigint  NOT NULL,
	n    integer NOT NULL,
	body bytea   NOT NULL,
	PRIMARY KEY (cell, run, n)
) /*postgres: WITH (toast_tuple_target = 8160) */;

CREATE TABLE kind_code (
	cell    integer NOT NULL,
	code    integer NOT NULL,
	service text    NOT NULL,
	kind    text    NOT NULL,
	class   integer NOT NULL, -- retention class of the base row
	PRIMARY KEY (cell, code)
);

CREATE TABLE record_mark (
	tenant  integer NOT NULL,
	class   integer NOT NULL, -- rows of this class up to pos are dropped; 0 with a subject and for tenant 0
	subject bytea   NOT NULL, -- empty, or 12 bytes: parts up to pos are compacted away
	pos     bigint  NOT NULL,
	PRIMARY KEY (tenant, class, subject)
);
/*postgres:
ALTER TABLE record_row   ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE record_group ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE record_block ALTER COLUMN body SET STORAGE EXTERNAL;
*/
`

// Records implements record.Store.
type Records struct{ Leases }

var _ record.Store = Records{}

// Gate implements record.Store.
func (Records) Gate(tx store.Tx) record.Gate {
	g := conn(tx).Gate()
	return record.Gate{Pos: uint64(g.Pos), Manifest: uint64(g.Manifest)}
}

// SetGate implements record.Store.
func (Records) SetGate(tx store.Tx, to record.Gate) {
	g := conn(tx).Gate()
	g.Pos, g.Manifest = int64(to.Pos), int64(to.Manifest)
}

// InsertRows implements record.Store.
func (Records) InsertRows(tx store.Tx, rows []record.Row) error {
	args := make([][]any, len(rows))
	for i := range rows {
		r := &rows[i]
		args[i] = []any{r.Tenant, r.Pos, r.Class, r.ReceivedAt, r.Body}
	}
	return conn(tx).ExecEach(`INSERT INTO record_row (tenant, pos, class, received_at, body) VALUES ($1, $2, $3, $4, $5)`, args)
}

// Rows implements record.Store.
func (Records) Rows(tx store.Tx, tenant uint32, pos []uint64, into func(i int) []byte, each func(i int, body []byte) error) error {
	args := make([][]any, len(pos))
	for i, p := range pos {
		args[i] = []any{tenant, p}
	}
	return conn(tx).QueryEach(`SELECT body FROM record_row WHERE tenant = $1 AND pos = $2`, args,
		func(i int, r Row) error {
			if into == nil {
				return each(i, r.Bytes(0))
			}
			return each(i, r.BytesInto(into(i), 0))
		})
}

// RowsAfter implements record.Store.
func (Records) RowsAfter(tx store.Tx, tenant uint32, after uint64, limit int, each func(pos uint64, body []byte) error) error {
	return conn(tx).Query(`SELECT pos, body FROM record_row WHERE tenant = $1 AND pos > $2 ORDER BY pos LIMIT $3`,
		func(r Row) error { return each(uint64(r.Int(0)), r.Bytes(1)) }, tenant, after, limit)
}

// UpdateRows implements record.Store.
func (Records) UpdateRows(tx store.Tx, rows []record.Row) error {
	args := make([][]any, len(rows))
	for i := range rows {
		args[i] = []any{rows[i].Body, rows[i].Tenant, rows[i].Pos}
	}
	return conn(tx).ExecEach(`UPDATE record_row SET body = $1 WHERE tenant = $2 AND pos = $3`, args)
}

// DeleteRows implements record.Store.
func (Records) DeleteRows(tx store.Tx, tenant uint32, pos []uint64) error {
	args := make([][]any, len(pos))
	for i, p := range pos {
		args[i] = []any{tenant, p}
	}
	return conn(tx).ExecEach(`DELETE FROM record_row WHERE tenant = $1 AND pos = $2`, args)
}

// OldRows implements record.Store.
func (Records) OldRows(tx store.Tx, tenant uint32, class uint16, limit int) (rows []record.Row, err error) {
	err = conn(tx).Query(`SELECT pos, received_at FROM record_row WHERE tenant = $1 AND class = $2 ORDER BY pos LIMIT $3`, func(r Row) error {
		rows = append(rows, record.Row{Tenant: tenant, Pos: uint64(r.Int(0)), Class: class, ReceivedAt: r.Int(1)})
		return nil
	}, tenant, class, limit)
	return rows, err
}

// InsertGroup implements record.Store.
func (Records) InsertGroup(tx store.Tx, first, last uint64, body []byte) error {
	_, err := conn(tx).Exec(`INSERT INTO record_group (cell, last_pos, first_pos, body) VALUES (1, $1, $2, $3)`, last, first, body)
	return err
}

// Groups implements record.Store.
func (Records) Groups(tx store.Tx, after uint64, each func(first, last uint64, body []byte) error) error {
	return conn(tx).Query(`SELECT first_pos, last_pos, body FROM record_group WHERE cell = 1 AND last_pos > $1 ORDER BY last_pos`,
		func(r Row) error { return each(uint64(r.Int(0)), uint64(r.Int(1)), r.Bytes(2)) }, after)
}

// DeleteGroups implements record.Store.
func (Records) DeleteGroups(tx store.Tx, through uint64) error {
	_, err := conn(tx).Exec(`DELETE FROM record_group WHERE cell = 1 AND last_pos <= $1`, through)
	return err
}

// Runs implements record.Store.
func (Records) Runs(tx store.Tx) (runs []record.RunInfo, err error) {
	err = conn(tx).Query(`SELECT run, family, state, first_pos, last_pos, entries, keys, blocks, fence_blocks, filter_lines, filter_blocks
		FROM record_run WHERE cell = 1`, func(r Row) error {
		runs = append(runs, record.RunInfo{ID: r.Int(0), Family: record.Family(r.Int(1) & 1), State: record.RunState(r.Int(2)),
			FirstPos: uint64(r.Int(3)), LastPos: uint64(r.Int(4)), Entries: uint64(r.Int(5)), Keys: uint64(r.Int(6)),
			Blocks: int(r.Int(7)), FenceBlocks: int(r.Int(8)), FilterLines: int(r.Int(9)), FilterBlocks: int(r.Int(10))})
		return nil
	})
	return runs, err
}

// InsertRun implements record.Store.
func (Records) InsertRun(tx store.Tx, r record.RunInfo) error {
	_, err := conn(tx).Exec(`INSERT INTO record_run
		(cell, run, family, state, first_pos, last_pos, entries, keys, blocks, fence_blocks, filter_lines, filter_blocks)
		VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, r.ID, int64(r.Family), int64(r.State), r.FirstPos, r.LastPos,
		r.Entries, r.Keys, r.Blocks, r.FenceBlocks, r.FilterLines, r.FilterBlocks)
	return err
}

// UpdateRun implements record.Store.
func (Records) UpdateRun(tx store.Tx, was record.RunState, r record.RunInfo) (bool, error) {
	n, err := conn(tx).Exec(`UPDATE record_run SET state = $1, entries = $2, keys = $3, blocks = $4, fence_blocks = $5,
		filter_lines = $6, filter_blocks = $7 WHERE cell = 1 AND run = $8 AND state = $9`, int64(r.State), r.Entries, r.Keys,
		r.Blocks, r.FenceBlocks, r.FilterLines, r.FilterBlocks, r.ID, int64(was))
	return n == 1, err
}

// DeleteRun implements record.Store.
func (Records) DeleteRun(tx store.Tx, run int64) error {
	_, err := conn(tx).Exec(`DELETE FROM record_run WHERE cell = 1 AND run = $1`, run)
	return err
}

// InsertBlocks implements record.Store.
func (Records) InsertBlocks(tx store.Tx, run int64, first int, bodies [][]byte) error {
	args := make([][]any, len(bodies))
	for i, body := range bodies {
		args[i] = []any{run, first + i, body}
	}
	return conn(tx).ExecEach(`INSERT INTO record_block (cell, run, n, body) VALUES (1, $1, $2, $3)`, args)
}

// Blocks implements record.Store.
func (Records) Blocks(tx store.Tx, run int64, first, last int, each func(n int, body []byte) error) error {
	return conn(tx).Query(`SELECT n, body FROM record_block WHERE cell = 1 AND run = $1 AND n BETWEEN $2 AND $3 ORDER BY n`,
		func(r Row) error { return each(int(r.Int(0)), r.Bytes(1)) }, run, first, last)
}

// BlocksOf implements record.Store.
func (Records) BlocksOf(tx store.Tx, runs []int64, ns []int, each func(i int, body []byte) error) error {
	args := make([][]any, len(runs))
	for i := range runs {
		args[i] = []any{runs[i], ns[i]}
	}
	return conn(tx).QueryEach(`SELECT body FROM record_block WHERE cell = 1 AND run = $1 AND n = $2`, args,
		func(i int, r Row) error { return each(i, r.Bytes(0)) })
}

// DeleteBlocks implements record.Store.
func (Records) DeleteBlocks(tx store.Tx, run int64, limit int) (int64, error) {
	return conn(tx).Exec(`DELETE FROM record_block WHERE cell = 1 AND run = $1 AND n IN
		(SELECT n FROM record_block WHERE cell = 1 AND run = $1 ORDER BY n LIMIT $2)`, run, limit)
}

// Kinds implements record.Store.
func (Records) Kinds(tx store.Tx) (kinds []record.Kind, err error) {
	err = conn(tx).Query(`SELECT code, service, kind, class FROM kind_code WHERE cell = 1 ORDER BY code`, func(r Row) error {
		kinds = append(kinds, record.Kind{Code: uint16(r.Int(0)), Service: r.Text(1), Kind: r.Text(2), Class: uint16(r.Int(3))})
		return nil
	})
	return kinds, err
}

// InsertKind implements record.Store.
func (Records) InsertKind(tx store.Tx, k record.Kind) error {
	_, err := conn(tx).Exec(`INSERT INTO kind_code (cell, code, service, kind, class) VALUES (1, $1, $2, $3, $4)`,
		k.Code, k.Service, k.Kind, k.Class)
	return err
}

// Marks implements record.Store.
func (Records) Marks(tx store.Tx) (marks []record.Mark, err error) {
	err = conn(tx).Query(`SELECT tenant, class, subject, pos FROM record_mark ORDER BY tenant, class, subject`, func(r Row) error {
		marks = append(marks, record.Mark{Tenant: uint32(r.Int(0)), Class: uint16(r.Int(1)), Subject: r.Bytes(2), Pos: uint64(r.Int(3))})
		return nil
	})
	return marks, err
}

// PutMarks implements record.Store.
func (Records) PutMarks(tx store.Tx, marks []record.Mark) error {
	args := make([][]any, len(marks))
	for i, m := range marks {
		args[i] = []any{m.Tenant, m.Class, m.Subject, m.Pos}
	}
	return conn(tx).ExecEach(`INSERT INTO record_mark (tenant, class, subject, pos) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant, class, subject) DO UPDATE SET pos = excluded.pos`, args)
}

// DeleteMarks implements record.Store.
func (Records) DeleteMarks(tx store.Tx, marks []record.Mark) error {
	args := make([][]any, len(marks))
	for i, m := range marks {
		args[i] = []any{m.Tenant, m.Class, m.Subject, m.Pos}
	}
	return conn(tx).ExecEach(`DELETE FROM record_mark WHERE tenant = $1 AND class = $2 AND subject = $3 AND pos = $4`, args)
}
