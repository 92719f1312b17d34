// Package store is the port through which services reach a region's database. It knows no SQL:
// store/sqlstore holds all of it, store/sqlite and store/postgres open the engines.
package store

import "context"

// Tx is one transaction. Services hand it on and never look inside; store/sqlstore knows what it is.
type Tx interface{ IsTx() }

// DB is one cell of a region's store.
type DB interface {
	// Do runs fn in a write transaction that holds the cell's commit gate: of all nodes of a
	// cell, one at a time is inside. What fn wrote is durable when Do returns nil, and on a
	// replicated store only then. fn may run twice and has no effect outside tx.
	Do(ctx context.Context, fn func(tx Tx) error) error

	// View runs fn on a snapshot taken when it starts. fn does not write.
	View(ctx context.Context, fn func(tx Tx) error) error

	// Engine is "sqlite" or "postgres".
	Engine() string

	// Close waits for open transactions and releases the store.
	Close() error
}
