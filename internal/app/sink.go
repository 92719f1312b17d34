package app

import (
	"fmt"
	"os"
	"path/filepath"

	"domicile.dev/internal/record"
)

// fileSink is the limit that the benchmark of docs/performance.md measures the stores against: the
// same records in the same rows, appended to a file and synced a group at a time, with no store and
// no index. It is for `make bench` alone: nothing that it takes can be read again.
func (n *Node) fileSink() (func([]*record.Chunk) error, error) {
	f, err := os.OpenFile(filepath.Join(n.Config.Data, "bench.sink"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the benchmark's file: %w", err)
	}
	n.sinkFile = f
	n.log.Warn("records go to a file and can't be read: this is the benchmark's limit, not a store")
	enc := record.NewEncoder()
	return func(chunks []*record.Chunk) error {
		rows, err := enc.Rows(chunks)
		if err != nil {
			return err
		}
		for _, b := range rows {
			if _, err := f.Write(b); err != nil {
				return err
			}
		}
		return f.Sync()
	}, nil
}
