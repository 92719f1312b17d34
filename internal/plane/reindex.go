package plane

import (
	"context"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/vault"
)

// A rotation of the index key computes every identifier's digest anew from its sealed value, while
// everything goes on. It is begun by making the next version current (keys.go). From that commit on,
// every node writes under it and looks under both; pages of identifiers are moved, each in a
// transaction of its own; when none is left under the version before, that one stops counting and its
// key is destroyed. Whatever is cut short goes on from what the store says.

// Times and sizes of a rotation of the index key.
const (
	reindexEvery   = 10 * time.Second // how often a node looks whether another one's rotation lies still
	reindexLease   = "reindex"
	reindexLeaseIs = 20 * time.Second // each page renews it; who lost it meanwhile stops
	reindexRest    = 250 * time.Millisecond
)

// indexRotated is the ledger's entry on the begin ("keys.rotating") and the end ("keys.rotated") of a
// rotation of the index key.
type indexRotated struct {
	Key         string `json:"key"` // "index"
	From        uint32 `json:"from"`
	To          uint32 `json:"to"`
	Identifiers int64  `json:"identifiers,omitempty"` // computed anew
	Destroyed   *bool  `json:"destroyed,omitempty"`   // false where client ids are under the same key
}

// Reindex goes on, until ctx ends, with a rotation of the index key that was begun. One node of a
// cell does it at a time.
func (p *Plane) Reindex(ctx context.Context) {
	for {
		if err := p.ReindexOnce(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("rotating the index key failed, it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.reindex:
		case <-time.After(reindexEvery):
		}
	}
}

// ReindexOnce brings a rotation of the index key to its end, if one was begun and no other node is at it.
//
// Errors: Conflict subject.identifiers_broken when identifiers don't open; all others are moved, and
// the version before goes on to count.
func (p *Plane) ReindexOnce(ctx context.Context) error {
	all, index, err := p.indexState(ctx)
	if err != nil || !index.Rotating() && vault.Ending(all) == nil {
		return err
	}
	mine := false
	if err := p.DB.Do(ctx, func(tx store.Tx) (err error) { mine, err = p.holdReindex(tx); return err }); err != nil || !mine {
		return err
	}
	defer p.dropReindex(context.WithoutCancel(ctx))
	if index.Rotating() {
		if err := p.moveAll(ctx, index); err != nil {
			return err
		}
		if err := p.Vault.RetireIndex(ctx, index.From, p.now()); err != nil {
			return err
		}
	}
	return p.endIndex(ctx)
}

// indexState returns the versions of the index key, and those that count.
func (p *Plane) indexState(ctx context.Context) (all []vault.IndexVersion, index *vault.IndexKeys, err error) {
	err = p.DB.View(ctx, func(tx store.Tx) error {
		if all, _, _, err = p.Vault.IndexState(tx); err == nil {
			index, err = p.Vault.IndexAt(tx)
		}
		return err
	})
	return all, index, err
}

// holdReindex takes or renews the lease. An embedded store is one process's alone, which need not
// wait for the lease of the one before it.
func (p *Plane) holdReindex(tx store.Tx) (bool, error) {
	if p.DB.Engine() == "sqlite" {
		return true, nil
	}
	return p.Changes.Lease(tx, reindexLease, p.node, p.now(), reindexLeaseIs)
}

func (p *Plane) dropReindex(ctx context.Context) {
	if p.DB.Engine() == "sqlite" {
		return
	}
	if err := p.DB.Do(ctx, func(tx store.Tx) error { return p.Changes.Release(tx, reindexLease, p.node) }); err != nil {
		p.log.Warn("the lease on rotating the index key was not released", "error", err)
	}
}

// moveAll moves every identifier to the current version.
func (p *Plane) moveAll(ctx context.Context, index *vault.IndexKeys) error {
	var broken brokenIdentifiers
	var after subject.BindingAt
	for more := true; more; {
		began := time.Now()
		page, moved, err := p.movePage(ctx, index, after, &broken)
		if err != nil {
			return fmt.Errorf("move a page of identifiers: %w", err)
		}
		after, more = page.Last, page.More
		if moved > 0 { // commits come first
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(min(time.Since(began), reindexRest)):
			}
		}
	}
	// Whoever writes identifiers has asked IndexAt since the version became current: none was added.
	var left int64
	if err := p.DB.View(ctx, func(tx store.Tx) (err error) {
		left, err = p.Subjects.CountBindingsBefore(tx, index.To)
		return err
	}); err != nil {
		return fmt.Errorf("count identifiers before version %d: %w", index.To, err)
	}
	if left > 0 {
		return broken.fault(left)
	}
	return nil
}

