package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
)

// sampleParts is a made-up track event, as it is split by category.
var sampleParts = [][]byte{
	[]byte("<node-next-1795329914791-915a6286-fa6b-4e4c-9167-e9a2e3d6950e" +
		`{"timestamp":"2026-11-22T06:45:14.789Z","integrations":{},"event":"Order Completed","type":"track","context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}},"_metadata":{"nodeVersion":"v20.20.2","jsRuntime":"node"}}`),
	[]byte("\x00" + `{"properties":{"order_id":"o-48213","revenue":129.95,"currency":"EUR","plan":"pro"}}`),
	[]byte("\x00" + `{"context":{"ip":"192.0.2.10","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36","locale":"en-IE"}}`),
	[]byte("\x00" + `{"context":{"page":{"path":"/pricing"}},"userId":"user-ie-0001"}`),
}

// texts are what the coder has a form for, and what almost looks so.
var texts = []string{
	"", "x", "\x00", "{}", "\xff\xfe\x00",
	"2026-11-22T06:45:14.789Z", "2026-02-29T06:45:14.789Z", "2024-02-29T23:59:59.999Z", "1970-01-01T00:00:00.000Z",
	"1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z", "2026-11-22T06:45:60.000Z", "2026-11-22T24:00:00.000Z", "2026-11-22t06:45:14.789Z",
	"2026-11-22T06:45:14.789z", "2026-13-01T00:00:00.000Z", "2026-00-01T00:00:00.000Z", "2100-02-29T00:00:00.000Z", "2055-01-01T00:00:00.000Z", "2019-12-31T23:59:59.999Z",
	"915a6286-fa6b-4e4c-9167-e9a2e3d6950e", "915A6286-fa6b-4e4c-9167-e9a2e3d6950e", "915a6286-fa6b-4e4c-9167-e9a2e3d6950", "915a6286-fa6b-4e4c-9167-e9a2e3d6950ef",
	"0", "000000", "0123456", "9999999999999", "1577836799999", "1577836800000", "2677348427776", "9999999999999999999", "18446744073709551616", "99999999999999999999", strings.Repeat("7", 100),
	"192.0.2.10", "1.2.3.4", "01.2.3.4", "256.1.1.1", "1.2.3.4.5", "1.2.3", "192.0.2.255.", "255.255.255.2551", "1..2.3", "0.0.0.0",
	"SM0123456789abcdef0123456789abcdef", "deadbeefcafe", "deadbeefcaf", strings.Repeat("ab", 300), "0123456789abcdeF0123",
	strings.Repeat(`"version":"3.1.0"`, 9), strings.Repeat("a", 70), strings.Repeat("ab", 70), `{"url":"https://shop.example.test/p?x=1","tab_url":"https://shop.example.test/p?x=1"}`,
}

func TestUnpackReturnsWhatPackWasGiven(t *testing.T) {
	all := append([][]byte(nil), sampleParts...)
	for _, s := range texts {
		all = append(all, []byte(s), []byte("x"+s), []byte(`{"a":"`+s+`"}`))
	}
	all = append(all, []byte(dict1Text), dict1.text[:dict1.size], bytes.Repeat(sampleParts[0], 3), bytes.Repeat(sampleParts[2], 500))
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 { // pieces of everything, glued
		var b []byte
		for range 1 + r.IntN(12) {
			switch r.IntN(3) {
			case 0:
				from := r.IntN(dict1.size - 100)
				b = append(b, dict1.text[from:from+r.IntN(100)]...)
			case 1:
				b = append(b, texts[r.IntN(len(texts))]...)
			default:
				for range r.IntN(20) {
					b = append(b, byte(r.Uint32()))
				}
			}
		}
		all = append(all, b)
	}
	for _, p := range all {
		prefix := []byte("before")
		packed := Pack(prefix, p)
		if !bytes.HasPrefix(packed, prefix) || len(packed) > len(prefix)+len(p)+1 {
			t.Fatalf("Pack of %d bytes gave %d", len(p), len(packed)-len(prefix))
		}
		got, err := Unpack(prefix, packed[len(prefix):], len(p))
		if err != nil || !bytes.Equal(got[len(prefix):], p) {
			t.Fatalf("Unpack(Pack(%.80q)) = %.80q, %v", p, got, err)
		}
		if len(p) > 0 {
			if got, err = Unpack(nil, packed[len(prefix):], len(p)-1); fault.KindOf(err) != fault.Invalid || len(got) != 0 {
				t.Fatalf("Unpack within %d bytes of %.80q: %d bytes, %v", len(p)-1, p, len(got), err)
			}
		}
	}
}

