// Package sqlstore holds all SQL of a region's store, written once for both engines: a file for
// each noun, with the text of its statements and the DDL of its tables. store/sqlite and
// store/postgres open the engines and bring Conn; nothing here knows a driver.
//
// What SQL in this package keeps to:
//
//   - Placeholders are $1, $2, … in ascending order of first appearance; one may appear again.
//   - Column types are bigint, integer, text and bytea. Times are bigint Unix milliseconds, UTC.
//     Booleans are integer 0 or 1.
//   - Every primary key leads with the tenant's number or with the cell, which is always Cell.
//   - What only one engine knows stands in a marked comment, see Statements.
//   - The gate row is never written by SQL: a transaction changes its copy, see Gate.
package sqlstore

import (
	"context"
	"fmt"
	"math"

	"domicile.dev/internal/store"
)

// Cell is the number of the cell in every table that leads with it. A database holds one cell.
const Cell = 1

// Conn is what a driver's transaction is. It belongs to one goroutine. After an error of the store
// the transaction is beyond use and can't commit; the caller returns the error. An error that each
// returned only ends its query.
//
// Arguments are nil (NULL), bool, int, int32, int64, uint8, uint16, uint32, uint64 up to
// math.MaxInt64, string and []byte. A []byte is never NULL, not even a nil one.
//
// While each runs, the connection is busy: calling the Conn from inside it is an error on both
// engines. Collect first, then ask again; QueryEach does that in one round trip.
type Conn interface {
	store.Tx

	// Context is that of the transaction.
	Context() context.Context

	// Engine is "sqlite" or "postgres".
	Engine() string

	// Gate is this transaction's copy of the gate row, read when it began. In a write transaction,
	// what was changed in it is written with the commit. In a View it is a snapshot.
	Gate() *Gate

	// Exec runs one statement and returns how many rows it changed.
	Exec(sql string, args ...any) (rows int64, err error)

	// ExecEach runs one statement for each row of arguments, in order; pipelined on PostgreSQL.
	ExecEach(sql string, args [][]any) error

	// Query calls each for every row. An error from each ends the query and is returned.
	Query(sql string, each func(Row) error, args ...any) error

	// QueryEach runs one query for each row of arguments, in order, and calls each with the index
	// of the argument row; pipelined on PostgreSQL.
	QueryEach(sql string, args [][]any, each func(i int, r Row) error) error
}

// Row is one row of a result, valid only while each runs. Columns count from 0.
type Row interface {
	// Int returns an integer column, 0 for NULL.
	Int(i int) int64
	// Text returns a text column, "" for NULL.
	Text(i int) string
	// Bytes returns a copy of a bytea column: nil for NULL, and not nil when it is empty.
	Bytes(i int) []byte
	// BytesInto is Bytes, in the memory of b where that suffices.
	BytesInto(b []byte, i int) []byte
	// Null says whether the column is NULL.
	Null(i int) bool
}

// conn returns what tx is. Every Tx comes from a driver, so anything else is a fault in our code.
func conn(tx store.Tx) Conn {
	c, ok := tx.(Conn)
	if !ok {
		panic(fmt.Sprintf("sqlstore: %T is no transaction of a driver", tx))
	}
	return c
}

// one runs a query that has one row at most and says whether it had one.
func one(c Conn, sql string, each func(Row), args ...any) (found bool, err error) {
	err = c.Query(sql, func(r Row) error {
		found = true
		each(r)
		return nil
	}, args...)
	return found, err
}

// Int turns an argument of an integer type or a bool into what both engines store. ok is false for
// any other type and for numbers above math.MaxInt64.
func Int(a any) (n int64, ok bool) {
	switch v := a.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint64:
		return int64(v), v <= math.MaxInt64
	case uint16:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int32:
		return int64(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}
