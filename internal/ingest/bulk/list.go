package bulk

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"domicile.dev/internal/fault"
)

// note appends to the list of bad lines. What a process that was killed wrote beyond its last
// state is cut off first: those lines come again.
func (j *Journal) note(bad []Bad) (err error) {
	if len(bad) == 0 {
		return nil
	}
	if err = j.openList(); err != nil {
		return err
	}
	for _, b := range bad {
		line, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("encode a bad line: %w", err)
		}
		if _, err := j.out.Write(append(line, '\n')); err != nil {
			return j.noList(err)
		}
		j.state.BadBytes += int64(len(line)) + 1
	}
	return nil
}

func (j *Journal) openList() (err error) {
	if j.list != nil {
		return nil
	}
	if j.state.BadBytes == 0 {
		if err := j.mayList(); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(j.bad, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return j.noList(err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil && size < j.state.BadBytes {
		return fault.New(fault.Invalid, "import.list_short", "%s has lost bad lines that were listed before", j.bad).
			WithHint("put it back, or delete the state file to import from the start")
	}
	if err == nil {
		err = errors.Join(f.Chmod(0o600), f.Truncate(j.state.BadBytes))
	}
	if err == nil {
		_, err = f.Seek(j.state.BadBytes, io.SeekStart)
	}
	if err != nil {
		return j.noList(err)
	}
	j.list, j.out = f, bufio.NewWriter(f)
	return nil
}

// listed is how every list of bad lines begins.
const listed = `{"line":`

// mayList says whether bad lines may be listed where nothing is known of an earlier list: there is
// no file, or an empty one, or such a list. Anything else was named by mistake.
func (j *Journal) mayList() error {
	info, err := os.Stat(j.bad)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	head := make([]byte, len(listed))
	if err == nil && info.Mode().IsRegular() {
		var f *os.File
		if f, err = os.Open(j.bad); err == nil {
			var n int
			if n, err = io.ReadFull(f, head); err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // ReadFull returns them bare
				err = nil
			}
			head = head[:n]
			_ = f.Close()
		}
	}
	if err != nil {
		return j.noList(err)
	}
	if !strings.HasPrefix(listed, string(head)) {
		return fault.New(fault.Invalid, "import.no_list", "%s is no list of bad lines, and is not overwritten", j.bad).
			WithHint("name another file with --bad")
	}
	return nil
}

func (j *Journal) noList(err error) error {
	return fault.New(fault.Invalid, "import.no_list", "the list of bad lines can't be written").Because(err)
}