// TestPartsGetSmall holds the ratio: a regression here is a third more disk for everybody.
func TestPartsGetSmall(t *testing.T) {
	in, out := 0, 0
	for _, p := range sampleParts {
		in, out = in+len(p), out+len(Pack(nil, p))
	}
	if out > 135 {
		t.Errorf("a track event of %d bytes packs to %d, want at most 135", in, out)
	}
	large := bytes.Repeat(sampleParts[0], 20)
	if n := len(Pack(nil, large)); n > len(large)/8 {
		t.Errorf("%d repetitive bytes pack to %d", len(large), n)
	}
}

// TestDictionariesNeverChange: parts packed with a dictionary need the very same bytes for ever.
func TestDictionariesNeverChange(t *testing.T) {
	const want = "521b922e263982722ef340d6130146c99203fcf55f1ced2782df839879bfde90"
	sum := sha256.Sum256(dict1.text[:dict1.size])
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("dictionary 1 has SHA-256 %s, want %s: add a new one instead", got, want)
	}
}

func TestUnpackRefusesGarbage(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":                  {},
		"unknown codec":            {9, 1, 2},
		"literals cut short":       {1, 0x05, 'a'},
		"match beyond the text":    {1, 0xBF, 0xff, 0xff, 0xff, 0x07, 0, 0},
		"match before the text":    {1, 0xC0, 0x80},
		"back before the output":   {1, 0x00, 'a', 0xD0, 0x05},
		"reserved token":           {1, 0xF4},
		"digits too large":         {1, 0xE4, 0xff, 0xff, 0xff},
		"time after the year 9999": {1, 0xE2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a length without end":     {1, 0x7f, 0x80, 0x80},
		"zstd of nothing":          {2},
		"zstd of noise":            {2, 1, 2, 3, 4, 5, 6, 7, 8},
	} {
		if got, err := Unpack(nil, b, 1<<20); fault.KindOf(err) != fault.Invalid || len(got) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	// Back-references multiply: the bound holds before the bytes are made.
	bomb := []byte{1, 0x00, 'a'}
	for range 10 {
		bomb = append(bomb, 0xD7, 0xff, 0xff, 0xff, 0x7f, 0x00)
	}
	if got, err := Unpack(nil, bomb, 1<<16); err == nil || cap(got) > 1<<17 {
		t.Errorf("a bomb: %v, %d bytes allocated", err, cap(got))
	}
}

func TestPackDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 4096)
	packed := Pack(nil, sampleParts[0])
	if n := testing.AllocsPerRun(100, func() { dst = Pack(dst[:0], sampleParts[0]) }); n > 0.5 {
		t.Errorf("Pack allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { dst, _ = Unpack(dst[:0], packed, 1<<16) }); n > 0.5 {
		t.Errorf("Unpack allocates %v times", n)
	}
}

func FuzzPack(f *testing.F) {
	for _, p := range sampleParts {
		f.Add(p)
	}
	for _, s := range texts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		packed := Pack(nil, p)
		got, err := Unpack(nil, packed, len(p))
		if err != nil || !bytes.Equal(got, p) {
			t.Fatalf("Unpack(Pack(%q)) = %q, %v", p, got, err)
		}
		code := encodeShape(nil, p, dict1) // whatever its size
		if got, err = decodeShape(nil, code, dict1, len(p)); err != nil || !bytes.Equal(got, p) {
			t.Fatalf("shape: %q became %q, %v", p, got, err)
		}
	})
}

// FuzzUnpack: garbage gives an error or a bounded result, and never a panic.
func FuzzUnpack(f *testing.F) {
	for _, p := range sampleParts {
		f.Add(Pack(nil, p), 1<<12)
	}
	f.Add(Pack(nil, bytes.Repeat(sampleParts[0], 30)), 1<<14)
	f.Fuzz(func(t *testing.T, b []byte, most int) {
		most &= 1<<16 - 1
		got, err := Unpack([]byte("x"), b, most)
		if len(got) > 1+most || got[0] != 'x' || err != nil && (len(got) != 1 || fault.KindOf(err) != fault.Invalid) {
			t.Fatalf("%d bytes of at most %d, %v", len(got), most, err)
		}
	})
}

func BenchmarkPack(b *testing.B) {
	n := 0
	for _, p := range sampleParts {
		n += len(p)
	}
	b.SetBytes(int64(n))
	dst := make([]byte, 0, 4096)
	for b.Loop() {
		for _, p := range sampleParts {
			dst = Pack(dst[:0], p)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	var packed [][]byte
	n := 0
	for _, p := range sampleParts {
		packed = append(packed, Pack(nil, p))
		n += len(p)
	}
	b.SetBytes(int64(n))
	dst := make([]byte, 0, 4096)
	for b.Loop() {
		for _, p := range packed {
			dst, _ = Unpack(dst[:0], p, 1<<16)
		}
	}
}
