// Package consent is the person's say: what somebody consented to, refused, withdrew, opted out of
// or objected to, and the rules by which that counts. It keeps words, and who said them when; what
// follows from them is internal/decision's to say.
//
// Of each thing that is spoken about, every channel keeps two times: when it last said no, and when it
// last said yes by an act of the person's. Larger times win, so that words which come late, twice or
// in another order end at the same: docs/consent.md.
package consent

import (
	"slices"
	"strings"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
)

// About is what a word is about: a purpose or a kind of use.
type About string

// The sorts of things that are spoken about. A purpose or an opt-out's name follows.
const (
	consents = "consent/"
	objects  = "objection/"
	optOuts  = "opt_out/"
)

// Consent is the consent to a purpose (GDPR art. 6(1)(a), 7).
func Consent(purpose string) About { return About(consents + purpose) }

// Objection is the objection to a purpose (GDPR art. 21).
func Objection(purpose string) About { return About(objects + purpose) }

// OptOut is one of decision.OptOutNames.
func OptOut(name string) About { return About(optOuts + name) }

// GPC is the Global Privacy Control signal.
const GPC About = optOuts + "gpc"

// Of returns the sort, "consent", "objection" or "opt_out", and the purpose or name.
func (a About) Of() (sort, name string) {
	sort, name, _ = strings.Cut(string(a), "/")
	return sort, name
}

func (a About) isConsent() bool { return strings.HasPrefix(string(a), consents) }

// API is the channel of words that the tenant brings itself: its preference centre, its forms, its staff.
const API = "api"

// The words. Refused and Withdrawn are the same no; Objects, Out and their opposites are those of the
// other sorts.
const (
	Given     = "given"
	Refused   = "refused"
	Withdrawn = "withdrawn"
	Objects   = "objects"
	Lifted    = "lifted"
	Out       = "out"
	In        = "in"
)

// Word is what was said once.
type Word struct {
	About   About
	Word    string // one of the words above; of a consent's no, Refused stands for either
	Channel string // who says it: API, or a source and what of it, "src_…/Advertising"

	// Act says that somebody did something just then: a choice made, a keyword sent, a link followed.
	// What an SDK repeats with every event is no act, and lifts no no.
	Act bool

	At         int64  // the person's time, Unix ms; not after ReceivedAt
	ReceivedAt int64  // ours
	How        string // sdk, signal, keyword, event, api, form …: [a-z0-9_-]{1,32}
	Source     string // id of a source or a token
	Text       string // version of the text that was agreed to; "" when nobody said
}

// Yes says whether the word allows.
func (w *Word) Yes() bool { return w.Word == Given || w.Word == Lifted || w.Word == In }

// Standing is what one channel's words on one thing have come to.
type Standing struct {
	About   About
	Channel string

	NoAt  int64 // when it last said no, 0 never
	YesAt int64 // when an act last said yes, 0 never
	// ToldAt is when it first said yes without an act. Such a yes counts while there is no no, and lifts none.
	ToldAt int64

	No         string // the last no's word; "" when there was none
	How        string // of the newest word, as are the next three
	Source     string
	Text       string
	ReceivedAt int64
}

// Member is one of the subjects that are the person, with what was said while it was named.
type Member struct {
	Subject  id.Subject
	Standing []Standing
}

// Person is somebody with all that they said, the head first. Words said before two people turned out
// to be one stay with each: a yes of one lifts no no of the other.
type Person struct{ Members []Member }

// stands says whether the no of s, one of m, holds against every yes that m heard.
func (m *Member) stands(s *Standing) bool {
	if s.NoAt == 0 {
		return false
	}
	for i := range m.Standing {
		if y := &m.Standing[i]; y.About == s.About && y.YesAt > s.NoAt && lifts(y.Channel, s) {
			return false
		}
	}
	return true
}

// lifts says whether a yes by that channel can lift the no s. A consent is one, by whatever channel it
// is given. An opt-out and an objection are lifted where they were made, or by the tenant's own word:
// who asks for text messages again hasn't asked for mail.
func lifts(channel string, s *Standing) bool {
	if s.About.isConsent() {
		return true
	}
	return channel == API || channel == s.Channel && strings.HasPrefix(string(s.About), optOuts)
}

// No returns the no that stands about a, the newest one; nil when none does.
func (p *Person) No(a About) (newest *Standing) {
	for i := range p.Members {
		m := &p.Members[i]
		for j := range m.Standing {
			if s := &m.Standing[j]; s.About == a && m.stands(s) && (newest == nil || s.NoAt > newest.NoAt) {
				newest = s
			}
		}
	}
	return newest
}

// Yes returns the newest yes about a, nil when there is none, or when a no stands.
func (p *Person) Yes(a About) (newest *Standing) {
	if p.No(a) != nil {
		return nil
	}
	for i := range p.Members {
		for j := range p.Members[i].Standing {
			s := &p.Members[i].Standing[j]
			if s.About == a && s.yesAt() > 0 && (newest == nil || s.yesAt() > newest.yesAt()) {
				newest = s
			}
		}
	}
	return newest
}

func (s *Standing) yesAt() int64 { return max(s.YesAt, s.ToldAt) }

// Agreed is when a consent was given, and to what text.
type Agreed struct {
	At   int64
	Text string // version of the text that the yes named; ""
}

// Agreed returns since when the person consents to a, false without a consent that stands. That is when an act
// last said yes. What only repeats a choice makes it no newer, so where no act did, it is when somebody first repeated it.
func (p *Person) Agreed(a About) (g Agreed, ok bool) {
	if p.Yes(a) == nil {
		return g, false
	}
	act := false
	for i := range p.Members {
		for j := range p.Members[i].Standing {
			switch s := &p.Members[i].Standing[j]; {
			case s.About != a:
			case s.YesAt > 0 && (!act || s.YesAt > g.At):
				g, act = Agreed{At: s.YesAt}, true
				if s.YesAt > s.NoAt { // else the text is the no's
					g.Text = s.Text
				}
			case s.YesAt == 0 && s.ToldAt > 0 && !act && (g.At == 0 || s.ToldAt < g.At):
				g.At = s.ToldAt
			}
		}
	}
	return g, true
}

// Abouts returns everything that the person ever spoke about, sorted.
func (p *Person) Abouts() (all []About) {
	for i := range p.Members {
		for j := range p.Members[i].Standing {
			if a := p.Members[i].Standing[j].About; !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Subject adds what the person says to d, for a decision.
func (p *Person) Subject(d *decision.Subject) {
	for _, a := range p.Abouts() {
		switch sort, name := a.Of(); sort {
		case "consent":
			if c, ok := p.Agreed(a); ok {
				d.Consents = append(d.Consents, decision.Consent{Purpose: name, At: c.At, Text: c.Text})
			}
		case "objection":
			if p.No(a) != nil {
				d.Objects = append(d.Objects, name)
			}
		case "opt_out":
			if i := slices.Index(decision.OptOutNames, name); i >= 0 && p.No(a) != nil {
				d.OptOuts |= 1 << i
			}
		}
	}
}

// Latest returns when the person last spoke about a, 0 when never.
func (p *Person) Latest(a About) (at int64) {
	for i := range p.Members {
		for j := range p.Members[i].Standing {
			if s := &p.Members[i].Standing[j]; s.About == a {
				at = max(at, s.NoAt, s.yesAt())
			}
		}
	}
	return at
}
