// Package files keeps blobs as files below one folder, which one node has for itself or several
// mount. A blob is synced to the disk before it gets its name.
package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"domicile.dev/internal/durable"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/media"
)

// Store is a media.Store. It is safe for concurrent use, also by several processes.
type Store struct{ dir string }

var _ media.Store = (*Store)(nil)

// partial is how names of files begin whose writer has not committed.
const partial = ".new-"

// Open returns the store in dir, which it makes unless it is there.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Invalid, "config.blobs", "can't make the folder %s for recordings and attachments", dir).
			WithHint("make it yourself, owned by the user that runs domicile, or give another one in blobs.store").Because(err)
	}
	f, err := os.CreateTemp(dir, partial+"check-")
	if err != nil {
		return nil, fault.New(fault.Invalid, "config.blobs", "can't write into the folder %s for recordings and attachments", dir).
			WithHint("make it writable for the user that runs domicile, or give another one in blobs.store").Because(err)
	}
	_ = f.Close()
	return s, os.Remove(f.Name())
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// Create implements media.Store.
func (s *Store) Create(_ context.Context, name string) (media.Writer, error) {
	if err := durable.Folders(s.dir, filepath.Dir(s.path(name))); err != nil {
		return nil, translate(err)
	}
	f, err := os.CreateTemp(s.dir, partial+"*")
	if err != nil {
		return nil, translate(err)
	}
	return &writer{s: s, f: f, to: s.path(name)}, nil
}

type writer struct {
	s  *Store
	f  *os.File
	to string
}

func (w *writer) Write(b []byte) (int, error) {
	n, err := w.f.Write(b)
	return n, translate(err)
}

func (w *writer) Commit() error {
	err := errors.Join(w.f.Sync(), w.f.Close())
	if err == nil {
		err = os.Rename(w.f.Name(), w.to)
	}
	if err != nil {
		_ = os.Remove(w.f.Name())
		return translate(err)
	}
	// The name left one folder for the other. That it has left is not needed after a crash.
	return translate(durable.SyncDir(filepath.Dir(w.to)))
}

func (w *writer) Abort() {
	_ = w.f.Close()
	_ = os.Remove(w.f.Name())
}

// Open implements media.Store.
func (s *Store) Open(_ context.Context, name string, from int64) (io.ReadCloser, error) {
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil, translate(err)
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		_ = f.Close()
		return nil, translate(err)
	}
	return f, nil
}

// Delete implements media.Store.
func (s *Store) Delete(_ context.Context, name string) error {
	err := os.Remove(s.path(name))
	if err == nil {
		err = durable.SyncDir(filepath.Dir(s.path(name)))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return translate(err)
}

// List implements media.Store.
func (s *Store) List(ctx context.Context, each func(media.Listed) error) error {
	return filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
				return nil
			}
			return translate(err)
		}
		if d.IsDir() {
			return nil
		}
		at := time.Time{}
		i, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err == nil {
			at = i.ModTime()
		}
		name, relErr := filepath.Rel(s.dir, path)
		if err = errors.Join(err, relErr); err != nil {
			return translate(err)
		}
		return each(media.Listed{Name: filepath.ToSlash(name), At: at, Partial: strings.HasPrefix(d.Name(), partial)})
	})
}

// Close implements media.Store.
func (s *Store) Close() error { return nil }

// translate turns an error of the file system into a fault, without the path in it.
func translate(err error) error {
	if err == nil {
		return nil
	}
	cause := err
	if p := new(fs.PathError); errors.As(err, &p) {
		cause = p.Err
	} else if l := new(os.LinkError); errors.As(err, &l) {
		cause = l.Err
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return media.Missing(cause)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return media.Full(cause)
	}
	return media.Away(cause)
}
