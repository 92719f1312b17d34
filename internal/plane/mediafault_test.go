package plane_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/media"
)

// failingBlobs is a store of blobs that fails at one step of each write.
type failingBlobs struct {
	media.Store
	at string
}

func (f *failingBlobs) Create(ctx context.Context, name string) (media.Writer, error) {
	if f.at == "create" {
		return nil, media.Away(io.ErrClosedPipe)
	}
	w, err := f.Store.Create(ctx, name)
	return &failingWriter{w, f}, err
}

func (f *failingBlobs) Delete(ctx context.Context, name string) error {
	if f.at == "delete" {
		return media.Away(io.ErrClosedPipe)
	}
	return f.Store.Delete(ctx, name)
}

type failingWriter struct {
	media.Writer
	f *failingBlobs
}

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.f.at == "write" {
		return 0, media.Full(io.ErrShortWrite)
	}
	return w.Writer.Write(b)
}

func (w *failingWriter) Commit() error {
	switch w.f.at {
	case "before commit":
		w.Writer.Abort()
		return media.Away(io.ErrClosedPipe)
	case "after commit":
		_ = w.Writer.Commit()
		return media.Away(io.ErrClosedPipe)
	}
	return w.Writer.Commit()
}

func TestNothingIsAcknowledgedWhenTheBlobIsNotDurable(t *testing.T) {
	for _, at := range []string{"create", "write", "before commit", "after commit"} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t, "")
			w.send(w.nat, "", said("m1", "+353851234567"))
			f := &failingBlobs{Store: w.blobStore, at: at}
			w.Parts.Blobs = f
			_, err := w.PutMedia(context.Background(), w.nat, upload("m1", sound(100_000)))
			want := "blob.store_away"
			if at == "write" {
				want = "store.full"
			}
			wantKind(t, "put", err, fault.Unavailable, want)
			if got := w.records(w.find("phone", "+353851234567")); len(got) != 1 || len(got[0].Media) != 0 {
				t.Errorf("a row names a blob that may not be there: %+v", got)
			}
			f.at = ""
			k := w.keep(upload("m1", sound(100_000)))
			w.wantMedia(k, sound(100_000))
			if err := w.SweepBlobsOnce(context.Background(), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if n := w.blobNames(); len(n) != 1 || !strings.HasSuffix(n[0], k.ID.String()) {
				t.Errorf("blobs %v, want that of the second try", n)
			}
		})
	}
}

func TestWhatCannotBeDeletedIsDeletedLater(t *testing.T) {
	w := newWorld(t, "")
	w.send(w.nat, "", said("m1", "+353851234567"))
	w.keep(upload("m1", sound(1000)))
	f := &failingBlobs{Store: w.blobStore, at: "delete"}
	w.Parts.Blobs = f
	w.erase(w.find("phone", "+353851234567"))
	if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); fault.ReasonOf(err) != "blob.store_away" {
		t.Errorf("sweep: %v", err)
	}
	remains := func() *time.Time {
		s, err := w.Stats(context.Background(), w.caller, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return s.OldestRemains
	}
	if remains() == nil {
		t.Error("nobody sees that bytes are left")
	}
	f.at = ""
	if err := w.SweepOnce(context.Background(), w.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := w.blobNames(); len(n) != 0 || remains() != nil {
		t.Errorf("blobs %v, remains since %v", n, remains())
	}
}
