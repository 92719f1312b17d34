package tenant

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Store keeps accounts. Hashes of keys are unique in a cell.
type Store interface {
	// ChangedSince returns the accounts whose version is above after, oldest change first.
	ChangedSince(tx store.Tx, after int64) ([]Account, error)

	// Account returns one account; found is false when there is none of that id.
	Account(tx store.Tx, id string) (a Account, found bool, err error)

	// NextTenant returns a number that no tenant of the cell ever had.
	NextTenant(tx store.Tx) (no uint32, err error)

	// PutTenant inserts or replaces a tenant and gives its account the newest version. Every
	// change to a source or token is followed by it, in the same transaction.
	PutTenant(tx store.Tx, t Tenant) error

	PutSource(tx store.Tx, s StoredSource) error
	PutToken(tx store.Tx, t StoredToken) error
}

// Ledger is where each change is entered.
type Ledger interface {
	// Enter puts an entry of kind about the tenant called id into the region's ledger, in tx.
	// body is marshalled as JSON; it holds ids and words, no keys.
	Enter(tx store.Tx, kind, tenant string, body any) (id.Entry, error)

	// Entered is called once after tx committed.
	Entered()
}
