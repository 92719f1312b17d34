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
type Service struct {
	store Store
	// Numbers looks, in tx, at the numbers of subjects that nobody looked at yet, and returns the countries of
	// each, in order, as residency.Origins has them; ok is false where an identifier doesn't open. Nil: nothing
	// is known of whoever wasn't looked at.
	Numbers func(tx store.Tx, tenant uint32, of []id.Subject) (countries []string, ok []bool, err error)
}

// New returns a Service over s.
func New(s Store) *Service { return &Service{store: s} }

// Of returns what each of people has said as of tx, for decisions. A person is all subject ids that
// are one, the head first; somebody without a subject left is erased, and somebody who is only on their
// way here isn't known. It is one query for all of them, and two
// more for those whose numbers nobody looked at yet.
func (s *Service) Of(tx store.Tx, tenant uint32, people [][]id.Subject) ([]decision.Subject, error) {
	keys, whose := flatten(tenant, people)
	out := make([]decision.Subject, len(people))
	all := make([]Person, len(people))
	last := -1
	hidden := make([]bool, len(people))
	brings := newBringing(len(people))
	err := s.store.StatesAndStandings(tx, keys, func(i int, st State, w *Standing) {
		p := whose[i]
		if i != last { // rows come in the order of keys
			last = i
			all[p].Members = append(all[p].Members, Member{Subject: keys[i].Subject})
			hidden[p] = hidden[p] || st.Hidden
			brings.add(p, keys[i].Subject, &st.Origins)
			if st.Restricted {
				out[p].States |= decision.Restricted
			}
		}
		if w != nil {
			m := &all[p].Members[len(all[p].Members)-1]
			m.Standing = append(m.Standing, *w)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("load what people say: %w", err)
	}
	if err := brings.look(s, tx, tenant); err != nil {
		return nil, err
	}
	for p := range people {
		out[p].Known = !hidden[p] && len(people[p]) > 0
		if len(all[p].Members) == 0 {
			out[p].States |= decision.Erased
			continue
		}
		all[p].Subject(&out[p])
		if origins, known := brings.of(p); known {
			out[p].Origins = origins
		} else {
			out[p].Known = false
		}
	}
	return out, nil
}

// Person returns all that stands for the person, whose subjects are given, the head first.
func (s *Service) Person(tx store.Tx, tenant uint32, subjects []id.Subject) (Person, error) {
	all, err := s.load(tx, tenant, [][]id.Subject{subjects})
	if err != nil {
		return Person{}, err
	}
	return all[0], nil
}

// People returns all that stands for several people.
func (s *Service) People(tx store.Tx, tenant uint32, people [][]id.Subject) ([]Person, error) {
	return s.load(tx, tenant, people)
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

// load reads what stands for people.
func (s *Service) load(tx store.Tx, tenant uint32, people [][]id.Subject) ([]Person, error) {
	keys, _ := flatten(tenant, people)
	all := make([]Person, len(people))
	at := make([]*Member, 0, len(keys))
	for p := range people {
		all[p].Members = make([]Member, len(people[p]))
		for i, subject := range people[p] {
			all[p].Members[i].Subject = subject
			at = append(at, &all[p].Members[i])
		}
	}
	if err := s.store.Standings(tx, keys, func(i int, st Standing) { at[i].Standing = append(at[i].Standing, st) }); err != nil {
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
