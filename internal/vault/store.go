package vault

import (
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Epoch is the life of one epoch key.
type Epoch struct {
	N         uint32
	CreatedAt time.Time
	// DestroyedAt is zero while the keyring may still hold the key.
	DestroyedAt time.Time
	// Check is the key's check value; see docs/formats/keys.md.
	Check []byte
}

// KeyRow is the key of one living person.
type KeyRow struct {
	Tenant   int    // the tenant's number in this cell
	TenantID string // its text id, which is bound into the wrapping
	Subject  id.Subject
	Wrapped  Wrapped
}

// KeyPage is what KeysBefore found on one page.
type KeyPage struct {
	Rows    []KeyRow
	Tenant  int // the last person looked at, for the next page
	Subject id.Subject
	More    bool // there may be another page
}

// Store is what the vault needs of the region's database.
type Store interface {
	// CurrentEpoch returns the epoch under which keys are wrapped; 0 before the first start.
	CurrentEpoch(tx store.Tx) (uint32, error)
	// SetEpoch enters e and makes it current.
	SetEpoch(tx store.Tx, e Epoch) error
	// Epochs returns all epochs, the oldest first.
	Epochs(tx store.Tx) ([]Epoch, error)
	// MarkDestroyed enters when the key of epoch n was destroyed.
	MarkDestroyed(tx store.Tx, n uint32, at time.Time) error

	// KeysBefore looks at limit persons, in order of tenant and subject, those after the given
	// pair, and returns the keys that are wrapped under an epoch before epoch. It costs the same
	// however many of them are. Erased persons have no key.
	KeysBefore(tx store.Tx, epoch uint32, afterTenant int, after id.Subject, limit int) (KeyPage, error)
	// PutKeys replaces the wrapped keys of persons who still have one, of an earlier epoch. It
	// never gives one to a person without.
	PutKeys(tx store.Tx, rows []KeyRow) error
	// CountBefore counts what all pages of KeysBefore would return.
	CountBefore(tx store.Tx, epoch uint32) (int, error)

	// IndexInForce returns the first and the last version of the index key that count; 1 and 1 at first.
	IndexInForce(tx store.Tx) (from, to uint32, err error)
	// IndexVersions returns all versions of the index key, the oldest first.
	IndexVersions(tx store.Tx) ([]IndexVersion, error)
	// AddIndexVersion enters x and makes it the last that counts.
	AddIndexVersion(tx store.Tx, x IndexVersion) error
	// CountMoved adds to how many identifiers were computed anew under version n.
	CountMoved(tx store.Tx, n uint32, moved int64) error
	// RetireIndex enters that version n is retired; the next one is the first that counts.
	RetireIndex(tx store.Tx, n uint32, at time.Time) error
	// EndIndex enters when version n came to its end.
	EndIndex(tx store.Tx, n uint32, at time.Time) error

	// Meta returns a value of the table meta, nil when there is none.
	Meta(tx store.Tx, key string) ([]byte, error)
	// PutMeta sets one.
	PutMeta(tx store.Tx, key string, value []byte) error

	// Lease takes or prolongs a lease and says whether holder has it. It saves work; what keeps
	// two nodes from harm is the gate.
	Lease(tx store.Tx, name, holder string, now time.Time, ttl time.Duration) (bool, error)
	// Release gives it up.
	Release(tx store.Tx, name, holder string) error
}
