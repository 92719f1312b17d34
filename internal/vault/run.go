package vault

import (
	"context"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
)

const leaseName = "rotate"

// leaseLength is how long a node that died keeps others from rotating. Each batch renews it.
const leaseLength = 10 * time.Minute

// holdLease takes or renews the lease in tx; a fault of kind Conflict when another node has it.
func (v *Vault) holdLease(tx store.Tx) error {
	ours, err := v.store.Lease(tx, leaseName, v.self, v.opt.Now(), leaseLength)
	if err == nil && !ours {
		err = fault.New(fault.Conflict, "vault.rotating", "another node of the cell is rotating")
	}
	return err
}

// dropLease lets others rotate at once. If it fails they wait for the lease to end.
func (v *Vault) dropLease(ctx context.Context) {
	if err := v.db.Do(ctx, func(tx store.Tx) error { return v.store.Release(tx, leaseName, v.self) }); err != nil {
		v.opt.Log.WarnContext(ctx, "rotation lease not released", "err", err)
	}
}

// Run rotates whenever the epoch has reached its length or a rotation was left unfinished, and
// takes over what other nodes did. It returns when ctx ends.
func (v *Vault) Run(ctx context.Context) {
	tick := time.NewTicker(v.opt.CheckEvery)
	defer tick.Stop()
	for {
		if err := v.check(ctx); err != nil && ctx.Err() == nil && fault.ReasonOf(err) != "vault.rotating" {
			v.opt.Log.ErrorContext(ctx, "rotation failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// check rotates when it is time.
func (v *Vault) check(ctx context.Context) error {
	left, err := v.unfinished(ctx)
	if err != nil {
		return err
	}
	now := v.opt.Now()
	due := now.Sub(v.state.Load().created) >= v.opt.EpochLength
	if len(left) == 0 && !due {
		return nil
	}
	_, err = v.rotate(ctx, now, due)
	return err
}

// UnrecoverableBy returns when an erasure done now is beyond every copy of the database: WAL,
// freed pages, replicas, backups. The erased person's key is in none of them but wrapped under the
// current epoch or one before it. The current epoch ends EpochLength after it began, or now if it
// is overdue; its key is destroyed at most Allowance later. Run keeps this; a node that doesn't
// run, or a person's key that doesn't unwrap, doesn't.
func (v *Vault) UnrecoverableBy(now time.Time) time.Time {
	end := v.state.Load().created.Add(v.opt.EpochLength)
	if end.Before(now) {
		end = now
	}
	return end.Add(v.opt.Allowance).UTC()
}
