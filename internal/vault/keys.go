package vault

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
)

const (
	wrapTag   = "person key 1\x00"
	nobodyTag = "domicile nobody 1\x00"
	sourceTag = "domicile source 1\x00"
	moveTag   = "domicile move 1\x00"
	countsTag = "domicile counts 1\x00"
)

// patience is how long the keyring may take to answer for one epoch key.
const patience = 30 * time.Second

// Epoch returns the epoch under which Mint and Rewrap wrap.
func (v *Vault) Epoch() uint32 { return v.state.Load().current }

// Epochs returns the life of all epoch keys, the oldest first.
func (v *Vault) Epochs(tx store.Tx) ([]Epoch, error) { return v.store.Epochs(tx) }

// Fence returns the epoch that is current in tx, and from then on Mint and Rewrap wrap under it.
// Whoever writes wrapped keys calls it in the same transaction and rewraps those of an earlier
// epoch first: a rotation that has begun counts on it, and destroys their epoch's key.
func (v *Vault) Fence(tx store.Tx) (uint32, error) {
	n, err := v.store.CurrentEpoch(tx)
	if err != nil {
		return 0, fmt.Errorf("read current epoch: %w", err)
	}
	if st := v.state.Load(); st != nil && st.current == n {
		return n, nil
	}
	epochs, err := v.store.Epochs(tx)
	if err != nil {
		return 0, fmt.Errorf("read epochs: %w", err)
	}
	if lastEpoch(epochs) != n || n == 0 {
		return 0, fmt.Errorf("vault: epoch %d is current, but %d is the last entered", n, lastEpoch(epochs))
	}
	return n, v.learn(epochs)
}

// learn takes over what the store says of epochs. Keys of destroyed ones are forgotten here too, and
// with them those of persons erased in their time that nobody called Forget for.
func (v *Vault) learn(epochs []Epoch) error {
	v.changing.Lock()
	defer v.changing.Unlock()
	last := epochs[len(epochs)-1]
	old := v.state.Load()
	if old != nil && old.current > last.N {
		return nil // read in a snapshot from before the rotation
	}
	next := &state{current: last.N, created: last.CreatedAt, keys: map[uint32]*seal.Key{}}
	gone := map[uint32]bool{}
	for _, e := range epochs {
		if !e.DestroyedAt.IsZero() {
			gone[e.N] = true
		} else if old != nil && old.keys[e.N] != nil {
			next.keys[e.N] = old.keys[e.N]
		}
	}
	next.destroyed = len(gone)
	if next.keys[last.N] == nil {
		k, err := v.epochKey(last.N)
		if err != nil {
			return err
		}
		next.keys[last.N] = k
	}
	v.state.Store(next)
	if old != nil && next.destroyed > old.destroyed {
		v.cache.dropEpochs(gone)
	}
	return nil
}

// epochKey fetches an epoch's key from the keyring.
func (v *Vault) epochKey(n uint32) (*seal.Key, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	raw, err := v.get(ctx, EpochName(n))
	if fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.Unavailable, destroyedReason, "the key of epoch %d is no longer in the keyring", n).
			WithHint("read the record again: its key was wrapped anew meanwhile").Because(err)
	} else if err != nil {
		return nil, err
	}
	defer clear(raw)
	return seal.NewKey(raw)
}

// under returns the key of epoch n, which it fetches when it is not the current one's.
func (v *Vault) under(n uint32) (*seal.Key, error) {
	if k := v.state.Load().keys[n]; k != nil {
		return k, nil
	}
	v.changing.Lock()
	defer v.changing.Unlock()
	st := *v.state.Load()
	if k := st.keys[n]; k != nil {
		return k, nil
	}
	k, err := v.epochKey(n)
	if err != nil {
		return nil, err
	}
	st.keys = maps.Clone(st.keys)
	st.keys[n] = k
	v.state.Store(&st)
	return k, nil
}

// Mint returns a new random key for a person, wrapped under the current epoch, and ready.
func (v *Vault) Mint(tenant string, s id.Subject) (Wrapped, *seal.Key, error) {
	raw := make([]byte, seal.KeyBytes)
	_, _ = rand.Read(raw)
	defer clear(raw)
	w, err := v.wrap(tenant, s, raw)
	if err != nil {
		return Wrapped{}, nil, err
	}
	k, err := seal.NewKey(raw)
	if err != nil {
		return Wrapped{}, nil, err
	}
	v.cache.put(tenant, s, w, k)
	return w, k, nil
}

