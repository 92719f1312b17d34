package vault

import (
	"context"
	"fmt"
	"maps"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// RotateReport says what a rotation did.
type RotateReport struct {
	From, To  uint32
	Rewrapped int      // living persons' keys
	Destroyed []uint32 // epochs whose keys are gone
	Resumed   bool     // an earlier rotation had been cut short, and was finished first
}

// Rotate starts a new epoch: it makes its key, makes it current, wraps every living key anew, sees
// that none is left under an older epoch, and destroys the older epochs' keys. From then on
// whatever copies there are of the keys of persons erased before it started are worthless.
//
// It may be cut short anywhere: the next one finishes it first. It returns a fault of kind
// Conflict when another node rotates, or when keys of persons don't unwrap: all others are wrapped
// anew all the same, only the epochs of the broken ones keep their keys.
func (v *Vault) Rotate(ctx context.Context, now time.Time) (RotateReport, error) {
	return v.rotate(ctx, now, true)
}

// rotate finishes what was left unfinished and, if it is to advance, goes on to a new epoch.
func (v *Vault) rotate(ctx context.Context, now time.Time, advance bool) (r RotateReport, err error) {
	v.rotating.Lock()
	defer v.rotating.Unlock()
	if err := v.db.Do(ctx, v.holdLease); err != nil {
		return r, fmt.Errorf("take the lease on rotation: %w", err)
	}
	defer v.dropLease(context.WithoutCancel(ctx))

	unfinished, err := v.unfinished(ctx)
	if err != nil {
		return r, err
	}
	r.From, r.To = v.Epoch(), v.Epoch()
	if r.Resumed = len(unfinished) > 0; r.Resumed {
		// One broken key must not keep everybody else's from moving on.
		if err = v.finish(ctx, now, &r); err != nil && !(advance && fault.ReasonOf(err) == brokenReason) {
			return r, fmt.Errorf("finish epoch %d: %w", r.To, err)
		}
	}
	if advance {
		if err := v.advance(ctx, now); err != nil {
			return r, fmt.Errorf("start a new epoch: %w", err)
		}
		r.To = v.Epoch()
		if err = v.finish(ctx, now, &r); err != nil {
			err = fmt.Errorf("finish epoch %d: %w", r.To, err)
		}
	}
	v.opt.Log.InfoContext(ctx, "epoch rotated", "from", r.From, "to", r.To, "keys", r.Rewrapped, "destroyed", len(r.Destroyed))
	return r, err
}

// unfinished returns the epochs before the current one whose keys aren't destroyed, after taking
// over what the store says.
func (v *Vault) unfinished(ctx context.Context) (ns []uint32, err error) {
	var epochs []Epoch
	if err := v.db.View(ctx, func(tx store.Tx) error { epochs, err = v.store.Epochs(tx); return err }); err != nil {
		return nil, fmt.Errorf("read epochs: %w", err)
	}
	if err := v.learn(epochs); err != nil {
		return nil, err
	}
	for _, e := range epochs[:len(epochs)-1] {
		if e.DestroyedAt.IsZero() {
			ns = append(ns, e.N)
		}
	}
	return ns, nil
}

// advance makes a new epoch current. A key that a try before created, and nothing was wrapped
// under, is used.
func (v *Vault) advance(ctx context.Context, now time.Time) error {
	n := v.Epoch() + 1
	name := EpochName(n)
	raw, err := v.obtain(ctx, name)
	if err != nil {
		return err
	}
	check := checkValue(raw, v.opt.Region, name)
	clear(raw)
	if err := v.db.Do(ctx, func(tx store.Tx) error {
		if err := v.holdLease(tx); err != nil {
			return err
		}
		was, err := v.store.CurrentEpoch(tx)
		if err != nil {
			return err
		}
		if was != n-1 {
			return fault.New(fault.Conflict, "vault.rotating", "another node started epoch %d", was)
		}
		return v.store.SetEpoch(tx, Epoch{N: n, CreatedAt: now, Check: check})
	}); err != nil {
		return err
	}
	_, err = v.unfinished(ctx) // from here on, this node wraps under n
	return err
}

// finish wraps anew what is wrapped under epochs before the current one and destroys their keys.
func (v *Vault) finish(ctx context.Context, now time.Time, r *RotateReport) error {
	n := v.Epoch()
	broken, err := v.rewrapAll(ctx, n, r)
	if err != nil {
		return err
	}
	// Whoever writes keys has called Fence since n became current, so that none can be added.
	left := 0
	if err := v.db.View(ctx, func(tx store.Tx) (err error) { left, err = v.store.CountBefore(tx, n); return err }); err != nil {
		return fmt.Errorf("count keys before epoch %d: %w", n, err)
	}
	if left > len(broken.subjects) {
		return fmt.Errorf("vault: %d keys are still under an epoch before %d", left, n)
	}
	old, err := v.unfinished(ctx)
	if err != nil {
		return err
	}
	for _, o := range old {
		if broken.epochs[o] {
			continue
		}
		if err := v.keys.Destroy(ctx, EpochName(o)); err != nil {
			return fmt.Errorf("destroy key of epoch %d: %w", o, err)
		}
		if err := v.db.Do(ctx, func(tx store.Tx) error { return v.store.MarkDestroyed(tx, o, now) }); err != nil {
			return fmt.Errorf("enter that epoch %d is destroyed: %w", o, err)
		}
		r.Destroyed = append(r.Destroyed, o)
	}
	if _, err = v.unfinished(ctx); err != nil { // forgets the destroyed keys
		return err
	}
	return broken.fault()
}

// rewrapAll wraps anew all keys of epochs before n. It looks for them without the gate, a page at a
// time, and holds the gate only to write what a page had: a rotation that goes on after a crash
// passes those that are done already without keeping commits waiting.
func (v *Vault) rewrapAll(ctx context.Context, n uint32, r *RotateReport) (broken, error) {
	all := broken{epochs: map[uint32]bool{}}
	var p KeyPage
	renewed := v.opt.Now()
	for p.More = true; p.More; {
		if err := v.db.View(ctx, func(tx store.Tx) (err error) {
			p, err = v.store.KeysBefore(tx, n, p.Tenant, p.Subject, v.opt.Batch)
			return err
		}); err != nil {
			return all, fmt.Errorf("look for keys of earlier epochs: %w", err)
		}
		good, bad, err := v.rewrapPage(p.Rows)
		if err != nil {
			return all, fmt.Errorf("wrap a page of keys: %w", err)
		}
		if now := v.opt.Now(); len(good) > 0 || now.Sub(renewed) > leaseLength/4 {
			if err := v.putKeys(ctx, good); err != nil {
				return all, fmt.Errorf("put a page of keys: %w", err)
			}
			renewed = now
		}
		r.Rewrapped += len(good)
		all.join(bad)
	}
	return all, nil
}

// rewrapPage wraps keys anew and sorts out those that don't unwrap.
func (v *Vault) rewrapPage(rows []KeyRow) (good []KeyRow, bad broken, err error) {
	for _, row := range rows {
		w, err := v.Rewrap(row.TenantID, row.Subject, row.Wrapped)
		switch k := fault.KindOf(err); {
		case err == nil:
			row.Wrapped = w
			good = append(good, row)
		case k == fault.Invalid || fault.ReasonOf(err) == destroyedReason:
			bad.add(row, err)
		default: // the keyring doesn't answer
			return nil, broken{}, err
		}
	}
	return good, bad, nil
}

// putKeys writes keys wrapped anew, under the lease: while it is this node's, nobody else has
// replaced what they were made from. Whoever was erased meanwhile has no row to take one.
func (v *Vault) putKeys(ctx context.Context, rows []KeyRow) error {
	return v.db.Do(ctx, func(tx store.Tx) error {
		if err := v.holdLease(tx); err != nil {
			return err
		}
		return v.store.PutKeys(tx, rows)
	})
}

// Reasons of faults that are also branched on.
const (
	brokenReason    = "vault.keys_broken"
	destroyedReason = "vault.epoch_destroyed"
)

// broken are the keys that don't unwrap.
type broken struct {
	subjects []id.Subject
	epochs   map[uint32]bool
	first    error
}

func (b *broken) add(row KeyRow, err error) {
	b.join(broken{subjects: []id.Subject{row.Subject}, epochs: map[uint32]bool{row.Wrapped.Epoch: true}, first: err})
}

func (b *broken) join(more broken) {
	b.subjects = append(b.subjects, more.subjects...)
	if b.epochs == nil {
		b.epochs = map[uint32]bool{}
	}
	maps.Copy(b.epochs, more.epochs)
	if b.first == nil {
		b.first = more.first
	}
}

func (b *broken) fault() error {
	if len(b.subjects) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, brokenReason, "%d persons' keys don't unwrap, the first is that of %s", len(b.subjects), b.subjects[0]).
		WithHint("restore these rows from a backup, or erase these persons; until then the keys of their epochs are kept").Because(b.first)
}
