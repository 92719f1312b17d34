package app

import (
	"context"
	"encoding/json"
	"time"

	"domicile.dev/internal/id"
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

// LedgerBody returns the body of an entry of the ledger.
func LedgerBody(ctx context.Context, n *Node, entry string, body any) error {
	e, err := id.ParseEntry(entry)
	if err != nil {
		return err
	}
	return n.db.View(ctx, func(tx store.Tx) error {
		v, err := n.Ledger.Entry(tx, e)
		if err != nil {
			return err
		}
		return json.Unmarshal(v.Entry, &struct {
			Body any `json:"body"`
		}{body})
	})
}
