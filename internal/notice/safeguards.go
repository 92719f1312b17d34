package notice

import (
	"fmt"
	"strings"
	"time"

	"domicile.dev/internal/phrase"
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
	// Backups are what the operator noted of copies, by what they hold and where.
	Backups []Copied
}

// Copied is a backup as the operator noted it; this software makes none.
type Copied struct {
	Of, Place, By  string // Of: store, keys or blobs
	Made, Restored programme.Date
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
	d := other(p, "safeguards", ph(p, "Safeguards"), p.Notice.LastUpdated)
	d.AsOf = s.At.UTC().Format(time.RFC3339)
	d.Sections = []Section{transit(p, s), rest(p, s), shredding(p, s), ledgerState(p, s)}
	missing := []string{ph(p, "Keys in hardware: keyrings lie in files."), ph(p, "A second person's approval: nothing here asks for one.")}
	if len(s.Backups) > 0 {
		d.Sections = append(d.Sections, backups(p, s))
	} else {
		missing = append([]string{ph(p, "Backups: this version of the software makes none, and the operator has noted none. Whether the operator's own storage is copied, and where to, can't be seen from here, so nothing is claimed of it.")}, missing...)
	}
	d.Sections = append(d.Sections, Section{ID: "missing", Title: ph(p, "What is not there"), Text: missing})
	return d
}

// backups says what the operator noted, and that it is that.
func backups(p *programme.Programme, s *State) Section {
	out := Section{ID: "backups", Title: ph(p, "Backups"), Text: []string{ph(p, "As the operator noted them: this node doesn't see the copies.")}}
	for _, b := range s.Backups {
		f := on(p)
		f.add("Place", b.Place)
		f.add("Made on", date(p, b.Made))
		age, unit := programme.DayOf(s.At)-programme.FirstDay(b.Made), "days"
		if age == 1 {
			unit = "day"
		}
		f.add("Age", phrase.Period(p.Language(), fmt.Sprintf("%d %s", age, unit)))
		f.add("Last restored for a trial", or(date(p, b.Restored), ph(p, "never noted")))
		f.add("Made by", b.By)
		name := map[string]string{"store": ph(p, "The store"), "keys": ph(p, "The keyring"), "blobs": ph(p, "Recordings and attachments")}[b.Of]
		out.Entries = append(out.Entries, Entry{ID: "backup-" + b.Of + "-" + b.Place, Name: name, Facts: f.all})
	}
	return out
}

// instant writes a time for people, "" for none.
func instant(p *programme.Programme, t time.Time) string { return phrase.Instant(p.Language(), t) }

func transit(p *programme.Programme, s *State) Section {
	out := Section{ID: "transit", Title: ph(p, "On the way")}
	f := on(p)
	if s.TLS == nil {
		f.add("Between you and this node", ph(p, "plain HTTP: it listens on this machine alone. What stands before it, if anything, can't be seen from here"))
	} else {
		f.add("TLS versions that the listener accepted when it was tried", s.TLS.Accepted...)
		f.add("TLS versions that it refused", s.TLS.Refused...)
		f.add("Certificate valid until", instant(p, s.TLS.Until))
	}
	out.Facts = f.all
	return out
}

func rest(p *programme.Programme, s *State) Section {
	f := on(p)
	f.add("Store", ph(p, s.Rest.Store))
	f.add("Persons' data, recordings and attachments", ph(p, "AES-256-GCM, under a key for each person"))
	f.add("Persons' keys", ph(p, "AES-256-GCM, under the key of epoch %d, which is not in the store", s.Rest.Epoch))
	f.add("Identifiers", ph(p, "stored sealed, and found by a keyed digest (HMAC-SHA-256)"))
	f.add("Not sealed", ph(p, "kinds, services, times and sizes of records, counts, and the ledger, which holds ids and digests"))
	f.add("Keys of the region", ph(p, s.Rest.Keyring))
	return Section{ID: "rest", Title: ph(p, "At rest"), Facts: f.all}
}

func shredding(p *programme.Programme, s *State) Section {
	f := on(p)
	r := &s.Rest
	f.add("An epoch lasts", lasting(p, r.EpochLength))
	f.add("Current epoch", fmt.Sprintf("%d", r.Epoch))
	f.add("Last rotation", map[bool]string{true: instant(p, r.EpochSince), false: ph(p, "none yet; the first epoch began %s", instant(p, r.EpochSince))}[r.Epoch > 1])
	f.add("Epochs whose key was destroyed", fmt.Sprintf("%d", r.Destroyed))
	f.add("The last of them", instant(p, r.LastGone))
	f.add("A person erased now is beyond every copy of the store", ph(p, "by %s", instant(p, r.Unrecoverable)))
	return Section{ID: "erasure", Title: ph(p, "Erasure"), Text: []string{ph(p, "An erasure destroys the person's key at once. Older copies of the store hold it wrapped under an epoch's key, which is destroyed when the epoch ends.")}, Facts: f.all}
}

// lasting writes a duration in days or hours where it is whole.
func lasting(p *programme.Programme, d time.Duration) string {
	switch {
	case d > 0 && d%(24*time.Hour) == 0:
		return ph(p, "%d days", d/(24*time.Hour))
	case d > 0 && d%time.Hour == 0:
		return ph(p, "%d hours", d/time.Hour)
	}
	return d.String()
}

func ledgerState(p *programme.Programme, s *State) Section {
	out := Section{ID: "ledger", Title: ph(p, "The ledger"), Text: []string{ph(p, "Decisions, erasures and publications are entries of a log that nobody can change unseen: its checkpoints are signed, and other regions cosign them.")}}
	f := on(p)
	l := &s.Log
	if l.Size < 0 {
		f.add("Newest checkpoint", ph(p, "none was signed yet"))
	} else {
		f.add("Newest checkpoint", ph(p, "%d leaves", l.Size))
		f.add("Signed", instant(p, l.Signed))
		f.add("To verify", "/ledger/checkpoint")
	}
	for _, m := range l.Mirrors {
		if m.Size == 0 {
			f.named("Cosigned by "+m.Origin, ph(p, "Cosigned by %s", witness(m.Origin)), ph(p, "nothing yet"))
			continue
		}
		f.named("Cosigned by "+m.Origin, ph(p, "Cosigned by %s", witness(m.Origin)), ph(p, "%d leaves, at %s", m.Size, instant(p, m.At)))
	}
	if len(l.Mirrors) == 0 {
		f.add("Cosigned by", ph(p, "nobody: this node knows no other region's keys"))
	}
	f.add("Entries from before the node started that it read back", ph(p, "%d, of which %d don't fit what was signed", l.Looked, l.Defects))
	if l.Refusals > 0 {
		f.add("Refused to sign", ph(p, "%d times, because the log didn't extend what was signed", l.Refusals))
	}
	out.Facts = f.all
	return out
}

func witness(origin string) string { return strings.TrimPrefix(origin, "domicile/") }
