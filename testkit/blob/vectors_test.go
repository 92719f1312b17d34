package blob_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"testing"

	"domicile.dev/internal/id"
	"domicile.dev/internal/media"
	"domicile.dev/internal/media/files"
	"domicile.dev/internal/seal"
)

var update = flag.Bool("update", false, "write vectors.json anew")

// hexBytes are bytes that JSON shows in hex.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type blob struct {
	Region         string   `json:"region"`
	Tenant         string   `json:"tenant"`
	Subject        hexBytes `json:"subject"`
	Record         hexBytes `json:"record"`
	Media          hexBytes `json:"media"`
	Key            hexBytes `json:"key"`
	PersonKey      hexBytes `json:"person_key"`
	Wrapped        hexBytes `json:"wrapped"`
	Length         int      `json:"length"`
	Sealed         hexBytes `json:"sealed,omitempty"` // of short ones
	SealedSHA256   hexBytes `json:"sealed_sha256"`
	Digest         hexBytes `json:"digest"`
	About          hexBytes `json:"about"`
	AboutPlaintext string   `json:"about_plaintext"`
}

type vectors struct {
	Format  string   `json:"format"`
	Blobs   []blob   `json:"blobs"`
	Refused []string `json:"refused"`
}

// fill returns n bytes that look random and are the same each time.
func fill(label string, n int) []byte {
	h := sha256.Sum256([]byte(label))
	return h[:n]
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i + i/251)
	}
	return b
}

// The format once more, with nothing but the standard library.

