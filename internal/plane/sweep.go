package plane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// Times of the sweep. Remains are cleared within RemainsFor of the erasure (design 6); the sweep
// begins much sooner, and what counts is that it ends in time.
const (
	RemainsFor   = 30 * 24 * time.Hour
	remainsWait  = time.Hour // so that people erased together are cleared together
	sweepEvery   = 10 * time.Minute
	sweepBatch   = 8192 // people whose remains are cleared together: each batch makes nodes read all marks anew
	clearedPage  = 512  // of whom one transaction notes that they are cleared
	changesLive  = 24 * time.Hour
	sweepLease   = "sweep"
	sweepLeaseIs = 30 * time.Minute
)

// Sweep clears, until ctx ends, what erasures left in the log: ciphertext whose key is gone, with
// its header. One node of a cell does it at a time.
func (p *Plane) Sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
		if err := p.SweepOnce(ctx, p.now().Add(-remainsWait)); err != nil && ctx.Err() == nil {
			p.log.Error("clearing what erasures left failed, it will be tried again", "error", err)
		}
		if err := p.sweepBlobs(ctx, p.now()); err != nil && ctx.Err() == nil {
			p.log.Error("looking for blobs that nothing names failed, it will be tried again", "error", err)
		}
	}
}

// SweepOnce clears what is left of everybody who was erased before then.
func (p *Plane) SweepOnce(ctx context.Context, before time.Time) error {
	err := p.DB.Do(ctx, func(tx store.Tx) error {
		if err := p.holdSweep(tx); err != nil {
			return err
		}
		_, err := p.Changes.PruneChanges(tx, p.now().Add(-changesLive))
		if err == nil {
			_, err = p.Subjects.PruneLinks(tx, p.now().Add(-linksLive).UnixMilli())
		}
		return err
	})
	if err == nil {
		err = p.endStaleMoves(ctx)
	}
	if err == nil {
		err = p.sweep(ctx, before)
	}
	if errors.Is(err, errElsewhere) {
		return nil
	}
	return err
}

var errElsewhere = errors.New("another node sweeps")

// holdSweep takes the lease or prolongs it: each transaction of a sweep does, for how long the whole
// takes nobody knows. A sweep that waited for too long ends, since another node has begun.
func (p *Plane) holdSweep(tx store.Tx) error {
	mine, err := p.Changes.Lease(tx, sweepLease, p.node, p.now(), sweepLeaseIs)
	if err == nil && !mine {
		err = fault.New(fault.Unavailable, "sweep.elsewhere", "another node of the cell does it").Because(errElsewhere)
	}
	return err
}

// sweep clears batch after batch, while this node has the lease.
func (p *Plane) sweep(ctx context.Context, before time.Time) error {
	for {
		dead := map[uint32][]id.Subject{}
		if err := p.DB.View(ctx, func(tx store.Tx) error {
			return p.Subjects.Uncompacted(tx, before.UnixMilli(), sweepBatch, func(t subject.Tomb) {
				dead[t.Tenant] = append(dead[t.Tenant], t.Subject)
			})
		}); err != nil {
			return fmt.Errorf("list what is left: %w", err)
		}
		if len(dead) == 0 {
			return nil
		}
		keys, err := p.compact(ctx, dead)
		if len(keys) == 0 {
			return err
		}
		for page := range slices.Chunk(keys, clearedPage) {
			if err := p.DB.Do(ctx, func(tx store.Tx) error {
				return errors.Join(p.holdSweep(tx), p.Subjects.Compacted(tx, page, p.now().UnixMilli()))
			}); err != nil {
				return fmt.Errorf("mark as cleared: %w", err)
			}
		}
	}
}

// compact clears what is left of subjects and returns those that it cleared.
func (p *Plane) compact(ctx context.Context, dead map[uint32][]id.Subject) (cleared []subject.Key, err error) {
	for tenant, subjects := range dead {
		some, one := p.compactOf(ctx, tenant, subjects)
		if first := p.clearMedia(ctx, tenant, some); first != nil {
			some, one = nil, first
		}
		for _, s := range some {
			cleared = append(cleared, subject.Key{Tenant: tenant, Subject: s})
		}
		if one != nil {
			err = one
		}
	}
	return cleared, err
}

// compactOf clears what is left of a tenant's subjects. Where a damaged row stands in the way of
// many, it halves them until those are found that can't be cleared, so that the others' remains go
// in time.
func (p *Plane) compactOf(ctx context.Context, tenant uint32, subjects []id.Subject) (cleared []id.Subject, err error) {
	if err = p.Log.Compact(ctx, tenant, subjects, p.holdSweep); err == nil {
		return subjects, nil
	}
	if ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable { // all of them would fail alike
		return nil, fmt.Errorf("compact: %w", err) // another node's lease among them
	}
	if len(subjects) == 1 {
		p.log.Error("what an erasure left can't be cleared", "subject", subjects[0].String(), "error", err)
		return nil, fmt.Errorf("compact %s: %w", subjects[0], err)
	}
	half := len(subjects) / 2
	cleared, err = p.compactOf(ctx, tenant, subjects[:half])
	more, second := p.compactOf(ctx, tenant, subjects[half:])
	if err == nil {
		err = second
	}
	return append(slices.Clone(cleared), more...), err
}
