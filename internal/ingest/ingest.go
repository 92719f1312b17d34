// Package ingest turns what clients send into events: each with the identifiers of whom it is
// about and its content split into fragments, one for each data category and owner. It is pure:
// it decides nothing, keeps nothing and knows no person. An adapter (ingest/segment,
// ingest/native) reads one protocol and fills a Batch.
package ingest

import (
	"sync"
	"time"

	"domicile.dev/internal/scan"
)

// Op is what an event says about identity, beyond being about someone.
type Op uint8

// The operations. Both say that all identifiers of the subject are one person's, and all of the
// sender; an alias also joins the identifier of RolePrevious, where its type isn't known.
const (
	OpNone Op = iota
	OpIdentify
	OpAlias
)

// RolePrevious marks the identifier that an alias gives up. Segment does not say whether it was a
// user id or an anonymous id; its Type is anonymous_id, and whoever resolves it looks for both.
const RolePrevious = "previous"

// RoleFormer marks an identifier that the event's sender, of whom all other identifiers are, gives up:
// from then on it names nobody, or somebody else. An event has one at most.
const RoleFormer = "former"

// Identifier is one name of a person, as it was sent.
type Identifier struct {
	Type, Role string
	Value      []byte // unescaped, not canonical, never empty
	Listed     uint8  // its place in the event's List, from 1; 0 when it isn't of one
}

// Thing is something that records are about and that people take part in, such as a call. By it a
// record that names nobody is known to be about whom another record of the same thing names.
type Thing struct {
	Type string // such as "call"; one word for each sort of thing, whatever the protocol
	ID   []byte
	Many bool // several people can take part in it
}

// Fragment is the part of an event's content that has one category and one owner: a JSON object
// with those members alone, at their places in the event.
type Fragment struct {
	Category, Owner string
	JSON            []byte
	Slot            int // index into Event.Kind.Parts
}

// Event is one record as its client sent it. When Refused is set, only Index and, as far as it
// was found, Kind are good.
type Event struct {
	Index       int // in the request, from 0
	Kind        *Kind
	ClientID    []byte // "" when the client gave none: such an event can't be de-duplicated
	Qualifier   string // what tells records of one client id apart, such as a status
	OccurredAt  int64  // Unix milliseconds, 0 to ReceivedAt
	Skewed      bool   // the client's clock is far off, or its times were not usable
	Identifiers []Identifier
	List        string // where the client listed its people itself: all of them must be good; else ""
	Op          Op
	Things      []Thing    // what it is about, the closest first
	Fragments   []Fragment // by ascending Slot, at least one
	Slots       uint64     // set of the fragments' slots: with Kind it is the event's shape
	Choices     *Choices   // what it says of consent; nil: nothing
	Refused     *Refusal
	Findings    []Finding // what was dropped or set aside, or made a plan refuse it; of a refused event too
}

// Refusal says which event was not kept and why. Path can hold personal data, since names of
// members are the client's to choose: show it through Batch.Path only.
type Refusal struct {
	Index  int
	Reason string // stable code, such as "event.too_large"
	Path   string // dotted names, "" for the whole event
	More   int    // so many events after Index were refused for the same reason

	// Region is where the event belongs, and URL where that region is, when that is why it was
	// refused; URL is "" when nobody here knows.
	Region, URL string
}

// Env is what an adapter has to know.
type Env struct {
	ReceivedAt time.Time
	Kinds      Kinds
	Service    string // the source's service, for protocols that do not name it
	Key        string // the write key by which the request came, "" when it isn't known
	Account    string // the source's account at the vendor, "" when it takes any

	// Peer is the address that the request came from, "" when it isn't known or not to be kept.
	// PeerIsSubject says that whoever sends is the person: the source is a browser or an app.
	Peer          string
	PeerIsSubject bool
}

// Batch is what one request held. It is made of reused memory and of views into the request's
// body: neither outlives Release, and the body must not change before it.
type Batch struct {
	Events   []Event
	WriteKey []byte // as far as the body named one
	GPC      bool   // whoever sent it sends the Global Privacy Control signal along, and is the person

	// Doc is the adapter's scratch: the event at hand. Words are the protocol's own names, which
	// Path may show.
	Doc   scan.Doc
	Words func(name string) bool

	splitter    splitter
	element     scan.Doc // one of the subjects of the event at hand
	identifiers []Identifier
	fragments   []Fragment
	arena       []byte
	own         int // where the identifiers of the event at hand begin
}

// The most memory that a released batch may keep for the next one.
const (
	keepBytes  = 4 << 20
	keepEvents = 10_000
)

var pool = sync.Pool{New: func() any { return new(Batch) }}

// NewBatch returns an empty batch.
func NewBatch() *Batch { return pool.Get().(*Batch) }

// Release gives the batch's memory back. Call it once, when nothing of the batch is used any more.
func (b *Batch) Release() {
	if b == nil || cap(b.arena) > keepBytes || cap(b.Events) > keepEvents || cap(b.fragments) > 8*keepEvents || cap(b.Doc.Nodes) > keepEvents {
		return
	}
	clear(b.Events)
	clear(b.identifiers)
	clear(b.fragments)
	b.Doc.Src, b.element.Src = nil, nil
	b.Events, b.identifiers, b.fragments, b.arena = b.Events[:0], b.identifiers[:0], b.fragments[:0], b.arena[:0]
	b.WriteKey, b.Words, b.own, b.GPC = nil, nil, 0, false
	pool.Put(b)
}

// Restart forgets all events, to decode the same body again. What Hold and Text gave stays good.
func (b *Batch) Restart() {
	b.Events, b.fragments, b.own = b.Events[:0], b.fragments[:0], len(b.identifiers)
}

// Add appends an event. The pointer is good until the next Add.
func (b *Batch) Add(index int) *Event {
	b.Events = append(b.Events, Event{Index: index})
	b.own = len(b.identifiers)
	return &b.Events[len(b.Events)-1]
}

// Refuse makes e a refused event and drops what it had.
func (b *Batch) Refuse(e *Event, reason, path string) {
	b.identifiers = b.identifiers[:b.own]
	*e = Event{Index: e.Index, Kind: e.Kind, Findings: e.Findings, Refused: &Refusal{Index: e.Index, Reason: reason, Path: path}}
}

// Identify adds an identifier to e, the event last added, unless it is there already.
func (b *Batch) Identify(e *Event, typ, role string, value []byte) {
	for i := range e.Identifiers {
		if had := &e.Identifiers[i]; had.Type == typ && had.Role == role && string(had.Value) == string(value) {
			return
		}
	}
	b.identifiers = append(b.identifiers, Identifier{Type: typ, Role: role, Value: value})
	e.Identifiers = b.identifiers[b.own:len(b.identifiers):len(b.identifiers)]
}

// Text returns the content of the string at node i of Doc; see scan.Doc.Text.
func (b *Batch) Text(i int) (content []byte, whole bool) { return b.Doc.Text(i, &b.arena) }

// Hold copies parts of bodies into the batch's memory and returns the copy.
func (b *Batch) Hold(parts ...[]byte) []byte {
	start := len(b.arena)
	for _, p := range parts {
		b.arena = append(b.arena, p...)
	}
	return b.arena[start:len(b.arena):len(b.arena)]
}

// Path returns the path of e's refusal with every name masked that neither the protocol nor the
// kind's rules know.
func (b *Batch) Path(e *Event) string {
	if e.Refused == nil {
		return ""
	}
	return short(MaskPath(e.Refused.Path, func(name string) bool { return b.Words != nil && b.Words(name) || e.Kind.Knows(name) }))
}