func gcm(t *testing.T, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b *blob) derive(t *testing.T, what string) []byte {
	t.Helper()
	k, err := hkdf.Expand(sha256.New, b.Key, "domicile blob "+what+" 1\x00", 32)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (b *blob) place() (p []byte) {
	for _, name := range []string{b.Region, b.Tenant} {
		p = append(binary.BigEndian.AppendUint16(p, uint16(len(name))), name...)
	}
	return append(append(append(p, b.Subject...), b.Record...), b.Media...)
}

// seal seals the content by the book.
func (b *blob) seal(t *testing.T) []byte {
	const tag, chunk = "domicile blob 1\x00", 65536
	out, rest, aead := []byte(tag), content(b.Length), gcm(t, b.derive(t, "content"))
	for n := uint64(0); len(rest) > 0; n++ {
		this := rest[:min(chunk, len(rest))]
		rest = rest[len(this):]
		nonce := binary.BigEndian.AppendUint64(make([]byte, 4), n)
		ad := binary.BigEndian.AppendUint64(append([]byte(tag), b.place()...), n)
		last := byte(0)
		if len(rest) == 0 {
			last = 1
		}
		out = aead.Seal(out, nonce, this, append(ad, last))
	}
	return out
}

func (b *blob) digest(t *testing.T) []byte {
	h := hmac.New(sha256.New, b.derive(t, "digest"))
	h.Write(content(b.Length))
	return h.Sum(nil)
}

// value opens a small value by the book.
func (b *blob) value(t *testing.T, key []byte, what string, sealed []byte) []byte {
	t.Helper()
	out, err := gcm(t, key).Open(nil, sealed[:12], sealed[12:], append([]byte("domicile value 1\x00"+what+" 1\x00"), b.place()...))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return out
}

func (b *blob) ours() *seal.BlobPlace {
	return &seal.BlobPlace{Region: b.Region, Tenant: b.Tenant, Subject: id.Subject(b.Subject), Record: id.RecordOf([16]byte(b.Record)), Media: id.Media(b.Media)}
}

func build(t *testing.T) vectors {
	v := vectors{Format: "domicile blob 1", Refused: []string{"one bit of a chunk is another", "the last chunk is cut off", "a byte is cut off",
		"two chunks changed places", "another region", "another tenant", "another subject", "another record", "another media id", "a length that is shorter"}}
	for i, n := range []int{1, 1000, 65535, 65536, 65537, 200000} {
		b := blob{Region: "ie1", Tenant: "acme", Subject: fill("subject", 12), Record: fill("record", 16), Media: fill(string(rune('a'+i)), 12),
			Key: fill("key "+string(rune('a'+i)), 32), PersonKey: fill("person", 32), Length: n, AboutPlaintext: `{"type":"audio/mpeg","name":"call.mp3"}`}
		if i == 3 { // about several people
			b.Subject = make([]byte, 12)
		}
		sealed := b.seal(t)
		sum := sha256.Sum256(sealed)
		b.SealedSHA256, b.Digest = sum[:], b.digest(t)
		if n <= 1000 {
			b.Sealed = sealed
		}
		person, err := seal.NewKey(b.PersonKey)
		if err != nil {
			t.Fatal(err)
		}
		key, err := seal.ReadBlobKey(b.Key)
		if err != nil {
			t.Fatal(err)
		}
		p := b.ours()
		b.Wrapped = seal.WrapBlobKey(person, p, p.Subject, key)
		b.About = key.SealAbout(p, []byte(b.AboutPlaintext))
		v.Blobs = append(v.Blobs, b)
	}
	return v
}

func load(t *testing.T) (v vectors) {
	t.Helper()
	if *update {
		b, err := json.MarshalIndent(build(t), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("vectors.json", append(b, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Blobs) != 6 || len(v.Refused) != 10 {
		t.Fatalf("%d blobs, %d refused", len(v.Blobs), len(v.Refused))
	}
	return v
}

func TestVectorsAreTheFormatByTheBook(t *testing.T) {
	for _, b := range load(t).Blobs {
		sealed := b.seal(t)
		if sum := sha256.Sum256(sealed); !bytes.Equal(sum[:], b.SealedSHA256) || b.Sealed != nil && !bytes.Equal(sealed, b.Sealed) {
			t.Errorf("%d bytes: sealed otherwise", b.Length)
		}
		if !bytes.Equal(b.digest(t), b.Digest) {
			t.Errorf("%d bytes: another digest", b.Length)
		}
		about := b.value(t, b.derive(t, "about"), "blob about", b.About)
		if len(about)%64 != 0 || string(bytes.TrimRight(about, " ")) != b.AboutPlaintext {
			t.Errorf("%d bytes: about is %q", b.Length, about)
		}
		if k := b.value(t, b.PersonKey, "blob key", b.Wrapped); !bytes.Equal(k, b.Key) {
			t.Errorf("%d bytes: another key is wrapped", b.Length)
		}
	}
}

// read reads a sealed blob with this repository's code.
func read(t *testing.T, k *seal.BlobKey, p seal.BlobPlace, sealed []byte, length int) ([]byte, error) {
	t.Helper()
	s, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(sealed); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	r := media.NewReader(t.Context(), s, "b", k, p, int64(length), func() error { return nil })
	defer r.Close()
	return io.ReadAll(r)
}

func TestOurCodeReadsAndWritesTheVectors(t *testing.T) {
	v := load(t)
	for _, b := range v.Blobs {
		person, err := seal.NewKey(b.PersonKey)
		if err != nil {
			t.Fatal(err)
		}
		p := b.ours()
		k, err := seal.UnwrapBlobKey(person, p, p.Subject, b.Wrapped)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		c, err := media.Copy(&out, k, p, bytes.NewReader(content(b.Length)), int64(b.Length))
		if err != nil || !bytes.Equal(c.Sealed[:], b.SealedSHA256) || !bytes.Equal(c.Digest[:], b.Digest) || c.Size != int64(b.Length) {
			t.Errorf("%d bytes: sealed otherwise, %v", b.Length, err)
		}
		if int64(out.Len()) != seal.SealedBlobBytes(c.Size) {
			t.Errorf("%d bytes: %d sealed, want %d", b.Length, out.Len(), seal.SealedBlobBytes(c.Size))
		}
		if got, err := read(t, k, *p, out.Bytes(), b.Length); err != nil || !bytes.Equal(got, content(b.Length)) {
			t.Errorf("%d bytes: read %d, %v", b.Length, len(got), err)
		}
		if about, err := k.OpenAbout(p, b.About); err != nil || string(bytes.TrimRight(about, " ")) != b.AboutPlaintext {
			t.Errorf("%d bytes: about %q, %v", b.Length, about, err)
		}
	}
}

func TestWhatWasChangedIsRefused(t *testing.T) {
	v := load(t)
	const chunk = 65536 + 16
	for _, change := range v.Refused {
		b := v.Blobs[5]
		sealed, length := b.seal(t), b.Length
		k, err := seal.ReadBlobKey(b.Key)
		if err != nil {
			t.Fatal(err)
		}
		p := b.ours()
		switch change {
		case "one bit of a chunk is another":
			sealed[16+chunk] ^= 1
		case "the last chunk is cut off":
			sealed, length = sealed[:16+3*chunk], 3*65536
		case "a byte is cut off":
			sealed, length = sealed[:len(sealed)-1], length-1
		case "two chunks changed places":
			first := bytes.Clone(sealed[16 : 16+chunk])
			copy(sealed[16:], sealed[16+chunk:16+2*chunk])
			copy(sealed[16+chunk:], first)
		case "another region":
			p.Region = "us1"
		case "another tenant":
			p.Tenant = "globex"
		case "another subject":
			p.Subject[0] ^= 1
		case "another record":
			p.Record.Ordinal++
		case "another media id":
			p.Media[0] ^= 1
		case "a length that is shorter":
			length = 65536
		default:
			t.Fatalf("unknown change %q", change)
		}
		if got, err := read(t, k, *p, sealed, length); err == nil || !bytes.HasPrefix(content(b.Length), got) {
			t.Errorf("%s: read %d bytes, %v, want an error", change, len(got), err)
		}
	}
}
