package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
)

// Rows of the table meta.
const (
	metaRegion = "vault/region"
	metaCheck  = "vault/check/" // and the key's name: its check value
)

const checkTag = "domicile check 1\x00"

// checkValue tells keys apart without telling anything of them: 16 bytes of an HMAC under the key.
func checkValue(key []byte, region, name string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(seal.AppendName(seal.AppendName([]byte(checkTag), region), name))
	return h.Sum(nil)[:16]
}

// stamp is what a store says of the keys that belong to it.
type stamp struct {
	region []byte
	checks map[string][]byte
	epochs []Epoch
	index  []IndexVersion
	keys   int // persons' keys in the store
}

// stamped are the keys whose check values are in meta: the first index key's in stores that have no
// ClientKey.
func stamped() []string { return append([]string{CheckKey, IndexName(1)}, fixed...) }

func (v *Vault) readStamp(ctx context.Context) (s stamp, err error) {
	err = v.db.View(ctx, func(tx store.Tx) error {
		s = stamp{checks: map[string][]byte{}}
		if s.region, err = v.store.Meta(tx, metaRegion); err != nil {
			return err
		}
		for _, name := range stamped() {
			c, err := v.store.Meta(tx, metaCheck+name)
			if err != nil {
				return err
			}
			if c != nil {
				s.checks[name] = c
			}
		}
		if s.region == nil {
			if s.keys, err = v.store.CountBefore(tx, math.MaxInt32); err != nil {
				return err
			}
		}
		if s.index, err = v.store.IndexVersions(tx); err != nil {
			return err
		}
		s.epochs, err = v.store.Epochs(tx)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("read the store's key stamp: %w", err)
	}
	return s, nil
}

// fit sees to it that keyring and store belong together. CheckKey is made after the store was
// stamped, so that a keyring that has it is never taken for a new one: not when the store is
// empty because somebody named the wrong one.
func (v *Vault) fit(ctx context.Context) error {
	if v.opt.Region == "" {
		return errors.New("vault: no region given")
	}
	names, err := v.keys.List(ctx)
	if err != nil {
		return fmt.Errorf("list the keyring: %w", err)
	}
	s, err := v.readStamp(ctx)
	if err != nil {
		return err
	}
	hasCheck := slices.Contains(names, CheckKey)
	switch {
	case s.region == nil && s.keys > 0:
		return misfit("vault.store_unstamped", "the store holds persons' keys, but does not say which keyring they belong to",
			"restore the table meta from the backup that the store came from")
	case s.region == nil && hasCheck:
		return misfit("vault.keyring_of_another_store", "the store is empty, but the keyring is in use by another one",
			"name the store that belongs to this keyring; for a new region, name an empty keyring")
	case s.region != nil && string(s.region) != v.opt.Region:
		return misfit("vault.other_region", "the store belongs to region "+string(s.region)+", the node to "+v.opt.Region,
			"name the store of region "+v.opt.Region+", or start the node as one of region "+string(s.region))
	case s.region != nil && len(names) == 0:
		return misfit("vault.keyring_missing", "the store holds sealed data, but the keyring is empty",
			"name the keyring of region "+v.opt.Region+", or restore it from its own backup; without it the data can't be read")
	case s.region == nil:
		if err := v.firstStart(ctx); err != nil {
			return fmt.Errorf("first start: %w", err)
		}
		return v.finishStamp(ctx)
	}
	if err := v.compare(ctx, s); err != nil {
		return err
	}
	if s.checks[CheckKey] == nil {
		return v.finishStamp(ctx)
	}
	return nil
}

// compare tells whether each key is there and the one that the store knows.
func (v *Vault) compare(ctx context.Context, s stamp) error {
	want := map[string][]byte{}
	var order []string
	for _, e := range s.epochs {
		if e.DestroyedAt.IsZero() {
			want[EpochName(e.N)] = e.Check
		}
	}
	current := EpochName(lastEpoch(s.epochs))
	order = append(append(order, stamped()...), current)
	for _, name := range stamped() {
		want[name] = s.checks[name]
	}
	if n := len(s.index); n > 0 { // the one before may be being destroyed
		x := s.index[n-1]
		want[IndexName(x.N)] = x.Check
		order = append(order, IndexName(x.N))
	}
	for _, name := range order {
		if want[name] == nil {
			continue // not stamped yet: the first start was cut short
		}
		raw, err := v.get(ctx, name)
		if fault.KindOf(err) == fault.NotFound {
			return misfit("vault.key_missing", "the keyring has no key "+name+", which the store was written with",
				"restore the keyring from its newest backup; if the store is a backup, restore it with the newest keys")
		} else if err != nil {
			return err
		}
		if !bytes.Equal(checkValue(raw, v.opt.Region, name), want[name]) {
			if name == CheckKey {
				return misfit("vault.keyring_mismatch", "the keyring belongs to another store or region",
					"name the keyring that this store was made with, that of region "+v.opt.Region)
			}
			return misfit("vault.key_replaced", "the key "+name+" is not the one that the store was written with",
				"restore the keyring from its newest backup; never copy single keys between keyrings")
		}
		clear(raw)
	}
	return nil
}

func misfit(reason, public, hint string) error {
	return fault.New(fault.Conflict, reason, "%s", public).WithHint(hint)
}

// firstStart makes the keys and stamps the store. What a try before left is used.
func (v *Vault) firstStart(ctx context.Context) error {
	checks := map[string][]byte{}
	for _, name := range append([]string{EpochName(1), IndexName(1)}, fixed...) {
		raw, err := v.obtain(ctx, name)
		if err != nil {
			return err
		}
		checks[name] = checkValue(raw, v.opt.Region, name)
		clear(raw)
	}
	return v.db.Do(ctx, func(tx store.Tx) error {
		if r, err := v.store.Meta(tx, metaRegion); err != nil || r != nil {
			return err // another node was quicker, with the same keys
		}
		if err := v.store.PutMeta(tx, metaRegion, []byte(v.opt.Region)); err != nil {
			return err
		}
		for _, name := range fixed {
			if err := v.store.PutMeta(tx, metaCheck+name, checks[name]); err != nil {
				return err
			}
		}
		if err := v.store.AddIndexVersion(tx, IndexVersion{N: 1, CreatedAt: v.opt.Now(), Check: checks[IndexName(1)]}); err != nil {
			return err
		}
		return v.store.SetEpoch(tx, Epoch{N: 1, CreatedAt: v.opt.Now(), Check: checks[EpochName(1)]})
	})
}

// finishStamp makes CheckKey and enters its check value.
func (v *Vault) finishStamp(ctx context.Context) error {
	raw, err := v.obtain(ctx, CheckKey)
	if err != nil {
		return err
	}
	value := checkValue(raw, v.opt.Region, CheckKey)
	return v.db.Do(ctx, func(tx store.Tx) error { return v.store.PutMeta(tx, metaCheck+CheckKey, value) })
}

// obtain creates a key, or gets the one that is there.
func (v *Vault) obtain(ctx context.Context, name string) ([]byte, error) {
	raw, err := v.keys.Create(ctx, name)
	if fault.KindOf(err) == fault.Conflict {
		return v.get(ctx, name)
	} else if err != nil {
		return nil, fmt.Errorf("create key %s: %w", name, err)
	}
	return raw, nil
}

func lastEpoch(es []Epoch) uint32 {
	if len(es) == 0 {
		return 0
	}
	return es[len(es)-1].N
}
