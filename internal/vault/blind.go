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
	macs    macs
}

// KeyVersion returns the version of the key beneath; values of different versions don't compare.
func (b *Blinder) KeyVersion() uint32 { return b.version }

// Identifier returns the blind value of an identifier, whose type is part of it: an e-mail address
// and a user id that look the same are two.
func (b *Blinder) Identifier(typ string, canonical []byte) (v [16]byte) {
	m := b.macs.get()
	m.in = append(seal.AppendName(append(m.in[:0], blindIdentifier), typ), canonical...)
	copy(v[:], m.sum())
	b.macs.put(m)
	return v
}

// Clients blinds the ids by which one tenant's clients name records. Its key has one version for
// ever: what is known of erased people's records can't be computed anew. It is safe for concurrent use.
type Clients struct{ macs macs }

// ClientPrefix returns the first six bytes of every ClientKey of clientID, whatever sent it.
func (c *Clients) ClientPrefix(clientID []byte) (v [6]byte) {
	m := c.macs.get()
	copy(v[:], m.prefix(clientID))
	c.macs.put(m)
	return v
}

// ClientKey returns what two deliveries of one record have in common and nothing else has:
// ClientPrefix, then six bytes that also depend on source, kind and qualifier.
func (c *Clients) ClientKey(source, kind, qualifier string, clientID []byte) (v [12]byte) {
	m := c.macs.get()
	copy(v[:6], m.prefix(clientID))
	in := append(m.in[:0], blindClientKey)
	in = seal.AppendName(seal.AppendName(seal.AppendName(in, source), kind), qualifier)
	m.in = append(in, clientID...)
	copy(v[6:], m.sum())
	c.macs.put(m)
	return v
}

// macs are HMACs under one key, to be used one at a time each.
type macs struct{ pool sync.Pool } // of *mac

func (p *macs) init(key []byte) {
	p.pool.New = func() any { return &mac{Hash: hmac.New(sha256.New, key), in: make([]byte, 0, 256)} }
}

func (p *macs) get() *mac  { return p.pool.Get().(*mac) }
func (p *macs) put(m *mac) { p.pool.Put(m) }

// mac is an HMAC whose key is set up, with room for input and output.
type mac struct {
	hash.Hash
	in  []byte
	out [sha256.Size]byte
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

// tenantKeys are the keys of all tenants under one key of the keyring, each in what uses it.
type tenantKeys[T any] struct {
	key      []byte
	region   string
	make     func(key []byte) *T
	byTenant sync.Map // string → *T
}

func (k *tenantKeys[T]) of(tenant string) *T {
	if x, ok := k.byTenant.Load(tenant); ok {
		return x.(*T)
	}
	info := seal.AppendName(seal.AppendName([]byte(blindTag), k.region), tenant)
	key, err := hkdf.Expand(sha256.New, k.key, string(info), sha256.Size)
	if err != nil {
		panic(err) // only for too long a key
	}
	x, _ := k.byTenant.LoadOrStore(tenant, k.make(key))
	return x.(*T)
}

type blinders = tenantKeys[Blinder]

func newBlinders(key []byte, region string, version uint32) *blinders {
	return &blinders{key: key, region: region, make: func(key []byte) *Blinder {
		b := &Blinder{version: version}
		b.macs.init(key)
		return b
	}}
}

func newClients(key []byte, region string) *tenantKeys[Clients] {
	return &tenantKeys[Clients]{key: key, region: region, make: func(key []byte) *Clients {
		c := &Clients{}
		c.macs.init(key)
		return c
	}}
}

// Suppressor returns the blinder of a tenant's suppressed identifiers: another key than those of the
// index, so that the one list says nothing about the other.
func (v *Vault) Suppressor(tenant string) *Blinder { return v.suppression.of(tenant) }

// Clients returns what blinds the client ids of a tenant's records.
func (v *Vault) Clients(tenant string) *Clients { return v.clients.of(tenant) }

// Shared returns 32 bytes that all nodes of the region have and no store holds, for the use that
// info names. They are the same for ever.
func (v *Vault) Shared(info string) ([]byte, error) {
	return hkdf.Key(sha256.New, v.clients.key, nil, info, sha256.Size)
}