// Unwrap returns a person's key. It returns a fault of kind Invalid when w was altered or is
// somebody else's, and Unavailable when its epoch is over: the caller's w is out of date then.
func (v *Vault) Unwrap(tenant string, s id.Subject, w Wrapped) (*seal.Key, error) {
	if k := v.cache.get(tenant, s, w); k != nil {
		return k, nil
	}
	raw, err := v.unwrap(tenant, s, w)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	k, err := seal.NewKey(raw)
	if err != nil {
		return nil, err
	}
	v.cache.put(tenant, s, w, k)
	return k, nil
}

// Peek is Unwrap for whoever passes by many persons once: it takes no room in memory for the key.
func (v *Vault) Peek(tenant string, s id.Subject, w Wrapped) (*seal.Key, error) {
	if k := v.cache.get(tenant, s, w); k != nil {
		return k, nil
	}
	raw, err := v.unwrap(tenant, s, w)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	return seal.NewKey(raw)
}

// Forget drops the ready key of w from memory: after an erasure.
func (v *Vault) Forget(w Wrapped) { v.cache.drop(w) }

// Rewrap returns w, wrapped under the current epoch. Errors are those of Unwrap.
func (v *Vault) Rewrap(tenant string, s id.Subject, w Wrapped) (Wrapped, error) {
	raw, err := v.unwrap(tenant, s, w)
	if err != nil {
		return Wrapped{}, err
	}
	defer clear(raw)
	return v.wrap(tenant, s, raw)
}

func (v *Vault) wrap(tenant string, s id.Subject, raw []byte) (Wrapped, error) {
	n := v.Epoch()
	k, err := v.under(n)
	if err != nil {
		return Wrapped{}, err
	}
	return Wrapped{n, seal.SealBytes(k, v.wrapAD(tenant, s, n), raw)}, nil
}

func (v *Vault) unwrap(tenant string, s id.Subject, w Wrapped) ([]byte, error) {
	k, err := v.under(w.Epoch)
	if err != nil {
		return nil, err
	}
	raw, err := seal.OpenBytes(k, v.wrapAD(tenant, s, w.Epoch), w.Bytes)
	if err != nil {
		return nil, fmt.Errorf("unwrap the key of %s: %w", s, err)
	}
	return raw, nil
}

func (v *Vault) wrapAD(tenant string, s id.Subject, epoch uint32) []byte {
	b := append(make([]byte, 0, 96), wrapTag...)
	b = seal.AppendName(seal.AppendName(b, v.opt.Region), tenant)
	return binary.BigEndian.AppendUint32(append(b, s[:]...), epoch)
}

// Nobody returns the key of the parts of chunk c that are about no person.
func (v *Vault) Nobody(tenant string, c id.Chunk) *seal.Key {
	b := append(make([]byte, 0, 96), nobodyTag...)
	b = seal.AppendName(seal.AppendName(b, v.opt.Region), tenant)
	return v.derive(append(b, c[:]...))
}

// SourceKey returns the key under which the secrets of a tenant's source are sealed.
func (v *Vault) SourceKey(tenant, source string) *seal.Key {
	b := append(make([]byte, 0, 96), sourceTag...)
	return v.derive(seal.AppendName(seal.AppendName(seal.AppendName(b, v.opt.Region), tenant), source))
}

// MoveKey returns the key under which the secrets of a person's move out of this region are sealed.
func (v *Vault) MoveKey(tenant, move string) *seal.Key {
	b := append(make([]byte, 0, 96), moveTag...)
	return v.derive(seal.AppendName(seal.AppendName(seal.AppendName(b, v.opt.Region), tenant), move))
}

// CountsKey returns the key under which the counts of an unfinished delivery are sealed.
func (v *Vault) CountsKey(tenant, delivery string) *seal.Key {
	b := append(make([]byte, 0, 96), countsTag...)
	return v.derive(seal.AppendName(seal.AppendName(seal.AppendName(b, v.opt.Region), tenant), delivery))
}

// derive returns the key of what is about nobody and called info.
func (v *Vault) derive(info []byte) *seal.Key {
	raw, err := hkdf.Expand(sha256.New, v.nobody, string(info), seal.KeyBytes)
	if err != nil {
		panic(err) // only for too long a key
	}
	defer clear(raw)
	k, err := seal.NewKey(raw)
	if err != nil {
		panic(err) // only for another length
	}
	return k
}
