package transit

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"unicode/utf8"

	"domicile.dev/internal/fault"
)

// Hello is the first that the source sends: by what the two regions know each other's word.
type Hello struct {
	AckKey  []byte `json:"ack_key"` // under which the target acknowledges
	Release []byte `json:"release"` // SHA-256 of what the source reveals when the person is the target's
	Cancel  []byte `json:"cancel"`  // SHA-256 of what the source reveals when they will never be
}

// Page is some records in the order in which the source has them.
type Page struct {
	From    string   `json:"from"` // the source's cursor: "" for the first
	Next    string   `json:"next"` // where the next page begins
	Records []Record `json:"records"`
}

// Record is one record, with the parts of the person and those that are about nobody.
type Record struct {
	ID         string     `json:"id"` // at the source
	Service    string     `json:"service"`
	Kind       string     `json:"kind"`
	Source     string     `json:"source"`
	Adapter    string     `json:"adapter,omitempty"` // of that source
	OccurredAt int64      `json:"occurred_at"`       // Unix milliseconds
	ReceivedAt int64      `json:"received_at"`
	Parts      []Fragment `json:"parts"`
}

// Fragment is what one part of a record holds: the client's id after its length, or a zero, and JSON.
type Fragment struct {
	Category string `json:"category"`
	Nobody   bool   `json:"nobody,omitempty"`
	Plain    []byte `json:"plain"`
}

// Person is who moves, without any record. It is the same each time as long as nothing changed.
type Person struct {
	Subject     string            `json:"subject"` // the head at the source
	Members     []string          `json:"members"` // all subjects that are the person there
	CreatedAt   int64             `json:"created_at"`
	Trusted     bool              `json:"trusted,omitempty"`
	Known       bool              `json:"known,omitempty"`
	Public      bool              `json:"public,omitempty"`
	Restricted  bool              `json:"restricted,omitempty"`
	Reasons     map[string]string `json:"reasons,omitempty"` // by state
	Identifiers []Identifier      `json:"identifiers"`

	// The country that they declared last, when, by their own time in Unix milliseconds, and what brought it. The
	// countries of their numbers the target reads off the identifiers.
	Residence  string `json:"residence,omitempty"`
	DeclaredAt int64  `json:"declared_at,omitempty"`
	DeclaredBy string `json:"declared_by,omitempty"`

	Standings []Standing `json:"standings,omitempty"` // what stands of what they said
	Words     []Word     `json:"words,omitempty"`     // their history, MaxWords at most
}

// Identifier is one identifier of the person, canonical.
type Identifier struct {
	Type      string `json:"type"`
	Value     string `json:"value"`
	Claimed   bool   `json:"claimed,omitempty"`
	Solo      bool   `json:"solo,omitempty"`
	Source    string `json:"source"`
	CreatedAt int64  `json:"created_at"`
	RetiredAt int64  `json:"retired_at,omitempty"` // Unix milliseconds, when the person gave it up
}

// Sort puts the identifiers in one order, and drops those that say nothing new.
func (p *Person) Sort() {
	slices.SortFunc(p.Identifiers, func(a, b Identifier) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value), boolCompare(a.Claimed, b.Claimed), boolCompare(a.Solo, b.Solo),
			boolCompare(a.RetiredAt != 0, b.RetiredAt != 0), cmp.Compare(b.RetiredAt, a.RetiredAt), cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.Source, b.Source))
	})
	p.Identifiers = slices.CompactFunc(p.Identifiers, func(a, b Identifier) bool {
		return a.Type == b.Type && a.Value == b.Value && a.Claimed == b.Claimed && a.Solo == b.Solo && (a.RetiredAt != 0) == (b.RetiredAt != 0)
	})
	slices.Sort(p.Members)
	sortSaid(p)
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// The most that one page and one person may hold.
const (
	maxRecords     = 10_000
	maxParts       = 255
	maxIdentifiers = 100_000
	maxName        = 256
)

