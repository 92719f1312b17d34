package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"domicile.dev/internal/store/sqlstore"
)

var errBusy = errors.New("sqlite: the connection is used inside a query's callback")

// IsTx marks a transaction.
func (k *conn) IsTx() {}

// Context is the transaction's.
func (k *conn) Context() context.Context { return k.ctx }

// Engine is "sqlite".
func (k *conn) Engine() string { return "sqlite" }

// Gate is the transaction's copy of the gate row.
func (k *conn) Gate() *sqlstore.Gate { return &k.gate }

// Exec runs one statement. See sqlstore.Conn.
func (k *conn) Exec(sql string, args ...any) (int64, error) {
	s, err := k.start(sql)
	if err != nil {
		return 0, err
	}
	if err := k.step(s, sql, args); err != nil {
		return 0, err
	}
	return int64(k.c.Changes()), nil
}

// ExecEach runs one statement for each row of arguments. See sqlstore.Conn.
func (k *conn) ExecEach(sql string, args [][]any) error {
	if len(args) == 0 {
		return nil
	}
	s, err := k.start(sql)
	if err != nil {
		return err
	}
	for _, a := range args {
		if err := k.step(s, sql, a); err != nil {
			return err
		}
	}
	return k.fail(k.ctx.Err())
}

// step binds args and runs s to its end.
func (k *conn) step(s *sqlite.Stmt, sql string, args []any) error {
	if err := bind(s, args); err != nil {
		return k.fail(fmt.Errorf("sqlite: %.80q: %w", sql, err))
	}
	for {
		more, err := s.Step()
		if err != nil {
			return k.fail(translate(sql, err))
		}
		if !more {
			return k.fail(translate(sql, s.Reset()))
		}
	}
}

// Query calls each for every row. See sqlstore.Conn.
func (k *conn) Query(sql string, each func(sqlstore.Row) error, args ...any) error {
	s, err := k.start(sql)
	if err != nil {
		return err
	}
	return k.rows(s, sql, args, func(r row) error { return each(r) })
}

// QueryEach runs one query for each row of arguments. See sqlstore.Conn.
func (k *conn) QueryEach(sql string, args [][]any, each func(i int, r sqlstore.Row) error) error {
	if len(args) == 0 {
		return nil
	}
	s, err := k.start(sql)
	if err != nil {
		return err
	}
	for i, a := range args {
		if err := k.rows(s, sql, a, func(r row) error { return each(i, r) }); err != nil {
			return err
		}
	}
	return nil
}

func (k *conn) rows(s *sqlite.Stmt, sql string, args []any, each func(row) error) error {
	if err := bind(s, args); err != nil {
		return k.fail(fmt.Errorf("sqlite: %.80q: %w", sql, err))
	}
	k.busy = true
	defer func() {
		k.busy = false
		s.Reset() // also when each returned an error or panicked; Step has reported its own
	}()
	for n := 1; ; n++ {
		more, err := s.Step()
		if err != nil {
			return k.fail(translate(sql, err))
		}
		if !more {
			return nil
		}
		if err := each(row{s}); err != nil {
			return err
		}
		if n%256 == 0 && k.ctx.Err() != nil { // a long scan stops when nobody waits for it
			return k.fail(k.ctx.Err())
		}
	}
}

// start says whether a statement may run now and returns it.
func (k *conn) start(sql string) (*sqlite.Stmt, error) {
	switch {
	case k.busy:
		return nil, k.fail(errBusy)
	case !k.open:
		return nil, errors.New("sqlite: the transaction has ended")
	case k.failed != nil:
		return nil, k.failed
	case k.ctx.Err() != nil:
		return nil, k.fail(k.ctx.Err())
	}
	s, err := k.prepare(sql)
	return s, k.fail(err)
}

// fail remembers the first error, so that a transaction in which something failed can't commit.
func (k *conn) fail(err error) error {
	if err != nil && k.failed == nil {
		k.failed = err
	}
	return err
}

// bind sets all parameters of s.
func bind(s *sqlite.Stmt, args []any) error {
	if n := s.BindParamCount(); n != len(args) {
		return fmt.Errorf("%d arguments for %d parameters", len(args), n)
	}
	for i, a := range args {
		switch v := a.(type) {
		case nil:
			s.BindNull(i + 1)
		case []byte:
			s.BindBytes(i+1, v)
		case string:
			s.BindText(i+1, v)
		default:
			n, ok := sqlstore.Int(a)
			if !ok {
				return fmt.Errorf("argument %d: no column holds a %T of that size", i+1, a)
			}
			s.BindInt64(i+1, n)
		}
	}
	return nil
}

// row is the row a statement stands on.
type row struct{ s *sqlite.Stmt }

func (r row) Int(i int) int64   { return r.s.ColumnInt64(i) }
func (r row) Text(i int) string { return r.s.ColumnText(i) }
func (r row) Null(i int) bool   { return r.s.ColumnIsNull(i) }

func (r row) Bytes(i int) []byte { return r.BytesInto(nil, i) }

func (r row) BytesInto(b []byte, i int) []byte {
	n := r.s.ColumnLen(i)
	if n == 0 && r.s.ColumnIsNull(i) {
		return nil
	}
	if b == nil || cap(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	r.s.ColumnBytes(i, b)
	return b
}
