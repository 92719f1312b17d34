package app

import (
	"context"
	"time"

	"domicile.dev/internal/store"
)

// Subscribers counts subscribers, for tests.
func Subscribers(ctx context.Context, n *Node) (waiting, confirmed int, err error) {
	err = n.db.View(ctx, func(tx store.Tx) error {
		waiting, confirmed, err = n.Publish.Store.CountSubscribers(tx)
		return err
	})
	return waiting, confirmed, err
}

// RotateEpoch rotates the keys that wrap persons' and subscribers' keys and returns how many were wrapped anew.
func RotateEpoch(ctx context.Context, n *Node) (int, error) {
	r, err := n.vault.Rotate(ctx, time.Now())
	return r.Rewrapped, err
}
