package media

import (
	"context"
	"errors"
	"fmt"
	"io"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/seal"
)

// Reader reads the content of a sealed blob, from anywhere in it: an io.ReadSeekCloser. It belongs to
// one goroutine, and holds one chunk.
type Reader struct {
	ctx   context.Context //nolint:containedctx // a Reader lives as long as its request
	store Store
	name  string
	key   *seal.BlobKey
	place seal.BlobPlace
	size  int64
	still func() error

	at       int64 // of the next byte
	chunk    []byte
	number   int64 // of chunk; -1 for none
	in       io.ReadCloser
	next     int64 // the chunk at which in stands
	vouched  int64 // bytes since still was asked
	sealed   []byte
	firstErr error
}

// askAgain is after how many bytes a Reader asks whether the content may still be shown.
const askAgain = 1 << 20

// NewReader returns a reader of a blob whose content is size bytes long. still is asked again and
// again while it is read, and ends the reading with its error: the person may be erased meanwhile.
func NewReader(ctx context.Context, s Store, name string, k *seal.BlobKey, p seal.BlobPlace, size int64, still func() error) *Reader {
	return &Reader{ctx: ctx, store: s, name: name, key: k, place: p, size: size, still: still, number: -1}
}

// Size returns how long the content is.
func (r *Reader) Size() int64 { return r.size }

// Ready opens the first chunk, so that trouble is known before anything is shown. It reads nothing.
func (r *Reader) Ready() error {
	if r.at == 0 && r.number != 0 {
		return r.load(0)
	}
	return nil
}

// Err returns what the first Read failed with, but io.EOF.
func (r *Reader) Err() error { return r.firstErr }

// Read reads content. It never returns bytes of a chunk that was altered.
func (r *Reader) Read(b []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	n := r.at / seal.BlobChunk
	if n != r.number {
		if err := r.load(n); err != nil {
			if r.firstErr == nil {
				r.firstErr = err
			}
			return 0, err
		}
	}
	m := copy(b, r.chunk[r.at-n*seal.BlobChunk:])
	r.at += int64(m)
	return m, nil
}

// load opens chunk n.
func (r *Reader) load(n int64) error {
	if r.vouched += seal.BlobChunk; r.vouched > askAgain {
		if err := r.still(); err != nil {
			return err
		}
		r.vouched = 0
	}
	clear(r.chunk)
	r.number = -1
	if r.in == nil || r.next != n {
		r.closeIn()
		in, err := r.store.Open(r.ctx, r.name, seal.ChunkAt(n))
		if fault.KindOf(err) == fault.NotFound { // what names it says that it is there
			return fault.New(fault.Internal, "blob.lost", "a sealed blob is missing").Because(err)
		} else if err != nil {
			return fmt.Errorf("open blob: %w", err)
		}
		r.in = in
	}
	last := n == seal.BlobChunks(r.size)-1
	length := int64(seal.BlobChunk)
	if last {
		length = r.size - n*seal.BlobChunk
	}
	if r.sealed == nil {
		r.sealed = make([]byte, min(r.size, seal.BlobChunk)+seal.Overhead)
		r.chunk = make([]byte, 0, min(r.size, seal.BlobChunk))
	}
	sealed := r.sealed[:length+seal.Overhead]
	if _, err := io.ReadFull(r.in, sealed); err != nil {
		r.closeIn()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.New(fault.Internal, "blob.damaged", "a sealed blob is shorter than it was").Because(err)
		}
		return Away(err)
	}
	chunk, err := r.key.OpenChunk(r.chunk[:0], &r.place, uint64(n), last, sealed)
	if err != nil {
		return fmt.Errorf("open chunk %d: %w", n, err)
	}
	r.chunk, r.number, r.next = chunk, n, n+1
	return nil
}

// Seek sets where the next Read begins.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("media: seek to before the beginning")
	}
	r.at = offset
	return offset, nil
}

func (r *Reader) closeIn() {
	if r.in != nil {
		_ = r.in.Close()
		r.in = nil
	}
}

// Close wipes what is in memory.
func (r *Reader) Close() error {
	r.closeIn()
	clear(r.chunk[:cap(r.chunk)])
	return nil
}
