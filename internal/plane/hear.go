package plane

import (
	"fmt"
	"hash/maphash"
	"slices"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// speech is what events say of consent, as the programme reads it. Events of a batch that say the same
// share one.
type speech struct {
	words  []consent.Word // without times
	role   string
	act    bool
	digest uint64 // of the source and all of it
}

// speeches makes them, and knows the last: most events of a batch say the same.
type speeches struct {
	choices func() []consent.Choice
	last    *ingest.Choices
	speech  *speech
	made    bool
}

func (p *Plane) choicesOf(src *tenant.Source) []consent.Choice {
	if p.Choices == nil {
		return nil
	}
	return p.Choices(src)
}

var speechSeed = maphash.MakeSeed()

// of returns what ev says, nil when that is nothing.
func (x *speeches) of(o *ingestOp, gpc bool, ev *ingest.Event) *speech {
	if ev.Choices == nil && !gpc {
		return nil
	}
	if x.made && x.last == ev.Choices {
		return x.speech
	}
	x.made, x.last, x.speech = true, ev.Choices, nil
	s := speech{role: term.RoleSubject}
	var how string
	if c := ev.Choices; c != nil {
		s.role, s.act, how = c.Role, c.Act, c.How
		for _, choice := range x.choices() {
			yes, named := c.Says(choice.Category)
			for _, about := range choice.About {
				if named {
					s.words = append(s.words, wordOf(o, about, yes, c.Act, choice.Category, how))
				}
			}
		}
	}
	if gpc {
		s.words = append(s.words, wordOf(o, consent.GPC, false, false, "gpc", "signal"))
	}
	if len(s.words) == 0 {
		return nil
	}
	var h maphash.Hash
	h.SetSeed(speechSeed)
	for i := range s.words {
		w := &s.words[i]
		for _, text := range [3]string{string(w.About), w.Channel, w.Word} {
			_, _ = h.WriteString(text)
			_ = h.WriteByte(0)
		}
	}
	s.digest = h.Sum64() &^ 1
	x.speech = &s
	return x.speech
}

func wordOf(o *ingestOp, about consent.About, yes, act bool, category, how string) consent.Word {
	w := consent.Word{About: about, Channel: o.src.ID + "/" + category, How: how, Source: o.src.ID}
	// A stranger with a browser's key can repeat a no for ever: only a yes of theirs is worth being an act.
	w.Act = act && (yes || o.src.Trust == term.Server)
	switch sort, _ := about.Of(); {
	case sort == "consent" && yes:
		w.Word = consent.Given
	case sort == "consent":
		w.Word = consent.Refused
	case yes:
		w.Word = consent.In
	default:
		w.Word = consent.Out
	}
	return w
}

// speaking is an accepted event that says something.
type speaking struct {
	o    *ingestOp
	e    *prepared
	said *said
	mine bool // the source may say yes for whom the event is about
}

// sayer returns whose choices e has, nil when it isn't known.
func (e *prepared) sayer() *said {
	for i := range e.says {
		if e.says[i].role == e.speech.role {
			return &e.says[i]
		}
	}
	return nil
}

// listen notes an accepted event that says something, unless its person is known here to have said just that.
func (g *group) listen(o *ingestOp, e *prepared) {
	sd := e.sayer()
	if sd == nil || sd.row == nil && sd.who == nil {
		return
	}
	s := speaking{o: o, e: e, said: sd, mine: o.src.Trust == term.Server || g.deviceOf(sd)}
	if !e.speech.act && sd.row == nil && sd.who.heard(s.digest()) {
		return
	}
	g.speaking = append(g.speaking, s)
}

func (s *speaking) digest() uint64 {
	if s.mine {
		return s.e.speech.digest | 1
	}
	return s.e.speech.digest
}

// deviceOf says whether this node knows that the event's anonymous id is its person's. Decision 0026: a
// public source says yes only for whom it names by what their own device alone knows.
func (g *group) deviceOf(sd *said) bool {
	a := sd.anonymous()
	return a != nil && sd.row == nil && g.p.people.get(subject.BindingKey{Tenant: sd.Tenant, Digest: a.Digest}) == sd.who
}

func (s *said) anonymous() *subject.Identifier {
	for i := range s.Identifiers {
		if s.Identifiers[i].Type == term.AnonymousID {
			return &s.Identifiers[i]
		}
	}
	return nil
}

// heard is what a person's words came to in this group.
type heard struct {
	head    subject.Key
	person  *consent.Person
	members []id.Subject
	changes []consent.Change
	words   []consent.Word
	told    bool // an act said yes: what other nodes know of the person is out of date
}

// hear keeps what the group's events say. It runs after the records are appended, so that what was a
// duplicate says nothing, and in their transaction.
func (g *group) hear() error {
	if len(g.speaking) == 0 {
		return nil
	}
	if err := g.findDevices(g.speaking, (*speaking).saysYes); err != nil {
		return err
	}
	keys := make([]subject.Key, 0, len(g.speaking))
	for i := range g.speaking {
		sd := g.speaking[i].said
		keys = append(keys, subject.Key{Tenant: sd.Tenant, Subject: sd.subject()})
	}
	people, err := g.loadHeard(keys)
	if err != nil {
		return err
	}
	for i := range g.speaking {
		h := people[keys[i]]
		if h == nil {
			continue
		}
		h.hear(&g.speaking[i])
		g.spoken = append(g.spoken, knownSpeech{h.head, g.speaking[i].digest()})
	}
	return g.keepHeard(people, keys)
}

// hear lets the person say the event's words. Of a public source that may not speak for them, a yes
// is nobody's.
func (h *heard) hear(s *speaking) {
	at := s.e.ev.OccurredAt
	received := s.o.chunk.ReceivedAt
	for _, w := range s.e.speech.words {
		w.At, w.ReceivedAt = consent.When(at, received), received
		if s.e.ev.Skewed { // its time says nothing, so that it can't be the later one
			w.At, w.Act = received, w.Act && !w.Yes()
		}
		if w.Yes() && !s.mine {
			continue
		}
		h.say(&w)
	}
}

func (h *heard) say(w *consent.Word) {
	changes, keep := h.person.Hear(w)
	for _, c := range changes {
		i := slices.IndexFunc(h.changes, func(o consent.Change) bool {
			return o.Subject == c.Subject && o.About == c.About && o.Channel == c.Channel
		})
		if i < 0 {
			h.changes = append(h.changes, c)
		} else {
			h.changes[i] = c
		}
	}
	if keep {
		h.words = append(h.words, *w)
		h.told = h.told || w.Act && w.Yes()
	}
}

func (s *speaking) saysYes() bool {
	return slices.ContainsFunc(s.e.speech.words, func(w consent.Word) bool { return w.Yes() })
}

// findDevices looks up in the store whose the anonymous ids are of which this node doesn't know it, of those
// events where it matters.
func (g *group) findDevices(all []speaking, matters func(*speaking) bool) error {
	graph := subject.NewGraph(nil)
	asked := false
	for i := range all {
		s := &all[i]
		if a := s.said.anonymous(); a != nil && !s.mine && matters(s) {
			graph.Want(&subject.Say{Tenant: s.said.Tenant, Identifiers: []subject.Identifier{*a}, Join: true, Trust: term.Server})
			asked = true
		}
	}
	if !asked {
		return nil
	}
	if err := graph.Load(g.tx, g.p.Subjects); err != nil {
		return err
	}
	need := map[subject.Key]bool{}
	for i := range all {
		need[subject.Key{Tenant: all[i].said.Tenant, Subject: all[i].said.subject()}] = true
	}
	if err := graph.LoadRows(g.tx, g.p.Subjects, need); err != nil {
		return err
	}
	for i := range all {
		s := &all[i]
		if a := s.said.anonymous(); a != nil && !s.mine {
			owner := graph.Owner(s.said.Tenant, a.Digest)
			head := graph.Head(subject.Key{Tenant: s.said.Tenant, Subject: s.said.subject()})
			s.mine = owner != nil && head != nil && owner.Subject == head.Subject
		}
	}
	return nil
}

// loadHeard returns the people whose subjects are given, each once, with what stands for them.
func (g *group) loadHeard(keys []subject.Key) (map[subject.Key]*heard, error) {
	p := g.p
	asked := make([]consent.Key, 0, len(keys))
	out := make(map[subject.Key]*heard, len(keys))
	for _, k := range keys {
		if _, twice := out[k]; !twice {
			out[k] = nil
			asked = append(asked, consent.Key{Tenant: k.Tenant, Subject: k.Subject})
		}
	}
	byHead := map[subject.Key]*heard{}
	spoken := map[subject.Key]bool{}
	var heads []subject.Key
	if err := p.Consents.States(g.tx, asked, func(i int, st consent.State) {
		head := subject.Key{Tenant: asked[i].Tenant, Subject: st.Head}
		h := byHead[head]
		if h == nil {
			h = &heard{head: head, members: []id.Subject{st.Head}}
			byHead[head] = h
			heads = append(heads, head)
		}
		spoken[head] = spoken[head] || st.Spoken
		out[subject.Key{Tenant: asked[i].Tenant, Subject: asked[i].Subject}] = h
	}); err != nil {
		return nil, fmt.Errorf("load who speaks: %w", err)
	}
	if err := p.Subjects.Members(g.tx, heads, func(r subject.Row) {
		head := subject.Key{Tenant: r.Tenant, Subject: r.Head}
		h := byHead[head]
		h.members = append(h.members, r.Subject)
		spoken[head] = true // whether they said something isn't looked at
	}); err != nil {
		return nil, fmt.Errorf("load members: %w", err)
	}
	for tenant, group := range byTenant(heads) {
		var ask [][]id.Subject
		var whose []*heard
		for _, head := range group {
			h := byHead[head]
			if !spoken[head] {
				h.person = &consent.Person{Members: []consent.Member{{Subject: head.Subject}}}
				continue
			}
			ask, whose = append(ask, h.members), append(whose, h)
		}
		if len(ask) == 0 {
			continue
		}
		all, err := p.says.People(g.tx, tenant, ask)
		if err != nil {
			return nil, err
		}
		for i := range all {
			whose[i].person = &all[i]
		}
	}
	return out, nil
}

func byTenant(keys []subject.Key) map[uint32][]subject.Key {
	m := map[uint32][]subject.Key{}
	for _, k := range keys {
		m[k.Tenant] = append(m[k.Tenant], k)
	}
	return m
}

// toldBody is the ledger's entry on what somebody said.
type toldBody struct {
	Subject id.Subject `json:"subject"`
	Words   []toldWord `json:"words"`
	Token   string     `json:"token,omitempty"`
}

type toldWord struct {
	About  string `json:"about"`
	Word   string `json:"word"`
	At     string `json:"at"`
	How    string `json:"how"`
	Source string `json:"source"`
	Text   string `json:"text_version,omitempty"`
}

// keepHeard writes what changed and enters it, in the order in which it was said.
func (g *group) keepHeard(people map[subject.Key]*heard, order []subject.Key) error {
	done := map[*heard]bool{}
	for _, k := range order {
		h := people[k]
		if h == nil || done[h] || len(h.changes)+len(h.words) == 0 {
			continue
		}
		done[h] = true
		if _, err := g.keepSaid(h, ""); err != nil {
			return err
		}
	}
	return nil
}

// keepSaid writes what h came to, with its ledger entry.
func (g *group) keepSaid(h *heard, token string) (ref ledger.Ref, err error) {
	p := g.p
	whose := make([]id.Subject, len(h.words))
	body := toldBody{Subject: h.head.Subject, Token: token}
	for i := range h.words {
		w := &h.words[i]
		whose[i] = h.head.Subject
		body.Words = append(body.Words, toldWord{About: string(w.About), Word: w.Word, At: stamp(w.At), How: w.How, Source: w.Source, Text: w.Text})
	}
	if err := p.says.Write(g.tx, h.head.Tenant, h.changes, whose, h.words); err != nil {
		return ref, err
	}
	spoke := []consent.Key{{Tenant: h.head.Tenant, Subject: h.head.Subject}}
	for i := range h.changes {
		if k := (consent.Key{Tenant: h.head.Tenant, Subject: h.changes[i].Subject}); !slices.Contains(spoke, k) {
			spoke = append(spoke, k)
		}
	}
	if err := p.Consents.MarkSpoken(g.tx, spoke); err != nil {
		return ref, fmt.Errorf("note that %s spoke: %w", h.head.Subject, err)
	}
	if h.told {
		if err := g.tell("consent", h.head); err != nil {
			return ref, err
		}
	}
	if len(body.Words) == 0 {
		return ref, nil
	}
	refs, err := g.enter(ledger.Draft{Kind: "say", Tenant: p.tenantOf(h.head.Tenant), At: g.now, Body: body})
	if err != nil {
		return ref, fmt.Errorf("enter what %s said: %w", h.head.Subject, err)
	}
	return refs[0], nil
}

func stamp(ms int64) string { return milli(ms).Format("2006-01-02T15:04:05.000Z") }

// knownSpeech is what this node then knows a person to have said.
type knownSpeech struct {
	key    subject.Key
	digest uint64
}
