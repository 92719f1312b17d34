// Package vault keeps the keys of persons: it mints, wraps and unwraps them under the region's
// epoch key, rotates that, and derives the keys by which identifiers become findable without
// being readable. Wrapped keys lie in the region's database, the keys above them in a keyring.
//
// Format: docs/formats/keys.md, version 1.
package vault

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
)

// Keyring holds the few keys of a region that are not in its database: a directory, an HSM, a
// KMS. It is asked at start and once an epoch, never per person.
type Keyring interface {
	// Get returns the 32 bytes of a key; a fault of kind NotFound when there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// Create makes a random key, durable at return; a fault of kind Conflict when the name is taken.
	Create(ctx context.Context, name string) ([]byte, error)
	// Destroy makes a key unrecoverable. A key that isn't there is no error.
	Destroy(ctx context.Context, name string) error
	// List returns the names of all keys.
	List(ctx context.Context) ([]string, error)
}

// Names of keys in the keyring. Epoch keys have EpochName.
const (
	ClientKey      = "client/1" // blinds client ids; stores made before there was one use IndexName(1)
	SuppressionKey = "suppression/1"
	NobodyKey      = "nobody/1"
	LedgerKey      = "ledger/1" // an Ed25519 seed, for the ledger's signer
	CheckKey       = "check/1"  // says which store the keyring belongs to; created last
)

// fixed are the keys made at the first start beside the first epoch and index keys and CheckKey.
var fixed = []string{ClientKey, SuppressionKey, NobodyKey, LedgerKey}

// EpochName returns the name of epoch n's key: "epoch/000001".
func EpochName(n uint32) string { return fmt.Sprintf("epoch/%06d", n) }

// Wrapped is a person's key, sealed under an epoch key; bound to region, tenant and subject.
type Wrapped struct {
	Epoch uint32
	Bytes []byte // WrappedBytes of them
}

// WrappedBytes is the length of a wrapped key: nonce, key, tag.
const WrappedBytes = seal.KeyBytes + seal.ValueOverhead

// Options tunes a Vault. Region is needed; the zero value of the rest is right.
type Options struct {
	// Region is the region's id. It is bound into every key.
	Region string
	// EpochLength is how old an epoch grows before Run rotates. Default 7 days.
	EpochLength time.Duration
	// Allowance is how long after its end an epoch's key may still exist: the time to notice, to
	// wrap all keys anew, and for which a KMS or a backup of the keyring keeps what was destroyed.
	// Default 24 hours. Receipts promise EpochLength plus this.
	Allowance time.Duration
	// CacheEntries is the most ready keys in memory, about 1.3 KiB each. Default 32768.
	CacheEntries int
	// Batch is how many keys one transaction of a rotation wraps anew. Default 500.
	Batch int
	// CheckEvery is how often Run looks whether an epoch has ended. Default 10 minutes.
	CheckEvery time.Duration
	// Log is told of rotations. Default slog.Default().
	Log *slog.Logger
	// Now is the clock of Open and Run. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&o.EpochLength, 7*24*time.Hour)
	set(&o.Allowance, 24*time.Hour)
	set(&o.CheckEvery, 10*time.Minute)
	if o.CacheEntries == 0 {
		o.CacheEntries = 32 << 10
	}
	if o.Batch == 0 {
		o.Batch = 500
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Vault is safe for concurrent use.
type Vault struct {
	db    store.DB
	store Store
	keys  Keyring
	opt   Options
	self  string // names this Vault in leases

	cache       *cache
	nobody      []byte
	suppression *blinders
	clients     *tenantKeys[Clients]
	clientKey   string // name of the key under which client ids are blinded

	state    atomic.Pointer[state]
	changing sync.Mutex // held to replace state
	index    atomic.Pointer[IndexKeys]
	indexing sync.Mutex // held to replace index
	rotating sync.Mutex // held by Rotate
}

// state is what the vault knows of epochs. It is immutable.
type state struct {
	current   uint32
	created   time.Time // of the current epoch
	keys      map[uint32]*seal.Key
	destroyed int // how many epochs are
}

// Open returns the vault of the store db, whose keys are in kr. At the first start it creates
// them. It returns a fault of kind Conflict, saying what doesn't fit and how to mend it, when
// keyring and store don't belong together, are of another region, or when a key is missing: it
// never makes new keys for a store that has some.
func Open(ctx context.Context, db store.DB, s Store, kr Keyring, opt Options) (*Vault, error) {
	v := &Vault{db: db, store: s, keys: kr, opt: opt.withDefaults(), self: id.New("vault", 8)}
	v.cache = newCache(v.opt.CacheEntries)
	if err := v.fit(ctx); err != nil {
		return nil, err
	}
	var err error
	if v.nobody, err = v.get(ctx, NobodyKey); err != nil {
		return nil, err
	}
	sup, err := v.get(ctx, SuppressionKey)
	if err != nil {
		return nil, err
	}
	v.suppression = newBlinders(sup, v.opt.Region, 1)
	if err := v.openClients(ctx); err != nil {
		return nil, err
	}
	for try := 0; ; try++ { // a rotation of the index key may end just now
		err := db.View(ctx, func(tx store.Tx) error {
			if _, err := v.IndexAt(tx); err != nil {
				return err
			}
			_, err := v.Fence(tx)
			return err
		})
		if try == 2 || fault.ReasonOf(err) != RetiredReason {
			return v, err
		}
	}
}

// openClients finds the key of client ids. A store that was made before they had one of their own has
// no check value of it, and its client ids are blind under the first index key.
func (v *Vault) openClients(ctx context.Context) error {
	var own []byte
	err := v.db.View(ctx, func(tx store.Tx) (err error) { own, err = v.store.Meta(tx, metaCheck+ClientKey); return err })
	if err != nil {
		return fmt.Errorf("read the store's key stamp: %w", err)
	}
	v.clientKey = ClientKey
	if own == nil {
		v.clientKey = IndexName(1)
	}
	key, err := v.get(ctx, v.clientKey)
	if err != nil {
		return err
	}
	v.clients = newClients(key, v.opt.Region)
	return nil
}

// get returns a key of the keyring.
func (v *Vault) get(ctx context.Context, name string) ([]byte, error) {
	raw, err := v.keys.Get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("get key %s: %w", name, err)
	}
	if len(raw) != seal.KeyBytes {
		return nil, fmt.Errorf("get key %s: the keyring returned %d bytes, not %d", name, len(raw), seal.KeyBytes)
	}
	return raw, nil
}
