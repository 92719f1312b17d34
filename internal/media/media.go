// Package media keeps recordings and attachments: large content that is streamed into sealed blobs
// and never lies in memory whole. A Store keeps blobs by name; what is in them, and who may open
// them, it can't tell.
//
// Format: docs/formats/blob.md, version 1.
package media

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
)

// Store keeps blobs: files of a node, or objects that all nodes of a region share. A blob is written
// once and never changed. Implementations are safe for concurrent use, and pass mediatest.Run.
//
// Faults: NotFound "blob.missing"; Unavailable "store.full" and "blob.store_away".
type Store interface {
	// Create begins a blob, which nobody sees before Commit.
	Create(ctx context.Context, name string) (Writer, error)
	// Open reads a blob from a byte on. The caller closes the reader; ctx bounds it.
	Open(ctx context.Context, name string, from int64) (io.ReadCloser, error)
	// Delete removes a blob, durably. There is nothing wrong with one that isn't there.
	Delete(ctx context.Context, name string) error
	// List calls each for every blob, and for what writers that died left behind.
	List(ctx context.Context, each func(Listed) error) error
	Close() error
}

// Writer writes one blob. Exactly one of Commit and Abort ends it.
type Writer interface {
	io.Writer
	// Commit makes the blob durable: when it returns nil, a crash can't take the blob away.
	Commit() error
	// Abort leaves nothing of it.
	Abort()
}

// Listed is one blob of a List.
type Listed struct {
	Name string
	At   time.Time // when it was last written to
	// Partial says that its writer has not committed, or has died.
	Partial bool
}

// Name returns how a tenant's blob is called in a Store. It spreads them over folders.
func Name(tenant uint32, m id.Media) string {
	s := m.String()
	return strconv.FormatUint(uint64(tenant), 10) + "/" + s[4:6] + "/" + s
}

// ParseName returns whose blob has that name; ok is false for names that Name doesn't give.
func ParseName(name string) (tenant uint32, m id.Media, ok bool) {
	no, rest, _ := strings.Cut(name, "/")
	n, err := strconv.ParseUint(no, 10, 32)
	if err != nil {
		return 0, m, false
	}
	_, last, _ := strings.Cut(rest, "/")
	if m, err = id.ParseMedia(last); err != nil || Name(uint32(n), m) != name {
		return 0, m, false
	}
	return uint32(n), m, true
}

// Missing is the fault of a blob that isn't there.
func Missing(err error) error {
	return fault.New(fault.NotFound, "blob.missing", "there is no such blob").Because(err)
}

// Full is the fault of a store without room.
func Full(err error) error {
	return fault.New(fault.Unavailable, "store.full", "the disk for recordings and attachments is full").
		WithHint("free space where the region's blobs lie; nothing that was acknowledged is lost").Because(err)
}

// Away is the fault of a store that can't be used for now.
func Away(err error) error {
	return fault.New(fault.Unavailable, "blob.store_away", "recordings and attachments can't be kept or read for now").
		WithHint("see the node's log; send the same request again").Because(err)
}
