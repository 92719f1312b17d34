package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/durable"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/vault"
)

const (
	keySuffix  = ".key"
	tempPrefix = ".new-"
	gonePrefix = ".gone-" // of a key that is being destroyed
	// tempAge is when a temporary file is surely nobody's any more.
	tempAge = time.Hour
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}/[0-9]{1,9}$`)

// File is a keyring in a directory: one file a key, readable by nobody else. Several processes may
// have it open. It is safe for concurrent use.
//
// Format: docs/formats/keys.md, version 1.
type File struct{ dir, region string }

var _ vault.Keyring = (*File)(nil)

// OpenFile opens the keyring in dir, which it makes with mode 0700 if it is missing. It returns a
// fault of kind Conflict when others may read the directory or a key file, or when a key is of
// another region, and says what to run.
func OpenFile(dir, region string) (*File, error) {
	if region == "" || strings.ContainsAny(region, "\n\x00") {
		return nil, errors.New("keyring: no region given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the keyring's directory: %w", err)
	}
	f := &File{dir, region}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the keyring's directory: %w", err)
	}
	if !info.IsDir() {
		return nil, fault.New(fault.Conflict, "keyring.not_a_directory", "the keyring %s is not a directory", dir).WithHint("name a directory")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, readable(dir, info, "700")
	}
	if err := f.sweep(); err != nil {
		return nil, err
	}
	names, err := f.List(context.Background())
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if raw, err := f.Get(context.Background(), name); err != nil {
			return nil, err
		} else {
			clear(raw)
		}
	}
	return f, nil
}

func readable(path string, info fs.FileInfo, mode string) error {
	return fault.New(fault.Conflict, "keyring.readable", "%s has mode %04o: others may read it", path, info.Mode().Perm()).
		WithHint("run: chmod " + mode + " " + path)
}

// path returns the file of a key: "epoch/000001" is in epoch-000001.key.
func (f *File) path(name string) (string, error) {
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("keyring: %q is not the name of a key", name)
	}
	return filepath.Join(f.dir, strings.Replace(name, "/", "-", 1)+keySuffix), nil
}

// Get implements vault.Keyring.
func (f *File) Get(_ context.Context, name string) ([]byte, error) {
	path, err := f.path(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "keyring.no_key", "the keyring %s has no key %s", f.dir, name)
	} else if err != nil {
		return nil, fmt.Errorf("look at key %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New(fault.Conflict, "keyring.not_a_file", "%s is not a regular file", path).WithHint("put the key's file itself there")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, readable(path, info, "600")
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) { // destroyed meanwhile
		return nil, fault.New(fault.NotFound, "keyring.no_key", "the keyring %s has no key %s", f.dir, name)
	} else if err != nil {
		return nil, fmt.Errorf("read key %s: %w", name, err)
	}
	defer clear(b)
	k, err := parseKey(b)
	if err != nil {
		if now, gone := os.Lstat(path); errors.Is(gone, fs.ErrNotExist) || gone == nil && !os.SameFile(info, now) { // overwritten while it was read
			return nil, fault.New(fault.NotFound, "keyring.no_key", "the keyring %s has no key %s", f.dir, name)
		}
		return nil, fault.New(fault.Conflict, "keyring.damaged", "%s can't be read: %s", path, err).
			WithHint("restore it from the newest backup of the keyring")
	}
	if k.name != name {
		return nil, fault.New(fault.Conflict, "keyring.renamed", "%s holds the key %s", path, k.name).WithHint("give the files of the keyring their own names back")
	}
	if k.region != f.region {
		return nil, fault.New(fault.Conflict, "keyring.other_region", "%s holds a key of region %s, the node is of %s", path, k.region, f.region).
			WithHint("name the keyring of region " + f.region + "; keys never serve two regions")
	}
	return k.raw, nil
}

// Create implements vault.Keyring: the key is written beside, and given its name when it is durable.
func (f *File) Create(_ context.Context, name string) ([]byte, error) {
	path, err := f.path(name)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, rawBytes)
	_, _ = rand.Read(raw)
	text := key{name: name, region: f.region, created: time.Now(), raw: raw}.text()
	defer clear(text)
	temp, err := os.CreateTemp(f.dir, tempPrefix+"*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("create key %s: %w", name, err)
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Link(temp.Name(), path) // a rename would replace a key that is there
	}
	if errors.Is(err, fs.ErrExist) {
		err = fault.New(fault.Conflict, "keyring.key_exists", "the keyring %s has a key %s already", f.dir, name)
		return nil, errors.Join(err, f.shred(temp.Name()))
	}
	if err == nil {
		err = os.Remove(temp.Name()) // the key goes on under its name
	}
	if err == nil {
		err = syncDir(f.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("create key %s: %w", name, err)
	}
	return raw, nil
}

// Destroy implements vault.Keyring: the file loses its name, so that half a key is never there under
// it, is overwritten in place, and removed. What a try before left is finished, too.
func (f *File) Destroy(_ context.Context, name string) error {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	gone := filepath.Join(f.dir, gonePrefix+filepath.Base(path))
	err = f.shredLeft(gone)
	if err == nil {
		err = os.Rename(path, gone)
	}
	if err == nil {
		err = errors.Join(syncDir(f.dir), f.shredLeft(gone))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("destroy key %s: %w", name, err)
	}
	return syncDir(f.dir) // also when it was gone: the try before may have died before this
}

// shredLeft is shred of a file that may be gone, or be shredded by another process.
func (f *File) shredLeft(path string) error {
	if err := f.shred(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// shred overwrites a file with zeros, durably, and removes it.
func (f *File) shred(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		_, err = file.WriteAt(make([]byte, info.Size()), 0)
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Remove(path)
}

// List implements vault.Keyring.
func (f *File) List(context.Context) ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list the keyring: %w", err)
	}
	var names []string
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), keySuffix)
		if name := strings.Replace(base, "-", "/", 1); ok && nameForm.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// sweep removes what Creates and Destroys that were cut short left. A file that already goes by a key's name
// too must not be overwritten.
func (f *File) sweep() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("list the keyring: %w", err)
	}
	var keys []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), keySuffix) {
			keys = append(keys, info)
		}
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), gonePrefix) {
			if err := f.shredLeft(filepath.Join(f.dir, e.Name())); err != nil {
				return fmt.Errorf("finish the destruction of a key: %w", err)
			}
			continue
		}
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), tempPrefix) || time.Since(info.ModTime()) < tempAge {
			continue
		}
		path := filepath.Join(f.dir, e.Name())
		if slices.ContainsFunc(keys, func(k fs.FileInfo) bool { return os.SameFile(k, info) }) {
			err = os.Remove(path)
		} else {
			err = f.shred(path)
		}
		if err != nil {
			return fmt.Errorf("remove what a try before left in the keyring: %w", err)
		}
	}
	return syncDir(f.dir)
}

// syncDir makes the directory's names durable.
func syncDir(dir string) error {
	if err := durable.SyncDir(dir); err != nil {
		return fmt.Errorf("sync the keyring's directory: %w", err)
	}
	return nil
}
