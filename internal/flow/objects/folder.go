package objects

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"domicile.dev/internal/durable"
	"domicile.dev/internal/fault"
)

// folder keeps objects as files, which their owner alone can read.
type folder struct{ dir string }

const (
	// unfinished holds files that have no name yet. It lies in the same folder, since a rename doesn't
	// leave a file system.
	unfinished = ".new"
	// abandoned is the age at which nobody writes an unfinished file any more.
	abandoned  = time.Hour
	chunkBytes = 1 << 20
)

func openFolder(target string) (*folder, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host != "" || !filepath.IsAbs(u.Path) || u.RawQuery != "" || u.Fragment != "" {
		return nil, badURL("the folder's address is not of the form file:///folder")
	}
	f := &folder{dir: filepath.Clean(u.Path)}
	if err := os.MkdirAll(filepath.Join(f.dir, unfinished), 0o700); err != nil {
		return nil, badURL("the destination's folder can't be made or isn't writable").Because(reason(err))
	}
	f.sweep(time.Now())
	return f, nil
}

// sweep removes what an earlier process didn't finish: it holds data, and nobody would miss it.
func (f *folder) sweep(now time.Time) {
	entries, _ := os.ReadDir(filepath.Join(f.dir, unfinished))
	for _, e := range entries {
		if i, err := e.Info(); err == nil && now.Sub(i.ModTime()) > abandoned {
			_ = os.Remove(filepath.Join(f.dir, unfinished, e.Name()))
		}
	}
}

// put implements store. The file is on the disk before it gets its name, and its name when put
// returns.
func (f *folder) put(ctx context.Context, o object) error {
	to := filepath.Join(f.dir, filepath.FromSlash(o.name))
	if err := durable.Folders(f.dir, filepath.Dir(to)); err != nil {
		return trouble(err)
	}
	t, err := os.CreateTemp(filepath.Join(f.dir, unfinished), "") // mode 0600
	if err != nil {
		return trouble(err)
	}
	err = write(ctx, t, o.body)
	err = errors.Join(err, t.Close())
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(t.Name(), to)
	}
	if err != nil {
		_ = os.Remove(t.Name())
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return trouble(err)
	}
	if err := durable.SyncDir(filepath.Dir(to)); err != nil {
		return trouble(err)
	}
	return nil
}

func write(ctx context.Context, t *os.File, body []byte) error {
	for len(body) > 0 && ctx.Err() == nil {
		n, err := t.Write(body[:min(len(body), chunkBytes)])
		if err != nil {
			return err
		}
		body = body[n:]
	}
	return errors.Join(ctx.Err(), t.Sync())
}

func (f *folder) close() error { return nil }

func trouble(err error) error {
	return fault.New(fault.Unavailable, "destination.trouble", "the destination's folder can't be written").
		WithHint("is there room, and is it writable for the user that runs domicile?").Because(reason(err))
}

// reason is err without the path, which is the operator's.
func reason(err error) error {
	if p := new(fs.PathError); errors.As(err, &p) {
		return p.Err
	}
	if l := new(os.LinkError); errors.As(err, &l) {
		return l.Err
	}
	return errors.New("file system")
}