// movePage moves what one page of the table has. It looks without the gate and holds it to write.
func (p *Plane) movePage(ctx context.Context, index *vault.IndexKeys, after subject.BindingAt, broken *brokenIdentifiers) (page subject.BindingPage, moved int64, err error) {
	var moves []subject.Move
	for try := 0; ; try++ {
		if err := p.DB.View(ctx, func(tx store.Tx) (err error) {
			page, err = p.Subjects.BindingsBefore(tx, index.To, after, p.opt.ReindexPage)
			return err
		}); err != nil {
			return page, 0, err
		}
		bad := brokenIdentifiers{}
		if moves, err = p.movesOf(index, page.Rows, &bad); err == nil {
			broken.join(bad)
			break
		}
		if fault.KindOf(err) != fault.Unavailable || try == 2 { // an epoch may have ended since the look
			return page, 0, err
		}
	}
	if len(moves) == 0 {
		return page, 0, nil
	}
	err = p.DB.Do(ctx, func(tx store.Tx) error {
		if mine, err := p.holdReindex(tx); err != nil {
			return err
		} else if !mine {
			return fault.New(fault.Conflict, "vault.reindexing", "another node is rotating the index key")
		}
		if now, err := p.Vault.IndexAt(tx); err != nil {
			return err
		} else if !now.Same(index) {
			return fault.New(fault.Conflict, "vault.reindexing", "another node has ended the rotation of the index key")
		}
		if moved, err = p.Subjects.MoveBindings(tx, moves); err != nil {
			return err
		}
		return p.Vault.CountMoved(tx, index.To, moved)
	})
	return page, moved, err
}

// movesOf opens identifiers and computes their digests.
func (p *Plane) movesOf(index *vault.IndexKeys, rows []subject.OldBinding, bad *brokenIdentifiers) ([]subject.Move, error) {
	moves := make([]subject.Move, 0, len(rows))
	for i := range rows {
		b := &rows[i]
		if b.Wrapped == nil {
			bad.add(b.Subject)
			continue
		}
		key, err := p.Vault.Peek(b.TenantID, b.Subject, vault.Wrapped{Epoch: b.Epoch, Bytes: b.Wrapped})
		if err == nil {
			var value []byte
			if value, err = seal.OpenBytes(key, p.identifierAD(b.TenantID, b.Subject, b.Type), b.Sealed); err == nil {
				moves = append(moves, subject.Move{Binding: b.Binding, To: index.Blinder(b.TenantID).Identifier(b.Type, value), ToVersion: index.To})
				clear(value)
				continue
			}
		}
		if fault.KindOf(err) != fault.Invalid {
			return nil, fmt.Errorf("open an identifier of %s: %w", b.Subject, err)
		}
		bad.add(b.Subject)
	}
	return moves, nil
}

// endIndex brings a retired version to its end.
func (p *Plane) endIndex(ctx context.Context) error {
	all, _, err := p.indexState(ctx)
	if err != nil {
		return err
	}
	x := vault.Ending(all)
	if x == nil {
		return nil
	}
	err = p.Vault.EndIndex(ctx, x.N, p.now(), func(tx store.Tx, moved int64, destroyed bool) error {
		_, err := p.Ledger.Append(tx, ledger.Draft{Kind: "keys.rotated", At: p.now(),
			Body: indexRotated{Key: "index", From: x.N, To: x.N + 1, Identifiers: moved, Destroyed: &destroyed}})
		return err
	})
	if err == nil {
		p.Ledger.Committed()
		p.log.Info("index key rotated", "from", x.N, "to", x.N+1)
	}
	return err
}

// brokenIdentifiers are those that don't open.
type brokenIdentifiers struct {
	n     int64
	first id.Subject
}

func (b *brokenIdentifiers) add(s id.Subject) { b.join(brokenIdentifiers{1, s}) }

func (b *brokenIdentifiers) join(more brokenIdentifiers) {
	if b.n == 0 {
		b.first = more.first
	}
	b.n += more.n
}

func (b *brokenIdentifiers) fault(left int64) error {
	if b.n == 0 {
		return fault.New(fault.Unavailable, "subject.identifiers_left", "%d identifiers are still under the version before", left).
			WithHint("nodes of an older version of domicile write them: stop those")
	}
	return fault.New(fault.Conflict, "subject.identifiers_broken", "%d identifiers don't open, the first is one of %s", left, b.first).
		WithHint("restore these rows from a backup, or erase these persons; until then the version before goes on to count")
}
