package vault

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"domicile.dev/internal/seal"
)

const blindTag = "domicile blind 1\x00"

// What is blinded, the first byte of the input.
const (
	blindIdentifier = 1
	blindClientID   = 2
	blindClientKey  = 3
)

// Blinder turns the identifiers of one tenant's persons into values that tell nothing without the
// key, and are the same each time. It is safe for concurrent use.
type Blinder struct {
	version uint32
	macs    sync.Pool // of *mac
}

// mac is an HMAC whose key is set up, with room for input and output.
type mac struct {
	hash.Hash
	in  []byte
	out [sha256.Size]byte
}

func newBlinder(key []byte, version uint32) *Blinder {
	return &Blinder{version: version, macs: sync.Pool{New: func() any {
		return &mac{Hash: hmac.New(sha256.New, key), in: make([]byte, 0, 256)}
	}}}
}

// KeyVersion returns the version of the key beneath; values of different versions don't compare.
func (b *Blinder) KeyVersion() uint32 { return b.version }

// Identifier returns the blind value of an identifier, whose type is part of it: an e-mail address
// and a user id that look the same are two.
func (b *Blinder) Identifier(typ string, canonical []byte) (v [16]byte) {
	m := b.macs.Get().(*mac)
	m.in = append(seal.AppendName(append(m.in[:0], blindIdentifier), typ), canonical...)
	copy(v[:], m.sum())
	b.macs.Put(m)
	return v
}

// ClientPrefix returns the first six bytes of every ClientKey of clientID, whatever sent it.
func (b *Blinder) ClientPrefix(clientID []byte) (v [6]byte) {
	m := b.macs.Get().(*mac)
	copy(v[:], m.prefix(clientID))
	b.macs.Put(m)
	return v
}

// ClientKey returns what two deliveries of one record have in common and nothing else has:
// ClientPrefix, then six bytes that also depend on source, kind and qualifier.
func (b *Blinder) ClientKey(source, kind, qualifier string, clientID []byte) (v [12]byte) {
	m := b.macs.Get().(*mac)
	copy(v[:6], m.prefix(clientID))
	in := append(m.in[:0], blindClientKey)
	in = seal.AppendName(seal.AppendName(seal.AppendName(in, source), kind), qualifier)
	m.in = append(in, clientID...)
	copy(v[6:], m.sum())
	b.macs.Put(m)
	return v
}

func (m *mac) prefix(clientID []byte) []byte {
	m.in = append(append(m.in[:0], blindClientID), clientID...)
	return m.sum()
}

// sum returns the HMAC of in, valid until the next one, and clears in, which is personal data.
func (m *mac) sum() []byte {
	m.Reset()
	m.Write(m.in)
	clear(m.in)
	return m.Sum(m.out[:0])
}

// blinders are those of all tenants under one key of the keyring.
type blinders struct {
	key      []byte
	region   string
	version  uint32
	byTenant sync.Map // string → *Blinder
}

func (b *blinders) of(tenant string) *Blinder {
	if x, ok := b.byTenant.Load(tenant); ok {
		return x.(*Blinder)
	}
	info := seal.AppendName(seal.AppendName([]byte(blindTag), b.region), tenant)
	key, err := hkdf.Expand(sha256.New, b.key, string(info), sha256.Size)
	if err != nil {
		panic(err) // only for too long a key
	}
	x, _ := b.byTenant.LoadOrStore(tenant, newBlinder(key, b.version))
	return x.(*Blinder)
}

// Blinder returns the blinder of a tenant's index.
func (v *Vault) Blinder(tenant string) *Blinder { return v.index.of(tenant) }

// Suppressor returns the blinder of a tenant's suppressed identifiers: another key, so that the
// one list says nothing about the other.
func (v *Vault) Suppressor(tenant string) *Blinder { return v.suppression.of(tenant) }
