package bulk

import (
	"errors"
	"os"
	"syscall"

	"domicile.dev/internal/fault"
)

// lock is a file beside another that one process at a time holds. The kernel drops it when the
// process ends, however it ends; the file stays then, and is taken by whoever comes next.
type lock struct{ f *os.File }

// take locks path, a state or a list of bad lines. Faults: Conflict when another import has it.
func take(path string) (lock, error) {
	beside := path + ".lock"
	for {
		f, err := os.OpenFile(beside, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return lock{}, noState(err)
		}
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return lock{}, fault.New(fault.Conflict, "import.running", "another import is at work with %s", path).
					WithHint("wait for it, or name other files with --state and --bad")
			}
			return lock{}, noState(err)
		}
		mine, err := f.Stat()
		if err != nil {
			_ = f.Close()
			return lock{}, noState(err)
		}
		if there, err := os.Stat(beside); err == nil && os.SameFile(mine, there) {
			return lock{f}, nil
		}
		_ = f.Close() // whoever had it has just taken it away
	}
}

// leave takes the file away while it is still locked, so that nobody waits for one that is gone.
func (l lock) leave() error {
	if l.f == nil {
		return nil
	}
	return errors.Join(os.Remove(l.f.Name()), l.f.Close())
}
