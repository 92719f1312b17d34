package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"log/slog"
)

// KeyBytes is the length of a raw key: AES-256.
const KeyBytes = 32

// Overhead is what sealing a part adds to its packed bytes: the GCM tag.
const Overhead = 16

// Key is an AES-256-GCM key with its cipher set up, which takes about 1 KiB and twice the time
// of sealing a part: keep Keys, bounded. It is safe for concurrent use and refuses to print.
type Key struct{ aead cipher.AEAD }

// NewKey returns the key of 32 raw bytes, which it does not keep: the caller may clear them.
func NewKey(raw []byte) (*Key, error) {
	if len(raw) != KeyBytes {
		return nil, fmt.Errorf("seal: a key has %d bytes, not %d", KeyBytes, len(raw))
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("set up AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("set up GCM: %w", err)
	}
	return &Key{aead}, nil
}

// Format prints "[key]" for every verb: fmt would find the expanded key by reflection.
func (*Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key]") }

// LogValue keeps the key out of slog.
func (*Key) LogValue() slog.Value { return slog.StringValue("[key]") }
