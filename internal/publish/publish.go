// Package publish keeps what a region made public: versions of the notice and of the list of
// sub-processors with the day from which they hold, who was announced until when customers may object,
// who objected, who wants to be told, and who was told.
//
// Rules: docs/notice.md, docs/sub-processors.md.
package publish

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/subprocessor"
)

// Version is one publication: a notice and a list of sub-processors that were made public at once.
type Version struct {
	N           int           `json:"n"`       // 1, 2, 3 …
	Notice      string        `json:"notice"`  // its id, in the notice's address
	Updated     string        `json:"updated"` // the date at the notice's top
	Programme   string        `json:"programme"`
	PublishedAt time.Time     `json:"published_at"`
	Effective   programme.Day `json:"effective"` // first day on which the notice holds
	// Adopted says that it was public before this store was: its days are those that the programme names.
	Adopted bool `json:"adopted,omitempty"`
	// NewNotice and NewList say what differs from the version before.
	NewNotice bool                  `json:"new_notice"`
	NewList   bool                  `json:"new_list"`
	Material  bool                  `json:"material"`
	Summary   string                `json:"summary"`
	Changes   []notice.Change       `json:"changes,omitempty"` // of the notice
	List      []subprocessor.Change `json:"list,omitempty"`
	// AskAgain are the purposes resting on consent that material changes are about.
	AskAgain []string `json:"ask_again,omitempty"`
	// Languages are those that the notice and the list are there in, and Retold those of them, or of the version
	// before, in which the translation is another, or there or not.
	Languages []string `json:"languages,omitempty"`
	Retold    []string `json:"retold,omitempty"`
	Entry     string   `json:"entry"` // in the ledger
	Told      bool     `json:"-"`     // everybody was told, or can't be
	ToldEntry string   `json:"-"`     // in the ledger, of that; "" for what was adopted
	Source    []byte   `json:"-"`     // the programme, packed; only on its way to the store
}

// Name is how people call the version: "v3".
func (v *Version) Name() string { return fmt.Sprintf("v%d", v.N) }

// Lists that can be subscribed to, as bits.
const (
	Notices       uint8 = 1 << iota // versions of the notice
	SubProcessors                   // changes of the list
)

var listNames = []string{"notices", "sub_processors"}

