// Package mediatest states what every store of blobs does.
package mediatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
)

// Run states it. open returns an empty store.
func Run(t *testing.T, open func(testing.TB) media.Store) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s media.Store)
	}{
		{"a blob is read as it was written, from anywhere", testRead},
		{"nobody sees a blob before its commit", testCommit},
		{"what was aborted leaves nothing", testAbort},
		{"what is deleted is gone, and may be deleted again", testDelete},
		{"a blob that isn't there is missing", testMissing},
		{"all blobs are listed with their times", testList},
		{"an error of each ends the list", testListStops},
		{"blobs are written at the same time", testConcurrent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			tt.run(t, s)
		})
	}
}

func name() string { return media.Name(7, id.NewMedia()) }

// content is n bytes that are different in every place.
func content(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func put(t testing.TB, s media.Store, name string, b []byte) {
	t.Helper()
	w, err := s.Create(t.Context(), name)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	for part := range slices.Chunk(b, 70_000) {
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func get(t testing.TB, s media.Store, name string, from int64) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), name, from)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("read: %v", err)
	}
	return b
}

func list(t testing.TB, s media.Store) (names []string) {
	t.Helper()
	if err := s.List(t.Context(), func(l media.Listed) error {
		if !l.Partial {
			names = append(names, l.Name)
		}
		return nil
	}); err != nil {
		t.Fatalf("List: %v", err)
	}
	slices.Sort(names)
	return names
}

func wantMissing(t testing.TB, s media.Store, name string) {
	t.Helper()
	if r, err := s.Open(t.Context(), name, 0); fault.KindOf(err) != fault.NotFound || fault.ReasonOf(err) != "blob.missing" {
		t.Errorf("Open: %v, %v, want blob.missing", r, err)
	}
}

func testRead(t *testing.T, s media.Store) {
	for _, n := range []int{1, 65_552, 300_000, 11 << 20} { // the last is several parts of an upload
		b, at := content(n), name()
		put(t, s, at, b)
		for _, from := range []int{0, n / 3, n - 1} {
			if got := get(t, s, at, int64(from)); !bytes.Equal(got, b[from:]) {
				t.Errorf("%d bytes from %d on: %d other bytes", n, from, len(got))
			}
		}
	}
}

func testCommit(t *testing.T, s media.Store) {
	at := name()
	w, err := s.Create(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content(200_000)); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, s, at)
	if got := list(t, s); len(got) != 0 {
		t.Errorf("listed before the commit: %v", got)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, at, 0); !bytes.Equal(got, content(200_000)) {
		t.Errorf("%d other bytes", len(got))
	}
}

func testAbort(t *testing.T, s media.Store) {
	for _, n := range []int{0, 1000, 11 << 20} {
		at := name()
		w, err := s.Create(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content(n)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		wantMissing(t, s, at)
	}
	if err := s.List(t.Context(), func(l media.Listed) error { return fmt.Errorf("there is %s", l.Name) }); err != nil {
		t.Error(err)
	}
}

func testDelete(t *testing.T, s media.Store) {
	at, other := name(), name()
	put(t, s, at, content(10))
	put(t, s, other, content(20))
	for range 2 {
		if err := s.Delete(t.Context(), at); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	wantMissing(t, s, at)
	if got := get(t, s, other, 0); len(got) != 20 {
		t.Errorf("%d bytes of another blob, want 20", len(got))
	}
}

func testMissing(t *testing.T, s media.Store) { wantMissing(t, s, name()) }

func testList(t *testing.T, s media.Store) {
	var want []string
	before := time.Now().Add(-time.Minute)
	for range 20 {
		want = append(want, name())
		put(t, s, want[len(want)-1], content(10))
	}
	slices.Sort(want)
	if got := list(t, s); !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	_ = s.List(t.Context(), func(l media.Listed) error {
		if l.At.Before(before) || l.At.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s was written at %v", l.Name, l.At)
		}
		return nil
	})
}

func testListStops(t *testing.T, s media.Store) {
	put(t, s, name(), content(10))
	put(t, s, name(), content(10))
	stop, n := errors.New("stop"), 0
	if err := s.List(t.Context(), func(media.Listed) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("List: %v after %d, want the error of each after 1", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.List(ctx, func(media.Listed) error { return nil }); err == nil {
		t.Error("List goes on although its context has ended")
	}
}

func testConcurrent(t *testing.T, s media.Store) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			at, b := name(), content(100_000+i)
			put(t, s, at, b)
			if got := get(t, s, at, 5); !bytes.Equal(got, b[5:]) {
				t.Errorf("blob %d: %d other bytes", i, len(got))
			}
		})
	}
	all.Wait()
	if got := list(t, s); len(got) != 16 {
		t.Errorf("%d blobs, want 16", len(got))
	}
}
