package ledger

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Signature types of signed notes.
const (
	algEd25519     = 0x01
	algCosignature = 0x04 // c2sp.org/tlog-cosignature, cosignature/v1
)

// Origin returns the origin of a region's log.
func Origin(region string) string { return "domicile/" + region }

// Keys are a region's two signing keys: its log's and its witness's.
type Keys struct {
	origin  string
	log     note.Signer
	logKey  string
	logOpen note.Verifier
	witness ed25519.PrivateKey
	cosign  *cosignature
}

// NewKeys derives both keys from the keyring's "ledger/1", 32 bytes. origin is the log's name.
func NewKeys(origin string, seed []byte) (*Keys, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("ledger key: %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	k := &Keys{origin: origin}
	pub := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	private := append([]byte{algEd25519}, seed...)
	text := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, keyID(origin, algEd25519, pub), base64.StdEncoding.EncodeToString(private))
	var err error
	if k.log, err = note.NewSigner(text); err != nil {
		return nil, fmt.Errorf("ledger key of %s: %w", origin, err)
	}
	k.logKey = verifierKey(origin, algEd25519, pub)
	if k.logOpen, err = note.NewVerifier(k.logKey); err != nil {
		return nil, fmt.Errorf("ledger key of %s: %w", origin, err)
	}
	other, err := hkdf.Key(sha256.New, seed, nil, "domicile ledger witness 1", ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive witness key: %w", err)
	}
	k.witness = ed25519.NewKeyFromSeed(other)
	name := origin + "/witness"
	wpub := k.witness.Public().(ed25519.PublicKey)
	k.cosign = &cosignature{name: name, id: keyID(name, algCosignature, wpub), key: wpub}
	return k, nil
}

// LogKey returns the verifier key of the log, as text.
func (k *Keys) LogKey() string { return k.logKey }

// WitnessKey returns the verifier key of the witness, as text.
func (k *Keys) WitnessKey() string { return verifierKey(k.cosign.name, algCosignature, k.cosign.key) }

// cosignAt returns the signature line over a checkpoint's text.
func (k *Keys) cosignAt(text string, at time.Time) []byte {
	sec := at.Unix()
	sig := ed25519.Sign(k.witness, cosigned(sec, []byte(text)))
	b := binary.BigEndian.AppendUint32(nil, k.cosign.id)
	b = binary.BigEndian.AppendUint64(b, uint64(sec))
	b = append(b, sig...)
	return fmt.Appendf(nil, "— %s %s\n", k.cosign.name, base64.StdEncoding.EncodeToString(b))
}

// cosignature verifies cosignatures of one witness. It is a note.Verifier.
type cosignature struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func (c *cosignature) Name() string    { return c.name }
func (c *cosignature) KeyHash() uint32 { return c.id }

// Verify checks sig, 8 bytes of time and 64 of signature, over a checkpoint's text.
func (c *cosignature) Verify(text, sig []byte) bool {
	at, ok := cosignedAt(sig)
	return ok && ed25519.Verify(c.key, cosigned(at, text), sig[8:])
}

func cosignedAt(sig []byte) (sec int64, ok bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, false
	}
	sec = int64(binary.BigEndian.Uint64(sig))
	return sec, sec >= 0
}

func cosigned(sec int64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", sec), text...)
}

// NewVerifier reads a verifier key of a log (type 0x01) or of a witness (type 0x04).
func NewVerifier(key string) (note.Verifier, error) {
	key = strings.TrimSpace(key)
	name, rest, _ := strings.Cut(key, "+")
	hash, encoded, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return note.NewVerifier(key)
	}
	want, err := strconv.ParseUint(hash, 16, 32)
	c := &cosignature{name: name, id: keyID(name, algCosignature, raw[1:]), key: raw[1:]}
	if err != nil || len(hash) != 8 || name == "" || strings.ContainsAny(name, " \t\n") || uint32(want) != c.id {
		return nil, fmt.Errorf("witness key: malformed")
	}
	return c, nil
}

func keyID(name string, alg byte, pub []byte) uint32 {
	h := sha256.Sum256(append(append([]byte(name), '\n', alg), pub...))
	return binary.BigEndian.Uint32(h[:])
}

func verifierKey(name string, alg byte, pub []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, alg, pub), base64.StdEncoding.EncodeToString(append([]byte{alg}, pub...)))
}