// ListNames returns the names of lists.
func ListNames(lists uint8) (out []string) {
	for i, n := range listNames {
		if lists&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// ParseLists is the other way round; Invalid for none and for a name that is no list's.
func ParseLists(names []string) (lists uint8, err error) {
	for _, s := range names {
		found := false
		for i, n := range listNames {
			if s == n {
				lists, found = lists|1<<i, true
			}
		}
		if !found {
			return 0, fault.New(fault.Invalid, "subscription.unknown_list", "there is no such list").WithHint("notices, sub_processors")
		}
	}
	if lists == 0 {
		return 0, fault.New(fault.Invalid, "subscription.no_list", "no list was chosen").WithHint("choose notices, sub_processors or both")
	}
	return lists, nil
}

// news is what of a version goes to which subscribers.
func (v *Version) news() (lists uint8) {
	if v.NewNotice {
		lists |= Notices
	}
	if v.NewList {
		lists |= SubProcessors
	}
	return lists
}

// Announced is a sub-processor's way onto the list, or off it.
type Announced struct {
	Recipient string
	N         int // of the version that announced it
	On, Until programme.Day
	Withdrawn programme.Day // 0 while it is on the list
	Since     programme.Day // since when it is on the list without a break; only where it was asked for
}

// Objection is a tenant's.
type Objection struct {
	Tenant      uint32
	TenantID    string
	Recipient   string
	MadeAt      time.Time
	WithdrawnAt time.Time // zero while its tenant didn't
	Settled     Settlement
}

// Subscriber gets mail, or is an address that is called. What is personal of it is sealed under its own key.
type Subscriber struct {
	ID          id.Subject // random; no person of a tenant's
	Channel     string     // Mail, Webhook
	Tenant      uint32     // 0 for the public's
	TenantID    string
	Confirmed   bool
	Lists       uint8
	Language    string // of its mail: that in which it was subscribed, "" for the programme's
	Blind       []byte // of the address, so that it is there once
	Epoch       uint32 // of Wrapped
	Wrapped     []byte // its key
	Sealed      []byte // contact
	MadeAt      time.Time
	ConfirmedAt time.Time
	AskedAt     time.Time // when it was last asked to confirm, or told that it is known
}

// Channels.
const (
	Mail    = "mail"
	Webhook = "webhook"
)

// contact is what is sealed.
type contact struct {
	Address string `json:"address,omitempty"`
	URL     string `json:"url,omitempty"`
	Secret  []byte `json:"secret,omitempty"`
}

// Kinds of messages.
const (
	confirming = "confirm" // asks whether the address is its owner's
	known      = "known"   // says that it is subscribed already
	news       = "news"    // tells of a version
)

// States of a message. A message that is refused for good, or too often, has failed; one whose
// subscriber went meanwhile is dropped.
const (
	queued  = "queued"
	sent    = "sent"
	failed  = "failed"
	dropped = "dropped"
)

// Message is one row of the outbox. It holds no address and no text: both are looked up when it goes.
type Message struct {
	Kind       string
	N          int // version; 0 where it is about none
	Subscriber id.Subject
	Channel    string
	State      string
	Attempts   int
	Next       time.Time
	MadeAt     time.Time
	DoneAt     time.Time
	Code       string // why the last attempt failed, "smtp.450", "http.500"
	Digest     []byte // of what it was sent to, sealed
}

// WouldAskAgain returns the purposes whose consents have to be asked for again when after is published in place of before.
func WouldAskAgain(before, after *programme.Programme) []string {
	if before == nil || sameNotice(before, after) {
		return nil
	}
	return askAgain(notice.Compare(before, after), after)
}

// askAgain returns the purposes of after that rest on consent, too, and that a material change is about: the
// purpose itself, what it uses, or to whom data goes at all.
func askAgain(d *notice.Diff, after *programme.Programme) (out []string) {
	for i := range after.Purposes {
		p := &after.Purposes[i]
		if slices.Contains(p.LegalBases, "consent") && slices.ContainsFunc(d.Changes, func(c notice.Change) bool { return c.Material && about(c, after, p.ID) }) {
			out = append(out, p.ID)
		}
	}
	return out
}

// about says whether a change of the notice is about a purpose.
func about(c notice.Change, after *programme.Programme, purpose string) bool {
	of := func(id string) bool { return c.ID == id || strings.HasPrefix(c.ID, id+".") }
	switch c.What {
	case "purpose", "basis", "use", "activity", "training":
		return of(purpose) || slices.Contains(c.To, purpose)
	case "element", "category":
		return slices.ContainsFunc(after.CategoriesOf(purpose), of)
	case "recipient", "sale":
		return true
	}
	return false
}

// sameNotice says whether two programmes' notices say the same, whatever else they declare.
func sameNotice(a, b *programme.Programme) bool { return same(notice.New(a), notice.New(b)) }

func same(x, y *notice.Document) bool {
	x.Programme, y.Programme = "", ""
	m, errM := json.Marshal(x)
	n, errN := json.Marshal(y)
	return errM == nil && errN == nil && string(m) == string(n)
}

// differing are the languages, beside the programmes' own, that only one of the two has, or in which the notice or the
// list reads otherwise.
func differing(before, after *programme.Programme) (out []string) {
	a, b := notice.Languages(before)[1:], notice.Languages(after)[1:]
	for _, l := range b {
		if !slices.Contains(a, l) || !same(notice.New(before.In(l)), notice.New(after.In(l))) ||
			!same(notice.SubProcessors(before.In(l)), notice.SubProcessors(after.In(l))) {
			out = append(out, l)
		}
	}
	for _, l := range a {
		if !slices.Contains(b, l) {
			out = append(out, l)
		}
	}
	return out
}
