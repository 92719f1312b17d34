package vault

import (
	"crypto/hkdf"
	"crypto/sha256"

	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
)

const pseudonymTag = "domicile pseudonym 1\x00"

// What a pseudonym is of, the first byte of the input.
const (
	pseudonymSubject = 1
	pseudonymRecord  = 2
	pseudonymDigest  = 3
)

// Pseudonyms turns the random ids of one tenant's persons and records into what one recipient calls
// them for one purpose. Its key has one version for ever: neither a rotation of the epoch nor one of
// the index key changes what a recipient knows somebody by. It is safe for concurrent use.
type Pseudonyms struct{ macs macs }

// Pseudonyms returns the pseudonyms of a tenant's persons and records for a recipient and a purpose.
// It derives a key each time; keep what it returns.
func (v *Vault) Pseudonyms(tenant, recipient, purpose string) *Pseudonyms {
	info := seal.AppendName(seal.AppendName([]byte(pseudonymTag), v.opt.Region), tenant)
	info = seal.AppendName(seal.AppendName(info, recipient), purpose)
	key, err := hkdf.Expand(sha256.New, v.nobody, string(info), sha256.Size)
	if err != nil {
		panic(err) // only for too long a key
	}
	return PseudonymsUnder(key)
}

// PseudonymsUnder returns the pseudonyms under a key: for vectors and tests.
func PseudonymsUnder(key []byte) *Pseudonyms {
	p := &Pseudonyms{}
	p.macs.init(key)
	return p
}

// Subject returns the pseudonym of a person.
func (p *Pseudonyms) Subject(s id.Subject) (v id.Pseudonym) {
	m := p.macs.get()
	m.in = append(append(m.in[:0], pseudonymSubject), s[:]...)
	copy(v[:], m.sum())
	p.macs.put(m)
	return v
}

// Record returns the pseudonym of a record.
func (p *Pseudonyms) Record(r id.Record) (v id.RecordPseudonym) {
	m := p.macs.get()
	b := r.Bytes()
	m.in = append(append(m.in[:0], pseudonymRecord), b[:]...)
	copy(v[:], m.sum())
	p.macs.put(m)
	return v
}

// Digest returns what a pseudonym is found by in the region's store: whoever has the store and what
// the recipient has can't bring the two together.
func (p *Pseudonyms) Digest(of id.Pseudonym) (v [16]byte) {
	m := p.macs.get()
	m.in = append(append(m.in[:0], pseudonymDigest), of[:]...)
	copy(v[:], m.sum())
	p.macs.put(m)
	return v
}
