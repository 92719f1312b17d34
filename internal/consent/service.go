package consent

import (
	"fmt"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
)

// Service answers what people say. It opens no transaction: whoever writes words does so in the commit
// group that brings them (internal/plane/say.go), and whoever decides reads them in the snapshot that
// it decides on.
type Service struct{ store Store }

// New returns a Service over s.
func New(s Store) *Service { return &Service{store: s} }

// Of returns what each of people has said as of tx, for decisions. A person is all subject ids that
// are one, the head first; somebody without a subject left is erased, and somebody who is only on their
// way here isn't known. It is one look-up for
// all of them, and one more for those who ever said something.
func (s *Service) Of(tx store.Tx, tenant uint32, people [][]id.Subject) ([]decision.Subject, error) {
	keys, whose := flatten(tenant, people)
	out := make([]decision.Subject, len(people))
	states := make([]State, len(keys))
	left := make([]int, len(people))
	err := s.store.States(tx, keys, func(i int, st State) {
		states[i] = st
		p := whose[i]
		left[p]++
		if st.Restricted {
			out[p].States |= decision.Restricted
		}
	})
	if err != nil {
		return nil, fmt.Errorf("load people's states: %w", err)
	}
	all, err := s.load(tx, tenant, people, func(i int) bool { return states[i].Spoken })
	if err != nil {
		return nil, err
	}
	at := 0
	for p := range people {
		hidden := false
		for range people[p] {
			hidden = hidden || states[at].Hidden
			at++
		}
		out[p].Known = !hidden && len(people[p]) > 0
		if left[p] == 0 {
			out[p].States |= decision.Erased
			continue
		}
		all[p].Subject(&out[p])
	}
	return out, nil
}

// Person returns all that stands for the person, whose subjects are given, the head first.
func (s *Service) Person(tx store.Tx, tenant uint32, subjects []id.Subject) (Person, error) {
	all, err := s.load(tx, tenant, [][]id.Subject{subjects}, nil)
	if err != nil {
		return Person{}, err
	}
	return all[0], nil
}

// People returns all that stands for several people.
func (s *Service) People(tx store.Tx, tenant uint32, people [][]id.Subject) ([]Person, error) {
	return s.load(tx, tenant, people, nil)
}

// History returns what the person said, the newest first; limit bounds each subject's.
func (s *Service) History(tx store.Tx, tenant uint32, subjects []id.Subject, limit int) (words []Word, err error) {
	keys, _ := flatten(tenant, [][]id.Subject{subjects})
	if err := s.store.Words(tx, keys, limit, func(_ int, w Word) { words = append(words, w) }); err != nil {
		return nil, fmt.Errorf("load what a person said: %w", err)
	}
	sortWords(words)
	return words, nil
}

// Write writes what changed and what is kept of it.
func (s *Service) Write(tx store.Tx, tenant uint32, changes []Change, subjects []id.Subject, words []Word) error {
	if len(changes) > 0 {
		if err := s.store.PutStandings(tx, tenant, changes); err != nil {
			return fmt.Errorf("write what stands: %w", err)
		}
	}
	if len(words) > 0 {
		if err := s.store.Keep(tx, tenant, subjects, words); err != nil {
			return fmt.Errorf("keep words: %w", err)
		}
	}
	return nil
}

// load reads what stands for those subjects that spoken says have said something; nil: all of them.
func (s *Service) load(tx store.Tx, tenant uint32, people [][]id.Subject, spoken func(i int) bool) ([]Person, error) {
	keys, whose := flatten(tenant, people)
	all := make([]Person, len(people))
	var ask []Key
	var at []*Member
	for p := range people {
		all[p].Members = make([]Member, len(people[p]))
	}
	nth := 0
	for i, k := range keys {
		if i > 0 && whose[i] != whose[i-1] {
			nth = 0
		}
		m := &all[whose[i]].Members[nth]
		m.Subject = k.Subject
		nth++
		if spoken == nil || spoken(i) {
			ask, at = append(ask, k), append(at, m)
		}
	}
	if len(ask) == 0 {
		return all, nil
	}
	if err := s.store.Standings(tx, ask, func(i int, st Standing) { at[i].Standing = append(at[i].Standing, st) }); err != nil {
		return nil, fmt.Errorf("load what people said: %w", err)
	}
	return all, nil
}

// flatten returns every subject of the people, and whose it is.
func flatten(tenant uint32, people [][]id.Subject) (keys []Key, whose []int) {
	n := 0
	for _, p := range people {
		n += len(p)
	}
	keys, whose = make([]Key, 0, n), make([]int, 0, n)
	for i, p := range people {
		for _, s := range p {
			keys, whose = append(keys, Key{tenant, s}), append(whose, i)
		}
	}
	return keys, whose
}
