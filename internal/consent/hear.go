package consent

import (
	"slices"

	"domicile.dev/internal/id"
)

// Change is a standing that a word changed, to be written.
type Change struct {
	Subject id.Subject
	Standing
}

// Hear lets w be said by the person and returns what is to be written, and whether the word is to be
// kept in their history. A word that says what stands already is neither, unless it is the tenant's
// own; one that is older than what stands against it changes nothing, and an act of that sort is kept.
func (p *Person) Hear(w *Word) (changes []Change, keep bool) {
	if len(p.Members) == 0 {
		return nil, false
	}
	if !w.Yes() {
		return p.hearNo(w)
	}
	if !w.Act {
		return p.hearTold(w)
	}
	return p.hearYes(w)
}

// hearNo hears a no. It stands in its own channel even where another has said no already: else that
// one's yes would lift it.
func (p *Person) hearNo(w *Word) ([]Change, bool) {
	for i := range p.Members {
		m := &p.Members[i]
		for j := range m.Standing {
			s := &m.Standing[j]
			if s.About != w.About || s.Channel != w.Channel || !m.stands(s) {
				continue
			}
			if i == 0 && w.Act && w.At > s.NoAt { // said anew: a yes in between is older
				break
			}
			return nil, w.Channel == API
		}
	}
	label := w.Word
	if label == Refused && w.Channel != API && p.Yes(w.About) != nil {
		label = Withdrawn
	}
	head := &p.Members[0]
	s := head.at(w)
	was := *s
	if s.NoAt = max(s.NoAt, w.At); s.NoAt != was.NoAt {
		if s.No = label; s.NoAt >= s.YesAt { // else what is told is the newer yes's
			s.told(w)
		}
	}
	if !head.stands(s) && !w.Act { // an act of the person's is newer
		*s = was
		head.drop(w)
		return nil, false
	}
	w.Word = label
	if *s == was {
		return nil, w.Act
	}
	return []Change{{head.Subject, *s}}, true
}

// hearTold hears a yes that is no act: it counts where nothing was said.
func (p *Person) hearTold(w *Word) ([]Change, bool) {
	if !w.About.isConsent() || p.No(w.About) != nil || p.Yes(w.About) != nil {
		return nil, false
	}
	s := p.Members[0].at(w)
	s.ToldAt = w.At
	s.told(w)
	return []Change{{p.Members[0].Subject, *s}}, true
}

// hearYes hears an act that says yes. It is said by the whole person, so each member that has said no
// hears it.
func (p *Person) hearYes(w *Word) (changes []Change, keep bool) {
	if w.Channel != API && w.About.isConsent() {
		if y := p.Yes(w.About); y != nil && y.YesAt >= w.At {
			return nil, false // it is given already, and no no stands
		}
	}
	for i := range p.Members {
		m := &p.Members[i]
		if i > 0 && !slices.ContainsFunc(m.Standing, func(s Standing) bool { return s.About == w.About && s.NoAt > 0 }) {
			continue
		}
		s := m.at(w)
		if s.YesAt >= w.At {
			continue
		}
		if s.YesAt = w.At; s.YesAt > s.NoAt { // else what is told is the newer no's
			s.told(w)
		}
		changes = append(changes, Change{m.Subject, *s})
	}
	return changes, true
}

// at returns the channel's standing on what w is about, a new one when there is none.
func (m *Member) at(w *Word) *Standing {
	for i := range m.Standing {
		if s := &m.Standing[i]; s.About == w.About && s.Channel == w.Channel {
			return s
		}
	}
	m.Standing = append(m.Standing, Standing{About: w.About, Channel: w.Channel})
	return &m.Standing[len(m.Standing)-1]
}

// drop forgets an empty standing that at made.
func (m *Member) drop(w *Word) {
	m.Standing = slices.DeleteFunc(m.Standing, func(s Standing) bool {
		return s.About == w.About && s.Channel == w.Channel && s.NoAt == 0 && s.yesAt() == 0
	})
}

func (s *Standing) told(w *Word) {
	s.How, s.Source, s.ReceivedAt, s.Text = w.How, w.Source, w.ReceivedAt, w.Text
}

// Flat returns what the person's words come to when all is one subject's, such as after a move: every
// no that stands still does, and no yes lifts what it didn't before.
func (p *Person) Flat() []Standing {
	var all []Standing
	for _, a := range p.Abouts() {
		no := p.No(a) != nil
		for i := range p.Members {
			m := &p.Members[i]
			for j := range m.Standing {
				s := m.Standing[j]
				if s.About != a || no && !m.stands(&m.Standing[j]) {
					continue
				}
				if no {
					s.YesAt, s.ToldAt = 0, 0
				}
				all = join(all, s)
			}
		}
	}
	return all
}

// join adds s to all; of two that are the same channel's, the later times hold.
func join(all []Standing, s Standing) []Standing {
	i := slices.IndexFunc(all, func(o Standing) bool { return o.About == s.About && o.Channel == s.Channel })
	if i < 0 {
		return append(all, s)
	}
	o := &all[i]
	newer := max(s.NoAt, s.yesAt()) > max(o.NoAt, o.yesAt())
	if s.NoAt > o.NoAt {
		o.NoAt, o.No = s.NoAt, s.No
	}
	o.YesAt = max(o.YesAt, s.YesAt)
	if o.ToldAt == 0 || s.ToldAt > 0 && s.ToldAt < o.ToldAt {
		o.ToldAt = s.ToldAt
	}
	if newer {
		o.How, o.Source, o.Text, o.ReceivedAt = s.How, s.Source, s.Text, s.ReceivedAt
	}
	return all
}
