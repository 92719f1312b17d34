package keyring

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
)

func open(t *testing.T, dir string) *File {
	t.Helper()
	f, err := OpenFile(dir, "ie1")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAKeyIsThereUntilItIsDestroyed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ie1", "keyring")
	f := open(t, dir)
	made, err := f.Create(t.Context(), "epoch/000001")
	if err != nil || len(made) != 32 {
		t.Fatalf("Create: %d bytes, %v", len(made), err)
	}
	if _, err := f.Create(t.Context(), "epoch/000001"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("Create again: %v, want conflict", err)
	}
	got, err := open(t, dir).Get(t.Context(), "epoch/000001")
	if err != nil || !bytes.Equal(got, made) {
		t.Errorf("Get after another start: %x, %v, want %x", got, err, made)
	}
	if names, err := f.List(t.Context()); err != nil || !slices.Equal(names, []string{"epoch/000001"}) {
		t.Errorf("List: %v, %v", names, err)
	}
	info, _ := os.Stat(dir)
	key, _ := os.Stat(filepath.Join(dir, "epoch-000001.key"))
	if info.Mode().Perm() != 0o700 || key.Mode().Perm() != 0o600 {
		t.Errorf("modes are %v and %v", info.Mode(), key.Mode())
	}
	for range 2 {
		if err := f.Destroy(t.Context(), "epoch/000001"); err != nil {
			t.Errorf("Destroy: %v", err)
		}
	}
	if _, err := f.Get(t.Context(), "epoch/000001"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Get of a destroyed key: %v, want not found", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestDestroyOverwritesFirst(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	f := open(t, dir)
	if _, err := f.Create(t.Context(), "index/1"); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "second name") // shows what became of the bytes
	if err := os.Link(filepath.Join(dir, "index-1.key"), other); err != nil {
		t.Skip("no hard links here")
	}
	if err := f.Destroy(t.Context(), "index/1"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(other); err != nil || len(b) == 0 || len(bytes.Trim(b, "\x00")) > 0 {
		t.Errorf("after Destroy the file's bytes are %d, not zeros (%v)", len(b), err)
	}
}

// A process may be killed while it destroys a key. At no moment is there half a key under a key's name:
// no node would start.
func TestAKeyIsWholeOrGone(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	f := open(t, dir)
	done := make(chan error)
	go func() {
		for range 200 {
			if _, err := f.Create(t.Context(), "index/1"); err != nil {
				done <- err
				return
			}
			if err := f.Destroy(t.Context(), "index/1"); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
		if _, err := f.Get(t.Context(), "index/1"); err != nil && fault.KindOf(err) != fault.NotFound {
			t.Fatalf("while it is destroyed: %v", err)
		}
	}
}

func TestWhatADestructionLeftIsOverwritten(t *testing.T) {
	for name, finish := range map[string]func(t *testing.T, dir string){
		"the next start": func(t *testing.T, dir string) { open(t, dir) },
		"the next try": func(t *testing.T, dir string) {
			if err := (&File{dir, "ie1"}).Destroy(t.Context(), "index/1"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			os.Chmod(dir, 0o700)
			if _, err := open(t, dir).Create(t.Context(), "index/1"); err != nil {
				t.Fatal(err)
			}
			other := filepath.Join(t.TempDir(), "second name")
			left := filepath.Join(dir, ".gone-index-1.key") // killed after the key lost its name
			if err := errors.Join(os.Link(filepath.Join(dir, "index-1.key"), other), os.Rename(filepath.Join(dir, "index-1.key"), left)); err != nil {
				t.Skip("no hard links here")
			}
			finish(t, dir)
			if files, _ := os.ReadDir(dir); len(files) > 0 {
				t.Errorf("%d files are left", len(files))
			}
			if b, err := os.ReadFile(other); err != nil || len(b) == 0 || len(bytes.Trim(b, "\x00")) > 0 {
				t.Errorf("the key's bytes are %d, not zeros (%v)", len(b), err)
			}
		})
	}
}

func TestWhatOthersMayReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o750)
	check := func(wantHint string) {
		t.Helper()
		_, err := OpenFile(dir, "ie1")
		f, ok := fault.As(err)
		if !ok || f.Reason != "keyring.readable" || f.Hint != wantHint {
			t.Errorf("OpenFile: %v, want keyring.readable with the hint %q", err, wantHint)
		}
	}
	check("run: chmod 700 " + dir)
	os.Chmod(dir, 0o700)
	if _, err := open(t, dir).Create(t.Context(), "index/1"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "index-1.key")
	os.Chmod(path, 0o640)
	check("run: chmod 600 " + path)
}

func TestDamagedAndStrangeKeysAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		spoil        func(b string) string
	}{
		{"cut short", "keyring.damaged", func(b string) string { return b[:90] }},
		{"empty", "keyring.damaged", func(string) string { return "" }},
		{"a flipped digit", "keyring.damaged", func(b string) string {
			i := strings.Index(b, "key: ") + 5
			return b[:i] + string(b[i]^1) + b[i+1:]
		}},
		{"a newer format", "keyring.damaged", func(b string) string { return strings.Replace(b, "domicile key 1", "domicile key 2", 1) }},
		{"another name", "keyring.renamed", func(string) string { return string(sample("epoch/000007", "ie1").text()) }},
		{"another region", "keyring.other_region", func(string) string { return string(sample("index/1", "us1").text()) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "k")
			if _, err := open(t, dir).Create(t.Context(), "index/1"); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "index-1.key")
			b, _ := os.ReadFile(path)
			os.WriteFile(path, []byte(tt.spoil(string(b))), 0o600)
			_, err := OpenFile(dir, "ie1")
			f, ok := fault.As(err)
			if !ok || f.Reason != tt.reason || f.Hint == "" {
				t.Errorf("OpenFile: %v, want %s with a hint", err, tt.reason)
			}
			secret := strings.Split(string(b), "\n")
			if err != nil && len(secret) > 4 && strings.Contains(err.Error(), secret[4][5:]) {
				t.Error("the error holds the key")
			}
		})
	}
}

func sample(name, region string) key {
	return key{name: name, region: region, created: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC), raw: make([]byte, 32)}
}

// TestLeftoversAreSwept: a Create that died leaves a file beside, which may be the key itself.
func TestLeftoversAreSwept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "k")
	made, err := open(t, dir).Create(t.Context(), "index/1")
	if err != nil {
		t.Fatal(err)
	}
	linked, alone, fresh := filepath.Join(dir, ".new-1"), filepath.Join(dir, ".new-2"), filepath.Join(dir, ".new-3")
	os.Link(filepath.Join(dir, "index-1.key"), linked)
	os.WriteFile(alone, sample("index/2", "ie1").text(), 0o600)
	os.WriteFile(fresh, nil, 0o600)
	old := time.Now().Add(-2 * tempAge)
	os.Chtimes(linked, old, old)
	os.Chtimes(alone, old, old)
	got, err := open(t, dir).Get(t.Context(), "index/1")
	if err != nil || !bytes.Equal(got, made) {
		t.Errorf("the key after sweeping: %x, %v", got, err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".new-*"))
	if !slices.Equal(left, []string{fresh}) {
		t.Errorf("left are %v, want the fresh one, which another process may be writing", left)
	}
}

func TestOpenSaysWhichSchemesThereAre(t *testing.T) {
	dir := t.TempDir()
	for _, uri := range []string{"file:" + dir + "/a", "file://" + dir + "/b"} {
		if _, err := Open(uri, "ie1"); err != nil {
			t.Errorf("Open(%s): %v", uri, err)
		}
	}
	for _, uri := range []string{"hcvault:https://token@vault.example", "keys", "", "file:", "file://host/keys"} {
		_, err := Open(uri, "ie1")
		f, ok := fault.As(err)
		if !ok || f.Kind != fault.Invalid || !strings.Contains(f.Hint, "file:DIR") || strings.Contains(err.Error(), "token") {
			t.Errorf("Open(%q): %v, want invalid, a hint, and no secret", uri, err)
		}
	}
	if _, err := open(t, filepath.Join(dir, "a")).Get(t.Context(), "../../etc/passwd"); err == nil {
		t.Error("a path passes for a name")
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(sample("index/1", "ie1").text())
	f.Add([]byte("domicile key 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseKey(b)
		if err == nil && len(k.raw) != rawBytes {
			t.Errorf("a key of %d bytes", len(k.raw))
		}
	})
}
