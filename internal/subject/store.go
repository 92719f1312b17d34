package subject

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Store is what identity needs of the region's store. Reads of many keys are one call, so that a
// store across a network can pipeline them.
type Store interface {
	LinkStore
	RefusedStore
	OriginStore
	// Bindings calls each for the bindings of the given identifiers: MostBindings of each at most,
	// claims last.
	Bindings(tx store.Tx, keys []BindingKey, each func(Binding)) error
	// Rows calls each for every given subject that exists.
	Rows(tx store.Tx, keys []Key, each func(Row)) error
	// Members calls each for every subject merged into one of the given heads, heads excluded.
	Members(tx store.Tx, heads []Key, each func(Row)) error
	// BindingsOf calls each for every binding of the given subjects.
	BindingsOf(tx store.Tx, keys []Key, each func(Binding)) error
	// Suppressed calls each for those of the given values that are suppressed; digests are
	// under the suppression key.
	Suppressed(tx store.Tx, keys []BindingKey, each func(BindingKey)) error
	// Suppress enters digests under the suppression key, with the ground and the date.
	Suppress(tx store.Tx, keys []BindingKey, keyVersion uint32, ground string, at int64) error

	// DropClaims deletes every claim of the given identifiers. The numbers of those who had them are
	// unlooked then.
	DropClaims(tx store.Tx, keys []BindingKey) error

	// InsertRows writes new people. Of one whose state is Arriving nobody has looked at the numbers yet.
	InsertRows(tx store.Tx, rows []*Row) error
	InsertBindings(tx store.Tx, bindings []*Binding) error
	// RetireBindings writes when bindings, which are no claims, were retired, as far as they are stored.
	// Their subjects' numbers are unlooked then.
	RetireBindings(tx store.Tx, bindings []*Binding) error
	// UpdateRows writes head, state and hold of rows that exist.
	UpdateRows(tx store.Tx, rows []*Row) error
	// Rehead moves the members of one head to another.
	Rehead(tx store.Tx, tenant uint32, from, to id.Subject) error

	// BindingsBefore looks at limit bindings, those after the given one in an order of its own, and
	// returns those whose key version is before version, with the keys to open them.
	BindingsBefore(tx store.Tx, version uint32, after BindingAt, limit int) (BindingPage, error)
	// MoveBindings gives bindings that are still there another digest and key version, and returns
	// how many there were.
	MoveBindings(tx store.Tx, moves []Move) (int64, error)
	// CountBindingsBefore counts what all pages of BindingsBefore would return.
	CountBindingsBefore(tx store.Tx, version uint32) (int64, error)

	// PutReason keeps the sealed reason of a person's state, or drops it when sealed is nil.
	PutReason(tx store.Tx, k Key, state string, sealed []byte) error
	// Reasons calls each for every sealed reason of a subject.
	Reasons(tx store.Tx, k Key, each func(state string, sealed []byte)) error

	// Erase deletes the rows, keys and bindings of subjects and leaves one tombstone each.
	Erase(tx store.Tx, tombs []*Tomb) error
	// Tombs calls each for every given subject that was erased.
	Tombs(tx store.Tx, keys []Key, each func(Tomb)) error
	// Uncompacted calls each for tombs whose sealed remains are still in the log, oldest first.
	Uncompacted(tx store.Tx, erasedBefore int64, limit int, each func(Tomb)) error
	// Compacted marks tombs whose remains are gone.
	Compacted(tx store.Tx, keys []Key, at int64) error
}

// MostBindings bounds how many bindings of one identifier are looked at. Whoever has a browser's key
// can make as many claims as they like; those beyond the bound find nobody.
const MostBindings = 64

// Tomb is what an erasure leaves of a subject: nothing of the person, only that and when.
type Tomb struct {
	Key
	Head            id.Subject
	Receipt         string
	ErasedAt        int64
	UnrecoverableBy int64
	Records         int64
	Entry           id.Entry
	Index           int64
	ReasonChunk     id.Chunk // names the key under which Reason is sealed
	Reason          []byte   // sealed, nil when none was given
	CompactedAt     int64    // 0 while sealed remains are in the log
	Contested       bool     // links were refused, so there are some to delete; not stored
	Spoken          bool     // there are words to delete; not stored
	HadState        bool     // a state was in force, so there may be reasons to delete; not stored
	MovedTo, Move   string   // the region that the person moved to, and the move; "" when they were erased
}
