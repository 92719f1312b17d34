package record

import (
	"time"

	"domicile.dev/internal/store"
)

// Gate is what the log reads and writes of the cell's commit gate.
type Gate struct {
	Pos      uint64 // of the last row
	Manifest uint64 // version of the set of runs, rewrites and drops
}

// Row is a stored row, base or sibling.
type Row struct {
	Tenant     uint32
	Pos        uint64
	Class      uint16
	ReceivedAt int64 // of its newest record, Unix ms
	Body       []byte
}

// RunState is where a run is in its life.
type RunState int64

const (
	RunWriting   RunState = 0 // its blocks are being written; a crash leaves it to be removed
	RunPublished RunState = 1
	RunRetired   RunState = 2 // merged into another; its blocks are being removed
)

// RunInfo describes a run.
type RunInfo struct {
	ID                int64
	Family            Family
	State             RunState
	FirstPos, LastPos uint64 // it indexes the rows of this range, both ends included
	Entries, Keys     uint64
	Blocks            int // index blocks, numbered from 0
	FenceBlocks       int // numbered on from Blocks
	FilterLines       int // lines of 64 bytes in each piece of the filter
	FilterBlocks      int // numbered on from Blocks + FenceBlocks
}

// Kind is a line of the table of kind codes.
type Kind struct {
	Code          uint16
	Service, Kind string
	Class         uint16 // retention class of the base row
}

// Mark is a line about what index entries to leave out. With Subject empty: entries of a class up to
// Pos, whose rows retention dropped. Otherwise: entries of a subject, whose parts were compacted away.
// That of tenant 0 says in Pos at which version of the manifest rows last changed.
type Mark struct {
	Tenant  uint32
	Subject []byte // 12 bytes or empty
	Class   uint16
	Pos     uint64
}

// Store is what the log needs of store/sqlstore. All methods but reads need a write transaction.
// Ranges of positions and block numbers include their first and last.
type Store interface {
	Gate(tx store.Tx) Gate
	SetGate(tx store.Tx, g Gate)

	InsertRows(tx store.Tx, rows []Row) error
	// Rows calls each for those of pos that exist; i is the index in pos. A body is in the memory that into
	// returns, where that suffices; with nil for into in its own.
	Rows(tx store.Tx, tenant uint32, pos []uint64, into func(i int) []byte, each func(i int, body []byte) error) error
	// RowsAfter calls each for at most limit rows after a position, in order.
	RowsAfter(tx store.Tx, tenant uint32, after uint64, limit int, each func(pos uint64, body []byte) error) error
	UpdateRows(tx store.Tx, rows []Row) error
	DeleteRows(tx store.Tx, tenant uint32, pos []uint64) error
	// OldRows returns the first rows of a class, without bodies, at most limit.
	OldRows(tx store.Tx, tenant uint32, class uint16, limit int) ([]Row, error)

	InsertGroup(tx store.Tx, first, last uint64, body []byte) error
	// Groups calls each for the group indexes that end after a position, in order.
	Groups(tx store.Tx, after uint64, each func(first, last uint64, body []byte) error) error
	DeleteGroups(tx store.Tx, through uint64) error

	Runs(tx store.Tx) ([]RunInfo, error) // in all states
	InsertRun(tx store.Tx, r RunInfo) error
	// UpdateRun writes all columns of a run that is in state was and says whether there was one.
	UpdateRun(tx store.Tx, was RunState, r RunInfo) (bool, error)
	DeleteRun(tx store.Tx, run int64) error

	InsertBlocks(tx store.Tx, run int64, first int, bodies [][]byte) error
	Blocks(tx store.Tx, run int64, first, last int, each func(n int, body []byte) error) error
	// BlocksOf fetches one block for each (run, n) pair.
	BlocksOf(tx store.Tx, runs []int64, ns []int, each func(i int, body []byte) error) error
	// DeleteBlocks deletes the first blocks of a run, at most limit, and says how many there were.
	DeleteBlocks(tx store.Tx, run int64, limit int) (int64, error)

	Kinds(tx store.Tx) ([]Kind, error)
	InsertKind(tx store.Tx, k Kind) error

	Marks(tx store.Tx) ([]Mark, error)
	PutMarks(tx store.Tx, marks []Mark) error
	DeleteMarks(tx store.Tx, marks []Mark) error

	Lease(tx store.Tx, name, holder string, now time.Time, ttl time.Duration) (bool, error)
}
