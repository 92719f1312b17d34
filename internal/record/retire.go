package record

import (
	"context"
	"fmt"

	"domicile.dev/internal/store"
)

// removeRetired removes the blocks of runs that no manifest names.
func (l *Log) removeRetired(ctx context.Context) error {
	for len(l.merger.retired) > 0 {
		r := l.merger.retired[0]
		if err := l.removeRun(ctx, r); err != nil {
			return fmt.Errorf("remove run %d: %w", r.ID, err)
		}
		l.merger.retired = l.merger.retired[1:]
	}
	return nil
}

func (l *Log) removeRun(ctx context.Context, r RunInfo) error {
	if r.State == RunWriting { // whoever writes it finds out when it goes on
		retired := r
		retired.State = RunRetired
		var ours bool
		if err := l.mergeDo(ctx, func(tx store.Tx) (err error) {
			ours, err = l.store.UpdateRun(tx, RunWriting, retired)
			return err
		}); err != nil || !ours {
			return err
		}
	}
	for done := false; !done; {
		if err := l.mergeDo(ctx, func(tx store.Tx) error {
			n, err := l.store.DeleteBlocks(tx, r.ID, deleteBlocks)
			if err != nil {
				return err
			}
			if done = n < deleteBlocks; done {
				return l.store.DeleteRun(tx, r.ID)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
