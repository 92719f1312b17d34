package vault

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
)

// IndexVersion is the life of one version of the index key.
type IndexVersion struct {
	N         uint32
	CreatedAt time.Time
	// Moved is how many identifiers were computed anew under this version.
	Moved int64
	// RetiredAt is when no identifier was left under it; zero until then.
	RetiredAt time.Time
	// EndedAt is when its key was destroyed and that was entered; zero until then.
	EndedAt time.Time
	// Check is the key's check value; see docs/formats/keys.md.
	Check []byte
}

// IndexName returns the name of version n of the index key: "index/1".
func IndexName(n uint32) string { return fmt.Sprintf("index/%d", n) }

// IndexKeys are the versions of the index key that count at one moment: one, and while the key is
// rotated the one before it, too. It is immutable and safe for concurrent use.
type IndexKeys struct {
	From, To    uint32 // the first and the last that count; To is under which identifiers are written
	now, before *blinders
}

// Blinder returns the blinder of a tenant's index under the current version.
func (x *IndexKeys) Blinder(tenant string) *Blinder { return x.now.of(tenant) }

// Before returns the blinder under the version before, nil unless the key is being rotated.
func (x *IndexKeys) Before(tenant string) *Blinder {
	if x.before == nil {
		return nil
	}
	return x.before.of(tenant)
}

// Rotating says whether two versions count.
func (x *IndexKeys) Rotating() bool { return x.before != nil }

// Same says whether y is of the same versions.
func (x *IndexKeys) Same(y *IndexKeys) bool { return x.From == y.From && x.To == y.To }

// RetiredReason is of the fault that IndexAt returns in a snapshot from before a rotation that has
// ended since: a newer one must be asked.
const RetiredReason = "vault.index_retired"

// IndexKeys returns the versions that this node knows of. Those that count may be newer: whoever
// writes asks IndexAt in the same transaction.
func (v *Vault) IndexKeys() *IndexKeys { return v.index.Load() }

// IndexAt returns the versions that count in tx. It costs no statement unless they have changed.
//
// Errors: Unavailable with RetiredReason, see there; Unavailable when the keyring of this node
// doesn't have the current version, or has another key by its name.
func (v *Vault) IndexAt(tx store.Tx) (*IndexKeys, error) {
	from, to, err := v.store.IndexInForce(tx)
	if err != nil {
		return nil, fmt.Errorf("read which index keys are in force: %w", err)
	}
	if x := v.index.Load(); x != nil && x.From == from && x.To == to {
		return x, nil
	}
	if from == 0 || to < from || to > from+1 {
		return nil, fmt.Errorf("vault: index keys %d to %d are in force", from, to)
	}
	all, err := v.store.IndexVersions(tx)
	if err != nil {
		return nil, fmt.Errorf("read the index key's versions: %w", err)
	}
	return v.learnIndex(from, to, all)
}

// learnIndex takes over what the store says, unless this node knows of something newer.
func (v *Vault) learnIndex(from, to uint32, all []IndexVersion) (*IndexKeys, error) {
	v.indexing.Lock()
	defer v.indexing.Unlock()
	known := v.index.Load()
	x := &IndexKeys{From: from, To: to}
	var err error
	if x.now, err = v.indexKey(known, to, to, all); err != nil {
		return nil, err
	}
	if from < to {
		if x.before, err = v.indexKey(known, from, to, all); err != nil {
			return nil, err
		}
	}
	if known == nil || known.From <= from && known.To <= to {
		v.index.Store(x)
	}
	return x, nil
}

