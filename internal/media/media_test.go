package media_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/seal"
)

var place = seal.BlobPlace{Region: "ie1", Tenant: "acme", Subject: id.Subject{1}, Media: id.Media{2}}

// one is a store that holds one blob in memory.
type one struct {
	media.Store
	blob []byte
}

func (o one) Open(_ context.Context, _ string, from int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(o.blob[min(from, int64(len(o.blob))):])), nil
}

func read(sealed []byte, k *seal.BlobKey, size int) ([]byte, error) {
	r := media.NewReader(context.Background(), one{blob: sealed}, "b", k, place, int64(size), func() error { return nil })
	return io.ReadAll(r)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func sealed(t testing.TB, k *seal.BlobKey, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := media.Copy(&out, k, &place, bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCopyDoesNotMindHowContentComes(t *testing.T) {
	k := seal.NewBlobKey()
	for _, n := range []int{1, seal.BlobChunk - 1, seal.BlobChunk, seal.BlobChunk + 1, 2 * seal.BlobChunk, 150_000} {
		b := pattern(n)
		want := sealed(t, k, b)
		for name, r := range map[string]io.Reader{"halves": iotest.HalfReader(bytes.NewReader(b)), "end with the data": iotest.DataErrReader(bytes.NewReader(b))} {
			var out bytes.Buffer
			c, err := media.Copy(&out, k, &place, r, int64(n))
			if err != nil || !bytes.Equal(out.Bytes(), want) || c.Size != int64(n) {
				t.Errorf("%d bytes in %s: sealed otherwise, %v", n, name, err)
			}
			h := k.Digest()
			if size, err := media.Digest(h, bytes.NewReader(b), int64(n)); err != nil || size != int64(n) || !bytes.Equal(h.Sum(nil), c.Digest[:]) {
				t.Errorf("%d bytes: another digest, %v", n, err)
			}
		}
	}
}

func TestCopyTellsWhyItStopped(t *testing.T) {
	k := seal.NewBlobKey()
	boom := errors.New("boom")
	full := media.Full(boom)
	for _, tt := range []struct {
		name string
		w    io.Writer
		from io.Reader
		want error
	}{
		{"no content", io.Discard, bytes.NewReader(nil), media.ErrEmpty},
		{"too much", io.Discard, bytes.NewReader(pattern(1001)), media.ErrTooLarge},
		{"trouble at once", io.Discard, iotest.ErrReader(boom), boom},
		{"trouble on the way", io.Discard, io.MultiReader(bytes.NewReader(pattern(100)), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
		{"no room", failing{full}, bytes.NewReader(pattern(100)), full},
	} {
		_, err := media.Copy(tt.w, k, &place, tt.from, 1000)
		cut := new(media.ReadError)
		if !errors.Is(err, tt.want) || errors.As(err, &cut) != (tt.name[:3] == "tro") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.want == full && fault.ReasonOf(err) != "store.full" {
			t.Errorf("%s: %v is no fault any more", tt.name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestNamesOfBlobs(t *testing.T) {
	m := id.NewMedia()
	if tenant, got, ok := media.ParseName(media.Name(77, m)); !ok || tenant != 77 || got != m {
		t.Errorf("%d, %v, %v", tenant, got, ok)
	}
	for _, name := range []string{"", "stamp", "1", "1/ab/med_x", "01/" + media.Name(1, m)[2:], "x" + media.Name(1, m), media.Name(1, m) + "/x", "1/zz/" + m.String(), "-" + media.Name(1, m)} {
		if _, _, ok := media.ParseName(name); ok {
			t.Errorf("%q is no blob's name", name)
		}
	}
}

// FuzzAlteredBlob changes a byte of a sealed blob, or cuts it: then a reader shows what was sealed, up
// to where it was changed, and an error.
func FuzzAlteredBlob(f *testing.F) {
	f.Add(100_000, 16, byte(1), 0)
	f.Add(1, 0, byte(0), 1)
	f.Add(seal.BlobChunk, 20, byte(255), 0)
	f.Add(3*seal.BlobChunk, 0, byte(0), seal.BlobChunk+16)
	k := seal.NewBlobKey()
	f.Fuzz(func(t *testing.T, size, at int, by byte, cut int) {
		if size < 1 || size > 300_000 || cut < 0 {
			return
		}
		content := pattern(size)
		b := sealed(t, k, content)
		head := len(seal.BlobTag)
		changed := by != 0 && at >= head && at < len(b)
		if changed {
			b[at] ^= by
		}
		cut = min(cut, len(b)-head)
		b = b[:len(b)-cut]
		got, err := read(b, k, size)
		if !bytes.HasPrefix(content, got) {
			t.Fatalf("read %d bytes that nobody sealed", len(got))
		}
		if whole := len(got) == size && err == nil; whole != (!changed && cut == 0) && !(changed && at >= len(b)) {
			t.Fatalf("size %d, changed at %d by %d, cut %d: %d bytes, %v", size, at, by, cut, len(got), err)
		}
	})
}
