// Package pseudonym remembers in the region whom recipients' pseudonyms mean. A pseudonym can't be
// turned back without it: it is keyed over a random subject id. Each row of the map goes with the person:
// an erasure or a move deletes it, and what it holds is sealed under the person's key, so that copies
// of the store made before say nothing either.
//
// Format: docs/formats/keys.md.
package pseudonym

import (
	"encoding/binary"
	"fmt"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/vault"
)

// Row is one line of the map.
type Row struct {
	Tenant  uint32
	Digest  [16]byte // of the pseudonym, keyed
	Subject id.Subject
	Sealed  []byte
	At      int64 // Unix ms, when it first left
}

// Store is what the map needs of the region's store.
type Store interface {
	// Rows calls each for those of the digests that are there.
	Rows(tx store.Tx, tenant uint32, digests [][16]byte, each func(Row)) error
	// Insert adds rows; one whose digest is there is left as it is.
	Insert(tx store.Tx, rows []Row) error
	// Of calls each for every row of the subjects.
	Of(tx store.Tx, tenant uint32, subjects []id.Subject, each func(Row)) error
}

// Target is for whom and what for a tenant's people have pseudonyms.
type Target struct {
	Region, TenantID   string
	Tenant             uint32
	Recipient, Purpose string
}

// Person is a subject with the key that is open for the parts that leave.
type Person struct {
	Subject id.Subject
	Key     *seal.Key
}

const sealedTag = "pseudonym 1\x00"

func (t *Target) ad(s id.Subject) []byte {
	b := append(make([]byte, 0, 96), sealedTag...)
	b = seal.AppendName(seal.AppendName(b, t.Region), t.TenantID)
	return append(b, s[:]...)
}

// Remember enters the pseudonyms of people before a delivery names them, each once. It is called in the
// transaction that enters the delivery's decision; nothing may leave before that is durable.
func Remember(tx store.Tx, s Store, t Target, p *vault.Pseudonyms, people []Person, at time.Time) error {
	digests := make([][16]byte, len(people))
	rows := make(map[[16]byte]Person, len(people))
	for i, who := range people {
		digests[i] = p.Digest(p.Subject(who.Subject))
		rows[digests[i]] = who
	}
	if err := s.Rows(tx, t.Tenant, digests, func(r Row) { delete(rows, r.Digest) }); err != nil {
		return fmt.Errorf("look up pseudonyms: %w", err)
	}
	fresh := make([]Row, 0, len(rows))
	for _, digest := range digests {
		who, ok := rows[digest]
		if !ok {
			continue
		}
		delete(rows, digest)
		name := p.Subject(who.Subject)
		plain := append(seal.AppendName(seal.AppendName(nil, t.Recipient), t.Purpose), name[:]...)
		fresh = append(fresh, Row{Tenant: t.Tenant, Digest: digest, Subject: who.Subject,
			Sealed: seal.SealBytes(who.Key, t.ad(who.Subject), plain), At: at.UnixMilli()})
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := s.Insert(tx, fresh); err != nil {
		return fmt.Errorf("enter pseudonyms: %w", err)
	}
	return nil
}

// Find returns the row of a pseudonym. It returns NotFound for one that was never given out, and for that
// of a person who was erased or moved: the two can't be told apart any more.
func Find(tx store.Tx, s Store, t Target, p *vault.Pseudonyms, name id.Pseudonym) (row Row, err error) {
	found := false
	if err := s.Rows(tx, t.Tenant, [][16]byte{p.Digest(name)}, func(r Row) { row, found = r, true }); err != nil {
		return row, fmt.Errorf("look up a pseudonym: %w", err)
	}
	if !found {
		return row, unknown()
	}
	return row, nil
}

func unknown() error {
	return fault.New(fault.NotFound, "pseudonym.unknown", "the pseudonym is nobody's").
		WithHint("it was made for another recipient, purpose, tenant or region, or the person was erased")
}

// Check opens a row under the person's key and returns Invalid unless it says that t's recipient knows
// the person by that name for that purpose.
func Check(r *Row, t Target, key *seal.Key, name id.Pseudonym) error {
	recipient, purpose, have, err := Open(r, t, key)
	if err == nil && (recipient != t.Recipient || purpose != t.Purpose || have != name) {
		err = fault.New(fault.Invalid, "pseudonym.altered", "the row of a pseudonym of %s is another's", r.Subject)
	}
	return err
}

// Open says who knows the person by which name, and what for. Of t only the region and the tenant count.
func Open(r *Row, t Target, key *seal.Key) (recipient, purpose string, name id.Pseudonym, err error) {
	plain, err := seal.OpenBytes(key, t.ad(r.Subject), r.Sealed)
	if err != nil {
		return "", "", name, fmt.Errorf("open a pseudonym of %s: %w", r.Subject, err)
	}
	for _, into := range []*string{&recipient, &purpose} {
		if len(plain) < 2 || len(plain)-2 < int(binary.BigEndian.Uint16(plain)) {
			return "", "", name, fault.New(fault.Invalid, "pseudonym.altered", "the row of a pseudonym of %s can't be read", r.Subject)
		}
		n := int(binary.BigEndian.Uint16(plain))
		*into, plain = string(plain[2:2+n]), plain[2+n:]
	}
	if len(plain) != len(name) {
		return "", "", name, fault.New(fault.Invalid, "pseudonym.altered", "the row of a pseudonym of %s can't be read", r.Subject)
	}
	copy(name[:], plain)
	return recipient, purpose, name, nil
}
