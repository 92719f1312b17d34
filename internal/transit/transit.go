// Package transit is what crosses between two regions when a person moves: pages of records and the
// person's identifiers, sealed to a key that the target made for this one move. It is pure.
//
// Format: docs/moving.md, version 1.
package transit

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"domicile.dev/internal/fault"
)

// The suite of RFC 9180: a hybrid of ML-KEM-768 and X25519, since what is recorded on the way today
// must not be read by whoever breaks curves tomorrow.
var (
	kem  = hpke.MLKEM768X25519()
	kdf  = hpke.HKDFSHA256()
	aead = hpke.AES256GCM()
)

// MaxSealedBytes bounds one sealed part of a move: the largest record, in base64, and more.
const MaxSealedBytes = 24 << 20

// Part says what was sealed, so that none passes for another.
type Part string

// The parts of a move.
const (
	PartHello  Part = "hello"  // Hello, as page 0
	PartPage   Part = "page"   // Page, from 1
	PartPerson Part = "person" // Person
)

// Route is one move: everything sealed is bound to it.
type Route struct{ Move, Tenant, From, To string }

func (r Route) info(p Part, n uint32) []byte {
	b := []byte("domicile move 1\x00")
	for _, s := range []string{r.Move, r.Tenant, r.From, r.To, string(p)} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	return binary.BigEndian.AppendUint32(b, n)
}

// Key is the target's private key of one move. It refuses to print.
type Key struct{ k hpke.PrivateKey }

// NewKey returns a new random key.
func NewKey() (*Key, error) {
	k, err := kem.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make a move's key: %w", err)
	}
	return &Key{k}, nil
}

// ParseKey returns the key that Bytes gave.
func ParseKey(b []byte) (*Key, error) {
	k, err := kem.NewPrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("read a move's key: %w", err)
	}
	return &Key{k}, nil
}

// Bytes returns the private key, to be kept sealed.
func (k *Key) Bytes() ([]byte, error) { return k.k.Bytes() }

// Public returns the public key, as Seal takes it.
func (k *Key) Public() []byte { return k.k.PublicKey().Bytes() }

// Format prints "[key]" for every verb.
func (*Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key]") }

// LogValue keeps the key out of slog.
func (*Key) LogValue() slog.Value { return slog.StringValue("[key]") }

// CheckPublic says whether public is a key that Seal takes.
func CheckPublic(public []byte) error {
	if _, err := kem.NewPublicKey(public); err != nil {
		return fault.New(fault.Invalid, "move.bad_key", "public_key is not a key that the target of a move makes").
			WithHint("give public_key as the target region answered it, unchanged")
	}
	return nil
}

// Seal seals part n of a move to the target's public key.
func Seal(public []byte, r Route, p Part, n uint32, plain []byte) ([]byte, error) {
	k, err := kem.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("read the target's key: %w", err)
	}
	return hpke.Seal(k, kdf, aead, r.info(p, n), plain)
}

// Open opens what Seal sealed. It returns a fault of kind Invalid when it was altered, was sealed for
// another move or as another part of it.
func (k *Key) Open(r Route, p Part, n uint32, sealed []byte) ([]byte, error) {
	plain, err := hpke.Open(k.k, kdf, aead, r.info(p, n), sealed)
	if err != nil {
		return nil, fault.New(fault.Invalid, "move.altered", "this %s does not open: it was altered, or sealed for another move or place in it", p)
	}
	return plain, nil
}

// SecretBytes is the length of the secrets in Hello and outside of it.
const SecretBytes = 32

// NewSecret returns a random secret and the SHA-256 that commits to it.
func NewSecret() (secret, commitment []byte) {
	secret = make([]byte, SecretBytes)
	_, _ = rand.Read(secret)
	sum := sha256.Sum256(secret)
	return secret, sum[:]
}

// Reveals says whether secret is what commitment commits to.
func Reveals(secret, commitment []byte) bool {
	sum := sha256.Sum256(secret)
	return len(commitment) == sha256.Size && subtle.ConstantTimeCompare(sum[:], commitment) == 1
}

// MAC returns a digest of parts under a key that only the two regions have. what says of what.
func MAC(key []byte, what string, parts ...string) []byte {
	sub, err := hkdf.Expand(sha256.New, key, "domicile move mac 1 "+what, sha256.Size)
	if err != nil {
		panic(err) // only for too long a key
	}
	m := hmac.New(sha256.New, sub)
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		m.Write(size[:])
		m.Write([]byte(p))
	}
	return m.Sum(nil)
}
