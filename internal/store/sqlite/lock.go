package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"domicile.dev/internal/fault"
)

// lockDir takes the data directory for this process. The kernel drops the lock when the process
// ends, however it ends; the file stays. Its content, the process id, is for people.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unavailable("open the lock file", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
		}
	}
	if err == nil {
		return f, nil
	}
	defer f.Close()
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, unavailable("lock the data directory", err)
	}
	pid := make([]byte, 20)
	n, _ := f.Read(pid)
	return nil, fault.New(fault.Conflict, "store.locked", "another process (%s) has the data directory %s open",
		strings.TrimSpace("pid "+string(pid[:n])), dir).
		WithHint("stop it first; one process at a time holds an embedded store, several nodes need PostgreSQL")
}