// indexKey returns the blinders of version n, which it fetches when they are not among those known.
func (v *Vault) indexKey(known *IndexKeys, n, current uint32, all []IndexVersion) (*blinders, error) {
	if known != nil && known.To == n {
		return known.now, nil
	} else if known != nil && known.before != nil && known.From == n {
		return known.before, nil
	} else if known != nil && known.From > n {
		return nil, retired(n, nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	raw, err := v.get(ctx, IndexName(n))
	gone := fault.KindOf(err) == fault.NotFound
	switch {
	case n < current && (gone || fault.KindOf(err) == fault.Conflict): // it may be being destroyed
		return nil, retired(n, err)
	case gone:
		return nil, fault.New(fault.Unavailable, "vault.index_missing", "the keyring of this node has no key %s, which the store counts on", IndexName(n)).
			WithHint("all nodes of a cell use one keyring: give this node the one in which the rotation was begun").Because(err)
	case err != nil:
		return nil, err
	}
	for i := range all {
		if all[i].N == n && bytes.Equal(all[i].Check, checkValue(raw, v.opt.Region, IndexName(n))) {
			return newBlinders(raw, v.opt.Region, n), nil
		}
	}
	clear(raw)
	return nil, fault.New(fault.Unavailable, "vault.index_replaced", "the key %s of this node's keyring is not the one that the store counts on", IndexName(n)).
		WithHint("all nodes of a cell use one keyring: give this node the one in which the rotation was begun")
}

func retired(n uint32, err error) error {
	return fault.New(fault.Unavailable, RetiredReason, "version %d of the index key was retired meanwhile, or is missing in the keyring", n).
		WithHint("ask again; if it stays so, restore the keyring from its newest backup").Because(err)
}

// IndexState returns what the store says of the index key: its versions, the oldest first, and
// which of them count.
func (v *Vault) IndexState(tx store.Tx) (all []IndexVersion, from, to uint32, err error) {
	if from, to, err = v.store.IndexInForce(tx); err == nil {
		all, err = v.store.IndexVersions(tx)
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("read the state of the index key: %w", err)
	}
	return all, from, to, nil
}

// BeginIndex makes a new version of the index key and makes it current, the one before it staying
// in force; enter is called in the same transaction. From then on whoever writes identifiers does so
// under the new version. It does nothing, and says so, while a rotation is under way.
func (v *Vault) BeginIndex(ctx context.Context, now time.Time, enter func(tx store.Tx, from, to uint32) error) (begun bool, err error) {
	var to uint32
	busy := func(tx store.Tx) (bool, error) {
		all, from, last, err := v.IndexState(tx)
		to = last
		return from != last || len(all) > 0 && Ending(all) != nil, err
	}
	var under bool
	if err := v.db.View(ctx, func(tx store.Tx) error { under, err = busy(tx); return err }); err != nil || under {
		return false, err
	}
	n := to + 1
	name := IndexName(n)
	raw, err := v.obtain(ctx, name) // one that a try before made, and nothing was written under, is used
	if err != nil {
		return false, err
	}
	check := checkValue(raw, v.opt.Region, name)
	clear(raw)
	if err := v.db.Do(ctx, func(tx store.Tx) error {
		begun = false
		if under, err := busy(tx); err != nil || under || to != n-1 {
			return err // another node began meanwhile
		}
		begun = true
		if err := v.store.AddIndexVersion(tx, IndexVersion{N: n, CreatedAt: now, Check: check}); err != nil {
			return err
		}
		return enter(tx, n-1, n)
	}); err != nil {
		return false, fmt.Errorf("begin version %d of the index key: %w", n, err)
	}
	return begun, v.db.View(ctx, func(tx store.Tx) error { _, err := v.IndexAt(tx); return err })
}

// Ending returns the version that is retired and not yet at its end, nil when there is none.
func Ending(all []IndexVersion) *IndexVersion {
	for i := range all {
		if !all[i].RetiredAt.IsZero() && all[i].EndedAt.IsZero() {
			return &all[i]
		}
	}
	return nil
}

// RetireIndex takes version n of the index key out of force. The caller has seen, since the next
// version was begun, that no identifier is under n.
func (v *Vault) RetireIndex(ctx context.Context, n uint32, now time.Time) error {
	if err := v.db.Do(ctx, func(tx store.Tx) error {
		from, to, err := v.store.IndexInForce(tx)
		if err != nil || from != n || to != n+1 {
			return err // another node has done it
		}
		return v.store.RetireIndex(tx, n, now)
	}); err != nil {
		return fmt.Errorf("retire version %d of the index key: %w", n, err)
	}
	return v.db.View(ctx, func(tx store.Tx) error { _, err := v.IndexAt(tx); return err })
}

// EndIndex destroys the key of version n, which is retired, and enters that it ended; enter is called
// in that transaction with how many identifiers were moved to the next one and whether the key is
// gone. The key of a store's first version stays where client ids are blinded under it.
func (v *Vault) EndIndex(ctx context.Context, n uint32, now time.Time, enter func(tx store.Tx, moved int64, destroyed bool) error) error {
	destroyed := IndexName(n) != v.clientKey
	if destroyed {
		if err := v.keys.Destroy(ctx, IndexName(n)); err != nil {
			return fmt.Errorf("destroy version %d of the index key: %w", n, err)
		}
	}
	if err := v.db.Do(ctx, func(tx store.Tx) error {
		all, _, _, err := v.IndexState(tx)
		if err != nil {
			return err
		}
		if e := Ending(all); e == nil || e.N != n {
			return nil // another node has entered it
		}
		if err := v.store.EndIndex(tx, n, now); err != nil {
			return err
		}
		var moved int64
		for _, x := range all {
			if x.N == n+1 {
				moved = x.Moved
			}
		}
		return enter(tx, moved, destroyed)
	}); err != nil {
		return fmt.Errorf("enter the end of version %d of the index key: %w", n, err)
	}
	return nil
}

// CountMoved adds to what is known to have moved to version n.
func (v *Vault) CountMoved(tx store.Tx, n uint32, moved int64) error {
	return v.store.CountMoved(tx, n, moved)
}

// IndexKept says whether the key of version n stays in the keyring after its end.
func (v *Vault) IndexKept(n uint32) bool { return IndexName(n) == v.clientKey }
