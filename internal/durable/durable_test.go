package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"domicile.dev/internal/durable"
)

func TestFoldersAreMadeForTheirOwner(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b", "c")
	for range 2 { // what is there is left alone
		if err := durable.Folders(top, dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{filepath.Join(top, "a"), dir} {
		if s, err := os.Stat(d); err != nil || !s.IsDir() || s.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", d, s, err)
		}
	}
	if err := durable.Folders(filepath.Join(top, "gone"), filepath.Join(top, "gone", "x")); err == nil {
		t.Error("a top that isn't there was made")
	}
	if err := durable.SyncDir(filepath.Join(top, "gone")); err == nil {
		t.Error("a folder that isn't there was synced")
	}
}
