package ledger

import "domicile.dev/internal/store"

// Leaf is one leaf as it is stored. Format: docs/formats/ledger.md, "At rest".
type Leaf struct {
	Index      int64
	Commitment [32]byte
	Hashes     []byte // what tlog.StoredHashes gives: 32 bytes each, the leaf hash first
	Tenant     string
	Kind       string
	At         int64 // Unix milliseconds
	Entry      []byte
	Nonce      []byte
	Subs       []byte // nil when the leaf is no group
}

// Store is what the ledger needs of a region's database.
type Store interface {
	// Head returns the number of leaves and the stored hashes of the last one, nil when there is none.
	Head(tx store.Tx) (size int64, last []byte, err error)

	// Append writes leaves that follow the last one, and the new number of leaves.
	Append(tx store.Tx, leaves []Leaf) error

	// Hashes calls each with the stored hashes of leaves[i]. A leaf that doesn't exist is left out.
	Hashes(tx store.Tx, leaves []int64, each func(i int, hashes []byte) error) error

	// Public calls each with the commitment and the stored hashes of the leaves from first to
	// before end, in order.
	Public(tx store.Tx, first, end int64, each func(commitment, hashes []byte) error) error

	// Leaf returns Entry, Nonce, Subs, Tenant and Kind of a leaf, or a fault NotFound.
	Leaf(tx store.Tx, index int64) (*Leaf, error)

	// Private calls each with Index, Commitment, Entry, Nonce and Subs of the leaves from first to
	// before end, in order. Entry is nil where it is missing; a leaf that is missing is left out.
	Private(tx store.Tx, first, end int64, each func(*Leaf) error) error

	// Checkpoint returns the newest checkpoint, or 0 and nil.
	Checkpoint(tx store.Tx) (size int64, note []byte, err error)

	// PutCheckpoint keeps note unless one of the same or a larger size is kept already.
	PutCheckpoint(tx store.Tx, size int64, note []byte) error

	// Cosignatures calls each with every witness's newest cosignature.
	Cosignatures(tx store.Tx, each func(witness string, size int64, line []byte) error) error

	// PutCosignature keeps a witness's cosignature unless one of a larger size is kept already.
	PutCosignature(tx store.Tx, witness string, size int64, line []byte) error

	// Mirror returns the newest checkpoint verified of another log, or 0 and nil.
	Mirror(tx store.Tx, origin string) (size int64, note []byte, err error)

	// PutMirror replaces it. at is in Unix milliseconds.
	PutMirror(tx store.Tx, origin string, size int64, note []byte, at int64) error
}