// What is stored in the clear beside sealed parts has these forms, so that nothing else gets there.
var (
	sourceID       = regexp.MustCompile(`^src_[a-z][a-z0-9-]{0,15}_[a-z2-7]{1,64}$`)
	sayerID        = regexp.MustCompile(`^(src|tok)_[a-z][a-z0-9-]{0,15}_[a-z2-7]{1,64}$`) // a tenant's token links by hand
	subjectID      = regexp.MustCompile(`^sub_[a-z2-7]{20}$`)
	countryForm    = regexp.MustCompile(`^[A-Z]{2}$`)
	identifierType = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

// DecodeHello reads a Hello. Errors here and below are faults of kind Invalid that quote nothing.
func DecodeHello(b []byte) (h Hello, err error) {
	if err := decode(b, &h); err != nil {
		return h, err
	}
	if len(h.AckKey) != SecretBytes || len(h.Release) != SecretBytes || len(h.Cancel) != SecretBytes {
		return h, malformed()
	}
	return h, nil
}

// DecodePage reads a Page: every record has a name, a kind and a part, and every part JSON.
func DecodePage(b []byte) (p Page, err error) {
	if err := decode(b, &p); err != nil {
		return p, err
	}
	if len(p.Records) > maxRecords || len(p.From) > maxName || len(p.Next) > maxName {
		return p, malformed()
	}
	for i := range p.Records {
		r := &p.Records[i]
		if !name(r.ID) || !name(r.Service) || !name(r.Kind) || !sourceID.MatchString(r.Source) || len(r.Adapter) > maxName || len(r.Parts) == 0 || len(r.Parts) > maxParts ||
			r.OccurredAt < 0 || r.ReceivedAt <= 0 {
			return p, malformed()
		}
		for j := range r.Parts {
			f := &r.Parts[j]
			if !name(f.Category) {
				return p, malformed()
			}
			if _, doc, ok := f.Split(); !ok || !json.Valid(doc) || !utf8.Valid(doc) || !bytes.HasPrefix(bytes.TrimSpace(doc), []byte("{")) {
				return p, malformed()
			}
		}
	}
	return p, nil
}

// Split returns the client's id and the JSON of a fragment.
func (f *Fragment) Split() (clientID, doc []byte, ok bool) {
	n, w := binary.Uvarint(f.Plain)
	if w <= 0 || n > uint64(len(f.Plain)-w) {
		return nil, nil, false
	}
	return f.Plain[w : w+int(n)], f.Plain[w+int(n):], true
}

// declared says whether the residence, if there is one, has the form that may be stored.
func (p *Person) declared() bool {
	if p.Residence == "" {
		return p.DeclaredAt == 0 && p.DeclaredBy == ""
	}
	return countryForm.MatchString(p.Residence) && p.DeclaredAt > 0 && sourceID.MatchString(p.DeclaredBy)
}

// DecodePerson reads a Person.
func DecodePerson(b []byte) (p Person, err error) {
	if err := decode(b, &p); err != nil {
		return p, err
	}
	if !subjectID.MatchString(p.Subject) || len(p.Identifiers) > maxIdentifiers || p.CreatedAt < 0 {
		return p, malformed()
	}
	for _, s := range p.Members {
		if !subjectID.MatchString(s) {
			return p, malformed()
		}
	}
	for _, i := range p.Identifiers {
		if !identifierType.MatchString(i.Type) || i.Value == "" || len(i.Value) > 1<<10 || !utf8.ValidString(i.Value) || !sayerID.MatchString(i.Source) || i.Claimed && i.Solo ||
			i.RetiredAt < 0 || i.Claimed && i.RetiredAt != 0 {
			return p, malformed()
		}
	}
	if !p.said() || !p.declared() {
		return p, malformed()
	}
	for state := range p.Reasons {
		if state != "restricted" {
			return p, malformed()
		}
	}
	return p, nil
}

func name(s string) bool { return s != "" && len(s) <= maxName && utf8.ValidString(s) }

func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return malformed() // the error of encoding/json quotes
	}
	if _, err := d.Token(); err != io.EOF {
		return malformed()
	}
	return nil
}

func malformed() error {
	return fault.New(fault.Invalid, "move.malformed", "what came of the move is not of its format").
		WithHint("both regions must run the same version of domicile")
}
