package files_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/media/files"
	"domicile.dev/internal/media/mediatest"
)

func open(t testing.TB) media.Store {
	s, err := files.Open(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) { mediatest.Run(t, open) }

func TestAFolderThatCannotBeUsedIsFoundAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := files.Open(filepath.Join(file, "blobs"))
	if f, ok := fault.As(err); !ok || f.Reason != "config.blobs" || f.Hint == "" {
		t.Errorf("Open: %v, want config.blobs with a hint", err)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	s, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), media.Name(1, id.NewMedia()))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err == nil && i.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, i.Mode())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAWriterThatDiedLeftIsListedAsPartial(t *testing.T) {
	s := open(t)
	if _, err := s.Create(t.Context(), media.Name(1, id.NewMedia())); err != nil {
		t.Fatal(err)
	}
	var left []media.Listed
	if err := s.List(t.Context(), func(l media.Listed) error { left = append(left, l); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || !left[0].Partial {
		t.Fatalf("listed %+v, want one that is partial", left)
	}
	if err := s.Delete(t.Context(), left[0].Name); err != nil {
		t.Fatal(err)
	}
	if err := s.List(t.Context(), func(l media.Listed) error { t.Errorf("%s is left", l.Name); return nil }); err != nil {
		t.Fatal(err)
	}
}
