package media

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"domicile.dev/internal/seal"
)

// Errors of Copy and Digest besides those of the writer.
var (
	ErrEmpty    = errors.New("media: there is no content")
	ErrTooLarge = errors.New("media: there is more content than is allowed")
)

// ReadError is trouble on the side that the content comes from.
type ReadError struct{ Err error }

// Error says what was tried.
func (e *ReadError) Error() string { return "read content: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// Copied is what Copy says of a blob.
type Copied struct {
	Size   int64             // of the content
	Digest [sha256.Size]byte // of the content, keyed: seal.BlobKey.Digest
	Sealed [sha256.Size]byte // SHA-256 of the sealed bytes
}

// buffers hold content in the clear and are wiped before they are used again.
var buffers = sync.Pool{New: func() any { return &buffer{} }}

type buffer struct {
	content [2][seal.BlobChunk]byte
	sealed  [seal.BlobChunk + seal.Overhead]byte
}

// Copy seals content of at most most bytes into w. It holds two chunks of it at a time: the last one
// is sealed as such, so it has to be known that nothing follows.
//
// Errors: *ReadError when the content ended in trouble; ErrEmpty; ErrTooLarge; those of w.
func Copy(w io.Writer, k *seal.BlobKey, p *seal.BlobPlace, content io.Reader, most int64) (c Copied, err error) {
	b := buffers.Get().(*buffer)
	defer func() {
		clear(b.content[0][:])
		clear(b.content[1][:])
		buffers.Put(b)
	}()
	digest, sealed := k.Digest(), sha256.New()
	out := io.MultiWriter(w, sealed)
	if _, err := io.WriteString(out, seal.BlobTag); err != nil {
		return c, fmt.Errorf("write blob: %w", err)
	}
	n, err := fill(content, b.content[0][:])
	if err != nil {
		return c, err
	}
	if n == 0 {
		return c, ErrEmpty
	}
	for i := uint64(0); ; i++ {
		this, next := b.content[i&1][:n], 0
		if c.Size += int64(n); c.Size > most {
			return c, ErrTooLarge
		}
		if n == seal.BlobChunk {
			if next, err = fill(content, b.content[1-i&1][:]); err != nil {
				return c, err
			}
		}
		digest.Write(this)
		if _, err := out.Write(k.SealChunk(b.sealed[:0], p, i, next == 0, this)); err != nil {
			return c, fmt.Errorf("write blob: %w", err)
		}
		if n = next; n == 0 {
			break
		}
	}
	digest.Sum(c.Digest[:0])
	sealed.Sum(c.Sealed[:0])
	return c, nil
}

// fill reads until buf is full or the content ends. It is not io.ReadFull, in whose errors the end of
// the content and a body that was cut short look alike.
func fill(content io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = content.Read(buf[n:])
		n += m
	}
	if err == nil || err == io.EOF { //nolint:errorlint // readers return it bare
		return n, nil
	}
	return n, &ReadError{err}
}

// Digest reads content of at most most bytes into h, which is seal.BlobKey.Digest's, and returns
// how much it was. Errors as Copy.
func Digest(h hash.Hash, content io.Reader, most int64) (size int64, err error) {
	b := buffers.Get().(*buffer)
	defer func() {
		clear(b.content[0][:])
		buffers.Put(b)
	}()
	for {
		n, err := fill(content, b.content[0][:])
		if err != nil {
			return size, err
		}
		if size += int64(n); size > most {
			return size, ErrTooLarge
		}
		h.Write(b.content[0][:n])
		if n < seal.BlobChunk {
			return size, nil
		}
	}
}
