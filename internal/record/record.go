// Package record is the record log: rows of sealed records in commit order, and the two families
// of sorted runs that find them again, by subject and by the client's own id.
//
// A commit group is one transaction. Append writes its rows and one small group index; Committed
// publishes that index to memory; Run turns what memory holds into runs and merges runs, so that no
// write ever goes to a random place of a large table. Formats: docs/formats/row.md and run.md.
//
// Nothing here is readable without a person's key: the log sees ids, times, sizes and sealed bytes.
package record

import (
	"errors"
	"time"

	"domicile.dev/internal/id"
)

// Shape is what records of one kind from one source have in common. The caller interns shapes and
// never changes one; Append recognises them by address.
type Shape struct {
	Kind, Service, Source string
	// Categories has one entry per part, at most MaxParts.
	Categories []string
	// Class is the retention class of each part: days, 0 = without limit. Parts of one class lie in
	// one row, so that retention drops whole rows.
	Class []uint16
}

// Part is one sealed part of a record; the i-th has category Shape.Categories[i].
type Part struct {
	Subject id.Subject // whom it is about; id.Nobody for no person
	Sealed  []byte     // at least one byte; not kept after Append returns
	N       uint32     // nonce counter in its chunk
}

// Sealed is a record ready to be stored.
type Sealed struct {
	Ordinal    uint32 // in its chunk; ascending, gaps allowed
	Shape      *Shape
	OccurredAt int64    // Unix ms
	ClientKey  [12]byte // zero: never a duplicate
	Parts      []Part   // as many as the shape has categories
}

// Chunk is what one request brought for one tenant.
type Chunk struct {
	ID         id.Chunk
	Tenant     uint32
	ReceivedAt int64 // Unix ms
	Records    []Sealed
}

// Location is where a record lies: its base row and its number in it. It never changes. Locations
// order records by acceptance.
type Location struct {
	Pos uint64
	Idx uint16
}

// Compare orders locations by row, then number.
func (a Location) Compare(b Location) int {
	switch {
	case a.Pos < b.Pos:
		return -1
	case a.Pos > b.Pos:
		return 1
	}
	return int(a.Idx) - int(b.Idx)
}

// Found is a stored record. Its slices belong to the cache and must not be changed.
type Found struct {
	ID                     id.Record
	At                     Location
	Kind, Service, Source  string
	OccurredAt, ReceivedAt int64       // Unix ms
	Categories             []string    // all that the record was stored with
	Parts                  []FoundPart // those that are still there, in the order of Categories
}

// FoundPart is one part of a stored record.
type FoundPart struct {
	Category string
	Subject  id.Subject
	N        uint32
	Sealed   []byte

	at uint8 // index into the record's categories
}

// Query narrows Find. The zero value asks for the newest DefaultLimit records.
type Query struct {
	// After is the last location already seen, exclusive; zero starts at the newest (the oldest
	// with Oldest).
	After Location
	// Limit is the most records returned. Default DefaultLimit.
	Limit int
	// Kinds keeps only these, each as "service/kind" or "kind"; empty keeps all.
	Kinds []string
	// Oldest turns the order round.
	Oldest bool
}

// DefaultLimit is the number of records Find returns when the query names none.
const DefaultLimit = 100

// Limits of the format. A chunk beyond them is a fault in the caller's code.
const (
	MaxParts       = 255
	MaxSealedBytes = 64 << 20
	maxRowRecords  = 4096
)

// ErrCorrupt is wrapped by every error about bytes that no version of this program wrote.
var ErrCorrupt = errors.New("record: corrupt")

// Options tunes a Log. The zero value is right for a node of a few million records a day.
type Options struct {
	// CacheBytes bounds the cache of raw rows and index blocks. Default 32 MiB.
	CacheBytes int64
	// FilterBytes bounds the filters in memory: 15 bits per record and 10 per subject and run.
	// Beyond it, parts of the largest runs' filters are left out and more lookups read a block. A
	// run is written with no more of its filter than this. Default 64 MiB: of a hundred million
	// records there is still a third of the bits. While large runs are merged the old filters and
	// the new are in memory side by side.
	FilterBytes int64
	// RowBytes is where a row is cut. Default what packs best on the engine's pages.
	RowBytes int
	// MemRecords and MemGroups say after how many records or commit groups the index in memory is
	// written as a run. Defaults 131,072 and 2,048.
	MemRecords, MemGroups int
	// FanIn is how many runs of a size are merged into one. Default 8.
	FanIn int
	// IdleFlush is after how long without a commit a part-filled index in memory is written.
	// Default 30 s.
	IdleFlush time.Duration
	// Node names this node in the merge lease. Default: random.
	Node string
	// OnError hears of a background merge that failed and will be tried again. Default: nobody.
	OnError func(error)

	rowMost                int // bytes that a row of several records does not go beyond
	blockBytes, batchBytes int // smaller in tests
}

func (o Options) withDefaults(engine string) Options {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.FilterBytes == 0 {
		o.FilterBytes = 64 << 20
	}
	if engine == "postgres" {
		def(&o.RowBytes, postgresRowBytes)
		o.rowMost = max(o.RowBytes, postgresRowMost)
	} else {
		def(&o.RowBytes, sqliteRowBytes)
		o.rowMost = o.RowBytes + o.RowBytes/4
	}
	def(&o.MemRecords, 128<<10)
	def(&o.MemGroups, 2048)
	def(&o.FanIn, 8)
	def(&o.blockBytes, blockBytes)
	def(&o.batchBytes, batchBytes)
	if o.IdleFlush == 0 {
		o.IdleFlush = 30 * time.Second
	}
	if o.Node == "" {
		o.Node = id.New("node", 8)
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	return o
}

// Where a row is cut, by engine.
//
// SQLite keeps 489 bytes to 4,061 bytes of a large value beside its key and the rest in overflow
// pages of 4,092 bytes which are always full but the last. A row that ends a little above
// 489 + 4,092·n leaves small remainders, several to a page, so that next to nothing is unused.
// PostgreSQL stores what fits in one page of 8,192 bytes in place, one row to a page.
const (
	sqliteRowBytes   = 489 + 2*4092 + 16
	postgresRowBytes = 7600
	postgresRowMost  = 8040
)
