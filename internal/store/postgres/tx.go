package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"domicile.dev/internal/store/sqlstore"
)

// tx is one transaction on one connection. It implements sqlstore.Conn and belongs to one goroutine.
type tx struct {
	ctx    context.Context
	pooled *pgxpool.Conn // nil after end
	c      *pgx.Conn
	warned *atomic.Int64 // warnings on this connection so far

	busy   bool // a query's each is running
	failed error
	gate   sqlstore.Gate
	before sqlstore.Gate
}

// IsTx marks a transaction.
func (t *tx) IsTx() {}

// Context is the transaction's.
func (t *tx) Context() context.Context { return t.ctx }

// Engine is "postgres".
func (t *tx) Engine() string { return "postgres" }

// Gate is the transaction's copy of the gate row.
func (t *tx) Gate() *sqlstore.Gate { return &t.gate }

func (t *tx) readGate(b pgx.BatchResults) error {
	rows, err := b.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return errors.Join(rows.Err(), errors.New("the gate has no row"))
	}
	t.gate.Scan(&row{t: t, rows: rows})
	t.before = t.gate
	rows.Close()
	return errors.Join(rows.Err(), t.failed)
}

// commit writes the gate and commits, in one round trip. From here on the caller's context counts
// no more: a commit that was sent is waited for.
func (t *tx) commit(patience time.Duration) error {
	if t.failed != nil {
		return fmt.Errorf("commit after a failed statement: %w", t.failed)
	}
	if err := t.ctx.Err(); err != nil {
		return err
	}
	var b pgx.Batch
	switch {
	case t.gate != t.before:
		if err := t.gate.Check(t.before); err != nil {
			return err
		}
		b.Queue(sqlstore.GateUpdate, t.gate.Args()...)
	default:
		b.Queue(sqlstore.GateBeat)
	}
	b.Queue("COMMIT")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), patience)
	defer cancel()
	warnings := t.warned.Load()
	r := t.c.SendBatch(ctx, &b)
	_, err := r.Exec()
	if err != nil {
		return outcome("write the gate", errors.Join(err, r.Close()))
	}
	tag, err := r.Exec()
	if err = errors.Join(err, r.Close()); err != nil {
		return outcome("commit", err)
	}
	if tag.String() != "COMMIT" { // a server answers ROLLBACK when the transaction had failed
		return fmt.Errorf("commit: the server answered %q", tag.String())
	}
	if t.warned.Load() != warnings {
		return notReplicated()
	}
	return nil
}

// end gives the connection back, closing what is still open with how. A connection that is not
// clean afterwards is not used again.
func (t *tx) end(how string) {
	if t.pooled == nil {
		return
	}
	if t.c.PgConn().TxStatus() != 'I' && !t.c.IsClosed() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 5*time.Second)
		defer cancel()
		if _, err := t.c.Exec(ctx, how); err != nil {
			_ = t.c.Close(ctx) // the pool sees it and makes another
		}
	}
	t.pooled.Release()
	t.pooled = nil
}

// Exec runs one statement. See sqlstore.Conn.
func (t *tx) Exec(sql string, args ...any) (int64, error) {
	if err := t.start(); err != nil {
		return 0, err
	}
	args, err := convert(args)
	if err != nil {
		return 0, t.fail(sql, err)
	}
	tag, err := t.c.Exec(t.ctx, sql, args...)
	if err != nil {
		return 0, t.fail(sql, err)
	}
	if strings.HasPrefix(tag.String(), "SELECT") {
		return 0, nil
	}
	return tag.RowsAffected(), nil
}

// A pipeline holds at most this much, so that neither side runs out of buffers.
const (
	maxPipelined      = 512
	maxPipelinedBytes = 4 << 20
)

// batches calls send with as many argument rows as one pipeline takes, until all were sent.
func (t *tx) batches(sql string, args [][]any, send func(first int, b *pgx.Batch) error) error {
	for first := 0; first < len(args); {
		if err := t.start(); err != nil {
			return err
		}
		var b pgx.Batch
		size, end := 0, first
		for end < len(args) && end-first < maxPipelined && size < maxPipelinedBytes {
			a, err := convert(args[end])
			if err != nil {
				return t.fail(sql, err)
			}
			for _, v := range a {
				if body, ok := v.([]byte); ok {
					size += len(body)
				}
			}
			b.Queue(sql, a...)
			end++
		}
		if err := send(first, &b); err != nil {
			return err
		}
		first = end
	}
	return nil
}

// ExecEach runs one statement for each row of arguments. See sqlstore.Conn.
func (t *tx) ExecEach(sql string, args [][]any) error {
	return t.batches(sql, args, func(_ int, b *pgx.Batch) error {
		r := t.c.SendBatch(t.ctx, b)
		for range b.Len() {
			if _, err := r.Exec(); err != nil {
				return t.fail(sql, errors.Join(err, r.Close()))
			}
		}
		return t.fail(sql, r.Close())
	})
}

// Query calls each for every row. See sqlstore.Conn.
func (t *tx) Query(sql string, each func(sqlstore.Row) error, args ...any) error {
	if err := t.start(); err != nil {
		return err
	}
	args, err := convert(args)
	if err != nil {
		return t.fail(sql, err)
	}
	rows, err := t.c.Query(t.ctx, sql, args...)
	if err != nil {
		return t.fail(sql, err)
	}
	return t.read(sql, rows, each)
}

// QueryEach runs one query for each row of arguments. See sqlstore.Conn.
func (t *tx) QueryEach(sql string, args [][]any, each func(i int, r sqlstore.Row) error) error {
	return t.batches(sql, args, func(first int, b *pgx.Batch) error {
		r := t.c.SendBatch(t.ctx, b)
		for i := range b.Len() {
			rows, err := r.Query()
			if err != nil {
				return t.fail(sql, errors.Join(err, r.Close()))
			}
			if err := t.read(sql, rows, func(r sqlstore.Row) error { return each(first+i, r) }); err != nil {
				_ = r.Close() // reads the rest, so that the connection stays of use
				return err
			}
		}
		return t.fail(sql, r.Close())
	})
}

// read hands every row to each. What each returns ends the query and spoils nothing.
func (t *tx) read(sql string, rows pgx.Rows, each func(sqlstore.Row) error) error {
	t.busy = true
	defer func() {
		t.busy = false
		rows.Close() // also when each panics
	}()
	r := row{t: t, rows: rows}
	for rows.Next() {
		r.raw = nil
		if err := each(&r); err != nil {
			return err
		}
		if t.failed != nil {
			return t.failed
		}
	}
	return t.fail(sql, rows.Err())
}

var errBusy = errors.New("postgres: the connection is used inside a query's callback")

// start says whether a statement may run now.
func (t *tx) start() error {
	switch {
	case t.busy:
		return t.fail("", errBusy)
	case t.pooled == nil:
		return errors.New("postgres: the transaction has ended")
	case t.failed != nil:
		return t.failed
	}
	return t.fail("", t.ctx.Err())
}

// fail remembers the first error: a transaction in which a statement failed can't commit.
func (t *tx) fail(sql string, err error) error {
	if err == nil {
		return nil
	}
	if t.c.IsClosed() && t.ctx.Err() == nil && !isLost(err) {
		err = unavailable(sql, err)
	}
	if err = translate(sql, err); t.failed == nil {
		t.failed = err
	}
	return err
}
