// Package durable makes what a folder holds survive a power cut: a name that was written is on the disk
// only once its folder was synced.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Folders makes dir, and what is missing above it below top, which exists; for their owner alone. All of
// them are durable when it returns.
func Folders(top, dir string) error {
	if _, err := os.Stat(dir); err == nil || dir == top {
		return err
	}
	up := filepath.Dir(dir)
	if err := Folders(top, up); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(up)
}
