// Package subject answers who is who: identifiers lead to a subject, subjects that are one
// person share a head, and a stranger's claim joins nobody.
//
// Identity is resolved inside the commit transaction on a Graph, which holds what the store knows
// of the identifiers at hand and collects what changes. The rules are in resolve.go and are pure.
package subject

import (
	"math"

	"domicile.dev/internal/id"
	"domicile.dev/internal/term"
)

// Digest is the blind index of an identifier: its type and canonical value under the tenant's index key.
type Digest [16]byte

// Key names a subject.
type Key struct {
	Tenant  uint32
	Subject id.Subject
}

// BindingKey names an identifier.
type BindingKey struct {
	Tenant uint32
	Digest Digest
}

// State is a set of what is in force on a person. It is kept on the head.
type State uint32

const (
	// Restricted is GDPR art. 18: stored and collected, but not used, read or sent.
	Restricted State = 1 << iota
	// Held is a legal hold: the person can't be erased.
	Held
	// Trusted says that a server source has spoken of the person: claims no longer find them.
	Trusted
	// Known says that the person has a user id of their own; two known persons are never joined.
	Known
	// Public says that the subject was created by a public source.
	Public
	// InThings says that the person takes part in things of many, whose records can lie under a
	// stand-in's key.
	InThings
	// Contested says that links of the person to others were refused; they are kept by LinkStore.
	Contested
	// Arriving says that the subject is on its way from another region, where it is still at home:
	// nothing here finds, reads or changes it.
	Arriving
	// Spoken says that the person said something of what may be done with their data; internal/consent
	// keeps it.
	Spoken
)

// Names returns the states that a tenant is shown, in a fixed order.
func (s State) Names() []string {
	names := []string{}
	if s&Restricted != 0 {
		names = append(names, "restricted")
	}
	if s&Held != 0 {
		names = append(names, "held")
	}
	return names
}

// Row is a subject as stored. Head is itself unless the subject was merged into another person.
type Row struct {
	Key
	Head      id.Subject
	State     State
	CreatedAt int64  // Unix milliseconds
	CreatedBy string // source id
	HoldUntil int64  // Unix milliseconds, 0 without an end; meaningful while Held
	Epoch     uint32 // of the epoch key that wraps the person's key
	Wrapped   []byte
	// Numbers are the countries of a new person's numbers, as residency.Origins keeps them. Rows that
	// are loaded don't have it, see Store.Origins.
	Numbers string
}

// IsHead says whether the row speaks for the person.
func (r *Row) IsHead() bool { return r.Head == r.Subject }

// Binding ties an identifier to a subject. An identifier with more than one binding that is
// neither claimed nor solo is shared.
type Binding struct {
	BindingKey
	Subject    id.Subject
	Type       string
	Claimed    bool   // said by a public source of a subject it created
	Solo       bool   // the subject of records known only by a shared identifier
	Source     string // who said so first
	KeyVersion uint32 // of the index key
	Sealed     []byte // the canonical value under the subject's key
	Value      []byte // the canonical value, until it is sealed; only new bindings have it
	CreatedAt  int64
	Country    string // that a new one tells, "" for none
	RetiredAt  int64  // Unix ms from when on the identifier is nobody's, or somebody else's; 0 while it is the subject's
}

// Identifier is what an event says of a person, canonical and blind.
type Identifier struct {
	Type   string
	Value  []byte // canonical; a view that lives as long as the request
	Digest Digest
	// Before is the digest under the version of the index key before, while that one still counts;
	// zero otherwise.
	Before Digest
}

// Say is what one event says about one person.
type Say struct {
	Tenant      uint32
	Identifiers []Identifier
	Join        bool        // identify, alias, or a native record that names several identifiers
	Previous    *Identifier // alias: the previous id, read as a user id; Identifiers has it as an anonymous id
	Former      *Identifier // one of Identifiers that the person gives up with this event
	Trust       term.Trust
	Source      string
	At          int64 // when it was received, Unix ms
	Occurred    int64 // when it occurred, Unix ms; 0: now
}

// when is the time at which an identifier's holder is meant.
func (s *Say) when() int64 {
	if s.Occurred == 0 {
		return now
	}
	return s.Occurred
}

// now is later than any time at which something was retired.
const now = math.MaxInt64

// rank orders identifier types by how surely they name one person.
func rank(typ string) int {
	switch typ {
	case term.UserID:
		return 0
	case term.AnonymousID:
		return 1
	case term.Identity, term.WhatsAppID:
		return 2
	case term.Email:
		return 3
	case term.Phone:
		return 4
	case term.DeviceID:
		return 6
	default:
		return 5 // the operator's own types
	}
}

// Primary returns the identifier that names the person best; nil when s has none.
func (s *Say) Primary() *Identifier {
	var best *Identifier
	for i := range s.Identifiers {
		if best == nil || rank(s.Identifiers[i].Type) < rank(best.Type) {
			best = &s.Identifiers[i]
		}
	}
	return best
}

// Decisive says whether Resolve looks at the identifier: the primary one always, the others when s
// joins, and of a public source both ids of its own.
func (s *Say) Decisive(ident *Identifier) bool {
	return s.Join || ident == s.Primary() || s.Trust != term.Server && rank(ident.Type) <= rank(term.AnonymousID)
}

func (s *Say) find(typ string) *Identifier {
	for i := range s.Identifiers {
		if s.Identifiers[i].Type == typ {
			return &s.Identifiers[i]
		}
	}
	return nil
}
