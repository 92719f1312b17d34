package register

import (
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Row is one act on the register, as it is stored and never changed: a fact that was added, in place of
// another where it names one, or a fact that was struck.
type Row struct {
	Line           // Body is "" where a fact was struck
	Seq     int64  // 1, 2, 3 … in the cell, in the order of commit
	ID      string // "fct_…"
	Ends    int64  // Seq of the fact that it replaces or strikes, 0 for none
	At      time.Time
	By      string // id of a token, or "operator"
	Assumed bool   // nobody observed it: it came with an example
	Tenant  string // the customer that a choice of a customer's is of, else ""
	Entry   id.Entry
}

// Struck says whether the row is no fact, but the end of one.
func (r *Row) Struck() bool { return r.Body == "" }

// Store keeps a register's rows.
type Store interface {
	// LastFact returns the Seq of the newest row, 0 when there is none.
	LastFact(tx store.Tx) (seq int64, err error)

	// StandingFacts calls each with the facts that nothing replaced or struck, oldest first.
	StandingFacts(tx store.Tx, each func(Row) error) error

	// FactsAfter calls each with rows of every kind of act after the one numbered after, oldest first,
	// limit at most. tenant, unless it is "", leaves out what isn't a choice of that customer's.
	FactsAfter(tx store.Tx, after int64, limit int, tenant string, each func(Row) error) error

	// AppendFacts writes rows. A second row that ends the same fact is an error.
	AppendFacts(tx store.Tx, rows []Row) error
}

// Ledger is where each row is entered.
type Ledger interface {
	// Enter puts an entry of kind about a tenant, "" for the region, into the region's ledger, in tx.
	Enter(tx store.Tx, kind, tenant string, body any) (id.Entry, error)

	// Entered is called once after tx committed.
	Entered()
}
