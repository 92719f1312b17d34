package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"domicile.dev/internal/fault"
)

// translate turns SQLite's errors into faults: what can pass is Unavailable, so that clients keep
// their data and try again; a broken file is Internal. what is our own text, never a value.
func translate(what string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%.80s: %w", what, err)
	switch code := sqlite.ErrCode(err); code.ToPrimary() {
	case sqlite.ResultFull:
		return fault.New(fault.Unavailable, "store.full", "the store's disk is full").
			WithHint("free space where the region's data directory lies; nothing that was acknowledged is lost").Because(err)
	case sqlite.ResultIOErr, sqlite.ResultCantOpen, sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultNoMem,
		sqlite.ResultReadOnly, sqlite.ResultProtocol, sqlite.ResultPerm:
		return unavailable("use the store", err)
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fault.New(fault.Internal, "store.corrupt", "the store's file is damaged").
			WithHint("stop this node, keep the damaged file and restore the newest backup").Because(err)
	case sqlite.ResultInterrupt:
		return errors.Join(context.Canceled, err)
	}
	return err
}

func unavailable(what string, err error) error {
	return fault.New(fault.Unavailable, "store.unavailable", "the store can't be used for now").
		WithHint("see the node's log; nothing that was acknowledged is lost").Because(fmt.Errorf("%s: %w", what, err))
}
