package notice

import (
	"fmt"
	"strings"
	"time"

	"domicile.dev/internal/programme"
)

// State is what a node found out about its own safeguards at a moment. What it couldn't find out is zero,
// and the page says so or nothing.
type State struct {
	At     time.Time
	Region string

	TLS  *TLS // nil: this node speaks plain HTTP, on loopback only
	Rest AtRest
	Log  LogState
}

// TLS is what the listener took when it was tried.
type TLS struct {
	Accepted, Refused []string // versions
	Until             time.Time
}

// AtRest is how what is stored is sealed.
type AtRest struct {
	Store       string // what the records lie in, in words
	Keyring     string // where the keys lie, in words
	EpochLength time.Duration
	Epoch       uint32
	EpochSince  time.Time
	Destroyed   int // epochs whose key is gone
	LastGone    time.Time
	// Unrecoverable is when an erasure of now is beyond every copy.
	Unrecoverable time.Time
}

// LogState is where the ledger stands.
type LogState struct {
	Size     int64 // of the newest checkpoint, -1 when there is none yet
	Signed   time.Time
	Mirrors  []Mirror
	Looked   int64 // entries that this node read back since it started
	Defects  int
	Refusals int64 // times that this node refused to sign
}

// Mirror is another region that cosigns.
type Mirror struct {
	Origin string
	Size   int64 // of the newest checkpoint that it cosigned, 0 for none
	At     time.Time
}

// Safeguards makes the page of what protects data right now. Every line is something that the node looked
// at; what isn't there stands under its own heading.
func Safeguards(p *programme.Programme, s *State) *Document {
	d := other(p, "safeguards", "Safeguards", p.Notice.LastUpdated)
	d.AsOf = s.At.UTC().Format(time.RFC3339)
	d.Sections = []Section{transit(s), rest(s), shredding(s), ledgerState(s), {ID: "missing", Title: "What is not there", Text: []string{
		"Backups: this version of the software makes none and has no command to make or restore one. Whether the operator's own storage is copied, and where to, can't be seen from here, so nothing is claimed of it.",
		"Keys in hardware: keyrings lie in files.",
		"A second person's approval: nothing here asks for one."}}}
	return d
}

// instant writes a time for people, "" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func transit(s *State) Section {
	out := Section{ID: "transit", Title: "On the way"}
	var f facts
	if s.TLS == nil {
		f.add("Between you and this node", "plain HTTP: it listens on this machine alone. What stands before it, if anything, can't be seen from here")
	} else {
		f.add("TLS versions that the listener accepted when it was tried", s.TLS.Accepted...)
		f.add("TLS versions that it refused", s.TLS.Refused...)
		f.add("Certificate valid until", instant(s.TLS.Until))
	}
	out.Facts = f
	return out
}

func rest(s *State) Section {
	var f facts
	f.add("Store", s.Rest.Store)
	f.add("Persons' data, recordings and attachments", "AES-256-GCM, under a key for each person")
	f.add("Persons' keys", fmt.Sprintf("AES-256-GCM, under the key of epoch %d, which is not in the store", s.Rest.Epoch))
	f.add("Identifiers", "stored sealed, and found by a keyed digest (HMAC-SHA-256)")
	f.add("Not sealed", "kinds, services, times and sizes of records, counts, and the ledger, which holds ids and digests")
	f.add("Keys of the region", s.Rest.Keyring)
	return Section{ID: "rest", Title: "At rest", Facts: f}
}

func shredding(s *State) Section {
	var f facts
	r := &s.Rest
	f.add("An epoch lasts", lasting(r.EpochLength))
	f.add("Current epoch", fmt.Sprintf("%d", r.Epoch))
	f.add("Last rotation", map[bool]string{true: instant(r.EpochSince), false: "none yet; the first epoch began " + instant(r.EpochSince)}[r.Epoch > 1])
	f.add("Epochs whose key was destroyed", fmt.Sprintf("%d", r.Destroyed))
	f.add("The last of them", instant(r.LastGone))
	f.add("A person erased now is beyond every copy of the store", "by "+instant(r.Unrecoverable))
	return Section{ID: "erasure", Title: "Erasure", Text: []string{"An erasure destroys the person's key at once. Older copies of the store hold it wrapped under an epoch's key, which is destroyed when the epoch ends."}, Facts: f}
}

// lasting writes a duration in days or hours where it is whole.
func lasting(d time.Duration) string {
	switch {
	case d > 0 && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d > 0 && d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.String()
}

func ledgerState(s *State) Section {
	out := Section{ID: "ledger", Title: "The ledger", Text: []string{"Decisions, erasures and publications are entries of a log that nobody can change unseen: its checkpoints are signed, and other regions cosign them."}}
	var f facts
	l := &s.Log
	if l.Size < 0 {
		f.add("Newest checkpoint", "none was signed yet")
	} else {
		f.add("Newest checkpoint", fmt.Sprintf("%d leaves", l.Size))
		f.add("Signed", instant(l.Signed))
		f.add("To verify", "/ledger/checkpoint")
	}
	for _, m := range l.Mirrors {
		if m.Size == 0 {
			f.add("Cosigned by "+witness(m.Origin), "nothing yet")
			continue
		}
		f.add("Cosigned by "+witness(m.Origin), fmt.Sprintf("%d leaves, at %s", m.Size, instant(m.At)))
	}
	if len(l.Mirrors) == 0 {
		f.add("Cosigned by", "nobody: this node knows no other region's keys")
	}
	f.add("Entries from before the node started that it read back", fmt.Sprintf("%d, of which %d don't fit what was signed", l.Looked, l.Defects))
	f.say(l.Refusals > 0, "Refused to sign", fmt.Sprintf("%d times, because the log didn't extend what was signed", l.Refusals))
	out.Facts = f
	return out
}

func witness(origin string) string { return strings.TrimPrefix(origin, "domicile/") }
