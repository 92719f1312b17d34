package transit_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/transit"
)

const frame = 64 << 10 // of content

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func sealMedium(t testing.TB, k *transit.Key, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	about := transit.Medium{ID: "med_x", Type: "audio/mpeg", Name: "a.mp3", Bytes: int64(len(b)), Class: 30, ReceivedAt: 7}
	if err := transit.SealMedium(&out, k.Public(), route, "rec_x", 2, about, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openMedium(k *transit.Key, r transit.Route, record string, n int, in io.Reader) ([]byte, error) {
	m, err := k.OpenMedium(r, record, n, in)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(m)
}

func TestAMediumComesWhole(t *testing.T) {
	k, _ := transit.NewKey()
	for _, n := range []int{1, frame - 1, frame, frame + 1, 3*frame + 5} {
		b := content(n)
		sealed := sealMedium(t, k, b)
		for name, in := range map[string]io.Reader{"at once": bytes.NewReader(sealed), "in bits": iotest.HalfReader(bytes.NewReader(sealed)), "with the end": iotest.DataErrReader(bytes.NewReader(sealed))} {
			m, err := k.OpenMedium(route, "rec_x", 2, in)
			if err != nil {
				t.Fatal(err)
			}
			if a := m.About(); a.ID != "med_x" || a.Type != "audio/mpeg" || a.Name != "a.mp3" || a.Bytes != int64(n) || a.Class != 30 || a.ReceivedAt != 7 {
				t.Errorf("%d bytes %s: %+v", n, name, a)
			}
			if got, err := io.ReadAll(m); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes %s: %d, %v", n, name, len(got), err)
			}
		}
		for cut := range []int{0, 1, 5} { // at no place is a part taken for the whole
			for at := cut; at < len(sealed); at += frame/3 + 1 {
				if _, err := openMedium(k, route, "rec_x", 2, bytes.NewReader(sealed[:at])); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("%d of %d bytes: %v", at, len(sealed), err)
				}
			}
		}
	}
}

func TestAMediumOpensForItsPlaceAlone(t *testing.T) {
	k, _ := transit.NewKey()
	other, _ := transit.NewKey()
	sealed := sealMedium(t, k, content(3*frame))
	head := len(sealed) - 3*(4+frame+16)
	swapped := bytes.Clone(sealed)
	copy(swapped[head:], sealed[head+4+frame+16:head+2*(4+frame+16)])
	early := bytes.Clone(sealed[:head+4+frame+16])
	early[head] |= 0x80 // the first frame called the last
	huge := bytes.Clone(sealed)
	copy(huge[head:], []byte{0x7f, 0xff, 0xff, 0xff})
	elsewhere := route
	elsewhere.To = "au1"
	for name, open := range map[string]func() ([]byte, error){
		"another record": func() ([]byte, error) { return openMedium(k, route, "rec_y", 2, bytes.NewReader(sealed)) },
		"another number": func() ([]byte, error) { return openMedium(k, route, "rec_x", 3, bytes.NewReader(sealed)) },
		"another region": func() ([]byte, error) { return openMedium(k, elsewhere, "rec_x", 2, bytes.NewReader(sealed)) },
		"another key":    func() ([]byte, error) { return openMedium(other, route, "rec_x", 2, bytes.NewReader(sealed)) },
		"frames swapped": func() ([]byte, error) { return openMedium(k, route, "rec_x", 2, bytes.NewReader(swapped)) },
		"ended early":    func() ([]byte, error) { return openMedium(k, route, "rec_x", 2, bytes.NewReader(early)) },
		"a huge frame":   func() ([]byte, error) { return openMedium(k, route, "rec_x", 2, bytes.NewReader(huge)) },
		"more behind": func() ([]byte, error) {
			return openMedium(k, route, "rec_x", 2, bytes.NewReader(append(bytes.Clone(sealed), 0)))
		},
	} {
		if got, err := open(); fault.ReasonOf(err) != "move.altered" || !bytes.HasPrefix(content(3*frame), got) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestSealingTellsWhenTheContentIsNotWhole(t *testing.T) {
	k, _ := transit.NewKey()
	boom := errors.New("boom")
	for _, tt := range []struct{ from, want any }{{bytes.NewReader(content(9)), io.ErrUnexpectedEOF}, {iotest.ErrReader(boom), boom}} {
		err := transit.SealMedium(io.Discard, k.Public(), route, "rec_x", 0, transit.Medium{Bytes: 10}, tt.from.(io.Reader))
		if !errors.Is(err, tt.want.(error)) {
			t.Errorf("%v, want %v", err, tt.want)
		}
	}
}

// FuzzMedium changes a sealed medium in one place, cuts it, or takes any bytes: what is read is a
// beginning of what was sealed, and the end only when it is whole.
func FuzzMedium(f *testing.F) {
	k, err := transit.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(1000, 1200, byte(1), 0, []byte(nil))
	f.Add(2*frame, 2000, byte(0), 40, []byte(nil))
	f.Add(1, 1121, byte(128), 0, []byte{})
	f.Add(1, 0, byte(0), 0, content(2000))
	f.Fuzz(func(t *testing.T, size, at int, by byte, cut int, raw []byte) {
		if got, err := openMedium(k, route, "rec_x", 2, bytes.NewReader(raw)); err == nil || len(got) > 0 {
			t.Fatalf("read %d bytes that nobody sealed, %v", len(got), err)
		}
		if size < 1 || size > 3*frame || cut < 0 || at < 0 {
			return
		}
		b := content(size)
		sealed := sealMedium(t, k, b)
		changed := by != 0 && at < len(sealed)
		if changed {
			sealed[at] ^= by
		}
		cut = min(cut, len(sealed))
		got, err := openMedium(k, route, "rec_x", 2, bytes.NewReader(sealed[:len(sealed)-cut]))
		if !bytes.HasPrefix(b, got) {
			t.Fatalf("read %d bytes that nobody sealed", len(got))
		}
		if whole := err == nil && len(got) == size; whole != (!changed && cut == 0) {
			t.Fatalf("size %d, changed at %d by %d, cut %d: %d bytes, %v", size, at, by, cut, len(got), err)
		}
	})
}
