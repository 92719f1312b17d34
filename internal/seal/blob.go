package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
)

// Format: docs/formats/blob.md, version 1.

// BlobTag is what a sealed blob begins with, and the first field of its associated data.
const BlobTag = "domicile blob 1\x00"

// BlobChunk is how many bytes of content each chunk of a blob but the last one holds.
const BlobChunk = 64 << 10

// What a blob's keys are derived for.
const (
	blobContent = "domicile blob content 1\x00"
	blobAbout   = "domicile blob about 1\x00"
	blobDigest  = "domicile blob digest 1\x00"
	aboutTag    = "blob about 1\x00"
	blobKeyTag  = "blob key 1\x00"
	aboutPad    = 64 // so that the length of a file's name isn't told
)

// BlobPlace is what a blob is bound to. Subject is the person it is about, and Nobody when it is
// about nobody or about several: then each of them is bound with the wrapping of its key.
type BlobPlace struct {
	Region, Tenant string
	Subject        id.Subject
	Record         id.Record
	Media          id.Media
}

// bytes appends everything but the subject.
func (p *BlobPlace) bytes(b []byte, s id.Subject) []byte {
	rec := p.Record.Bytes()
	b = AppendName(AppendName(b, p.Region), p.Tenant)
	return append(append(append(b, s[:]...), rec[:]...), p.Media[:]...)
}

// BlobKey is the key of one blob, which is sealed once: its chunks have counters as nonces. It is
// safe for concurrent use and refuses to print.
type BlobKey struct {
	raw            [KeyBytes]byte
	content, about *Key
	digest         []byte
}

// Format prints "[key]" for every verb.
func (*BlobKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[key]")) }

// NewBlobKey returns a random key.
func NewBlobKey() *BlobKey {
	var raw [KeyBytes]byte
	_, _ = rand.Read(raw[:])
	defer clear(raw[:])
	return blobKey(raw[:])
}

// ReadBlobKey returns the key of 32 raw bytes, which the caller may clear.
func ReadBlobKey(raw []byte) (*BlobKey, error) {
	if len(raw) != KeyBytes {
		return nil, fmt.Errorf("seal: a blob's key has %d bytes, not %d", KeyBytes, len(raw))
	}
	return blobKey(raw), nil
}

func blobKey(raw []byte) *BlobKey {
	k := &BlobKey{}
	copy(k.raw[:], raw)
	derive := func(info string) []byte {
		b, err := hkdf.Expand(sha256.New, raw, info, KeyBytes)
		if err != nil {
			panic(err) // only for too long a key
		}
		return b
	}
	ready := func(info string) *Key {
		b := derive(info)
		defer clear(b)
		key, err := NewKey(b)
		if err != nil {
			panic(err) // only for another length
		}
		return key
	}
	k.content, k.about, k.digest = ready(blobContent), ready(blobAbout), derive(blobDigest)
	return k
}

// WrapBlobKey seals k under the key of person s, or of nobody.
func WrapBlobKey(person *Key, p *BlobPlace, s id.Subject, k *BlobKey) []byte {
	return SealBytes(person, p.bytes([]byte(blobKeyTag), s), k.raw[:])
}

// UnwrapBlobKey opens what WrapBlobKey sealed. Fault: Invalid.
func UnwrapBlobKey(person *Key, p *BlobPlace, s id.Subject, wrapped []byte) (*BlobKey, error) {
	raw, err := OpenBytes(person, p.bytes([]byte(blobKeyTag), s), wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	return ReadBlobKey(raw)
}

// SealChunk appends chunk n of the blob, sealed. All chunks but the last hold BlobChunk bytes; last
// says that none follows. A chunk is sealed once: see BlobKey.
func (k *BlobKey) SealChunk(dst []byte, p *BlobPlace, n uint64, last bool, content []byte) []byte {
	x := scratches.Get().(*scratch)
	x.chunk(p, n, last)
	dst = k.content.aead.Seal(dst, x.nonce[:], content, x.ad)
	scratches.Put(x)
	return dst
}

// OpenChunk appends what SealChunk was given. It returns a fault of kind Invalid when the chunk was
// altered, is another blob's, stood elsewhere or was not the last, and then nothing of the content.
func (k *BlobKey) OpenChunk(dst []byte, p *BlobPlace, n uint64, last bool, sealed []byte) ([]byte, error) {
	x := scratches.Get().(*scratch)
	x.chunk(p, n, last)
	out, err := k.content.aead.Open(dst, x.nonce[:], sealed, x.ad)
	scratches.Put(x)
	if err != nil {
		return dst, fault.New(fault.Invalid, "seal.altered", "a chunk of a sealed blob does not open: it was altered, moved, cut off or sealed under another key")
	}
	return out, nil
}

// chunk sets nonce and associated data.
func (x *scratch) chunk(p *BlobPlace, n uint64, last bool) {
	x.nonce = [nonceBytes]byte{}
	binary.BigEndian.PutUint64(x.nonce[4:], n)
	ad := binary.BigEndian.AppendUint64(p.bytes(append(x.ad[:0], BlobTag...), p.Subject), n)
	flag := byte(0)
	if last {
		flag = 1
	}
	x.ad = append(ad, flag)
}

// SealAbout seals what is said of a blob, such as its type and name, padded with spaces.
func (k *BlobKey) SealAbout(p *BlobPlace, about []byte) []byte {
	padded := append(make([]byte, 0, len(about)+aboutPad), about...)
	for len(padded)%aboutPad != 0 {
		padded = append(padded, ' ')
	}
	return SealBytes(k.about, p.bytes([]byte(aboutTag), p.Subject), padded)
}

// OpenAbout opens what SealAbout sealed, with its padding. Fault: Invalid.
func (k *BlobKey) OpenAbout(p *BlobPlace, sealed []byte) ([]byte, error) {
	return OpenBytes(k.about, p.bytes([]byte(aboutTag), p.Subject), sealed)
}

// Digest returns the HMAC that tells whether the same content was sent again. Without the key of a
// person it tells nothing.
func (k *BlobKey) Digest() hash.Hash { return hmac.New(sha256.New, k.digest) }

// BlobChunks returns how many chunks a blob of size bytes of content has: one at least.
func BlobChunks(size int64) int64 { return max(1, (size+BlobChunk-1)/BlobChunk) }

// SealedBlobBytes returns how long a sealed blob is.
func SealedBlobBytes(size int64) int64 { return int64(len(BlobTag)) + size + BlobChunks(size)*Overhead }

// ChunkAt returns where chunk n begins in a sealed blob.
func ChunkAt(n int64) int64 { return int64(len(BlobTag)) + n*(BlobChunk+Overhead) }
