package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
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

type part struct {
	Why       string   `json:"why,omitempty"` // of refused ones
	Region    string   `json:"region"`
	Tenant    string   `json:"tenant"`
	Subject   hexBytes `json:"subject"`
	Chunk     hexBytes `json:"chunk"`
	Ordinal   uint32   `json:"ordinal"`
	Part      uint32   `json:"part"`
	Category  string   `json:"category"`
	Key       hexBytes `json:"key"`
	Nonce     hexBytes `json:"nonce"`
	AD        hexBytes `json:"ad"`
	Plaintext hexBytes `json:"plaintext"`
	Packed    hexBytes `json:"packed"`
	Sealed    hexBytes `json:"sealed"`
}

type value struct {
	Key       hexBytes `json:"key"`
	Bound     hexBytes `json:"bound"`
	AD        hexBytes `json:"ad"`
	Plaintext hexBytes `json:"plaintext"`
	Sealed    hexBytes `json:"sealed"`
}

type vectors struct {
	Format  string  `json:"format"`
	Parts   []part  `json:"parts"`
	Refused []part  `json:"refused"`
	Values  []value `json:"values"`
}

// fill returns n bytes that look random and are the same each time.
func fill(label string, n int) []byte {
	h := sha256.Sum256([]byte(label))
	return h[:n]
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

func (p *part) nonceAndAD() (nonce, ad []byte) {
	nonce = bytes.Clone(p.Chunk)
	for i := range 4 {
		nonce[8+i] ^= byte(p.Part >> (24 - 8*i))
	}
	name := func(s string) { ad = append(binary.BigEndian.AppendUint16(ad, uint16(len(s))), s...) }
	ad = []byte("domicile part 1\x00")
	name(p.Region)
	name(p.Tenant)
	ad = append(append(ad, p.Subject...), p.Chunk...)
	ad = binary.BigEndian.AppendUint32(ad, p.Ordinal)
	name(p.Category)
	return nonce, ad
}

func build(t *testing.T) vectors {
	v := vectors{Format: "domicile part 1"}
	texts := []string{
		"",
		"\x00{}",
		"<node-next-1795329914791-915a6286-fa6b-4e4c-9167-e9a2e3d6950e" + `{"timestamp":"2026-11-22T06:45:14.789Z","integrations":{},"event":"Order Completed","type":"track"}`,
		"\x00" + `{"context":{"ip":"192.0.2.10","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"}}`,
		"\x00" + `{"MessageSid":"SM0123456789abcdef0123456789abcdef","From":"+447700900101","Body":"` + "\u00e1\u00e9 \U0001f600" + `"}`,
		"\x00" + `{"tab":"https://shop.example.test/a?b=c","url":"https://shop.example.test/a?b=c","old":"1999-12-31T23:59:59.999Z","n":"0001234567"}`,
		"\xff\xfe\xfd not JSON, not UTF-8 \x01\x02\x03",
		string(bytes.Repeat([]byte(`{"text":"the same again and again"}`), 300)),
	}
	for i, text := range texts {
		p := part{Region: "ie1", Tenant: "acme", Subject: fill("subject", 12), Chunk: fill("chunk", 12), Ordinal: uint32(i),
			Part: uint32(i * i * 1000003), Category: []string{"usage", "contact", ""}[i%3], Key: fill("key", 32), Plaintext: []byte(text)}
		p.Packed = seal.Pack(nil, p.Plaintext)
		p.Nonce, p.AD = p.nonceAndAD()
		p.Sealed = gcm(t, p.Key).Seal(nil, p.Nonce, p.Packed, p.AD)
		v.Parts = append(v.Parts, p)
	}
	refuse := func(why string, change func(p *part)) {
		p := v.Parts[3]
		p.Sealed = bytes.Clone(p.Sealed)
		p.Why = why
		change(&p)
		p.Nonce, p.AD = p.nonceAndAD()
		v.Refused = append(v.Refused, p)
	}
	refuse("one bit of the ciphertext is another", func(p *part) { p.Sealed[0] ^= 1 })
	refuse("the tag is cut short", func(p *part) { p.Sealed = p.Sealed[:len(p.Sealed)-1] })
	refuse("another region", func(p *part) { p.Region = "us1" })
	refuse("another tenant", func(p *part) { p.Tenant = "globex" })
	refuse("the border between region and tenant moved", func(p *part) { p.Region, p.Tenant = "ie", "1acme" })
	refuse("another subject", func(p *part) { p.Subject = fill("other subject", 12) })
	refuse("another record", func(p *part) { p.Ordinal++ })
	refuse("another part", func(p *part) { p.Part++ })
	refuse("another category", func(p *part) { p.Category = "contact" })
	for _, bad := range []struct {
		why    string
		packed []byte
	}{
		{"it opens, but the codec is unknown", []byte{0x7f, 'x'}},
		{"it opens, but a match leaves the dictionary", []byte{1, 0x80, 0xff, 0xff}},
		{"it opens, but a distance is beyond the output's begin", []byte{1, 0x00, 'a', 0xD0, 0x05}},
		{"it opens, but literals are cut short", []byte{1, 0x05, 'a'}},
	} {
		refuse(bad.why, func(p *part) {
			p.Packed, p.Plaintext = bad.packed, nil
			nonce, ad := p.nonceAndAD()
			p.Sealed = gcm(t, p.Key).Seal(nil, nonce, p.Packed, ad)
		})
	}
	for i, text := range []string{"", "aoife.synthetic@example.com"} {
		x := value{Key: fill("key", 32), Bound: []byte("what it is, and whose"), Plaintext: []byte(text)}
		x.AD = append([]byte("domicile value 1\x00"), x.Bound...)
		nonce := fill("nonce"+string(rune('0'+i)), 12)
		x.Sealed = gcm(t, x.Key).Seal(bytes.Clone(nonce), nonce, x.Plaintext, x.AD)
		v.Values = append(v.Values, x)
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
		if err := os.WriteFile("vectors.json", append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Parts) == 0 || len(v.Refused) == 0 || len(v.Values) == 0 {
		t.Fatal("vectors.json is not whole")
	}
	return v
}

// open opens and unpacks p with the repository's code.
func (p *part) open(t *testing.T) (plaintext []byte, err error) {
	t.Helper()
	k, err := seal.NewKey(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	r := id.Record{Chunk: id.Chunk(p.Chunk), Ordinal: p.Ordinal}
	packed, err := seal.NewBinder(p.Region, p.Tenant).Open(nil, k, id.Subject(p.Subject), r, p.Part, p.Category, p.Sealed)
	if err != nil {
		return nil, err
	}
	return seal.Unpack(nil, packed, 1<<20)
}

func TestPartsAreSealedAsTheVectorsSay(t *testing.T) {
	for i, p := range load(t).Parts {
		nonce, ad := p.nonceAndAD()
		if !bytes.Equal(nonce, p.Nonce) || !bytes.Equal(ad, p.AD) {
			t.Errorf("part %d: nonce %x, ad %x, want %x, %x", i, nonce, ad, p.Nonce, p.AD)
		}
		if got, err := gcm(t, p.Key).Open(nil, p.Nonce, p.Sealed, p.AD); err != nil || !bytes.Equal(got, p.Packed) {
			t.Errorf("part %d by the standard library: %x, %v", i, got, err)
		}
		if got, err := p.open(t); err != nil || !bytes.Equal(got, p.Plaintext) {
			t.Errorf("part %d: %q, %v, want %q", i, got, err, p.Plaintext)
		}
		k, _ := seal.NewKey(p.Key)
		r := id.Record{Chunk: id.Chunk(p.Chunk), Ordinal: p.Ordinal}
		if got := seal.NewBinder(p.Region, p.Tenant).Seal(nil, k, id.Subject(p.Subject), r, p.Part, p.Category, p.Packed); !bytes.Equal(got, p.Sealed) {
			t.Errorf("part %d seals to %x, want %x", i, got, p.Sealed)
		}
	}
}

func TestWhatTheVectorsRefuseIsRefused(t *testing.T) {
	for _, p := range load(t).Refused {
		if got, err := p.open(t); fault.KindOf(err) != fault.Invalid || len(got) > 0 {
			t.Errorf("%s: %q, %v, want invalid", p.Why, got, err)
		}
	}
}

func TestValuesAreSealedAsTheVectorsSay(t *testing.T) {
	for i, x := range load(t).Values {
		k, err := seal.NewKey(x.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.OpenBytes(k, x.Bound, x.Sealed); err != nil || !bytes.Equal(got, x.Plaintext) {
			t.Errorf("value %d: %q, %v, want %q", i, got, err, x.Plaintext)
		}
		if got, err := gcm(t, x.Key).Open(nil, x.Sealed[:12], x.Sealed[12:], x.AD); err != nil || !bytes.Equal(got, x.Plaintext) {
			t.Errorf("value %d by the standard library: %q, %v", i, got, err)
		}
	}
}
